"""MLflow: one of its runs for each run of ours, in an experiment named labelbench."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from mlflow import MlflowClient

from labelbench.loggers.logger import Logger, settings_of
from labelbench.runs import RunSpec

_EXPERIMENT = "labelbench"
_LONGEST = 500


class MLflow(Logger):
    """Sends to ``MLFLOW_TRACKING_URI``; without it, and offline, it keeps a store of files."""

    def __init__(self, folder: Path, *, offline: bool) -> None:
        super().__init__(folder, offline=offline)
        given = "" if offline else os.environ.get("MLFLOW_TRACKING_URI", "")
        if not given:
            # Newer versions ask for this where files are meant.
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        self._client = MlflowClient(given or folder.resolve().as_uri())
        self._ids: dict[RunSpec, str] = {}

    def log(self, run: RunSpec, numbers: Mapping[str, float], step: int) -> None:
        """A metric for each number."""
        for name, value in numbers.items():
            self._client.log_metric(self._id(run), re.sub(r"[^\w\-. /:]", "_", name), value, step=step)

    def close(self, run: RunSpec) -> None:
        """Mark it as finished."""
        if run in self._ids:
            self._client.set_terminated(self._ids.pop(run))

    def artefact(self, run: RunSpec, file: Path) -> None:
        """The file, as an artefact of the run."""
        self._client.log_artifact(self._id(run), str(file))

    def _id(self, run: RunSpec) -> str:
        if run not in self._ids:
            experiment = self._client.get_experiment_by_name(_EXPERIMENT)
            place = experiment.experiment_id if experiment else self._client.create_experiment(_EXPERIMENT)
            there = self._client.search_runs([place], f"tags.run = '{run.id}'")
            if there:
                self._ids[run] = str(there[0].info.run_id)
            else:
                made = self._client.create_run(place, tags={"run": run.id}, run_name=str(run))
                self._ids[run] = str(made.info.run_id)
                for name, value in settings_of(run).items():
                    self._client.log_param(self._ids[run], name, str(value)[:_LONGEST])
        return self._ids[run]


make = MLflow
