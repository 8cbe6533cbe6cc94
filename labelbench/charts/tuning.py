"""How far the choice of settings moves what a label reaches: the record of a tuning, drawn."""

from __future__ import annotations

from collections import defaultdict

from labelbench.charts.data import Chart, Panel, Series, ordered
from labelbench.evaluation.shown import Section
from labelbench.tunings import Tuning

SECTION = Section("Tuning", "How far does the choice of settings move what a label reaches?", order=35)


def tuning_chart(tuning: Tuning) -> Chart:
    """Validation accuracy against the first setting of the grid, a panel for each combination of the others."""
    axis, *others = tuning.grid.names
    panels: dict[tuple[float, ...], dict[str, dict[float, float | None]]] = defaultdict(lambda: defaultdict(dict))
    for label, found in tuning.accuracy.items():
        for (x, *rest), accuracy in zip(tuning.grid.points, found, strict=True):
            panels[tuple(rest)][label][x] = accuracy
    seeds = len(tuning.seeds)
    dataset, backbone = tuning.places[0] if len(tuning.places) == 1 else ("all", "all")
    return Chart(
        "tuning",
        dataset,
        backbone,
        "Validation accuracy at each point of the grid: " + " and ".join(", ".join(each) for each in tuning.places),
        "line",
        axis.replace("-", " "),
        "validation accuracy, %",
        tuple(
            Panel(
                ", ".join(f"{name.replace('-', ' ')} {value:g}" for name, value in zip(others, rest, strict=True)),
                ordered(
                    Series(label, tuple(sorted(points)), tuple(points[x] for x in sorted(points)))
                    for label, points in by_label.items()
                ),
            )
            for rest, by_label in sorted(panels.items())
        ),
        log_x=all(x > 0 for (x, *_) in tuning.grid.points),
        percent=True,
        note=f"Every label had the same grid: {tuning.words}. A gap: a training that diverged.",
        spread=f"Mean over n = {seeds} seed{'s' if seeds > 1 else ''}, which no result uses.",
        section=SECTION,
    )
