"""Several jobs at once where each is asked for by itself, as an actor of Ray's is asked by one thread for each."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from contextvars import copy_context
from queue import SimpleQueue

from labelbench.running.jobs import Job
from labelbench.running.streams import Streams
from labelbench.running.worker import for_all


class Together:
    """Threads give jobs and wait, each for its own; one thread works on all of them.

    Args:
        made: gives what works on them.
    """

    def __init__(self, made: Callable[[], AbstractContextManager[Streams[Job]]]) -> None:
        self._made = made
        self._given: SimpleQueue[tuple[Job, Future[tuple[str, str]]]] = SimpleQueue()
        threading.Thread(target=copy_context().run, args=(self._work,), daemon=True).start()

    def answer(self, job: Job) -> tuple[str, str]:
        """Do a job beside those of other threads: see :meth:`labelbench.running.worker.Worker.answer`."""
        future: Future[tuple[str, str]] = Future()
        self._given.put((job, future))
        return future.result()

    def _work(self) -> None:
        waiting: dict[Job, Future[tuple[str, str]]] = {}
        try:
            with self._made() as streams:
                while True:
                    while not waiting or not self._given.empty():
                        job, future = self._given.get()
                        waiting[job] = future
                        streams.start(job)
                    for job, why in streams.turn():
                        waiting.pop(job).set_result(("done", why))
        except BaseException as error:  # whoever waits hears of it, and whoever comes
            for future in waiting.values():
                future.set_result(for_all(error))
            while True:
                self._given.get()[1].set_result(for_all(error))
