"""Python processes forked from one that has loaded the libraries, which takes seconds each time.

``Forks.python`` is called as Python is, ``python -m MODULE ARGUMENTS``. What such a process reads, writes and leaves
behind is its own: environment, folder, streams, plugins, exit code. What an interpreter takes from the environment when
it starts is not seen by a fork: where that differs, and for what is no module, a Python is started as usual.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from typing import NoReturn

_LIBRARIES = ("click", "librosa", "rich", "scipy.stats", "sklearn.datasets", "timm", "torch._dynamo", "torchvision")
# Read by an interpreter or a library when it starts.
_EARLY = ("PYTHON", "LC_", "LANG", "OMP_", "MKL_", "ATEN_", "ONEDNN_", "CUDA_", "LD_")
_SEEN = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED"}
_HASH_SEEDS = ("", "0", "1")
_LOOK_SECONDS = 5


class Forks:
    """Processes that others are forked from, one for each hash seed; each loads when it is first asked.

    Args:
        folder: exists and is empty.

    Attributes:
        python: the command to call.
    """

    def __init__(self, folder: Path) -> None:
        self.python = folder / "python"
        self.python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" ask "{folder}" "$@"\n')
        self.python.chmod(0o755)
        self._servers = []
        for seed in _HASH_SEEDS:
            env = {**os.environ, "OMP_NUM_THREADS": "1", **({"PYTHONHASHSEED": seed} if seed else {})}
            command = [sys.executable, __file__, "serve", str(folder), seed]
            self._servers.append(subprocess.Popen(command, stdout=subprocess.PIPE, env=env))
        for server in self._servers:
            assert server.stdout is not None
            server.stdout.readline()

    def close(self) -> None:
        for server in self._servers:
            server.kill()
            server.communicate()


def ask(folder: str, args: list[str]) -> NoReturn:
    """Be what Python is, by a process that is forked."""
    seed = os.environ.get("PYTHONHASHSEED", "")
    if (
        args[:1] != ["-m"]
        or _early() != json.loads(Path(folder, "environment.json").read_text())
        or seed not in _HASH_SEEDS
    ):
        os.execv(sys.executable, [sys.executable, *args])
    with socket.socket(socket.AF_UNIX) as asked:
        asked.connect(_place(folder, seed))
        wanted = json.dumps({"args": args[1:], "cwd": str(Path.cwd()), "env": dict(os.environ)}).encode()
        socket.send_fds(asked, [len(wanted).to_bytes(8, "big")], [0, 1, 2])
        asked.sendall(wanted)
        code = int.from_bytes(_received(asked, 8), "big", signed=True)
    if code < 0:
        if code != -signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def _early() -> dict[str, str]:
    """What an interpreter or a library read when it started."""
    return {name: value for name, value in os.environ.items() if name.startswith(_EARLY) and name not in _SEEN}


def _place(folder: str, seed: str) -> str:
    return f"{folder}/s{seed}"


def _received(asked: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = asked.recv(count - len(found))
        if not more:
            raise EOFError("the other side of the socket has ended")
        found += more
    return found


def serve(folder: str, seed: str) -> None:
    """Fork a process for whoever asks; returns in the fork."""
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(_place(folder, seed))
        door.listen()
        door.settimeout(_LOOK_SECONDS)
        Path(folder, "environment.json").write_text(json.dumps(_early()))
        os.write(1, b"ready\n")
        asked = _next(door)
        for name in _LIBRARIES:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        gc.collect()
        gc.freeze()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while os.fork():
            asked.close()
            asked = _next(door)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, streams, _, _ = socket.recv_fds(asked, 8, 3)
    wanted = json.loads(_received(asked, int.from_bytes(size, "big")))
    process = os.fork()
    if process:
        _watch(asked, process)
    asked.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    _become(**wanted)


def _next(door: socket.socket) -> socket.socket:
    """Whoever asks next; ends when the tests are gone."""
    tests = os.getppid()
    while True:
        try:
            asked = door.accept()[0]
        except TimeoutError:
            if os.getppid() != tests:
                os._exit(0)
        else:
            asked.setblocking(True)
            return asked


def _watch(asked: socket.socket, process: int) -> NoReturn:
    """Tell how a process ended, or end it when nobody waits for it any more."""
    end = os.pidfd_open(process)
    if asked in select.select([asked, end], [], [])[0]:
        os.kill(process, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    with contextlib.suppress(OSError):
        asked.sendall(code.to_bytes(8, "big", signed=True))
    os._exit(0)


def _become(args: list[str], cwd: str, env: dict[str, str]) -> None:
    """Be what ``python -m ARGS`` is when it starts."""
    before = {path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path}
    added = [path for path in env.get("PYTHONPATH", "").split(os.pathsep) if path]
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.stdin = sys.__stdin__ = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", 1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.argv = args
    sys.path[:] = [cwd, *added, *(path for path in sys.path[1:] if path not in before)]
    sys.dont_write_bytecode = bool(env.get("PYTHONDONTWRITEBYTECODE"))
    importlib.invalidate_caches()
    tempfile.tempdir = None


def main() -> NoReturn:
    """``forking.py ask FOLDER -m MODULE ARGUMENTS`` or ``forking.py serve FOLDER SEED``."""
    task, folder, *args = sys.argv[1:]
    if task == "ask":
        ask(folder, args)
    python = Path(folder, "python")
    serve(folder, *args)
    sys.executable = str(python)
    code: object = 0
    try:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    # What an interpreter does when it ends, but for clearing up the libraries.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(int(code or 0))


if __name__ == "__main__":
    main()
