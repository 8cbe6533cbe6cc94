"""How what an evaluator finds is shown: its first numbers, its curves and pictures, and where they stand in a report.

An evaluator declares these as class attributes. The core draws what is declared and knows no evaluator by name.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from labelbench.errors import PluginError


class _Declared:
    """Refuses text that is no text, and what is required and empty."""

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if field.type == "str" and not isinstance(value, str):
                raise PluginError(f"{type(self).__name__} has {field.name} {value!r}; expected text")


@dataclass(frozen=True)
class Headline(_Declared):
    """A score that stands in the first table: one to three of an evaluator's.

    Where better lies is said by the score itself.

    Attributes:
        score: its name.
        heading: of the column, as short as can be understood, such as ``"FGSM 0.05"``.
        question: what the number answers, for the first lines of a report, such as ``"Accuracy with little data"``;
            empty if it answers none.
    """

    score: str
    heading: str
    question: str = ""


@dataclass(frozen=True)
class Section(_Declared):
    """Where the charts of an evaluator stand in a report. Equal sections are one.

    Attributes:
        title: heading.
        question: that the charts answer, a sentence or two.
        order: sections stand by it, then by title. The built-in ones have 10 to 40.
    """

    title: str
    question: str = ""
    order: int = 50


@dataclass(frozen=True)
class Axes(_Declared):
    """What the panels of one chart share. Curves whose axes are equal share a chart, whichever evaluators they are of.

    Attributes:
        name: of the chart, fit for a file name, such as ``"accuracy-epsilon"``.
        title: of the chart in words.
        x: what :attr:`Score.at` counts, such as ``"epsilon"``.
        unit: of x in words; ``"share"`` for 0 to 1, which is shown in percent.
        y: what the scores are, without a unit: the scores have it.
        log: whether x has a logarithmic axis, on which points at 0 are left out.
        note: a sentence about the axes, if they need one.
    """

    name: str
    title: str
    x: str
    unit: str = ""
    y: str = "accuracy"
    log: bool = False
    note: str = ""


@dataclass(frozen=True)
class Curve(_Declared):
    """Scores that lie along an axis, drawn as a panel with a line for each label.

    Attributes:
        scores: what their names begin with, before the last ``/``: ``"adaptive"`` for ``adaptive/0.5`` and
            ``adaptive/1``, empty for names without a ``/``. Those that have :attr:`Score.at` are its points.
        axes: that it is drawn on.
        panel: its title, which may be empty if it is the only one.
        start: ``evaluator/score`` of columns that hold its value at 0 where the evaluator has none; the first that
            was measured on the same networks and images counts.
    """

    scores: str
    axes: Axes
    panel: str = ""
    start: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scatter(_Declared):
    """Arrays of a measurement that are drawn as points in a plane, a panel for each moment of training.

    Attributes:
        name: of the chart, fit for a file name.
        title: of the chart in words.
        points: array ``(moments, n, 2)`` float, places in the plane.
        classes: array ``(n,)`` int, which give the colours.
        moments: array ``(moments,)`` float, shares of training, 0 to 1.
        score: first part of the name of the score that a panel's title tells, the one whose ``at`` is the moment;
            empty for none.
        heading: of that score.
        note: how to read it, in sentences.
    """

    name: str
    title: str
    points: str
    classes: str
    moments: str
    score: str = ""
    heading: str = ""
    note: str = ""


@dataclass(frozen=True)
class Strip(_Declared):
    """Arrays of a measurement that are drawn as images side by side: what was given, and what became of it.

    Attributes:
        name: of the picture, fit for a file name.
        title: in words.
        images: array ``(n, 2, height, width, 3)`` uint8: each image before and after.
        read: array ``(n, 2)`` int, the class read in each.
        at: array ``(n,)`` float, how large the change may be.
        unit: of ``at`` in words.
        scale: that ``at`` is multiplied by to be in this unit.
        note: how to read it, in sentences.
    """

    name: str
    title: str
    images: str
    read: str
    at: str
    unit: str = ""
    scale: float = 1.0
    note: str = ""
