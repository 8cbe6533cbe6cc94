"""Where what a command has to say goes: standard output, or a file."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labelbench.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console


# The ending of a file's name -> the format that it is for.
_BY_ENDING = {".md": "markdown", ".csv": "csv", ".json": "json", ".tex": "latex", ".html": "html", ".htm": "html"}


def ready_streams() -> None:
    """Make standard streams fit for whatever is written: none is missing, and what one cannot show is replaced."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:  # closed: the next file that is opened would take its place, and what is printed
            os.open(os.devnull, os.O_RDWR)
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def output_console() -> Console:
    """Standard output: as wide as the terminal or as COLUMNS says, and never cut off where neither is known."""
    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isdecimal() and int(columns) else None if sys.stdout.isatty() else 1000
    return _console(width=width, highlight=False)


def error_console() -> Console:
    """Standard error."""
    return _console(stderr=True)


def _console(**options: Any) -> Console:
    from rich.console import Console

    class Told(Console):
        def on_broken_pipe(self) -> None:
            """Not the end of the process with code 1: a reader may stop early."""
            raise BrokenPipeError

    return Told(**options)


def format_of(form: str | None, output: Path | None) -> str:
    """The format that is asked for: by name, else by the ending of the file's name, else markdown.

    Raises:
        InputError: another ending.
    """
    if form is not None or output is None or not output.suffix:
        return form or "markdown"
    if output.suffix.lower() not in _BY_ENDING:
        raise InputError(
            f"--output {output}: its ending names no format; expected one of {', '.join(_BY_ENDING)}, or add --format"
        )
    return _BY_ENDING[output.suffix.lower()]


def write_or_print(text: str, output: Path | None) -> None:
    """Write text to a file, or print it as it is where none is named."""
    from labelbench.files import write_atomic

    if output is None:
        click.echo(text, nl=False)
    else:
        write_atomic(output, text.encode())
