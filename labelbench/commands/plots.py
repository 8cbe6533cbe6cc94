"""``labelbench plot``: charts and adversarial images of a results folder as files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelbench.charts.collection import charts_of, only_labels
from labelbench.charts.data import Chart, Panel
from labelbench.charts.figures import chart_figure
from labelbench.charts.labels import FORMATS, picture
from labelbench.charts.strips import StripView, strip_figure, strip_of_labels, strip_views
from labelbench.charts.styles import styles_of
from labelbench.commands.options import machine_options, output_option, results_folder
from labelbench.errors import InputError, LabelbenchError, UnknownName
from labelbench.files import write_atomic
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.plugins.lookup import find_dataset
from labelbench.results.reading import Contents, read
from labelbench.results.records import Finished
from labelbench.results.store import no_results, results_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

# Pixels in an inch of PNG, and of the images within SVG and PDF: what printers ask for.
_DPI = 300


@click.command(epilog="Example: labelbench plot results/quick --output figures")
@results_folder
@click.option(
    "--figure",
    "figures",
    multiple=True,
    metavar="NAME",
    help="Only these: a name, or how it begins (data-efficiency). Repeatable.",
)
@output_option(
    "FILE|DIR",
    "One .png, .svg or .pdf, or a folder for several figures; without it their names are printed.",
    folder=True,
)
@click.option(
    "--format",
    "form",
    default="pdf",
    show_default=True,
    type=click.Choice(["png", "svg", "pdf"]),
    help="Format of the files in a folder.",
)
@click.option("--label", "labels", multiple=True, metavar="NAME", help="Only these labels. Repeatable.")
@click.option("--intervals/--no-intervals", default=True, help="Draw 95 % intervals as bands (default: yes).")
@machine_options
def plot(**options: Any) -> None:
    """Draw a results folder for papers: accuracy against epsilon, learning curves, features, adversarial images."""
    folder: Path = options["folder"]
    contents = read(results_in(folder))
    if not contents:
        raise no_results(folder)
    charts = charts_of(contents, Leaderboard.of(contents))
    strips = [strip for strip in strip_views(contents, _class_names(contents)) if strip.rows]
    drawn = list(_asked(contents, charts, strips, options))
    if options["output"] is None:
        click.echo("\n".join(name for name, _, _ in drawn))
        return
    # What has a suffix and is no folder means one file.
    single = bool(options["output"].suffix) and not options["output"].is_dir()
    if single and options["output"].suffix[1:] not in FORMATS:
        raise InputError(
            f"picture format {options['output'].suffix[1:]!r} of {options['output']}; expected {', '.join(FORMATS)}, "
            f"or a folder"
        )
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


def _asked(
    contents: Contents, charts: Sequence[Chart], strips: Sequence[StripView], options: dict[str, Any]
) -> Iterator[tuple[str, str, Callable[[], Figure]]]:
    """``(name, note, how it is drawn)`` of every figure asked for, the charts first."""
    styles, names = styles_of(charts), _class_names(contents)
    known = _names(charts, strips)
    for name in options["figures"]:
        if not any(_means(name, each) for each in known):
            raise UnknownName("figure", name, known)
    chosen = {
        each for each in known if not options["figures"] or any(_means(name, each) for name in options["figures"])
    }
    wanted = [chart for chart in charts if chart.name in chosen]
    pictures = [strip for strip in strips if strip.name in chosen]
    if not options["intervals"]:
        wanted = [_without_intervals(chart) for chart in wanted]
    if options["labels"]:
        _check_labels(contents, options["labels"])
        wanted = list(only_labels(wanted, options["labels"]))
        pictures = [one for strip in pictures if (one := strip_of_labels(strip, options["labels"])).rows]
    if not wanted and not pictures:
        raise InputError(f"{contents.results.folder} holds nothing that could be drawn; `labelbench run` makes results")
    for chart in wanted:
        draw = partial(chart_figure, chart, styles, names.get(chart.dataset, ()))
        yield chart.name, f"{chart.title}. {chart.explained}", draw
    for strip in pictures:
        yield strip.name, f"{strip.title}. {strip.note}", partial(strip_figure, strip)


def _names(charts: Sequence[Chart], strips: Sequence[StripView]) -> list[str]:
    return [*(chart.name for chart in charts), *(strip.name for strip in strips)]


def _class_names(contents: Contents) -> dict[str, tuple[str, ...]]:
    """Names of the classes of each data set that is known here."""
    found = {}
    finished: list[Finished] = [*contents.trainings, *contents.records]
    for dataset in {record.run.dataset for record in finished}:
        with suppress(LabelbenchError):
            found[dataset] = find_dataset(dataset).class_names
    return found


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
    means, beside, _ = chart.spread.partition(";")
    return replace(chart, panels=tuple(panels), spread=f"{means}." if beside else means)
