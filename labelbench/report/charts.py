"""The charts of a results folder as plain values, which the report's own script draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from labelbench.charts.data import Chart, Series
from labelbench.charts.styles import CLASS_COLOURS
from labelbench.evaluation.shown import Section
from labelbench.runs import slug


@dataclass(frozen=True)
class ChartSection:
    """Charts that answer one question.

    Attributes:
        section: title and question.
        charts: in their order.
    """

    section: Section
    charts: tuple[Chart, ...]

    @property
    def id(self) -> str:
        """Of the heading."""
        return f"charts-{slug(self.section.title.lower())}"


def chart_sections(charts: Sequence[Chart]) -> list[ChartSection]:
    """The charts in their sections, in order."""
    return [
        ChartSection(section, tuple(chart for chart in charts if chart.section == section))
        for section in dict.fromkeys(chart.section for chart in charts)
    ]


def chart_facts(chart: Chart, classes: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """One chart as JSON values.

    Args:
        chart: any.
        classes: names of the classes of each data set, where they are known.
    """
    panels = [{"title": panel.title, "series": [_series(one) for one in panel.series]} for panel in chart.panels]
    facts = asdict(chart) | {"name": chart.name, "panels": panels, "section": chart.section.title}
    if chart.kind == "scatter":
        count = 1 + max((index for panel in chart.panels for one in panel.series for index in one.classes), default=0)
        names = list(classes.get(chart.dataset, ())) or [f"class {index}" for index in range(count)]
        facts["classes"] = [
            {"name": name, "colour": CLASS_COLOURS[index % len(CLASS_COLOURS)]}
            for index, name in enumerate(names[:count])
        ]
    return facts


def _series(series: Series) -> dict[str, Any]:
    rounded = {axis: [_rounded(value) for value in getattr(series, axis)] for axis in ("x", "y", "low", "high")}
    seeds = [[_rounded(value) for value in each] for each in series.seeds]
    return {"name": series.name, "label": series.label, **rounded, "seeds": seeds, "classes": list(series.classes)}


def _rounded(value: float | None) -> float | None:
    """More digits than a screen can show are left out."""
    return None if value is None else float(f"{value:.5g}")
