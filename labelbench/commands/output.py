"""Where what a command has to say goes: standard output, or a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console


def output_console() -> Console:
    """Standard output: as wide as the terminal, and never cut off where it is none."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 1000, highlight=False)


def write_or_print(text: str, output: Path | None) -> None:
    """Write text to a file, or print it as it is where none is named."""
    from labelbench.files import write_atomic

    if output is None:
        click.echo(text, nl=False)
    else:
        write_atomic(output, text.encode())
