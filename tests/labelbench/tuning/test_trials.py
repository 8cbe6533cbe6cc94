"""Equal tuning: every label gets the same grid and budget, once, on seeds that no result uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import made_up
from labelbench.errors import InputError
from labelbench.leaderboard.leaderboard import build
from labelbench.recipes import RECIPES
from labelbench.results.store import Results
from labelbench.runs import Numerics, RunSpec
from labelbench.suite import Suite
from labelbench.tuning.suite_file import suite_text
from labelbench.tuning.trials import FIRST_SEED, Trials, edge_lines
from labelbench.tunings import Grid

SUITE = Suite("mine", ("digits",), ("category", "speech"), ("resnet8",), ("accuracy",), recipe=RECIPES["quick"])
RATES = Grid.of({"learning-rate": (0.1, 0.2, 0.4)})
REACHED = {"category": (0.7, 0.9, 0.8), "speech": (0.8, 0.6, 0.5), "low-dim": (0.1, 0.2, 0.3)}


def reached(run: RunSpec) -> float:
    return dict(zip((0.1, 0.2, 0.4), REACHED[run.label], strict=True)).get(run.recipe.learning_rate, 0.95)


def carried_out(trials: Trials, results: Results, of: Callable[[RunSpec], float | None] = reached) -> list[RunSpec]:
    """Records as trainings leave them, with known accuracies; returns which were missing."""
    todo = list(trials.plan(results).todo_trainings)
    for run in todo:
        accuracy = of(run)
        facts: Mapping[str, Any] = {
            "status": "done" if accuracy is not None else "diverged",
            "history": {"validation_accuracy": [] if accuracy is None else [accuracy / 2, accuracy]},
            "wall_seconds": 1.5,
        }
        results.save_training(run, facts)
    return todo


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "tuning")


@pytest.fixture
def tuned(results: Results) -> Suite:
    trials = Trials.of(SUITE, RATES, Numerics())
    carried_out(trials, results)
    return trials.found(results)


def test_every_label_gets_every_point_on_seeds_that_no_result_uses(results: Results) -> None:
    todo = carried_out(Trials.of(SUITE, RATES, Numerics(), seeds=2, epochs=3), results)
    assert len(todo) == 2 * 3 * 2
    assert {run.seed for run in todo} == {FIRST_SEED, FIRST_SEED + 1}
    assert {run.recipe.epochs for run in todo} == {3}
    asked = {
        label: {(run.recipe.learning_rate, run.seed) for run in todo if run.label == label} for label in SUITE.labels
    }
    assert asked["category"] == asked["speech"]


def test_each_label_has_the_recipe_that_did_best(tuned: Suite) -> None:
    assert {label: recipe.learning_rate for label, recipe in tuned.recipes} == {"category": 0.2, "speech": 0.1}
    assert tuned.recipe_of("category") == replace(
        RECIPES["quick"],
        optimizer=replace(RECIPES["quick"].optimizer, learning_rate=0.2),
        tuned=("learning_rate",),
        tuning="learning-rate 0.1, 0.2, 0.4 with 1 seed and 12 epochs each, on digits resnet8 (9b0b4d)",
    )


def test_the_file_of_a_tuned_suite_is_read_as_it(tuned: Suite, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(suite_text(tuned, "made by a test"))
    assert Suite.load(str(file)) == tuned
    assert Suite.load(str(file)).changed(epochs=6).recipe_of("speech").epochs == 6


def test_what_a_best_at_an_edge_of_the_grid_means_is_said(tuned: Suite) -> None:
    assert tuned.tuning
    assert list(edge_lines(tuned.tuning)) == [
        "speech: the best learning-rate, 0.1, is the smallest that was tried; try one beyond it"
    ]


def test_interrupted_and_grown_grids_do_only_what_is_missing(tuned: Suite, results: Results) -> None:
    assert carried_out(Trials.of(SUITE, RATES, Numerics()), results) == []
    for suite in (SUITE, tuned):
        grown = Trials.of(suite, Grid.of({"learning-rate": (0.05, 0.1, 0.2, 0.4)}), Numerics())
        assert {run.recipe.learning_rate for run in grown.plan(results).todo_trainings} == {0.05}
    carried_out(grown, results)
    assert {recipe.learning_rate for _, recipe in grown.found(results).recipes} == {0.05}


def test_a_label_that_comes_later_is_tuned_alone(tuned: Suite, tmp_path: Path) -> None:
    elsewhere = Results(tmp_path / "elsewhere")
    trials = Trials.of(tuned.changed(labels=["category", "speech", "low-dim"]), None, Numerics())
    assert {run.label for run in carried_out(trials, elsewhere)} == {"low-dim"}
    found = trials.found(elsewhere)
    assert dict(found.recipes)["category"] == tuned.recipe_of("category")
    assert dict(found.recipes)["low-dim"].learning_rate == 0.4


def test_another_budget_or_recipe_begins_anew(tuned: Suite) -> None:
    for suite, more in ((tuned, {"seeds": 2}), (tuned, {"epochs": 3}), (tuned.changed(train_fraction=0.5), {})):
        assert {run.label for runs in Trials.of(suite, None, Numerics(), **more).runs.values() for run in runs} == {
            "category",
            "speech",
        }


def test_a_label_whose_trainings_all_diverge_has_no_recipe(results: Results) -> None:
    trials = Trials.of(SUITE, RATES, Numerics())
    carried_out(trials, results, lambda run: None if run.label == "speech" else 0.5)
    found = trials.found(results)
    assert [label for label, _ in found.recipes] == ["category"] and found.untuned == ("speech",)
    assert found.tuning and "every training diverged" in list(edge_lines(found.tuning))[-1]


def test_results_are_not_of_the_seeds_that_chose(tuned: Suite) -> None:
    with pytest.raises(InputError, match=f"seed {FIRST_SEED} chose the recipes"):
        tuned.changed(seeds=[0, FIRST_SEED])


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (None, "say what to try: --grid"),
        ({"learning-rat": (1.0,)}, "did you mean learning-rate"),
        ({"flip": (1.0,)}, "flip"),
    ],
)
def test_a_grid_that_cannot_be_tried_is_refused(grid: dict[str, tuple[float, ...]] | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Trials.of(SUITE, Grid.of(grid) if grid else None, Numerics())


def test_rows_of_one_grid_are_comparable_whatever_they_chose_and_never_with_others(tuned: Suite) -> None:
    grown = replace(tuned.recipe_of("speech"), tuning="another grid")
    records = [
        *made_up.seeds("category", "accuracy", {"nearest": 0.9}, recipe=tuned.recipe_of("category")),
        *made_up.seeds("speech", "accuracy", {"nearest": 0.8}, recipe=tuned.recipe_of("speech")),
        *made_up.seeds("speech", "accuracy", {"nearest": 0.7}, recipe=RECIPES["quick"]),
        *made_up.seeds("category", "accuracy", {"nearest": 0.7}, recipe=grown),
    ]
    board = build(records)
    assert len(board.legend) == 3
    letters = {(row.label, row.values["accuracy/nearest"].mean): row.settings for row in board.tables[0].rows}
    shared = {letter for (label, mean), letter in letters.items() if mean and mean > 0.75}
    assert len(shared) == 1
    assert "tuned for each label: learning-rate 0.1, 0.2, 0.4 with 1 seed" in str(board.legend[shared.pop()])
    assert {(one.name, one.reference) for one in board.differences} <= {("speech", "category")}
    assert len(board.differences) == 1
