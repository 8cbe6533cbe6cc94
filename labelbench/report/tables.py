"""Tables of the leaderboard for a page on which data set and backbone are said once where there is only one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from labelbench.leaderboard.pages import Grid, Section
from labelbench.registry import explanations

_SAID_ONCE = ("dataset", "backbone")


@dataclass(frozen=True)
class TableView:
    """A section of the leaderboard.

    Attributes:
        title, grid, notes, kind: see :class:`labelbench.leaderboard.pages.Section`.
        common: what all rows share, said above the table and not in it.
        explained: what the columns of an evaluator mean, where its plugin is installed.
    """

    title: str
    grid: Grid | None
    notes: tuple[str, ...]
    kind: str
    common: tuple[str, ...] = ()
    explained: Mapping[str, str] = field(default_factory=dict)


def narrowed(section: Section) -> TableView:
    """The section without the columns of data set and backbone, where they hold one value."""
    text = section.grid
    common = []
    for name in _SAID_ONCE:
        if text and name in text.headings:
            place = text.headings.index(name)
            values = {cells[place] for cells in text.cells}
            if len(values) == 1:
                common += sorted(values - {""})
                text = _without(text, place)
    explained = explanations(section.title) if section.kind == "evaluator" else {}
    return TableView(section.title, text, section.notes, section.kind, tuple(common), explained)


def _without(grid: Grid, place: int) -> Grid:
    return replace(
        grid,
        headings=grid.headings[:place] + grid.headings[place + 1 :],
        cells=[cells[:place] + cells[place + 1 :] for cells in grid.cells],
        text_columns=grid.text_columns - 1,
        bold=frozenset((line, column - (column > place)) for line, column in grid.bold),
    )
