"""Errors meant for the person at the keyboard.

Each carries one line that says what was given, what was expected and what to do next; the command line prints
that line without a traceback and exits with the class's ``exit_code``::

    LabelbenchError
    ├── InputError            2  what the user named or wrote cannot be used
    │   ├── UnknownName       2  a name that no plugin registers; carries near matches
    │   └── ConflictError     2  a file on disk was made with other settings
    ├── PluginError           3  an installed plugin broke its contract
    └── MachineError          4  the machine refused: disk, permission, network, device
        └── Unavailable       4  files that could be fetched are not here; only what needs them fails

Anything else that escapes is a defect of labelbench and exits with 1.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# Exit code of a command that did what it could: some parts failed, and are named.
SOME_FAILED = 3


class LabelbenchError(Exception):
    """Base of all errors that explain themselves in one line."""

    exit_code = 1


class InputError(LabelbenchError):
    """What the user named or wrote cannot be used."""

    exit_code = 2


class UnknownName(InputError):
    """A name that nothing registers.

    Args:
        kind: what was looked up, in the singular (``"label"``).
        name: the name that was given.
        known: the names that exist.
        hint: what to do next, if there is more to say than the list of names.

    >>> print(UnknownName("label", "speach", ["category", "speech"]))
    unknown label 'speach'; did you mean speech?
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
        advice = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names) or 'none'}"
        super().__init__(f"unknown {kind} {name!r}; {advice}" + (f" {hint}" if hint else ""))


class ConflictError(InputError):
    """A file on disk was made with other settings and is not reused in silence."""


class PluginError(LabelbenchError):
    """An installed plugin broke its contract."""

    exit_code = 3


class MachineError(LabelbenchError):
    """The machine refused: disk, permission, network or device."""

    exit_code = 4


class Unavailable(MachineError):
    """Files that could be fetched are not here and may not, or could not, be fetched.

    In a suite only the cells that need them fail.
    """


def one_line(error: BaseException) -> str:
    r"""The error as one line of text: its class name unless it explains itself, and its message.

    >>> one_line(ValueError("bad\n  shape"))
    'ValueError: bad shape'
    """
    text = " ".join(str(error).split())
    if isinstance(error, LabelbenchError):
        return text
    if isinstance(error, SystemExit):
        return f"it ended the process: sys.exit({text})"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


# How the loader of shared libraries and torch say it; Python has a class.
_NO_MEMORY = (
    "failed to map segment",
    "cannot allocate memory",
    "can't allocate memory",
    "not enough memory",
    "bad_alloc",
)


def memory_ran_out(error: BaseException) -> bool:
    """Whether an error is the machine's, for want of memory.

    >>> memory_ran_out(MemoryError()), memory_ran_out(ImportError("libm.so: failed to map segment from shared object"))
    (True, True)
    """
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in _NO_MEMORY)
