"""Event files for TensorBoard: one folder for each run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorboard.data  # noqa: F401  (says which package is missing, where it is)
from torch.utils.tensorboard import SummaryWriter

from labelbench.loggers.logger import Logger, settings_of
from labelbench.runs import RunSpec


class TensorBoard(Logger):
    """Writes ``events`` files below its folder; ``tensorboard --logdir`` shows them."""

    def __init__(self, folder: Path, *, offline: bool) -> None:
        super().__init__(folder, offline=offline)
        self._writers: dict[RunSpec, Any] = {}

    def log(self, run: RunSpec, numbers: Mapping[str, float], step: int) -> None:
        """A scalar for each number."""
        writer = self._writer(run)
        for name, value in numbers.items():
            writer.add_scalar(name, value, step)
        writer.flush()

    def close(self, run: RunSpec) -> None:
        """Close the file of the run."""
        if run in self._writers:
            self._writers.pop(run).close()

    def artefact(self, run: RunSpec, file: Path) -> None:
        """Where the file is: event files hold none."""
        self._writer(run).add_text(file.name, str(file.resolve()))

    def _writer(self, run: RunSpec) -> Any:
        if run not in self._writers:
            writer = SummaryWriter(str(self.folder / run.folder))
            writer.add_text("settings", "\n".join(f"    {name}: {value}" for name, value in settings_of(run).items()))
            self._writers[run] = writer
        return self._writers[run]


make = TensorBoard
