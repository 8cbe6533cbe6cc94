from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from labelbench.errors import ConflictError, InputError
from labelbench.evaluation.scores import Measurement, Score
from labelbench.results.reading import read
from labelbench.results.records import Cell, run_facts, run_of
from labelbench.results.store import Results
from labelbench.runs import RunSpec

RUN = RunSpec("digits", "speech", "resnet8", 3)
CELL = Cell(RUN, "accuracy", 1)
FACTS = {"evaluator": {"settings": {}}, "label": {"identity": "x"}, "images": {}, "environment": {}}
TRAINED = {**FACTS, "status": "done", "history": {"validation_accuracy": [0.5]}}


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """One training and one measurement of it."""
    results = Results(tmp_path / "results")
    results.save_training(RUN, TRAINED)
    results.save_measurement(CELL, Measurement((Score("a", 1.0),)), FACTS)
    return results


def test_everything_in_a_folder_is_one_value(results: Results) -> None:
    results.save_suite({"name": "quick", "headline": ["accuracy/a"]})
    results.save_failure(results.training_file(RunSpec("digits", "bert", "resnet8", 0)), "training bert", "no weights")
    contents = read(results)
    assert (contents.asked.name, contents.asked.headline) == ("quick", ("accuracy/a",))
    assert [record.cell for record in contents.records] == [CELL]
    assert [(training.run, training.accuracy) for training in contents.trainings] == [(RUN, (0.5,))]
    assert contents.failures == (("training bert", "no weights"),)
    assert contents and not read(Results(results.folder / "empty"))


def test_measurements_of_one_run_share_it(results: Results) -> None:
    results.save_measurement(Cell(RUN, "label-learning", 1), Measurement((Score("a", 1.0),)), FACTS)
    one, other = read(results).records
    assert one.run is other.run


def test_what_is_read_does_not_change_with_the_folder(results: Results) -> None:
    contents = read(results)
    trainings = contents.trainings
    shutil.rmtree(results.folder)
    assert contents.records and contents.trainings is trainings


def a_sync_tools_copy(results: Results) -> Path:
    file = results.measurement_file(CELL)
    return shutil.copy(file, file.with_name(f"{file.stem} (1).json"))


def a_copied_run_folder(results: Results) -> Path:
    folder = results.folder / RUN.folder
    return shutil.copytree(folder, folder.with_name(f"{folder.name} copy"))


def a_copied_data_set_folder(results: Results) -> Path:
    return shutil.copytree(results.folder / "digits", results.folder / "digits (2)")


@pytest.mark.parametrize("copied", [a_sync_tools_copy, a_copied_run_folder, a_copied_data_set_folder])
def test_two_records_of_one_measurement_are_refused_by_name(
    results: Results, copied: Callable[[Results], Path]
) -> None:
    copy = copied(results)
    with pytest.raises(ConflictError, match="both records of one measurement; remove the one that is a copy") as error:
        read(results)
    assert str(copy) in str(error.value) and str(results.measurement_file(CELL)) in str(error.value)


def test_two_records_of_one_training_are_refused_by_name(results: Results) -> None:
    copy = a_copied_run_folder(results)
    for file in copy.glob("accuracy-*.json"):
        file.unlink()
    with pytest.raises(ConflictError, match="both records of one training"):
        _ = read(results).trainings


def test_what_a_record_does_not_say_has_its_default() -> None:
    facts = run_facts(RUN)
    for field in ("train_fraction", "recipe", "numerics", "files"):
        del facts[field]
    assert run_of(facts) == RUN


def test_damaged_records_are_named(results: Results) -> None:
    results.measurement_file(CELL).write_text("{")
    with pytest.raises(InputError, match=r"accuracy-.*\.json is damaged"):
        read(results)
    results.measurement_file(CELL).write_text('{"schema": 99}')
    with pytest.raises(InputError, match="no measurement record of schema 1"):
        read(results)


@pytest.mark.parametrize("content", ["[1]", '{"headline": 3}', '{"headline": [3]}'])
def test_a_damaged_suite_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "suite.json").write_text(content)
    with pytest.raises(InputError, match=r"suite.json is damaged"):
        read(Results(tmp_path))


def test_a_damaged_failure_is_named(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.save_failure(results.measurement_file(CELL), "this", "why")
    (file,) = tmp_path.rglob("*.failed.json")
    file.write_text('{"schema": 1, "kind": "failure"}')
    with pytest.raises(InputError, match=r"failed.json is damaged"):
        read(results)
