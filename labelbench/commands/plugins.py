"""``labelbench new``, ``check`` and ``try``: begin a plugin, check it, and try it beside its controls."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from labelbench.authoring.checking_process import findings_of
from labelbench.authoring.findings import FAILED, FINE, NOTED, Finding, failures, in_words
from labelbench.authoring.scaffolding import begin_plugin
from labelbench.commands.options import PLUGGED, complete, dry_run_option, machine_options, threads_option
from labelbench.commands.output import error_console, output_console
from labelbench.errors import InputError, PluginError, UnknownName
from labelbench.plugins.discovery import plugins
from labelbench.plugins.entries import KINDS

_MARKS = {FINE: "ok", NOTED: "note", FAILED: "FAILED"}
_KIND = "label|backbone|evaluator|dataset"
_kind_option = click.option("--kind", metavar=_KIND, help="What a name is, where several kinds have it.")


def kind_of(name: str, kind: str | None) -> str:
    """Whether a name is a label, a backbone, an evaluator or a data set.

    Args:
        name: as a user writes it.
        kind: what the user says it is, or None to find out.

    Raises:
        UnknownName: no plugin registers it, or no such kind.
        InputError: several kinds have it.
        PluginError: a broken plugin of that name is installed.
    """
    if kind is not None and kind not in KINDS:
        raise UnknownName("kind", kind, KINDS)
    found = plugins()
    base = name.partition(":")[0]
    having = [one for one in ([kind] if kind else KINDS) if base in getattr(found, f"{one}s")]
    if len(having) > 1:
        raise InputError(f"{base!r} is a {' and a '.join(having)}; say which is meant with --kind {having[0]}")
    if having:
        return having[0]
    for broken in found.broken:
        if base in (broken.origin.plugin, broken.origin.distribution) or repr(base) in broken.reason:
            raise PluginError(f"plugin {broken.origin.plugin} ({broken.origin}) cannot be used: {broken.reason}")
    known = [known for one in ([kind] if kind else KINDS) for known in getattr(found, f"{one}s")]
    hint = "(is its plugin installed? `pip install --editable FOLDER`, then `labelbench list plugins`)"
    raise UnknownName(kind or "label, backbone, evaluator or data set", base, known, hint)


@click.command(epilog="Example: labelbench new label rainbow")
@click.argument("kind", metavar=_KIND)
@click.argument("name", metavar="NAME")
def new(kind: str, name: str) -> None:
    """Begin a plugin: a folder NAME with a package that installs, passes its own checks and runs as it is."""
    folder = begin_plugin(kind, name, Path())
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        click.echo(f"  {file}")
    click.echo(f"next: pip install --editable {folder}, then labelbench check {name}, then labelbench try {name}")


@click.command("try", epilog="Example: labelbench try hadamard")
@click.argument("name", metavar="NAME", shell_complete=complete(*PLUGGED))
@_kind_option
@threads_option
@dry_run_option
@machine_options
def try_name(name: str, kind: str | None, threads: int | None, dry_run: bool) -> None:
    """Train a label, backbone, evaluator or data set beside its controls, for about a minute, and keep nothing."""
    from labelbench.authoring.trial import ADVICE, carry_out_trial, trial_suite

    suite = trial_suite(kind_of(name, kind), name)
    if dry_run:
        click.echo(
            f"would train {in_words(suite.labels)} on {in_words(suite.backbones)}, {suite.recipe.epochs} epochs of "
            f"{in_words(suite.datasets)}, and measure {in_words(suite.evaluators)}"
        )
        return
    failed = carry_out_trial(suite, threads, error_console(), output_console())
    click.echo(ADVICE)
    for what, why in failed:
        click.echo(f"failed: {what}: {why}", err=True)
    if failed:
        sys.exit(PluginError.exit_code)


@click.command(epilog="Example: labelbench check speech accuracy")
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=complete(*PLUGGED))
@_kind_option
@click.option("--time-limit", default=60.0, show_default=True, metavar="SECONDS", help="Give a single step up after.")
@machine_options
def check(names: tuple[str, ...], kind: str | None, time_limit: float) -> None:
    """Check what labels, backbones, evaluators and data sets promise: offline, in seconds."""
    kinds = {name: kind_of(name, kind) for name in names}
    fine = True
    for name, found_kind in kinds.items():
        origin = plugins().find(found_kind, name)[0].origin
        click.echo(f"{found_kind} {name} ({origin})")
        findings = findings_of(found_kind, name, time_limit)
        _print(findings)
        fine = fine and not failures(findings)
    if not fine:
        sys.exit(PluginError.exit_code)


def _print(findings: list[Finding]) -> None:
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        mark = click.style(f"{_MARKS[finding.state]:6}", fg="red" if finding.state == FAILED else None)
        click.echo(f"  {mark}  {finding.check:{width}}  {finding.text}")
    failed = len(failures(findings))
    click.echo(f"{failed} of {len(findings)} checks failed" if failed else f"{len(findings)} checks, all fine")
