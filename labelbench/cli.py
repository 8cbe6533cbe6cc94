"""The ``labelbench`` command: which commands there are, each imported when it is named, and how a mistake ends."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
from typing import NoReturn

import click
from click.shell_completion import CompletionItem

from labelbench.commands.output import ready_streams
from labelbench.errors import InputError, LabelbenchError, UnknownName, memory_ran_out, one_line
from labelbench.interrupts import watching_for_ctrl_c

INTERRUPTED = 130
_REFUSED_BY_MACHINE = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}

# Command -> the module of `labelbench.commands` that has it, and what it does.
COMMANDS = {
    "run": ("running", "Train and measure what is missing; print the leaderboard."),
    "plan": ("plan", "Print what a suite asks for, and how long it takes."),
    "tune": ("tuning", "Give every label the best recipe of one grid."),
    "leaderboard": ("leaderboard", "Print every label by what was measured."),
    "claims": ("results", "Judge the paper's claims, or those of a file."),
    "report": ("results", "Write results as one page for the browser."),
    "plot": ("plots", "Draw results for papers."),
    "findings": ("findings", "Say what published folders show together."),
    "compare": ("comparing", "Compare two results folders, or two recipes of one."),
    "merge": ("results", "Bring results of several machines together."),
    "list": ("listing", "List the names that can be used."),
    "labels": ("labels", "Draw labels."),
    "data": ("data", "Look at a data set, and at what is odd about it."),
    "fetch": ("labels", "Fetch what a label needs to be used offline."),
    "new": ("plugins", "Begin a plugin."),
    "check": ("plugins", "Check what a plugin promises."),
    "try": ("plugins", "Train a plugin's name beside its controls, for a minute."),
    "export": ("networks", "Write a trained network for use elsewhere."),
    "measure": ("networks", "Measure a network that was trained elsewhere."),
    "profile": ("running", "Print where the time of a training step goes."),
    "doctor": ("information", "Say what this machine and installation offer."),
    "cite": ("information", "Print what to cite as BibTeX."),
    "completion": ("information", "Print the completion script of a shell."),
}


class _Commands(click.Group):
    """A group that names near matches of a misspelt command, and refuses what no command can use."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        for place, text in enumerate(args):
            if text == "" or (text.startswith("--") and text.endswith("=")):
                what = text.rstrip("=") or (
                    args[place - 1] if place and args[place - 1].startswith("-") else "an argument"
                )
                raise InputError(
                    f"{what} is given nothing (a variable that is not set?); give it a value or leave it out"
                )
            try:
                text.encode()
            except UnicodeEncodeError:
                raise InputError(
                    f"{os.fsencode(text)!r} is not UTF-8, which names are; rename it and try again"
                ) from None
        return super().parse_args(context, args)

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"labelbench.commands.{COMMANDS[name][0]}")
        return next(one for one in vars(module).values() if isinstance(one, click.Command) and one.name == name)

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise UnknownName("command", args[0], COMMANDS, "(labelbench --help lists them)")
        return super().resolve_command(context, args)

    # What lists commands does so from the table, and imports none.

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def shell_complete(self, context: click.Context, incomplete: str) -> list[CompletionItem]:
        named = [CompletionItem(name, help=line) for name, (_, line) in COMMANDS.items() if name.startswith(incomplete)]
        return named + click.Command.shell_complete(self, context, incomplete)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: labelbench run --suite quick",
)
@click.option("--no-plugins", is_flag=True, help="Use built-in plugins only (LABELBENCH_PLUGINS= does the same).")
@click.version_option(package_name="labelbench")
def cli(no_plugins: bool) -> None:
    """What happens to an image classifier when the label it learns to output changes.

    Exit codes: 0 done, 2 wrong usage or input, 3 some cells failed, 4 the machine refused (disk, permission,
    network, device), 130 interrupted; 1 is a defect of labelbench.
    """
    if no_plugins:
        os.environ["LABELBENCH_PLUGINS"] = ""


def main() -> NoReturn:
    """Run the command line; every mistake of a user ends in one line and an exit code."""
    try:
        ready_streams()
        with watching_for_ctrl_c():
            cli(standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        # Whoever presses again wants the end at once, and no more words.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        goes_on = "; the same command goes on where this one stopped" if sys.argv[1:2] == ["run"] else ""
        click.echo(f"interrupted{goes_on}", err=True)
        sys.exit(INTERRUPTED)
    except LabelbenchError as error:
        click.echo(f"labelbench: {one_line(error)}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # the reader has what it wanted
        for stream in (sys.stdout, sys.stderr):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        sys.exit(0)
    except (MemoryError, ImportError, OSError, RuntimeError) as error:
        if memory_ran_out(error):
            said = f"not enough memory: {one_line(error)}; fewer --jobs need less"
        elif isinstance(error, OSError) and error.errno in _REFUSED_BY_MACHINE:
            said = f"{error.filename or 'disk'}: {error.strerror}"
        else:
            raise
        click.echo(f"labelbench: {said}", err=True)
        sys.exit(4)
    sys.exit(0)
