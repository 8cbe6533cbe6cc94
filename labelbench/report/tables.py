"""Tables of the leaderboard for a page on which data set and backbone are said once where there is only one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from labelbench.leaderboard.pages import Grid, Section, compact
from labelbench.registry import explanations


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
    found = compact(section, ("dataset", "backbone"))
    explained = explanations(section.title) if section.kind == "evaluator" else {}
    common = tuple(value for value in found.common.values() if value)
    return TableView(section.title, found.grid, section.notes, section.kind, common, explained)
