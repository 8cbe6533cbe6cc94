from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labelbench.errors import InputError, MachineError
from labelbench.evaluation.scores import Measurement, Score
from labelbench.files import write_atomic
from labelbench.recipes import find_recipe
from labelbench.results.reading import read
from labelbench.results.records import Cell, run_facts, run_of
from labelbench.results.store import Results
from labelbench.runs import Numerics, RunSpec

RUN = RunSpec(
    "digits", "npy:a/b.npy", "timm:resnet18", 3, 0.5, find_recipe("paper"), Numerics(threads=2), (("a", "b"),)
)
CELL = Cell(RUN, "accuracy", 1)
FACTS = {"evaluator": {"settings": {}}, "label": {"identity": "x"}, "images": {}, "environment": {}}


def test_a_run_survives_its_record() -> None:
    import json

    assert run_of(json.loads(json.dumps(run_facts(RUN)))) == RUN


def test_a_measurement_survives_its_record(tmp_path: Path) -> None:
    results = Results(tmp_path)
    scores = (
        Score.share("nearest", 3, 4),
        Score("area", 2.5, "epochs", False, note="long"),
        Score("x", None, note="why"),
    )
    arrays = {"predictions": np.arange(5, dtype=np.int32), "accepted": np.array([True, False])}
    results.save_measurement(CELL, Measurement(scores, arrays, {"gradients": 7}), FACTS)
    found = results.load_measurement(CELL)
    assert found.scores == scores and found.details == {"gradients": 7}
    assert {name: array.tolist() for name, array in found.arrays.items()} == {
        "predictions": [0, 1, 2, 3, 4],
        "accepted": [True, False],
    }
    (record,) = read(results).records
    assert (record.cell, record.scores, record.diverged) == (CELL, scores, False)


def test_equal_measurements_give_equal_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        arrays = {"predictions": np.arange(100)}
        Results(tmp_path / name).save_measurement(CELL, Measurement((Score("a", 1.0),), arrays), FACTS)
    files = [sorted(file for file in (tmp_path / name).rglob("*") if file.is_file()) for name in ("one", "two")]
    assert [file.read_bytes() for file in files[0]] == [file.read_bytes() for file in files[1]]


@pytest.mark.parametrize("name", ["../x", "<img src=x onerror=alert(1)>", ".hidden", "a/b", "con\u202etrol"])
def test_no_name_leaves_the_results_folder(tmp_path: Path, name: str) -> None:
    results = Results(tmp_path / "results")
    run = RunSpec(name, name, name, 0)
    for file in (results.measurement_file(Cell(run, name, 1)), results.training_file(run), results.network_file(run)):
        assert (tmp_path / "results") in file.resolve().parents


def test_a_finished_part_is_not_computed_again(tmp_path: Path) -> None:
    results, calls = Results(tmp_path), []

    def compute() -> dict[str, np.ndarray]:
        calls.append(1)
        return {"x": np.arange(3)}

    for _ in range(2):
        assert results.part(CELL, "fgsm", compute)["x"].tolist() == [0, 1, 2]
    assert len(calls) == 1


def test_a_failure_is_remembered_until_success(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.save_failure(results.measurement_file(CELL), "accuracy", "ValueError: no")
    assert read(results).failures == (("accuracy", "ValueError: no"),)
    assert read(results).records == ()
    results.save_measurement(CELL, Measurement((Score("a", 1.0),)), FACTS)
    assert read(results).failures == ()


def test_a_file_is_no_results_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file; expected a folder"):
        Results(tmp_path / "file")


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(MachineError, match="cannot write"):
        write_atomic(tmp_path / "taken", b"data")
    assert list(tmp_path.iterdir()) == [tmp_path / "taken"]


def test_every_share_of_training_has_a_snapshot_of_its_own(tmp_path: Path) -> None:
    results = Results(tmp_path)
    assert results.snapshot_file(RUN, 0.016) != results.snapshot_file(RUN, 0.024)


@pytest.mark.parametrize("content", [b"junk", b"", b"PK\x03\x04"], ids=["junk", "empty", "cut"])
def test_damaged_arrays_are_named_with_their_record(tmp_path: Path, content: bytes) -> None:
    results = Results(tmp_path)
    results.save_measurement(CELL, Measurement((Score("x", 1.0),), {"a": np.arange(3)}), {"evaluator": {}})
    file = results.measurement_file(CELL)
    file.with_suffix(".npz").write_bytes(content)
    with pytest.raises(InputError, match=rf"{file.stem}.npz is damaged .*; remove it and run again, together with"):
        results.load_measurement(CELL)
    file.with_suffix(".npz").unlink()
    with pytest.raises(InputError, match=rf"{file.stem}.npz is not there"):
        results.load_measurement(CELL)
