"""What `labelbench plot` does: charts and adversarial images of a results folder as files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelbench.charts.adversarial_figures import strip_figure
from labelbench.charts.collection import charts_of, only_labels
from labelbench.charts.data import Chart, Panel
from labelbench.charts.figures import chart_figure
from labelbench.charts.labels import FORMATS, picture
from labelbench.charts.styles import styles_of
from labelbench.commands.options import settings_of
from labelbench.errors import InputError, LabelbenchError, UnknownName
from labelbench.files import write_atomic
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.registry import find_dataset
from labelbench.results.reading import Contents, read
from labelbench.results.store import no_results, results_in
from labelbench.running.attacked_images import NAME as EXAMPLES
from labelbench.running.attacked_images import strips_of
from labelbench.settings import use_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

# Pixels in an inch of PNG, and of the images within SVG and PDF: what printers ask for.
_DPI = 300


def plot(options: dict[str, Any]) -> None:
    """Write figures of a results folder, or name those that could be written.

    Raises:
        InputError: no results, no such figure, or a file where several figures are asked for.
        MachineError: the disk refuses, or a data set that adversarial examples need is not at hand.
    """
    folder: Path = options["folder"]
    contents = read(results_in(folder))
    charts = charts_of(contents, Leaderboard.of(contents))
    if not charts:
        raise no_results(folder)
    if options["output"] is None:
        for name in (*(chart.name for chart in charts), EXAMPLES):
            click.echo(name)
        return
    single = _is_file(options["output"])
    if single and options["output"].suffix[1:] not in FORMATS:
        raise InputError(
            f"picture format {options['output'].suffix[1:]!r} of {options['output']}; expected {', '.join(FORMATS)}, "
            f"or a folder"
        )
    drawn = list(_asked(contents, charts, options))
    if single and len(drawn) > 1:
        names = ", ".join(name for name, _, _ in drawn)
        raise InputError(
            f"{options['output']} is one file and {len(drawn)} figures are asked for ({names}); choose one with "
            f"--figure, or name a folder"
        )
    form = options["output"].suffix[1:] if single else options["form"]
    for name, note, figure in drawn:
        file = options["output"] if single else options["output"] / f"{name}.{form}"
        write_atomic(file, picture(figure(), form, dpi=_DPI))
        # Beside it what a paper says below it.
        write_atomic(file.with_suffix(".txt"), f"{note}\n".encode())
        click.echo(f"{file}: {note}")


def _is_file(output: Path) -> bool:
    """Whether one file is meant: what has a suffix and is no folder."""
    return bool(output.suffix) and not output.is_dir()


def _asked(
    contents: Contents, charts: Sequence[Chart], options: dict[str, Any]
) -> Iterator[tuple[str, str, Callable[[], Figure]]]:
    """``(name, note, how it is drawn)`` of every figure asked for, the charts first."""
    styles = styles_of(charts)
    wanted = _chosen(charts, options["figures"])
    if not options["intervals"]:
        wanted = [_without_intervals(chart) for chart in wanted]
    if options["labels"]:
        _check_labels(contents, options["labels"])
        wanted = list(only_labels(wanted, options["labels"]))
    if not wanted and EXAMPLES not in options["figures"]:
        raise InputError(f"{contents.results.folder} holds nothing that could be drawn; `labelbench run` makes results")
    for chart in wanted:
        yield chart.name, f"{chart.title}. {chart.explained}", partial(chart_figure, chart, styles, _class_names(chart))
    if EXAMPLES in options["figures"]:
        with use_settings(settings_of(options)):
            strips = strips_of(
                contents.results,
                contents.trainings,
                labels=options["labels"],
                epsilon=options["epsilon"],
                count=options["images"],
                report=lambda doing: click.echo(doing, err=True),
            )
        for strip in strips:
            yield strip.name, strip.note, partial(strip_figure, strip)


def _class_names(chart: Chart) -> tuple[str, ...]:
    """Names of the classes that a scatter has colours of, where the data set is known here."""
    try:
        return find_dataset(chart.dataset).class_names if chart.kind == "scatter" else ()
    except LabelbenchError:
        return ()


def _chosen(charts: Sequence[Chart], names: Sequence[str]) -> list[Chart]:
    """The charts that are named, in full or by the beginning of their names; all if none is."""
    known = [chart.name for chart in charts]
    for name in names:
        if name != EXAMPLES and not any(_means(name, chart) for chart in known):
            raise UnknownName("figure", name, [*known, EXAMPLES])
    if not names:
        return list(charts)
    return [chart for chart in charts if any(_means(name, chart.name) for name in names)]


def _means(name: str, chart: str) -> bool:
    return chart == name or chart.startswith(f"{name}-")


def _check_labels(contents: Contents, labels: Sequence[str]) -> None:
    """Refuse labels of which the folder has nothing."""
    known = {training.run.label for training in contents.trainings} | {one.run.label for one in contents.records}
    for label in labels:
        if label not in known:
            raise UnknownName("label", label, known, f"in {contents.results.folder}")


def _without_intervals(chart: Chart) -> Chart:
    panels = (
        Panel(panel.title, tuple(replace(series, low=(), high=(), seeds=()) for series in panel.series))
        for panel in chart.panels
    )
    return replace(chart, panels=tuple(panels), spread="")
