"""``labelbench findings``: the page of findings of published folders, and their summary in another file."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from labelbench.claims.files import paper_claims
from labelbench.commands.options import output_option, results_folders
from labelbench.errors import InputError
from labelbench.files import write_atomic
from labelbench.findings.page import Published, page_text, summary_text, with_summary
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.results.reading import Contents, read
from labelbench.results.store import no_results, results_in
from labelbench.runs import slug

# The figure of accuracy against epsilon of each data set and backbone begins so.
_FIGURE = "accuracy-epsilon-"


@click.command(epilog="Example: labelbench findings results/quick --output findings.md")
@results_folders
@output_option("FILE.md", "Write the page to this file, and its figures beside it (default: print it).")
@click.option(
    "--summary",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.md",
    help="Put the table of verdicts between the two marks of this file.",
)
@click.option("--figures/--no-figures", default=True, help="Draw figures, or leave those that are there as they are.")
def findings(folders: tuple[Path, ...], output: Path | None, summary: Path | None, figures: bool) -> None:
    """Say what published folders show together: verdicts, the numbers behind them, and what controls say of causes."""
    claims = paper_claims()
    published = []
    for folder, name in zip(folders, _names(folders), strict=True):
        contents = read(results_in(folder))
        if not contents.records:
            raise no_results(folder)
        board = Leaderboard.of(contents, claims)
        figure = _figure(contents, board, output, slug(name), draw=figures) if output else ""
        published.append(Published(name, board, figure, contents.asked.tuning))
    command = shlex.join(["labelbench", "findings", *map(str, folders)])
    text = page_text(published, claims, command)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_atomic(output, text.encode())
        click.echo(f"{output}")
    if summary is not None:
        try:
            changed = with_summary(summary.read_text(encoding="utf-8"), summary_text(published, claims))
        except (OSError, ValueError) as error:
            raise InputError(f"{summary}: {getattr(error, 'strerror', None) or error}") from error
        write_atomic(summary, changed.encode())
        click.echo(f"{summary}")


def _names(folders: Sequence[Path]) -> list[str]:
    """What each folder is called: the last part of its path, or as many as tell it from the others.

    Raises:
        InputError: a folder is named twice.
    """
    paths = [folder.resolve() for folder in folders]
    for place, path in enumerate(paths):
        if path in paths[:place]:
            raise InputError(f"{folders[place]} is named twice; expected each folder once")
    for count in range(1, max(len(path.parts) for path in paths)):
        names = ["/".join(path.parts[-count:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    return list(map(str, paths))


def _figure(contents: Contents, board: Leaderboard, output: Path, name: str, *, draw: bool) -> str:
    """The figure of a folder beside the page, as the page names it; empty if there is nothing to draw."""
    from labelbench.charts.collection import charts_of
    from labelbench.charts.figures import chart_figure
    from labelbench.charts.labels import picture
    from labelbench.charts.styles import styles_of

    charts = charts_of(contents, board)
    chart = next((one for one in charts if one.name.startswith(_FIGURE)), None)
    if chart is None:
        return ""
    file = output.with_name(f"{output.stem}-{name}.png")
    if draw:
        write_atomic(file, picture(chart_figure(chart, styles_of(charts)), "png", dpi=110))
        click.echo(f"{file}")
    return file.name
