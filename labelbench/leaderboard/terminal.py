"""The leaderboard in a terminal of any width.

Intervals give way first, then the spread; what is still too wide goes on below, with the labels said again. Labels are
never cut: those that leave no room for numbers are folded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from labelbench.leaderboard.grids import Detail, Grid
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.leaderboard.pages import Section, compact, sections_of
from labelbench.leaderboard.widths import GAP, lines_of, total, widths_of

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_MOST_FIRST = sorted(Detail, reverse=True)
_READING = {
    Detail.MEAN: "mean over seeds",
    Detail.SPREAD: "mean ± standard deviation over seeds",
    Detail.INTERVAL: "mean over seeds [95 % interval]",
    Detail.FULL: "mean ± standard deviation over seeds [95 % interval]",
}
_READING_OF_ONE = {Detail.MEAN: "one seed", Detail.INTERVAL: "one seed [95 % interval]"}
_INTERVALS = "Intervals are Student's t over seeds, with one seed over test images."
_BOLD = "Bold: separated from every other label over three seeds or more."


def print_tables(board: Leaderboard, console: Console) -> None:
    """Every table and note of a leaderboard, as wide as the console."""
    by_detail = {detail: list(map(compact, sections_of(board, 10**9, detail))) for detail in Detail}
    for details in zip(*(by_detail[detail] for detail in _MOST_FIRST), strict=True):
        for part in _section(details, console.width):
            console.print(part, highlight=False)


def _section(details: Sequence[Section], width: int) -> Iterator[RenderableType]:
    """A section with as much detail as there is room for.

    Args:
        details: the same section, the most detailed first.
        width: of the console.
    """
    from rich.padding import Padding
    from rich.text import Text

    first = details[0]
    if first.grid is None:
        yield from map(Text, first.notes)
        return
    about = f": {first.about}" if first.about else ""
    yield Text(first.title, "bold").append(about, "not bold")
    fitting = [section for section in details if section.grid and total(section.grid, width) <= width]
    chosen = (fitting or [details[-1]])[0]
    assert chosen.grid is not None
    if first.kind in ("headline", "evaluator"):
        detail = _MOST_FIRST[details.index(chosen)]
        with_intervals = details[_MOST_FIRST.index(Detail.INTERVAL)].grid or first.grid
        several = any("±" in cell for line in first.grid.cells for cell in line)
        yield Text(_read(chosen.grid, with_intervals, detail, several), "dim")
    for block in _blocks(chosen.grid, width):
        yield _drawn(block, width)
        yield Text("")
    yield from (Padding(Text(note), (0, 0, 0, 2), expand=False) for note in first.notes)
    yield Text("")


def _read(shown: Grid, with_intervals: Grid, detail: Detail, several: bool) -> str:
    """How the numbers are read, and at what width their intervals are seen."""
    of_one = _READING_OF_ONE[Detail.INTERVAL if detail >= Detail.INTERVAL else Detail.MEAN]
    text = _READING[detail] if several else of_one
    if detail >= Detail.INTERVAL:
        text += f". {_INTERVALS}"
    elif shown.cells != with_intervals.cells:
        text += f"; with intervals at {total(with_intervals, 10**4)} columns, or --format markdown"
    text = text.removesuffix(".") + "."
    return text + (f" {_BOLD}" if shown.bold else "")


def _blocks(grid: Grid, width: int) -> Iterator[Grid]:
    """The grid, or, where it is too wide, parts of it that each begin with its columns of text."""
    widths = widths_of(grid, width)
    lead = grid.text_columns
    if total(grid, width) <= width or grid.wide:
        yield grid
        return
    taken = sum(widths[:lead]) + GAP * (lead - 1)
    starts, used = [lead], taken
    for place in range(lead, len(widths)):
        if used + GAP + widths[place] > width and place > starts[-1]:
            starts.append(place)
            used = taken
        used += GAP + widths[place]
    for start, end in pairwise([*starts, len(widths)]):
        places = [*range(lead), *range(start, end)]
        yield Grid(
            [grid.headings[place] for place in places],
            [[cells[place] for place in places] for cells in grid.cells],
            lead,
            frozenset((line, places.index(place)) for line, place in grid.bold if place in places),
        )


def _drawn(grid: Grid, width: int) -> RenderableType:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, GAP - 1, 0, 0), show_edge=False)
    for place, (heading, needed) in enumerate(zip(grid.headings, widths_of(grid, width), strict=True)):
        text = place < grid.text_columns
        folded = heading if text else "\n".join(lines_of(heading, needed))
        sentences = grid.wide and place == len(grid.headings) - 1
        table.add_column(
            Text(folded),
            justify="left" if text else "right",
            overflow="fold",
            vertical="bottom",
            width=None if sentences else needed,
        )
    for line, cells in enumerate(grid.cells):
        styles = ("bold" if (line, place) in grid.bold else "" for place in range(len(cells)))
        table.add_row(*(Text(cell, style) for cell, style in zip(cells, styles, strict=True)))
    return table
