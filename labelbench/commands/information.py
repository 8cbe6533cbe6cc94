"""What the commands do that tell what to cite, and what is here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from labelbench.commands.options import settings_of
from labelbench.commands.output import output_console
from labelbench.settings import use_settings


def show_citations(folder: Path | None) -> None:
    """Print BibTeX of the tool, the paper and, with a results folder, of what its labels were made from.

    Raises:
        InputError: the folder holds no results.
    """
    from labelbench.citations import citations_of
    from labelbench.results.reading import read
    from labelbench.results.store import no_results, results_in

    provenances = []
    if folder:
        found = read(results_in(folder))
        if not found:
            raise no_results(folder)
        provenances = [training.facts["label"].get("provenance", {}) for training in found.trainings]
    for entry in citations_of(provenances):
        click.echo(entry + "\n")


def show_diagnosis(options: dict[str, Any]) -> None:
    """Print what this machine and installation offer."""
    from rich.table import Table
    from rich.text import Text

    from labelbench.diagnosis import diagnosis

    table = Table(box=None, show_header=False, pad_edge=False)
    with use_settings(settings_of(options)):
        for subject, finding, well in diagnosis():
            table.add_row(Text(subject), Text(finding, style="" if well else "bold red"))
    output_console().print(table)
