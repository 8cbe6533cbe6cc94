"""What a logger is, and how it is found by its name; nothing is sent anywhere unless it is named."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from labelbench.errors import MachineError, UnknownName
from labelbench.results.records import Record, run_facts
from labelbench.runs import RunSpec
from labelbench.training.listeners import Course, Listener
from labelbench.training.result import Epoch, Trained

# The module of each, and the package that it needs, which is that of the extra too.
LOGGERS = ("tensorboard", "wandb", "mlflow")
_CURVE = ("learning_rate", "train_loss", "validation_loss", "validation_accuracy")


class Logger(Listener, abc.ABC):
    """Puts numbers of runs where a dashboard reads them.

    Args:
        folder: where it may keep files.
        offline: whether nothing may be sent anywhere.
    """

    def __init__(self, folder: Path, *, offline: bool) -> None:
        self.folder = folder
        self.offline = offline

    def on_epoch(self, course: Course, epoch: Epoch) -> None:
        """Its line of the learning curve."""
        self.log(course.run, {name: getattr(epoch, name) for name in _CURVE}, epoch.epoch)

    def on_end(self, course: Course, trained: Trained) -> None:
        """The run is not told of again while it trains."""
        self.close(course.run)

    @abc.abstractmethod
    def log(self, run: RunSpec, numbers: Mapping[str, float], step: int) -> None:
        """Numbers of a run by name, at a step; a run that was told of before goes on."""

    @abc.abstractmethod
    def close(self, run: RunSpec) -> None:
        """Write what is left of a run."""

    @abc.abstractmethod
    def artefact(self, run: RunSpec, file: Path) -> None:
        """A file that belongs to a run."""


def loggers(names: Iterable[str], folder: Path, *, offline: bool) -> list[Logger]:
    """The loggers of these names.

    Args:
        names: of :data:`LOGGERS`.
        folder: of large files of a results folder; each keeps its own below it.
        offline: whether nothing may be sent anywhere.

    Raises:
        UnknownName: there is none.
        MachineError: what it needs is not installed.
    """
    found = []
    for name in dict.fromkeys(names):
        if name not in LOGGERS:
            raise UnknownName("logger", name, LOGGERS)
        try:
            made = import_module(f"labelbench.loggers.to_{name}").make
            found.append(made(folder / name, offline=offline))
        except ImportError as error:
            raise MachineError(
                f"--log {name} needs {error.name or name}; pip install 'labelbench[{name}]', or leave it out"
            ) from error
    return found


def settings_of(run: RunSpec) -> dict[str, Any]:
    """The settings of a run, flat, as dashboards filter by them."""
    facts = run_facts(run)
    for part in ("recipe", "numerics"):
        facts |= {f"{part}.{name}": value for name, value in facts.pop(part).items()}
    return {name: str(value) if isinstance(value, tuple | list) else value for name, value in facts.items()}


def tell(told: Sequence[Logger], records: Iterable[Record], runs: Iterable[RunSpec], report: Path) -> None:
    """Tell loggers of final scores and of the report.

    Args:
        told: the loggers.
        records: finished measurements.
        runs: whose scores they are told.
        report: the page, which belongs to each of the runs.
    """
    wanted = {run.id: run for run in runs if run.backbone}
    scores: dict[str, dict[str, float]] = {}
    for record in records:
        if record.run.id in wanted:
            numbers = {f"{record.cell.evaluator}/{score.name}": score.value for score in record.scores}
            known = {name: value for name, value in numbers.items() if value is not None}
            scores.setdefault(record.run.id, {}).update(known)
    for logger in told:
        for name, found in scores.items():
            run = wanted[name]
            logger.log(run, found, run.recipe.epochs)
            logger.artefact(run, report)
            logger.close(run)
