"""``labelbench list``: names that exist, also for shell completion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from labelbench.errors import UnknownName
from labelbench.plugins.discovery import plugins
from labelbench.plugins.entries import KINDS as PLUGGED_KINDS

if TYPE_CHECKING:
    from rich.table import Table

PLUGGED = tuple(f"{kind}s" for kind in PLUGGED_KINDS)
KINDS = (*PLUGGED, "suites", "plugins")


@click.command("list", epilog="Example: labelbench list labels")
@click.argument("kind", required=False, metavar="[labels|backbones|evaluators|datasets|suites|plugins]")
def list_names(kind: str | None) -> None:
    """List the names that can be used, and the plugins they come from."""
    from labelbench.commands.output import output_console

    if kind is not None and kind not in KINDS:
        raise UnknownName("kind", kind, KINDS)
    for one in [kind] if kind else KINDS:
        output_console().print(_table_of(one))


def names_of(kind: str) -> list[str]:
    """All names of one kind."""
    return list(getattr(plugins(), kind)) if kind in PLUGGED else [row[0] for row in rows_of(kind)]


def rows_of(kind: str) -> list[tuple[str, ...]]:
    """Name with its arguments, what it is, where it comes from; for plugins also whether they are in use."""
    if kind == "plugins":
        found = plugins()
        noted = {one.origin: f"in use, but {one.reason}" for one in found.disturbing}
        rows: list[tuple[str, ...]] = [
            (origin.plugin, noted.get(origin, "in use"), str(origin)) for origin in found.loaded
        ]
        return rows + [
            (broken.origin.plugin, f"broken: {broken.reason}", str(broken.origin)) for broken in found.broken
        ]
    if kind == "suites":
        from labelbench.suite import Suite, suite_names

        return [(name, Suite.load(name).description, "labelbench") for name in suite_names()]
    entries = getattr(plugins(), kind)
    return [(entry.usage, entry.summary, str(entry.origin)) for entry in entries.values()]


def _table_of(kind: str) -> Table:
    """The names of one kind as a table for a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    headings = ("plugin", "state", "from") if kind == "plugins" else (kind[:-1], "what it is", "from")
    table = Table(title=kind, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows_of(kind):
        table.add_row(*map(Text, row))
    return table
