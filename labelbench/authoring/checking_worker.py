"""The checks of one plugin in a process of its own; its arguments are KIND, NAME, PLUGIN, FILE and SEED.

Foreign code runs here and nowhere else: it may change global state, hang or end the process, and what was found until
then is in FILE. Of the processes that examine one name only that of seed 0 makes every check; the others find the
facts that must be equal.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from pathlib import Path

from labelbench.authoring.findings import Report, in_words
from labelbench.authoring.process_watch import ProcessWatch
from labelbench.errors import InputError, MachineError, PluginError, one_line
from labelbench.plugins.discovery import plugins

# What takes long to import.
_HEAVY = ("torch", "torchvision", "timm", "transformers", "librosa", "sklearn", "scipy", "matplotlib", "pandas")

Examine = Callable[[str, Report, ProcessWatch, bool], None]
"""Examines a name: where to report, who watches, and whether to make every check or to find facts alone."""


def main() -> None:
    """Examine the name of the command line."""
    kind, name, plugin, file, seed = sys.argv[1:]
    thorough = seed == "0"
    with Path(file).open("w", encoding="utf-8") as written:
        report = Report(written)
        watch = ProcessWatch()
        if thorough:
            report.check("loading", _loading(plugin), "light and silent")
        examine: Examine = getattr(import_module(f"labelbench.authoring.checking_{kind}s"), f"examine_{kind}")
        try:
            examine(name, report, watch, thorough)
        except PluginError as error:
            report.failed("contract", f"{one_line(error)}; every run that names it ends there")
        except (InputError, MachineError) as error:
            # Refusing for want of a network that it asked for is a failure; for want of a file it is not.
            if not watch.asked:
                report.error(type(error).__name__, one_line(error))
        if thorough:
            _network(report, watch)
        report.finish()


def _loading(plugin: str) -> Iterator[str]:
    """What the module of a plugin does when it is loaded, beside the built-in ones and before anything else."""
    given = os.environ.get("LABELBENCH_PLUGINS")
    os.environ["LABELBENCH_PLUGINS"] = plugin
    before = set(sys.modules)
    # What a plugin prints is sent to standard error when it is loaded.
    with redirect_stdout(io.StringIO()) as said, redirect_stderr(said):
        plugins()
    os.environ.pop("LABELBENCH_PLUGINS")
    if given is not None:
        os.environ["LABELBENCH_PLUGINS"] = given
    heavy = [name for name in _HEAVY if name in sys.modules and name not in before]
    if heavy:
        yield (
            f"its module imports {in_words(heavy)}; expected heavy imports inside the functions that need them, since "
            "every command loads every plugin"
        )
    if said.getvalue():
        yield (
            f"its module prints {said.getvalue().strip()[:80]!r}; expected silence, since every command loads every "
            "plugin"
        )


def _network(report: Report, watch: ProcessWatch) -> None:
    asked = (
        f"it asked for {in_words(watch.asked)} while labelbench.current_settings().offline is True; "
        "expected no network then, since whoever works offline means it: raise labelbench.Unavailable, and only the "
        "cells that need the files fail"
    )
    report.check("network", [asked] if watch.asked else [], "not asked for")


if __name__ == "__main__":
    main()
