"""Where jobs run: in this process one after another, or in several processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection
from pathlib import Path
from typing import Any, Protocol

from labelbench.errors import ConflictError, MachineError, Unavailable, one_line
from labelbench.results.store import Results
from labelbench.running.materials import Materials
from labelbench.running.progress import Reporter
from labelbench.running.work import Job, Worker
from labelbench.settings import Settings, current_settings, put_in_force

# Seconds between two reports of one worker.
_PACE = 0.2


class Executor(Protocol):
    """Runs jobs.

    Attributes:
        capacity: how many jobs it works on at once.
    """

    capacity: int

    def start(self, job: Job) -> None:
        """Begin a job, or put it in line."""

    def finished(self) -> list[tuple[Job, str]]:
        """Wait until a job is done: each that is, and why it failed, empty if it did not.

        Raises:
            ConflictError, MachineError: what every other job would meet as well.
        """


def attempt(worker: Worker, job: Job) -> str:
    """Do a job: why it failed, or nothing.

    Raises:
        ConflictError, MachineError: what every other job would meet as well.
    """
    try:
        worker.do(job)
    except Unavailable as error:
        return one_line(error)
    except (ConflictError, MachineError):
        raise
    except Exception as error:  # one job may fail in any way; the others go on
        return one_line(error)
    return ""


class Here:
    """This process, one job at a time."""

    capacity = 1

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._done: list[tuple[Job, str]] = []

    def start(self, job: Job) -> None:
        """Do the job at once."""
        self._done.append((job, attempt(self._worker, job)))

    def finished(self) -> list[tuple[Job, str]]:
        """The jobs done since the last call."""
        done, self._done = self._done, []
        return done


class Processes:
    """Several processes, each with images, labels and networks of its own; what they do they write to disk.

    Processes and not threads or stacked weights, since a run then has the same bits as alone: nothing that its identity
    names depends on what runs beside it.
    """

    def __init__(self, pool: ProcessPoolExecutor, capacity: int) -> None:
        self.capacity = capacity
        self._pool = pool
        self._running: dict[Future[str], Job] = {}

    def start(self, job: Job) -> None:
        """Hand the job to the next process that is free."""
        self._running[self._pool.submit(_attempt_in_process, job)] = job

    def finished(self) -> list[tuple[Job, str]]:
        """Wait for the first job that is done."""
        done, _ = wait(self._running, return_when=FIRST_COMPLETED)
        try:
            return [(self._running.pop(future), future.result()) for future in done]
        except BrokenProcessPool as error:
            raise MachineError(
                "a process that worked on a job was killed (out of memory?); what is finished stays, and fewer --jobs "
                "need less memory"
            ) from error


@contextmanager
def processes(count: int, results: Results, reporter: Reporter, *, overwrite: bool) -> Iterator[Processes]:
    """``count`` processes that work on jobs of one results folder, and report through ``reporter``."""
    context = multiprocessing.get_context("spawn")
    events = context.Queue()
    numbers = context.Queue()
    for number in range(count):
        numbers.put(number)
    listener = threading.Thread(target=_listen, args=(events, reporter), daemon=True)
    listener.start()
    pool = ProcessPoolExecutor(
        count, context, _begin, (numbers, events, str(results.folder), current_settings(), overwrite)
    )
    try:
        yield Processes(pool, count)
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown()
        events.put(None)
        listener.join(timeout=5)


def _listen(events: Any, reporter: Reporter) -> None:
    while (event := events.get()) is not None:
        method, arguments, options = event
        getattr(reporter, method)(*arguments, **options)


class _Remote:
    """Reports to another process."""

    def __init__(self, send: Callable[[Any], None], worker: int) -> None:
        self._send = send
        self._worker = worker
        self._last = 0.0

    def begin(self, name: str, size: float = 0.0) -> None:
        self._send(("begin", (name, size), {"worker": self._worker}))

    def update(self, doing: str, share: float, *, always: bool = False) -> None:
        now = time.monotonic()
        if always or now - self._last >= _PACE:
            self._last = now
            self._send(("update", (doing, share), {"always": always, "worker": self._worker}))

    def end(self, outcome: str = "") -> None:
        self._send(("end", (outcome,), {"worker": self._worker}))


# Of one of the processes.
_worker: Worker | None = None


def _begin(numbers: Any, events: Any, folder: str, settings: Settings, overwrite: bool) -> None:
    """Set up a process: settings for good, a worker, and reports to the process that began it."""
    global _worker
    threading.Thread(target=_end_with_parent, daemon=True).start()
    put_in_force(settings)
    reporter = _Remote(events.put, numbers.get())
    _worker = Worker(Results(Path(folder)), reporter, Materials(reporter.update), overwrite=overwrite)


def _end_with_parent() -> None:
    """End this process when the one that began it is gone, also if that was killed and could not say so."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)


def _attempt_in_process(job: Job) -> str:
    assert _worker is not None
    try:
        return attempt(_worker, job)
    except (ConflictError, MachineError) as error:
        # Made anew, since what an exception carries may not survive the way between processes.
        raise (ConflictError if isinstance(error, ConflictError) else MachineError)(one_line(error)) from None
