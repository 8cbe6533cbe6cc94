"""What an evaluator is."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from labelbench.errors import PluginError, one_line
from labelbench.evaluation.context import Context
from labelbench.evaluation.needs import Needs
from labelbench.evaluation.scores import Measurement
from labelbench.evaluation.shown import Curve, Headline, Scatter, Section, Strip
from labelbench.interrupts import is_the_users
from labelbench.runs import RunSpec


class Evaluator(abc.ABC):
    """Measures trained networks, or labels. Subclasses are frozen dataclasses; their fields are their settings.

    Attributes:
        version: raised whenever equal inputs give other scores; results of two versions are never mixed.
        explanations: a sentence for each score name or its first part.
        headline: its scores that stand in the first table, one to three.
        curves: which of its scores lie along an axis, and how they are drawn.
        pictures: which of its arrays are drawn.
        section: where in a report its curves and pictures stand; by default under its name.
        copes_with_divergence: True if it has something to say of needed trainings that diverged, which it can tell by
            ``context.trained(run).diverged``. Else a measurement with one of them is recorded as diverged, unasked.
    """

    version: ClassVar[int] = 1
    copes_with_divergence: ClassVar[bool] = False
    explanations: ClassVar[Mapping[str, str]] = {}
    headline: ClassVar[tuple[Headline, ...]] = ()
    curves: ClassVar[tuple[Curve, ...]] = ()
    pictures: ClassVar[tuple[Scatter | Strip, ...]] = ()
    section: ClassVar[Section | None] = None

    @property
    def settings(self) -> dict[str, Any]:
        """Every setting as JSON values: the fields of the dataclass."""
        return dataclasses.asdict(self) if dataclasses.is_dataclass(self) else {}

    def needs(self, run: RunSpec) -> Needs:
        """What is asked for to measure ``run``: its own network, unless overridden."""
        return Needs(trainings=(run,))

    @abc.abstractmethod
    def evaluate(self, context: Context) -> Measurement:
        """Measure ``context.run``."""


def needs_of(made: Evaluator, run: RunSpec) -> Needs:
    """What an evaluator asks for to measure ``run``.

    Raises:
        PluginError: it fails, or returns something else.
    """
    try:
        need = made.needs(run)
    except BaseException as error:  # a plugin can fail in any way
        if is_the_users(error):
            raise
        raise PluginError(f"needs() failed for {run}: {one_line(error)}; expected labelbench.Needs") from error
    if not isinstance(need, Needs):
        raise PluginError(f"needs() returned {type(need).__name__}; expected labelbench.Needs")
    return need


def evaluated(made: Evaluator, context: Context) -> Measurement:
    """What an evaluator finds.

    Raises:
        PluginError: it asked for what it does not need, returned something else, or changed what others are given too.
    """
    try:
        found = made.evaluate(context)
    except Exception as error:
        if context.undeclared:
            raise context.undeclared from error
        raise
    if not isinstance(found, Measurement):
        raise PluginError(f"evaluate() returned {type(found).__name__}; expected labelbench.Measurement")
    if context.undeclared:
        raise context.undeclared
    changed = context.changed()
    if changed:
        raise PluginError(f"evaluate() changed {changed}, which others are given too; expected that it changes copies")
    return found
