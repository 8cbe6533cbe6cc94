"""Several jobs at once in one process, on one GPU or several: networks are trained in turn, evaluators beside them.

Each training has a stream of its own, and its steps wait for nothing but the end of an epoch. So one thread gives all
trainings their steps in turn, and the GPU works on several of them at the same time. Evaluators, which do wait, have
threads. A run has the numbers that it has alone: what it reads and writes is its own.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from labelbench.errors import ConflictError, MachineError, Unavailable, one_line
from labelbench.interrupts import is_the_users

_Job = TypeVar("_Job")
_Given = TypeVar("_Given", contravariant=True)
# Seconds between two looks at GPUs that have enough to do.
_PAUSE = 0.0002


class Steps(Protocol):
    """A training in hand: see :class:`labelbench.training.trainer.Trainer`."""

    @property
    def done(self) -> bool: ...  # noqa: D102

    @property
    def is_ready(self) -> bool: ...  # noqa: D102

    def step(self) -> None:
        """Take a step."""


class Work(Protocol[_Given]):
    """How jobs are done in one slot, on the GPU that is current in the calling thread."""

    def is_training(self, job: _Given) -> bool:
        """Whether the job is a training, which is begun, stepped and ended; all others are attempted."""

    def fits(self, job: _Given) -> bool:
        """Whether the GPU has memory for it."""

    def begin(self, job: _Given) -> Steps:
        """The job's training, with its first steps taken."""

    def end(self, job: _Given, steps: Steps) -> None:
        """Put what came of it on disk."""

    def do(self, job: _Given) -> None:
        """Do any other job."""


@dataclass
class _Hand(Generic[_Job]):
    """A slot and what is done in it."""

    work: Work[_Job]
    on_card: Callable[[], AbstractContextManager[object]]
    job: _Job | None = None
    steps: Steps | None = None
    future: Future[None] | None = None


class Streams(Generic[_Job]):
    """Works on as many jobs as there are slots; a training that does not fit into memory waits until others are done.

    Args:
        slots: how jobs are done in each, and a context that makes the slot's GPU current.
        threads: where what is no training is done.
        out_of_memory: the error of a GPU whose memory is full.
    """

    def __init__(
        self,
        slots: Sequence[tuple[Work[_Job], Callable[[], AbstractContextManager[object]]]],
        threads: ThreadPoolExecutor,
        out_of_memory: type[BaseException],
    ) -> None:
        self.capacity = len(slots)
        self._hands = [_Hand(work, on_card) for work, on_card in slots]
        self._threads = threads
        self._out_of_memory = out_of_memory
        self._waiting: deque[_Job] = deque()
        # Found no memory beside others.
        self._large: list[_Job] = []
        self._done: list[tuple[_Job, str]] = []

    def start(self, job: _Job) -> None:
        """Begin a job, or put it in line."""
        self._waiting.append(job)
        self._admit()

    def finished(self) -> list[tuple[_Job, str]]:
        """Work until a job is done: each that is, and why it failed, empty if it did not.

        Raises:
            ConflictError, MachineError: what every other job would meet as well.
        """
        while not self._done and (self._waiting or any(hand.job is not None for hand in self._hands)):
            self._admit()
            stepped = self._step_all()
            self._collect()
            if not stepped and not self._done:
                self._rest()
        done, self._done = self._done, []
        return done

    def _admit(self) -> None:
        """Begin what is in line, in its order, as far as slots and memory allow."""
        while self._waiting:
            job = self._waiting[0]
            hand = next((each for each in self._hands if each.job is None and self._has_room(each, job)), None)
            if hand is None:
                return
            self._waiting.popleft()
            self._begin(hand, job)

    def _has_room(self, hand: _Hand[_Job], job: _Job) -> bool:
        # What does not even fit alone is tried all the same.
        if all(each.job is None for each in self._hands):
            return True
        if job in self._large:
            return False
        with hand.on_card():
            return hand.work.fits(job)

    def _begin(self, hand: _Hand[_Job], job: _Job) -> None:
        hand.job = job
        if hand.work.is_training(job):
            with self._failures_of(hand), hand.on_card():
                hand.steps = hand.work.begin(job)
        else:
            hand.future = self._threads.submit(self._do, hand, job)

    @staticmethod
    def _do(hand: _Hand[_Job], job: _Job) -> None:
        with hand.on_card():
            hand.work.do(job)

    def _step_all(self) -> bool:
        """One step of each training that is ready for it; whether there was any."""
        stepped = False
        for hand in self._hands:
            if hand.steps is None or not hand.steps.is_ready:
                continue
            stepped = True
            with self._failures_of(hand), hand.on_card():
                hand.steps.step()
                if hand.steps.done:
                    assert hand.job is not None
                    hand.work.end(hand.job, hand.steps)
                    self._free(hand, "")
        return stepped

    def _collect(self) -> None:
        for hand in self._hands:
            if hand.future is not None and hand.future.done():
                with self._failures_of(hand):
                    hand.future.result()
                    self._free(hand, "")

    def _rest(self) -> None:
        """Wait for a thread; if there are trainings, only for a moment."""
        futures = [hand.future for hand in self._hands if hand.future is not None]
        if any(hand.steps is not None for hand in self._hands) or not futures:
            time.sleep(_PAUSE)
        else:
            wait(futures, return_when=FIRST_COMPLETED)

    def _free(self, hand: _Hand[_Job], why: str) -> None:
        job, hand.job, hand.steps, hand.future = hand.job, None, None, None
        assert job is not None
        self._done.append((job, why))

    @contextmanager
    def _failures_of(self, hand: _Hand[_Job]) -> Iterator[None]:
        """What fails in the block fails this job alone; one that found no memory waits for the others."""
        try:
            yield
        except BaseException as error:  # one job may fail in any way; the others go on
            if isinstance(error, ConflictError | MachineError) and not isinstance(error, Unavailable):
                raise
            if is_the_users(error):
                raise
            assert hand.job is not None
            if isinstance(error, self._out_of_memory) and hand.job not in self._large:
                self._large.append(hand.job)
                self._waiting.appendleft(hand.job)
                hand.job, hand.steps, hand.future = None, None, None
            else:
                self._free(hand, one_line(error))
