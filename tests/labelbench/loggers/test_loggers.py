"""Dashboards are told what a run came to, and what they were told is read back with their own readers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import labelbench
from labelbench.errors import MachineError, UnknownName
from labelbench.loggers.logger import LOGGERS

pytestmark = pytest.mark.filterwarnings("ignore")
CURVE = {"learning_rate", "train_loss", "validation_loss", "validation_accuracy"}


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs that all three were told of, offline."""
    folder = tmp_path_factory.mktemp("logged") / "results"
    settings = labelbench.Settings(folder, None, folder.parent / "cache", offline=True)
    small: dict[str, Any] = {
        "epochs": 2,
        "seeds": 1,
        "train_fraction": 0.1,
        "test_images": 50,
        "device": "cpu",
        "threads": 1,
    }
    labelbench.run(
        datasets="digits:size=16",
        backbones="resnet8",
        labels="category",
        evaluators="accuracy",
        results=folder,
        settings=settings,
        log=LOGGERS,
        progress=False,
        **small,
    )
    return folder


def recorded(folder: Path) -> tuple[dict[str, Any], float]:
    """The record of the training, and the accuracy measured."""
    (training,) = folder.rglob("training.json")
    value = labelbench.load_results(folder).where(score="nearest")[0].value
    assert value is not None
    return json.loads(training.read_text()), value


def test_tensorboard_shows_the_learning_curve_and_the_scores(logged: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    facts, nearest = recorded(logged)
    folders = {file.parent for file in (logged / ".work" / "tensorboard").rglob("events*")}
    assert len(folders) == 1
    events = EventAccumulator(str(folders.pop())).Reload()
    for name in CURVE:
        found = [(event.step, event.value) for event in events.Scalars(name)]
        assert found == [(epoch, pytest.approx(value)) for epoch, value in enumerate(facts["history"][name], 1)]
    assert events.Scalars("accuracy/nearest")[0].value == pytest.approx(nearest)
    assert {"settings/text_summary", "report.html/text_summary"} <= set(events.Tags()["tensors"])


def test_mlflow_has_a_run_with_its_settings_its_curve_and_the_report(
    logged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    facts, nearest = recorded(logged)
    client = MlflowClient((logged / ".work" / "mlflow").as_uri())
    (run,) = client.search_runs([client.get_experiment_by_name("labelbench").experiment_id])
    assert run.info.status == "FINISHED" and run.data.tags["run"] == facts["run"]["id"]
    assert run.data.params["label"] == "category" and run.data.params["recipe.epochs"] == "2"
    for name in CURVE:
        found = [metric.value for metric in client.get_metric_history(run.info.run_id, name)]
        assert found == pytest.approx(facts["history"][name])
    assert run.data.metrics["accuracy/nearest"] == pytest.approx(nearest)
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["report.html"]


def test_wandb_keeps_files_for_later_where_nothing_may_be_sent(logged: Path) -> None:
    facts, _ = recorded(logged)
    folders = list((logged / ".work" / "wandb").rglob("offline-run-*"))
    assert folders and all(folder.name.endswith(facts["run"]["id"]) for folder in folders)
    written = b"".join(file.read_bytes() for folder in folders for file in folder.glob("*.wandb"))
    for word in (*CURVE, "accuracy/nearest", "recipe.epochs"):
        assert word.encode() in written
    assert list((logged / ".work" / "wandb").rglob("files/report.html"))


def test_what_they_write_is_no_part_of_the_results(logged: Path) -> None:
    visible = {path.name for path in logged.iterdir() if not path.name.startswith(".")}
    assert visible == {"digits-size=16", "leaderboard.md", "report.html", "suite.json"}
    assert len(labelbench.load_results(logged).where(score="nearest")) == 1


def test_a_name_or_package_that_is_not_here_is_refused_before_anything_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnknownName, match="did you mean tensorboard"):
        labelbench.run(log="tensorbord", results=tmp_path / "r", progress=False)
    for name in LOGGERS:
        monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.delitem(sys.modules, f"labelbench.loggers.to_{name}", raising=False)
        with pytest.raises(MachineError, match=rf"pip install 'labelbench\[{name}\]'") as refused:
            labelbench.run(log=name, results=tmp_path / "r", progress=False)
        assert "\n" not in str(refused.value)
    assert not (tmp_path / "r").exists()


def test_each_is_told_in_less_than_sixty_lines() -> None:
    folder = Path(labelbench.__file__).parent / "loggers"
    for name in LOGGERS:
        lines = (folder / f"to_{name}.py").read_text(encoding="utf-8").splitlines()
        assert len([line for line in lines if line.strip()]) < 60
