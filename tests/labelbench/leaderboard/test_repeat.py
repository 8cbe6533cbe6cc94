"""The command shown for a run, read back by the options of the command itself, asks for that very run."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

import made_up
from labelbench.api import planned
from labelbench.claims.files import paper_claims
from labelbench.cli import cli
from labelbench.commands.options import suite_of
from labelbench.commands.running import run as run_command
from labelbench.leaderboard.leaderboard import Leaderboard, build
from labelbench.leaderboard.repeat import SUITE_FILE, Repeat, repeats_of
from labelbench.machine.hardware import cpp_compiler
from labelbench.machine.numerics import resolve_numerics
from labelbench.optimizers import SGD, Muon
from labelbench.plugins.discovery import plugins
from labelbench.plugins.lookup import evaluator
from labelbench.recipes import RECIPES, Recipe
from labelbench.report.summary import claim_views
from labelbench.results.reading import read
from labelbench.results.records import Cell
from labelbench.results.store import Results
from labelbench.running.planning import Plan
from labelbench.runs import RunSpec
from labelbench.suite import Suite

PUBLISHED = Path(__file__).parents[3] / "results"
EVALUATORS = ("accuracy", "label-statistics", "attacks-adaptive:quick", "data-efficiency")


def plan_of(repeat: Repeat, folder: Path) -> Plan:
    """What the command, as a shell hands it over, plans to do in a folder."""
    program, command, *args = shlex.split(repeat.command)
    assert (program, command) == ("labelbench", "run") and (command, *args) == repeat.args
    with click.Context(cli) as parent:
        options = run_command.make_context("run", args, parent=parent).params
    assert options["results"] == Path("results/repeat")
    if repeat.suite:
        assert options["suite"] == SUITE_FILE
        folder.mkdir(exist_ok=True)
        (folder / SUITE_FILE).write_text(repeat.suite, encoding="utf-8")
        options["suite"] = str(folder / SUITE_FILE)
    machine = {name: options[name] for name in ("device", "threads", "compiled", "jobs", "overwrite")}
    return planned(suite_of(options), folder, **machine)[0]


def cell_of(run: RunSpec, name: str) -> Cell:
    """The measurement of a run, or of its labels alone, by an evaluator."""
    made = evaluator(name)
    return Cell(run.of_labels if made.needs(run).labels_alone else run, name, made.version)


@pytest.mark.parametrize("name", ["cifar10-attacks", "cifar10-quarter"])
def test_a_verdict_that_is_open_has_a_command_that_measures_what_it_lacks(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where the files of suites lie that are not shipped.
    monkeypatch.chdir(PUBLISHED)
    contents = read(Results(PUBLISHED / name))
    board = Leaderboard.of(contents)
    views = claim_views(board, paper_claims(), "results/repeat")
    done = {record.cell for record in contents.records}
    commands = {}
    for view in views:
        for verdict, command in view.verdicts:
            assert (command is not None) == (verdict.outcome == "not decided")
            if command is not None:
                commands[command.command] = command
    assert commands
    for command in commands.values():
        plan = plan_of(command, tmp_path)
        assert len({cell.run.seed for cell in plan.cells}) >= 3 and set(plan.cells) - done
        assert "category" in {cell.run.label for cell in plan.cells}
        # What it measures joins the rows that are there.
        assert {cell.run for cell in plan.cells} & {cell.run for cell in done}


@pytest.mark.parametrize("suite_name", ["quick", "mine.toml"])
@pytest.mark.parametrize("changed", [{}, {"epochs": 1, "test_images": 50}, {"test_images": "all"}, {"recipe": "short"}])
def test_what_a_row_lacks_is_asked_for_under_the_settings_of_the_row(
    suite_name: str, changed: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.toml").write_text('base = "quick"', encoding="utf-8")
    suite = Suite.load(suite_name).changed(**changed)
    where = {"dataset": suite.datasets[0], "backbone": suite.backbones[0], "test_images": suite.test_images}
    records = [
        made_up.record(label, seed, evaluator, {"area": 0.5}, recipe=suite.recipe_of(label), **where)
        for label, evaluator in (("category", "accuracy"), ("category", "learning-curve"), ("speech", "accuracy"))
        for seed in range(3)
    ]
    (missing,) = build(records, name=suite.name, folder="results/repeat").missing
    cells = plan_of(missing.repeat, tmp_path).cells
    assert {(cell.run.label, cell.evaluator, cell.test_images) for cell in cells} == {
        ("speech", "learning-curve", suite.test_images)
    }
    assert {cell.run.recipe.comparable for cell in cells} == {suite.recipe_of("speech").comparable}


def test_a_terminal_shows_the_command_that_completes_the_folder_that_was_given(
    save: Callable[..., Results], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for label, name in (("category", "accuracy"), ("category", "learning-curve"), ("speech", "accuracy")):
        results = save(label, evaluator=name)
    renamed = results.folder.rename(tmp_path / "my results")
    for options in ((), ("--all",)):
        cli(["leaderboard", str(renamed), *options], standalone_mode=False)
        assert f"--results {shlex.quote(str(renamed))}\n" in capsys.readouterr().out
    cli(["leaderboard", str(renamed), "--format", "json"], standalone_mode=False)
    assert "--results 'results/my results'" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["cifar10-attacks", "digits-quick"])
def test_published_runs_and_their_measurements_are_asked_for_again(name: str, tmp_path: Path) -> None:
    results = Results(PUBLISHED / name)
    contents = read(results)
    records = contents.records
    runs = {training.run for training in contents.trainings} | {record.cell.run for record in records}
    assert len(runs) > 5
    for run in runs:
        cells = {record.cell for record in records if record.cell.run == run}
        (repeat,) = repeats_of(run, cells)
        plan = plan_of(repeat, tmp_path)
        # What is written with a default is done under the short name.
        short = {replace(cell, evaluator=plugins().canonical("evaluator", cell.evaluator)) for cell in cells}
        assert short <= set(plan.cells)
        # Some evaluators compare with the category network, which is trained beside it.
        assert run in plan.trainings if run.backbone else plan.trainings == ()


def test_a_training_that_nothing_else_measured_is_asked_for_too(tmp_path: Path) -> None:
    run = RunSpec.of("digits", "speech", "resnet8", 2, train_fraction=0.02, recipe=RECIPES["quick"])
    (repeat,) = repeats_of(run, [])
    assert plan_of(repeat, tmp_path).trainings == (run,)


recipes = st.sampled_from(list(RECIPES.values())) | st.builds(
    Recipe,
    name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1) | st.sampled_from(list(RECIPES)),
    epochs=st.integers(1, 700),
    batch_size=st.integers(2, 1024),
    optimizer=st.builds(SGD, st.floats(1e-9, 10), st.floats(0, 0.999), st.booleans(), st.floats(0, 1))
    | st.builds(Muon, st.floats(1e-9, 10), kernel_learning_rate=st.floats(1e-9, 1)),
    schedule=st.sampled_from(["step", "one-cycle"]),
    milestones=st.lists(st.integers(1, 700), max_size=4).map(sorted).map(tuple),
    decay=st.floats(0, 1),
    warmup=st.floats(0, 1),
    crop_padding=st.integers(0, 8),
    flip=st.booleans(),
    minimum_steps=st.integers(0, 10**6),
    drop_last=st.booleans(),
)
labels = st.integers(0, 10**6).map("uniform-random:seed={}".format) | st.sampled_from(["speech", "low-dim:seed=run"])


@settings(deadline=None)
@given(
    label=labels.map(lambda name: plugins().canonical("label", name)),
    backbone=st.sampled_from(["resnet8", "timm:resnet18", "vgg19"]),
    seed=st.integers(0, 10**6 - 1),  # those above choose recipes
    train_fraction=st.floats(0, 1, exclude_min=True),
    recipe=recipes,
    epochs=st.none() | st.integers(1, 700),
    mode=st.sampled_from(["exact", "fast"]),
    threads=st.integers(1, 64),
    test_images=st.none() | st.integers(1, 10**4),
    evaluators=st.sets(st.sampled_from(EVALUATORS), min_size=1),
)
def test_any_run_is_asked_for_again(
    label: str,
    backbone: str,
    seed: int,
    train_fraction: float,
    recipe: Recipe,
    epochs: int | None,
    mode: str,
    threads: int,
    test_images: int | None,
    evaluators: set[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    run = RunSpec.of(
        *("digits", label, backbone, seed),
        train_fraction=train_fraction,
        recipe=recipe.with_epochs(epochs) if epochs else recipe,
        numerics=resolve_numerics(mode, "cpu", threads),
    )
    folder = tmp_path_factory.getbasetemp() / "asked-again"
    (first, *_) = plan_of(next(repeats_of(run, [])), folder).trainings
    assert first.id == run.id
    cells = [replace(cell_of(run, name), test_images=test_images) for name in evaluators]
    for repeat in repeats_of(run, [cell for cell in cells if cell.run.backbone]):
        planned_cells = {cell.id for cell in plan_of(repeat, folder).cells}
        assert {cell.id for cell in cells if cell.run.backbone} <= planned_cells
    for cell in cells:
        if not cell.run.backbone:
            (repeat,) = repeats_of(cell.run, [replace(cell, test_images=None)])
            found = plan_of(repeat, folder)
            assert found.cells == (replace(cell, test_images=None),) and found.trainings == ()


@pytest.mark.skipif(cpp_compiler() is None, reason="there is no C++ compiler here")
@pytest.mark.parametrize("compiled", [True, False])
def test_whether_networks_are_compiled_is_said(compiled: bool, tmp_path: Path) -> None:
    numerics = resolve_numerics("fast", "cpu", 1, compiled=compiled)
    run = RunSpec.of("digits", "category", "resnet8", 0, recipe=RECIPES["quick"], numerics=numerics)
    (repeat,) = repeats_of(run, [])
    assert plan_of(repeat, tmp_path).trainings == (run,)


def test_measurements_of_several_numbers_of_images_have_a_command_each(tmp_path: Path) -> None:
    run = RunSpec.of("digits", "category", "resnet8", 0)
    cells = [replace(cell_of(run, "accuracy"), test_images=count) for count in (None, 50, 100)]
    found = list(repeats_of(run, cells))
    assert [plan_of(repeat, tmp_path).cells for repeat in found] == [(cell,) for cell in cells]


def test_a_recipe_of_ones_own_is_written_in_full() -> None:
    recipe = replace(RECIPES["quick"], optimizer=SGD(0.05))
    (repeat,) = repeats_of(RunSpec.of("digits", "category", "resnet8", 0, recipe=recipe), [])
    assert repeat.args[:3] == ("run", "--suite", SUITE_FILE)
    assert tomllib.loads(repeat.suite)["recipe"]["learning-rate"] == 0.05


def test_a_shipped_recipe_needs_no_file() -> None:
    (repeat,) = repeats_of(RunSpec.of("digits", "category", "resnet8", 0, recipe=RECIPES["quick"].with_epochs(3)), [])
    assert not repeat.suite and "--recipe quick --epochs 3" in repeat.command
