"""The benchmark from Python: real trainings of seconds, and what a notebook gets to see of them."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import labelbench
from brief import BRIEF
from labelbench.results.store import Results

SMALL = {
    "datasets": "digits:size=8",
    "backbones": "resnet8",
    "evaluators": ["accuracy", "label-statistics"],
    "seeds": 1,
    "epochs": 1,
    "train_fraction": 0.1,
    "test_images": 50,
    "device": "cpu",
    "threads": 1,
    "progress": False,
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, labelbench.ScoreTable]:
    folder = tmp_path_factory.mktemp("trained") / "results"
    return folder, labelbench.run(labels="category", results=folder, **SMALL)


def test_run_trains_measures_and_gives_every_score(trained: tuple[Path, labelbench.ScoreTable]) -> None:
    folder, table = trained
    nearest = table.where(evaluator="accuracy", score="nearest")
    assert len(nearest) == 1
    found = nearest[0]
    assert (found.dataset, found.backbone, found.label, found.seed) == ("digits:size=8", "resnet8", "category", 0)
    assert (found.unit, found.higher_is_better, found.count, found.epochs) == ("share", True, 50, 1)
    assert found.low is not None and found.high is not None and found.value is not None
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert len(list(folder.rglob(f"seed0-{found.run}/training.json"))) == 1
    assert table.failures == () and (folder / "leaderboard.md").exists() and (folder / "report.html").exists()


def test_run_and_the_command_do_the_same(
    trained: tuple[Path, labelbench.ScoreTable], command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    folder, _ = trained
    options = ["--dataset", "digits:size=8", "--backbone", "resnet8", "--label", "category", *BRIEF]
    options += ["--evaluator", "label-statistics", "--device", "cpu", "--threads", "1", "--results", str(folder)]
    written = (folder / "leaderboard.md").read_text()
    done = command("run", *options)
    assert done.returncode == 0, done.stderr
    assert "nothing to do, all 2 measurements are there" in done.stderr
    assert (folder / "leaderboard.md").read_text() == written


def test_what_is_done_is_read_and_not_done_again(trained: tuple[Path, labelbench.ScoreTable]) -> None:
    folder, table = trained
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*.json") if file.name != "suite.json"}
    again = labelbench.run(labels="category", results=folder, **SMALL)
    assert list(again) == list(table) == list(labelbench.load_results(folder))
    assert before == {file: file.stat().st_mtime_ns for file in folder.rglob("*.json") if file.name != "suite.json"}


def test_progress_is_written_to_standard_error_unless_it_is_off(
    trained: tuple[Path, labelbench.ScoreTable], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    labels_alone = {**SMALL, "evaluators": "label-statistics", "labels": "category", "results": tmp_path / "out"}
    labelbench.run(**labels_alone)
    assert capfd.readouterr() == ("", "")
    labelbench.run(**{**labels_alone, "progress": True, "overwrite": "always"})
    out, error = capfd.readouterr()
    assert out == "" and "label-statistics" in error


def test_a_call_gives_its_own_scores_and_the_folder_keeps_all(trained: tuple[Path, labelbench.ScoreTable]) -> None:
    folder, first = trained
    asked = {**SMALL, "evaluators": "label-statistics", "results": folder}
    alone = labelbench.run(labels="constant", **asked)
    assert {record.label for record in alone} == {row.label for row in alone.leaderboard.tables[0].rows} == {"constant"}
    assert {record.label for record in labelbench.load_results(folder)} == {"category", "constant"}
    assert list(labelbench.run(labels="category", **{**asked, **SMALL})) == list(first)


def test_an_array_is_a_label_of_its_name_known_by_its_content(tmp_path: Path) -> None:
    asked = {**SMALL, "evaluators": ["accuracy", "label-statistics"], "results": tmp_path / "out"}
    mine = np.random.RandomState(0).uniform(0, 80, (10, 16))
    first = labelbench.run(labels={"mine": mine}, **asked)
    assert {record.label for record in first} == {"mine"} and first.failures == ()
    (record,) = (tmp_path / "out").rglob("accuracy-*.json")
    facts = json.loads(record.read_text())
    sha256 = labelbench.LabelSet(mine).sha256
    assert facts["label"]["identity"] == sha256 and ["mine", sha256] in facts["run"]["files"]
    written = record.stat().st_mtime_ns
    again = labelbench.run(labels={"mine": mine.astype(np.float32)}, **asked)
    assert list(again) == list(first) and record.stat().st_mtime_ns == written
    other = labelbench.run(labels={"mine": mine[::-1]}, **{**asked, "evaluators": "label-statistics"})
    assert {record.run for record in other}.isdisjoint({record.run for record in first})
    with pytest.raises(labelbench.UnknownName, match="unknown label 'mine'"):
        labelbench.run(labels="mine", **asked)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"speech": np.eye(10)}, "label 'speech' is installed; give the array another name"),
        ({"mine": np.eye(3)}, "a label array has 3 rows; expected 10"),
        ({"mine": np.zeros((10, 4))}, "label 'mine': label targets of classes 0 and 1 are equal"),
        ({"a:b": np.eye(10)}, "label name 'a:b'; expected printable text"),
        ({}, "names no labels"),
    ],
)
def test_an_array_that_cannot_be_a_label_is_refused(tmp_path: Path, labels: dict[str, object], message: str) -> None:
    with pytest.raises(labelbench.InputError, match=message):
        labelbench.run(labels=labels, results=tmp_path / "out", **SMALL)


def test_columns_and_dictionaries_hold_plain_values(trained: tuple[Path, labelbench.ScoreTable]) -> None:
    _, table = trained
    dictionaries = table.to_dicts()
    assert len(dictionaries) == len(table) == len(table.columns["value"]) > 3
    assert [one["score"] for one in dictionaries] == table.columns["score"]
    assert set(dictionaries[0]) == set(table.columns) == {field.name for field in dataclasses.fields(table[0])}
    plain = (str, int, float, bool, type(None))
    assert all(isinstance(value, plain) for one in dictionaries for value in one.values())
    assert list(table[1:3]) == [table[1], table[2]]
    with pytest.raises(dataclasses.FrozenInstanceError):
        table[0].value = 1.0  # type: ignore[misc]


def test_a_data_frame_takes_the_table_as_it_is(trained: tuple[Path, labelbench.ScoreTable]) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    _, table = trained
    for frame in (pandas.DataFrame(table), pandas.DataFrame(table.columns), pandas.DataFrame(table.to_dicts())):
        assert list(frame.columns) == list(table.columns) and len(frame) == len(table)


def test_where_names_a_field_that_is_not_there(trained: tuple[Path, labelbench.ScoreTable]) -> None:
    with pytest.raises(labelbench.UnknownName, match="unknown field 'labels'; did you mean label"):
        trained[1].where(labels="category")


def test_a_notebook_shows_the_leaderboard_with_every_text_escaped(save: Callable[..., Results]) -> None:
    results = save("npy:<img src=x>.npy", value=0.25, notes=("<script>alert(1)</script>",))
    results.save_suite({"name": "<b>mine</b>", "headline": ["accuracy/nearest"]})
    page = labelbench.load_results(results.folder)._repr_html_()
    assert "<script>" not in page and "<img" not in page and "<b>mine" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page and "npy:&lt;img src=x&gt;.npy" in page
    assert "25.0 [40.0, 60.0]" in page and page.count("<table") == 1


def test_what_failed_is_said_and_not_raised(save: Callable[..., Results]) -> None:
    results = save("category")
    results.save_failure(results.folder / "digits/resnet8/speech/seed0-1/training.json", "training speech", "no voice")
    table = labelbench.load_results(results.folder)
    assert table.failures == (("training speech", "no voice"),)
    assert "1 failed" in repr(table) and "no voice" in table._repr_html_()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": "speach"}, "unknown label 'speach'; did you mean speech"),
        ({"labels": []}, "names no labels"),
        ({"labels": [3]}, "3 is no name"),
        ({"seeds": [1.5]}, "seeds '1.5,'; expected a count"),
        ({"epochs": 0}, "epochs is 0; expected 1 or more"),
        ({"epochs": "many"}, "epochs is 'many'; expected a number"),
        ({"train_fraction": 2.0}, "train-fraction is 2.0; expected a share above 0, at most 1"),
        ({"overwrite": "sometimes"}, "unknown overwrite policy 'sometimes'"),
        ({"suite": "quik"}, "unknown suite 'quik'; did you mean quick"),
    ],
)
def test_a_mistake_is_an_input_error_before_anything_is_computed(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(labelbench.InputError, match=message):
        labelbench.run(**{**SMALL, "results": tmp_path / "out", **changes})
    assert not (tmp_path / "out").exists()


def test_load_results_says_what_to_do_without_results(tmp_path: Path) -> None:
    with pytest.raises(labelbench.InputError, match="is no results folder; `labelbench run"):
        labelbench.load_results(tmp_path / "nothing")
    with pytest.raises(labelbench.InputError, match="holds no results; `labelbench run"):
        labelbench.load_results(tmp_path)


def test_settings_are_in_force_for_the_call_alone(tmp_path: Path) -> None:
    settings = dataclasses.replace(labelbench.current_settings(), data_dir=tmp_path / "nowhere", offline=True)
    outside = labelbench.current_settings()
    with pytest.raises(labelbench.Unavailable, match="nowhere"):
        labelbench.run(**{**SMALL, "datasets": "cifar10", "results": tmp_path / "out"}, settings=settings)
    assert labelbench.current_settings() == outside


def test_results_are_read_without_torch(trained: tuple[Path, labelbench.ScoreTable]) -> None:
    folder, _ = trained
    code = f"import sys; from labelbench import load_results; load_results({str(folder)!r})._repr_html_()"
    code += "; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_run_loads_no_library_that_it_does_not_use(tmp_path: Path) -> None:
    arguments = {**SMALL, "labels": "category", "evaluators": "accuracy", "results": str(tmp_path / "results")}
    unused = {"librosa", "soundfile", "timm", "torchattacks", "torchvision", "transformers"}
    code = f"import sys, labelbench; labelbench.run(**{arguments!r}); print(sorted({unused} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
