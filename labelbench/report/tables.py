"""Tables of the leaderboard for a page, above which stands what all rows share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from labelbench.leaderboard.grids import Grid
from labelbench.leaderboard.pages import Section, compact
from labelbench.registry import evaluator_here


@dataclass(frozen=True)
class TableView:
    """A section of the leaderboard.

    Attributes:
        title, grid, notes, kind: see :class:`labelbench.leaderboard.pages.Section`.
        about: what all rows share, said above the table and not in it.
        explained: what the columns of an evaluator mean, where its plugin is installed.
    """

    title: str
    grid: Grid | None
    notes: tuple[str, ...]
    kind: str
    about: str = ""
    explained: Mapping[str, str] = field(default_factory=dict)


def narrowed(section: Section) -> TableView:
    """The section without the columns that hold one value."""
    found = compact(section)
    explained = evaluator_here(section.title).explanations if section.kind == "evaluator" else {}
    return TableView(section.title, found.grid, section.notes, section.kind, found.about, explained)
