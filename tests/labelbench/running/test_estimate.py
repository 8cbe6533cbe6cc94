from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from labelbench.recipes import find_recipe
from labelbench.results.store import Results
from labelbench.running.estimate import Work, estimate
from labelbench.running.materials import Materials
from labelbench.running.planning import plan
from labelbench.runs import Numerics, RunSpec
from labelbench.suite import Suite
from labelbench.training.trainer import Trainer

RECIPE = find_recipe("quick").with_epochs(1)
RUN = RunSpec("digits", "category", "resnet8", 0, recipe=RECIPE, numerics=Numerics(threads=1))


@pytest.mark.parametrize("share", [0.01, 0.08, 0.2, 1.0])
def test_work_is_what_a_training_looks_at(share: float) -> None:
    run, materials = replace(RUN, train_fraction=share), Materials()
    images, labels = materials.images(run), materials.labels(run)
    steps = Trainer(run, materials.network(run), labels, images, validation_share=0.1, flip=False).steps
    count = round(share * 1442) if share < 1 else 1298
    work = Work.of(run, materials)
    # Batches that are not full are left out.
    assert work == Work(count, min(64, count), images=steps * min(64, count), validated=144)
    assert steps >= 20


def test_small_steps_are_timed_by_themselves(tmp_path: Path) -> None:
    suite = Suite(
        *("test", ("digits:size=8",), ("category",), ("resnet8",), ("data-efficiency",)), recipe=find_recipe("quick")
    )
    *lines, total = estimate(plan(suite, Numerics(threads=1), Results(tmp_path)))
    assert sum(int(re.findall(r"(\d+) trainings", line)[0]) for line in lines) == 7
    assert "digits:size=8 resnet8 10: 1 trainings, 3,360 images 14 at a time at " in lines[0] + lines[1]
    assert total.startswith("all missing trainings")


def test_jobs_at_once_take_less_time_and_say_so(tmp_path: Path) -> None:
    suite = Suite("test", ("digits:size=8",), ("category", "low-dim"), ("resnet8",), ("accuracy",), recipe=RECIPE)
    line, total = estimate(plan(suite, Numerics(threads=1), Results(tmp_path)), jobs=2)
    assert ": 2 trainings, " in line and " images/s, 2 at once in processes: " in line
    assert total.startswith("all missing trainings, 2 at once: ")
