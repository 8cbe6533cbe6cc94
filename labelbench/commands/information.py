"""What the commands do that tell what to cite."""

from __future__ import annotations

from pathlib import Path

import click


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
