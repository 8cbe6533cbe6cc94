"""Python processes forked from one that has loaded labelbench and its libraries, which takes seconds each time.

``Forks.python`` is called as Python is, ``python -m MODULE ARGUMENTS``. What such a process reads, writes and leaves
behind is its own: environment, folder, streams, plugins, exit code. What an interpreter takes from the environment when
it starts is not seen by a fork: where that differs, and for what is no module, a Python is started as usual.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import marshal
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from importlib import metadata
from pathlib import Path
from typing import NoReturn

import asking

_LIBRARIES = (
    *("click", "jinja2", "librosa", "matplotlib.backends.backend_agg", "matplotlib.figure", "rich.progress"),
    *("rich.table", "scipy.stats", "sklearn.datasets", "timm", "torch._dynamo", "torchvision"),
)
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
        # Without what a Python looks for when it starts, none of which asking needs.
        self.python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{asking.__file__}" "{folder}" "$@"\n')
        self.python.chmod(0o755)
        self._servers = []
        for seed in asking.HASH_SEEDS:
            env = {**os.environ, "OMP_NUM_THREADS": "1", **({"PYTHONHASHSEED": seed} if seed else {})}
            command = [sys.executable, __file__, str(folder), seed]
            self._servers.append(subprocess.Popen(command, stdout=subprocess.PIPE, env=env))
        for server in self._servers:
            assert server.stdout is not None
            server.stdout.readline()

    def close(self) -> None:
        for server in self._servers:
            server.kill()
            server.communicate()


def serve(folder: str, seed: str) -> None:
    """Fork a process for whoever asks; returns in the fork."""
    tests = os.getppid()
    # Who asked, by the process that does what was asked.
    askers: dict[int, socket.socket] = {}
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(asking.door(folder, seed))
        door.listen()
        Path(folder, "environment").write_bytes(marshal.dumps(asking.early()))
        os.write(1, b"ready\n")
        while True:
            ready = select.select([door, *askers, *askers.values()], [], [], _LOOK_SECONDS)[0]
            if not ready and os.getppid() != tests:
                os._exit(0)
            for process, asker in tuple(askers.items()):
                if process in ready or asker in ready:
                    _end(process, asker, killed=process not in ready)
                    del askers[process]
            if door in ready:
                if not gc.get_freeze_count():
                    _load()
                    gc.collect()
                    gc.freeze()
                asker = door.accept()[0]
                try:
                    size, streams, _, _ = socket.recv_fds(asker, 8, 3)
                    wanted = asking.wanted(asker, size)
                except EOFError:
                    continue
                number = os.fork()
                if not number:
                    break
                askers[os.pidfd_open(number)] = asker
                for stream in streams:
                    os.close(stream)
    asker.close()
    for process, other in askers.items():
        os.close(process)
        other.close()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    _become(**wanted)


def _end(process: int, asker: socket.socket, *, killed: bool) -> None:
    """Tell how a process ended; it is killed when nobody waits for it any more."""
    if killed:
        signal.pidfd_send_signal(process, signal.SIGKILL)
    found = os.waitid(os.P_PIDFD, process, os.WEXITED)
    os.close(process)
    assert found
    code = found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
    with asker, contextlib.suppress(OSError):
        asker.sendall(code.to_bytes(8, "big", signed=True))


def _load() -> None:
    """The libraries, and labelbench with its own plugins; what pages are made from is read once."""
    import labelbench

    modules = [module.name for module in pkgutil.walk_packages(labelbench.__path__, "labelbench.")]
    plugins = [
        entry.module for entry in metadata.distribution("labelbench").entry_points if entry.group == "labelbench"
    ]
    for name in (*_LIBRARIES, *modules, *plugins):
        if not name.endswith("__main__"):
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
    from labelbench.report.templates import template

    for name in ("page.html", "notebook.html"):
        template(name)


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
    """``forking.py FOLDER SEED``."""
    folder, seed = sys.argv[1:]
    python = Path(folder, "python")
    serve(folder, seed)
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
