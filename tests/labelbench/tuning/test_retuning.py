"""What a shipped suite says of its grid, tried again."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from labelbench.results.store import Results
from labelbench.running.progress import Reporter
from labelbench.running.runner import Runner
from labelbench.runs import Numerics
from labelbench.suite import Suite
from labelbench.tuning.trials import Trials
from labelbench.tunings import Grid


def test_low_dimensional_noise_needs_another_rate_than_the_recipes_still(tmp_path: Path) -> None:
    suite = Suite.load("quick")
    ((dataset, backbone),) = suite.tuning.places if suite.tuning else ()
    assert suite.tuning and suite.tuning.epochs == suite.recipe.epochs
    recorded = dict(zip(suite.tuning.grid.points, suite.tuning.accuracy["low-dim"], strict=True))
    again = suite.changed(datasets=dataset, backbones=backbone, labels="low-dim", recipe=suite.recipe)
    trials = Trials.of(
        again, Grid.of({"learning-rate": (0.1, 0.8)}), Numerics(threads=1), seeds=len(suite.tuning.seeds)
    )
    with Reporter(Console(quiet=True)) as reporter:
        Runner(trials.plan(Results(tmp_path)), Results(tmp_path), reporter).run()
    found = trials.found(Results(tmp_path))
    assert found.tuning and found.tuning.recipe == suite.tuning.recipe
    small, large = found.tuning.accuracy["low-dim"]
    assert small is not None and large is not None and large > small + 0.1
    # Processors of another capability round otherwise, which moves a network as another seed would.
    assert (small, large) == (pytest.approx(recorded[0.1,], abs=0.25), pytest.approx(recorded[0.8,], abs=0.1))
    assert found.recipe_of("low-dim").learning_rate == suite.recipe_of("low-dim").learning_rate
