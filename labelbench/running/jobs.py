"""What is done one by one: a network to train, or a cell to measure."""

from __future__ import annotations

from dataclasses import dataclass

from labelbench.evaluation.needs import Needs
from labelbench.results.records import Cell
from labelbench.runs import RunSpec


@dataclass(frozen=True)
class TrainingJob:
    """A network to train.

    Attributes:
        run: what to train.
        snapshots: shares of training at which the network is looked at.
        size: how much work it is, for progress.
    """

    run: RunSpec
    snapshots: tuple[float, ...] = ()
    size: float = 0.0

    def __str__(self) -> str:
        return f"training {self.run}"


@dataclass(frozen=True)
class MeasuringJob:
    """A cell to measure.

    Attributes:
        cell: what to measure.
        needs: what its evaluator asks for, and is given.
        size: how much work it is, for progress.
    """

    cell: Cell
    needs: Needs = Needs()
    size: float = 0.0

    def __str__(self) -> str:
        return str(self.cell)


Job = TrainingJob | MeasuringJob
