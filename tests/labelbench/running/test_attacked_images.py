from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labelbench.charts.adversarial_figures import strip_figure
from labelbench.charts.labels import picture
from labelbench.errors import InputError
from labelbench.results.reading import read
from labelbench.results.store import Results
from labelbench.running.attacked_images import attacks_at, strips_of

EPSILON = 16.0


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Two small networks, trained for a moment by the real command."""
    from rich.console import Console

    from labelbench.running.planning import plan
    from labelbench.running.progress import Reporter
    from labelbench.running.runner import Runner
    from labelbench.runs import Numerics
    from labelbench.suite import Suite

    suite = replace(
        Suite.load("quick"),
        labels=("category-smoothed", "category"),
        evaluators=("accuracy",),
        seeds=(0,),
        test_images=40,
    )
    suite = replace(suite, recipe=suite.recipe.with_epochs(5), backbones=("resnet8",), datasets=("digits",))
    results = Results(tmp_path_factory.mktemp("trained") / "results")
    with Reporter(Console(file=io.StringIO())) as reporter:
        outcome = Runner(plan(suite, Numerics(threads=1), results), results, reporter).run()
    assert not outcome.failures
    return results


def test_a_strip_shows_what_the_engine_finds_within_epsilon(trained: Results) -> None:
    (strip,) = strips_of(trained, read(trained).trainings, epsilon=EPSILON, count=3)
    assert (strip.dataset, strip.backbone, strip.name) == ("digits", "resnet8", "adversarial-examples-digits-resnet8")
    assert [row.run.label for row in strip.rows] == ["category", "category-smoothed"]
    assert strip.images.shape == (3, 32, 32, 3) and len(set(strip.classes)) == 3
    for row in strip.rows:
        for found in row.attacks.values():
            change = np.abs(found.images - strip.images)
            assert 0 < change.max() <= EPSILON / 255 + 1e-6
    adaptive = strip.rows[0].attacks["adaptive attack"]
    assert adaptive.images.min() >= 0 and adaptive.images.max() <= 1
    # A network of five epochs does not withstand changes of this size.
    assert any((row.attacks["adaptive attack"].read != row.read).any() for row in strip.rows)
    assert "16/255" in strip.note


def test_strips_are_the_same_every_time_and_leave_the_folder_alone(trained: Results) -> None:
    before = {file: file.stat().st_mtime_ns for file in trained.folder.rglob("*")}
    drawn = []
    for _ in range(2):
        (strip,) = strips_of(trained, read(trained).trainings, epsilon=2, count=2)
        drawn.append(picture(strip_figure(strip), "png"))
    assert drawn[0] == drawn[1]
    assert {file: file.stat().st_mtime_ns for file in trained.folder.rglob("*")} == before


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_figure_has_five_pictures_for_each_image_and_label(trained: Results, count: int) -> None:
    (strip,) = strips_of(trained, read(trained).trainings, epsilon=EPSILON, count=count)
    figure = strip_figure(strip)
    assert len(figure.axes) == 5 * count * 2
    clean, paper, change = (np.asarray(axes.images[0].get_array()) for axes in figure.axes[:3])
    assert clean == pytest.approx(strip.images[0])
    difference = strip.rows[0].attacks["paper's attack"].images[0] - strip.images[0]
    assert change == pytest.approx((0.5 + difference * 0.5 * 255 / EPSILON).clip(0, 1), abs=1e-6)
    seen = int(strip.rows[0].attacks["paper's attack"].read[0])
    assert figure.axes[1].get_xlabel() == strip.class_names[seen]
    changed = seen != strip.rows[0].read[0]
    assert figure.axes[1].xaxis.label.get_fontweight() == ("bold" if changed else "normal")
    assert paper.min() >= 0 and paper.max() <= 1


def test_the_paper_s_attack_is_that_of_the_evaluator() -> None:
    from labelbench_evaluators.attack_protocols import PROTOCOLS

    expected = replace(PROTOCOLS["paper"]["iterative-untargeted"], epsilons=(2 / 255,), units="pixels")
    assert attacks_at(2)["paper's attack"] == expected


def test_labels_are_drawn_in_the_order_asked_for(trained: Results) -> None:
    (strip,) = strips_of(trained, read(trained).trainings, labels=("category-smoothed", "category"), count=1)
    assert [row.run.label for row in strip.rows] == ["category-smoothed", "category"]
    (strip,) = strips_of(trained, read(trained).trainings, labels=("category-smoothed",), count=1)
    assert [row.run.label for row in strip.rows] == ["category-smoothed"]


@pytest.mark.parametrize("epsilon", [0.0, -1.0, 256.0, float("nan")])
def test_epsilons_out_of_range_are_refused(trained: Results, epsilon: float) -> None:
    with pytest.raises(InputError, match="expected above 0 to 255"):
        strips_of(trained, read(trained).trainings, epsilon=epsilon)


def test_the_command_draws_a_strip_and_says_what_is_missing(
    trained: Results, command: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    args = ("--figure", "adversarial-examples", "--output", "strip.png", "--images", "1")
    done = command("plot", str(trained.folder), *args)
    assert done.returncode == 0, done.stderr
    assert Image.open(io.BytesIO((tmp_path / "strip.png").read_bytes())).width > 900
    shutil.copytree(trained.folder, tmp_path / "published", ignore=shutil.ignore_patterns(".work"))
    done = command("plot", "published", *args)
    assert done.returncode == 2 and "the weights of digits resnet8 category seed 0 are not here" in done.stderr
