"""``asking.py FOLDER -m MODULE ARGUMENTS``: be what Python is, by a process that is forked, see ``forking.py``.

It is started for every command, and so imports next to nothing.
"""

from __future__ import annotations

import marshal
import os
import socket
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

HASH_SEEDS = ("", "0", "1")
# Read by an interpreter or a library when it starts.
_EARLY = ("PYTHON", "LC_", "LANG", "OMP_", "MKL_", "ATEN_", "ONEDNN_", "CUDA_", "LD_")
_SEEN = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED"}


def early() -> dict[str, str]:
    """What an interpreter or a library read when it started."""
    return {name: value for name, value in os.environ.items() if name.startswith(_EARLY) and name not in _SEEN}


def door(folder: str, seed: str) -> str:
    """Where the process with a hash seed is asked; beside it lies what it read when it started."""
    return f"{folder}/s{seed}"


def received(asked: socket.socket, count: int) -> bytes:
    """That many bytes; raises EOFError if there are fewer."""
    found = b""
    while len(found) < count:
        more = asked.recv(count - len(found))
        if not more:
            raise EOFError("the other side of the socket has ended")
        found += more
    return found


def wanted(asked: socket.socket, size: bytes) -> dict[str, Any]:
    """What is asked for: arguments, folder and environment."""
    found: dict[str, Any] = marshal.loads(received(asked, int.from_bytes(size, "big")))
    return found


def _ask(folder: str, args: list[str]) -> NoReturn:
    seed = os.environ.get("PYTHONHASHSEED", "")
    if args[:1] != ["-m"] or seed not in HASH_SEEDS or early() != _read(f"{folder}/environment"):
        os.execv(sys.executable, [sys.executable, *args])
    with socket.socket(socket.AF_UNIX) as asked:
        asked.connect(door(folder, seed))
        what = marshal.dumps({"args": args[1:], "cwd": os.getcwd(), "env": dict(os.environ)})  # noqa: PTH109
        socket.send_fds(asked, [len(what).to_bytes(8, "big")], [0, 1, 2])
        asked.sendall(what)
        code = int.from_bytes(received(asked, 8), "big", signed=True)
    if code < 0:
        import signal

        if code != -signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def _read(file: str) -> object:
    with open(file, "rb") as stream:  # noqa: PTH123
        return marshal.load(stream)


if __name__ == "__main__":
    _ask(sys.argv[1], sys.argv[2:])
