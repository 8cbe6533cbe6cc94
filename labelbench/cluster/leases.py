"""The right to do a job, of one process at a time, kept as files in a folder that all machines see.

Each time a job is taken a file with the next number is made, which only one process can do; the highest number holds.
It is touched while the job is worked on, and counts no more once it is left, done, or not touched for too long.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from labelbench.files import disk_errors, write_atomic

SECONDS = 60.0
_TAKEN_OVER = 75
_HELD, _LEFT, _DONE = "held", "left", "done"


class Lease:
    """The lease of one job.

    Args:
        folder: of this job alone.
        seconds: after which one that is not touched counts no more.
        for_whom: whose job it is: what was done for others is done again if they ask.
    """

    def __init__(self, folder: Path, for_whom: str, seconds: float = SECONDS) -> None:
        self._folder = folder
        self._for_whom = for_whom
        self._seconds = seconds
        self._file: Path | None = None
        self._left = False

    def take(self) -> bool:
        """Take it, unless it is held.

        Raises:
            MachineError: the disk refuses.
        """
        with disk_errors("cannot write", self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            last = max(self._numbers(), default=0)
            if last and self._is_held(self._folder / str(last)):
                return False
            file = self._folder / str(last + 1)
            try:
                descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            except FileExistsError:
                return False
            with os.fdopen(descriptor, "w") as opened:
                opened.write(self._says(_HELD))
        self._file = file
        return True

    def is_done(self) -> bool:
        """Whether the job was done before, for the same as now."""
        says = [_read(self._folder / str(number)) for number in self._numbers()]
        return any(one.get("state") == _DONE and one.get("for") == self._for_whom for one in says)

    def touch(self) -> bool:
        """Say that it is still worked on; False if another has taken it over."""
        assert self._file
        with suppress(FileNotFoundError):
            os.utime(self._file)
        return max(self._numbers(), default=0) == int(self._file.name)

    def leave(self, *, done: bool) -> None:
        """Let others have it."""
        assert self._file
        write_atomic(self._file, self._says(_DONE if done else _LEFT).encode())
        self._left = True

    @contextmanager
    def held(self, waiting: Callable[[], None] = lambda: None) -> Iterator[Lease]:
        """Wait for it and hold it in the block, which may leave it; the process ends if another takes it over.

        Args:
            waiting: called now and then while another holds it.
        """
        while not self.take():
            waiting()
            time.sleep(min(1.0, self._seconds / 10))
        over = threading.Event()
        threading.Thread(target=self._keep_touching, args=(over,), daemon=True).start()
        try:
            yield self
        finally:
            over.set()
            if not self._left:
                self.leave(done=False)

    def _keep_touching(self, over: threading.Event) -> None:
        while not over.wait(self._seconds / 6):
            if not self.touch() and not over.is_set():
                os._exit(_TAKEN_OVER)

    def _numbers(self) -> list[int]:
        return [int(file.name) for file in self._folder.iterdir() if file.name.isdigit()]

    def _is_held(self, file: Path) -> bool:
        says = _read(file)
        if says.get("state", _HELD) != _HELD:
            return False
        process = says.get("process")
        if process and process[:2] == _this_process()[:2] and _began(process[2]) != process[3]:
            return False
        return self._now() - file.stat().st_mtime < self._seconds

    def _now(self) -> float:
        """The time of the file system, since clocks of machines differ."""
        probe = self._folder / f".{uuid.uuid4().hex}"
        probe.touch()
        try:
            return probe.stat().st_mtime
        finally:
            probe.unlink()

    def _says(self, state: str) -> str:
        return json.dumps({"state": state, "for": self._for_whom, "process": _this_process()})


def _read(file: Path) -> dict[str, Any]:
    """What a lease says; nothing yet while it is being written."""
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _this_process() -> list[Any]:
    """What tells processes apart everywhere: machine and name space, then number and when it began."""
    return _process(os.getpid())


@lru_cache(maxsize=1)
def _process(number: int) -> list[Any]:
    space = ""
    with suppress(OSError):
        space = Path("/proc/sys/kernel/random/boot_id").read_text().strip() + str(Path("/proc/self/ns/pid").readlink())
    return [socket.gethostname(), space or uuid.uuid4().hex, number, _began(number)]


def _began(number: int) -> str:
    """When a process of this machine began; nothing if there is none."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
