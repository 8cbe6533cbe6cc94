"""``labelbench doctor``, ``cite`` and ``completion``: what is here, what to cite, and a shell that knows the names."""

from __future__ import annotations

from pathlib import Path

import click

from labelbench.commands.options import machine_options
from labelbench.commands.output import output_console


@click.command(epilog="Example: labelbench cite results/quick")
@click.argument("folder", type=click.Path(path_type=Path), metavar="[DIR]", required=False)
def cite(folder: Path | None) -> None:
    """Print what to cite as BibTeX: the tool, the paper, and what the labels of a results folder are made from."""
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


@click.command(epilog="Example: labelbench doctor")
@machine_options
def doctor() -> None:
    """Say what this machine and installation offer: versions, devices, folders, plugins, and what is missing."""
    from rich.table import Table
    from rich.text import Text

    from labelbench.diagnosis import diagnosis

    table = Table(box=None, show_header=False, pad_edge=False)
    for subject, finding, well in diagnosis():
        table.add_row(Text(subject), Text(finding, style="" if well else "bold red"))
    output_console().print(table)


@click.command(epilog='Example: eval "$(labelbench completion bash)"')
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell; evaluate it in the shell's start-up file."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    command = click.get_current_context().find_root().command
    click.echo(found(command, {}, "labelbench", "_LABELBENCH_COMPLETE").source())
