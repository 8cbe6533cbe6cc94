from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from labelbench.errors import UnknownName
from labelbench.results.store import Results, failure_file
from labelbench.running.planning import Plan, plan
from labelbench.runs import Numerics
from labelbench.suite import Suite

SUITE = Suite(
    "test",
    ("digits",),
    ("category", "low-dim:seed=run"),
    ("resnet8", "vgg19"),
    ("accuracy", "label-statistics"),
    (0, 1),
)


def planned(folder: Path, suite: Suite = SUITE, overwrite: str = "missing") -> Plan:
    return plan(suite, Numerics(), Results(folder), overwrite)


def touch(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()


def test_every_training_and_measurement_is_planned_once(tmp_path: Path) -> None:
    found = planned(tmp_path)
    assert len(found.trainings) == len(set(found.trainings)) == 2 * 2 * 2
    by_evaluator = [cell.evaluator for cell in found.cells]
    assert by_evaluator.count("accuracy") == 8
    # category once; the label that is drawn with each seed, once per seed
    assert by_evaluator.count("label-statistics") == 3
    assert (found.todo_trainings, found.todo_cells) == (found.trainings, found.cells)


def test_one_thing_under_two_names_is_planned_once_and_said(tmp_path: Path) -> None:
    suite = replace(SUITE, labels=("category", "category:", "shuffled-speech", "shuffle"), headline=())
    found = planned(tmp_path, suite)
    assert found.suite.labels == ("category", "shuffled-speech")
    assert {run.label for run in found.trainings} == {"category", "shuffled-speech"}
    assert found.notes == (
        "label category: is category: done once, under that name",
        "label shuffle is shuffled-speech: done once, under that name",
    )


def test_nothing_is_written_or_computed_by_planning(tmp_path: Path) -> None:
    planned(tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_a_new_label_or_seed_changes_no_other_run(tmp_path: Path) -> None:
    more = replace(SUITE, labels=(*SUITE.labels, "constant"), seeds=(0, 1, 2))
    assert set(planned(tmp_path).trainings) < set(planned(tmp_path, more).trainings)


def test_what_is_done_is_not_planned_again(tmp_path: Path) -> None:
    results, found = Results(tmp_path), planned(tmp_path)
    for cell in found.cells:
        touch(results.measurement_file(cell))
    for run in found.trainings:
        touch(results.training_file(run))
    assert planned(tmp_path).todo_trainings == planned(tmp_path).todo_cells == ()
    assert planned(tmp_path, overwrite="always").todo_trainings == found.trainings


def test_lost_weights_are_made_again_only_if_something_asks_for_them(tmp_path: Path) -> None:
    results, found = Results(tmp_path), planned(tmp_path)
    for run in found.trainings:
        touch(results.training_file(run))
    for cell in found.cells[1:]:
        touch(results.measurement_file(cell))
    again = planned(tmp_path)
    assert again.todo_cells == found.cells[:1]
    assert again.todo_trainings == (found.cells[0].run,)


def test_lost_snapshots_are_made_again_only_for_what_looks_at_them(tmp_path: Path) -> None:
    suite = replace(SUITE, evaluators=("accuracy", "feature-views"))
    results, found = Results(tmp_path), planned(tmp_path, suite)
    for run in found.trainings:
        touch(results.training_file(run))
        touch(results.network_file(run))
    views = [cell for cell in found.cells if cell.evaluator == "feature-views"]
    for cell in views[1:]:
        touch(results.measurement_file(cell))
    again = planned(tmp_path, suite)
    assert again.todo_trainings == (views[0].run,)
    assert len(again.todo_cells) == len(found.cells) - len(views) + 1


def test_a_whole_number_in_a_suite_file_names_the_same_run(tmp_path: Path) -> None:
    one, other = (planned(tmp_path, replace(SUITE, train_fraction=share)) for share in (1, 1.0))
    assert [run.id for run in one.trainings] == [run.id for run in other.trainings]


def test_never_leaves_failures_alone(tmp_path: Path) -> None:
    results, found = Results(tmp_path), planned(tmp_path)
    touch(failure_file(results.measurement_file(found.cells[0])))
    assert found.cells[0] in planned(tmp_path).todo_cells
    left = planned(tmp_path, overwrite="never")
    assert found.cells[0] not in left.todo_cells and left.left_alone == (found.cells[0],)
    assert planned(tmp_path).left_alone == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ("catgory",)}, "unknown label 'catgory'; did you mean category"),
        ({"backbones": ("resnet9",)}, "unknown backbone 'resnet9'; did you mean"),
        ({"evaluators": ("acuracy",)}, "unknown evaluator 'acuracy'; did you mean accuracy"),
        ({"datasets": ("cifar11",)}, "unknown dataset 'cifar11'; did you mean"),
        ({"headline": ("accuracy/nearst",)}, "headline 'accuracy/nearst'; did you mean accuracy/nearest"),
        ({"headline": ("acuracy/nearest",)}, "unknown evaluator 'acuracy'; did you mean accuracy"),
    ],
)
def test_unknown_names_are_refused_before_anything_else(
    tmp_path: Path, change: dict[str, tuple[str, ...]], message: str
) -> None:
    with pytest.raises(UnknownName) as caught:
        planned(tmp_path, replace(SUITE, **change))  # type: ignore[arg-type]
    assert message in str(caught.value).replace("data set", "dataset")
