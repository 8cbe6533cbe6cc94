"""Several processes of this machine that work on jobs; one that is killed costs nothing but the job it had."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from labelbench.errors import MachineError
from labelbench.interrupts import watching_for_ctrl_c
from labelbench.results.store import Results
from labelbench.running.jobs import Job
from labelbench.running.materials import Materials
from labelbench.running.progress import RemoteReporter, Reporter
from labelbench.running.worker import Worker, raise_if_for_all
from labelbench.settings import Settings, current_settings, put_in_force

# How often a job may end the process that works on it.
LIVES = 3
_NOT_GUARDED = 70


class _Process:
    """One process, and the job that it works on."""

    def __init__(self, number: int, folder: Path, overwrite: bool) -> None:
        self.number = number
        self.job: Job | None = None
        self.ready = False
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        arguments = (theirs, number, str(folder), current_settings(), overwrite)
        self.process = context.Process(target=_work, args=arguments, daemon=True)
        # It inherits what is blocked: Ctrl-C, which reaches every process of a terminal, is for this one to answer.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            with _no_script_of_standard_input():
                self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()

    def give(self, job: Job) -> None:
        self.job = job
        # Of one that has just died is heard when its connection is read.
        with suppress(OSError):
            self.connection.send(job)

    def heard(self) -> tuple[str, Any] | None:
        """What it says next; None if it has ended."""
        try:
            message: tuple[str, Any] = self.connection.recv()
        except (EOFError, OSError):
            return None
        return message

    def end(self) -> None:
        """End it, whatever it does."""
        self.process.terminate()
        self.process.join()
        self.connection.close()

    @property
    def how_it_ended(self) -> str:
        self.process.join()
        code = self.process.exitcode or 0
        if code >= 0:
            return f"ended with code {code}"
        return f"was killed by {signal.Signals(-code).name}" + (" (out of memory?)" if -code == signal.SIGKILL else "")


class Processes:
    """Several processes, each with images, labels and networks of its own; what they do they write to disk.

    Processes and not threads or stacked weights, since a run then has the same bits as alone: nothing that its identity
    names depends on what runs beside it.
    """

    def __init__(self, count: int, results: Results, reporter: Reporter, *, overwrite: bool) -> None:
        self.capacity = count
        self._arguments = results.folder, overwrite
        self._reporter = reporter
        self._waiting: deque[Job] = deque()
        self._lost: Counter[Job] = Counter()
        self._done: list[tuple[Job, str]] = []
        self._processes = [_Process(number, *self._arguments) for number in range(count)]

    def start(self, job: Job) -> None:
        """Hand the job to the next process that is free."""
        self._waiting.append(job)
        self._hand_out()

    def finished(self) -> list[tuple[Job, str]]:
        """Wait for the first job that is done."""
        while not self._done:
            by_connection = {process.connection: process for process in self._processes if process.job}
            for ready in connection.wait(list(by_connection)):
                self._hear(by_connection[ready])  # type: ignore[index]
            self._hand_out()
        done, self._done = self._done, []
        return done

    def end(self) -> None:
        """End all processes, whatever they do."""
        for process in self._processes:
            process.end()

    def _hand_out(self) -> None:
        for process in self._processes:
            if self._waiting and not process.job:
                process.give(self._waiting.popleft())

    def _hear(self, process: _Process) -> None:
        message = process.heard()
        if message is None:
            self._replace(process)
            return
        kind, said = message
        if kind == "ready":
            process.ready = True
        elif kind == "report":
            method, arguments, options = said
            getattr(self._reporter, method)(*arguments, **options)
        else:
            raise_if_for_all(kind, said)
            assert process.job
            self._done.append((process.job, said))
            process.job = None

    def _replace(self, process: _Process) -> None:
        """Go on without a process that ended: its job is tried again, unless that ends every process that has it."""
        how, job = process.how_it_ended, process.job
        assert job
        # What ends by itself before it is ready would do so again.
        if not process.ready and (process.process.exitcode or 0) >= 0:
            guard = '; a script keeps its own work under `if __name__ == "__main__":`, as multiprocessing asks'
            unguarded = process.process.exitcode == _NOT_GUARDED
            raise MachineError(f"a process for jobs {how} while it began" + (guard if unguarded else ""))
        self._lost[job] += 1
        if self._lost[job] < LIVES:
            self._reporter.line(f"{job}: its process {how}; tried again")
            self._waiting.appendleft(job)
        else:
            self._done.append((job, f"its process {how}, {LIVES} times; fewer --jobs need less memory"))
        process.connection.close()
        self._processes[self._processes.index(process)] = _Process(process.number, *self._arguments)


@contextmanager
def processes(count: int, results: Results, reporter: Reporter, *, overwrite: bool) -> Iterator[Processes]:
    """``count`` processes that work on jobs of one results folder, and report through ``reporter``."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        # A script that is not guarded runs again in each process that it begins: whoever began this one says so.
        os._exit(_NOT_GUARDED)
    executor = Processes(count, results, reporter, overwrite=overwrite)
    try:
        yield executor
    finally:
        executor.end()


@contextmanager
def _no_script_of_standard_input() -> Iterator[None]:
    """A process that begins runs the script of this one, but not what came from standard input, which is no file."""
    main = sys.modules["__main__"].__dict__
    file = main.get("__file__")
    if file is None or Path(file).exists():
        yield
        return
    del main["__file__"]
    try:
        yield
    finally:
        main["__file__"] = file


def _work(connection: Connection, number: int, folder: str, settings: Settings, overwrite: bool) -> None:
    """Work on jobs until the process that began this one is gone."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    put_in_force(settings)
    listener = RemoteReporter(lambda event: connection.send(("report", event)), number)
    worker = Worker(Results(Path(folder)), listener, Materials(listener.update), overwrite=overwrite)
    connection.send(("ready", None))
    with watching_for_ctrl_c():
        while True:
            job = connection.recv()
            connection.send(worker.answer(job))


def _end_with_parent() -> None:
    """End this process when the one that began it is gone, also if that was killed and could not say so."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
