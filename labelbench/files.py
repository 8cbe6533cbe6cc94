"""Files that are either complete or absent, and disk errors in one line."""

from __future__ import annotations

import errno
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labelbench.errors import InputError, MachineError

_NEXT = {
    errno.ENOSPC: "make room there, or name another folder",
    errno.EDQUOT: "make room there, or name another folder",
    errno.EACCES: "allow it, or name another folder",
    errno.EPERM: "allow it, or name another folder",
    errno.EROFS: "name a folder that can be written",
    errno.EISDIR: "name a file in it",
    errno.ENOTDIR: "name another place, since a part of this one is a file",
    errno.EEXIST: "name another place, since a part of this one is a file",
}


def write_atomic(path: Path, data: bytes) -> None:
    """Write ``data`` under a temporary name and rename it: a file that is there is complete.

    Raises:
        MachineError: the disk refuses; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    with disk_errors("cannot write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException as error:
            temporary.unlink(missing_ok=True)
            if isinstance(error, OSError):
                error.filename = str(path)
            raise


def write_json(path: Path, value: Any) -> None:
    """Write a JSON value, indented and in the order given, with :func:`write_atomic`."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomic(path, (text + "\n").encode())


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: it is no JSON; the message says to remove it.
        MachineError: it cannot be read.
    """
    with disk_errors("cannot read", path):
        data = path.read_bytes()
    try:
        return json.loads(data)
    except ValueError as error:
        raise damaged(path, str(error)) from error


def damaged(path: Path | str, why: str) -> InputError:
    """The error of a file that does not hold what it should."""
    return InputError(f"{path} is damaged ({why}); remove it and run again")


@contextmanager
def disk_errors(doing: str, path: Path, advice: str = "") -> Iterator[None]:
    """Turn an OSError of the block into one line that names what was done and where, and what to do."""
    try:
        yield
    except OSError as error:
        where = path if advice else error.filename or path
        advice = advice or _NEXT.get(error.errno or 0, "")
        raise MachineError(f"{doing} {where}: {error.strerror or error}" + (f"; {advice}" if advice else "")) from error
