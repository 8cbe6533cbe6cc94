"""Weights & Biases: one of its runs for each run of ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import wandb

from labelbench.loggers.logger import Logger, settings_of
from labelbench.runs import RunSpec


class WeightsAndBiases(Logger):
    """Sends to the server that wandb is set up for (``wandb login``); offline it keeps files for ``wandb sync``."""

    def __init__(self, folder: Path, *, offline: bool) -> None:
        super().__init__(folder, offline=offline)
        self._runs: dict[RunSpec, Any] = {}

    def log(self, run: RunSpec, numbers: Mapping[str, float], step: int) -> None:
        """A line of its history."""
        self._run(run).log(dict(numbers) | {"epoch": step})

    def close(self, run: RunSpec) -> None:
        """Finish the run there."""
        if run in self._runs:
            self._runs.pop(run).finish()

    def artefact(self, run: RunSpec, file: Path) -> None:
        """The file, beside the run."""
        self._run(run).save(str(file.resolve()), base_path=str(file.resolve().parent), policy="now")

    def _run(self, run: RunSpec) -> Any:
        if run not in self._runs:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._runs[run] = wandb.init(
                project="labelbench",
                id=run.id,
                name=str(run),
                config=settings_of(run),
                dir=str(self.folder),
                mode="offline" if self.offline else None,
                resume="allow",
                # Several trainings may be under way in one process.
                reinit="create_new",
                settings=wandb.Settings(silent=True, console="off"),
            )
        return self._runs[run]


make = WeightsAndBiases
