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
# The same where threads alone work, and other jobs may come meanwhile.
_LONG_PAUSE = 0.05


class Steps(Protocol):
    """A training in hand: see :class:`labelbench.training.trainer.Trainer`."""

    @property
    def done(self) -> bool: ...  # noqa: D102

    @property
    def is_ready(self) -> bool: ...  # noqa: D102

    def step(self) -> None:
        """Take a step."""


class Slot(Protocol[_Given]):
    """How jobs are done in one place, on the GPU that is current in the calling thread."""

    def fits(self, job: _Given) -> bool:
        """Whether the GPU has memory for it."""

    def begin(self, job: _Given) -> Steps:
        """A training, with its first steps taken."""

    def end(self, job: _Given, steps: Steps) -> None:
        """Put what came of a training on disk."""

    def do(self, job: _Given) -> None:
        """Do any other job."""


@dataclass
class Place(Generic[_Job]):
    """A slot and what is done in it.

    Attributes:
        slot: how jobs are done.
        on_card: makes the slot's GPU current.
    """

    slot: Slot[_Job]
    on_card: Callable[[], AbstractContextManager[object]]
    job: _Job | None = None
    steps: Steps | None = None
    future: Future[None] | None = None

    def clear(self) -> None:
        """Nothing is done here any more."""
        self.job, self.steps, self.future = None, None, None


class Streams(Generic[_Job]):
    """Works on as many jobs as it has places; a job that does not fit into memory waits until others are done.

    Args:
        training: places of trainings.
        other: places of all other jobs, which threads do; so neither kind keeps the other waiting.
        is_training: tells the kinds apart.
        threads: as many as there are places of other jobs.
        out_of_memory: the error of a GPU whose memory is full.
    """

    def __init__(
        self,
        training: Sequence[Place[_Job]],
        other: Sequence[Place[_Job]],
        is_training: Callable[[_Job], bool],
        threads: ThreadPoolExecutor,
        out_of_memory: type[BaseException],
    ) -> None:
        self._places = {True: tuple(training), False: tuple(other)}
        self._waiting: dict[bool, deque[_Job]] = {True: deque(), False: deque()}
        self._is_training = is_training
        self._threads = threads
        self._out_of_memory = out_of_memory
        # Found no memory beside others.
        self._large: list[_Job] = []
        self._done: list[tuple[_Job, str]] = []

    @property
    def capacity(self) -> int:
        """How many jobs it takes at once; it may change: one more than it has as long as there is a place for any.

        Jobs of the kind that has none wait here, so that whoever gives them comes to those of the other.
        """
        in_hand = len(self._busy) + sum(map(len, self._waiting.values())) + len(self._done)
        idle = any(
            not self._waiting[kind] and any(place.job is None for place in places)
            for kind, places in self._places.items()
        )
        return in_hand + idle

    @property
    def _busy(self) -> list[Place[_Job]]:
        return [place for places in self._places.values() for place in places if place.job is not None]

    def start(self, job: _Job) -> None:
        """Begin a job, or put it in line."""
        self._waiting[self._is_training(job)].append(job)
        self._admit()

    def finished(self) -> list[tuple[_Job, str]]:
        """Work until a job is done: each that is, and why it failed, empty if it did not.

        Raises:
            ConflictError, MachineError: what every other job would meet as well.
        """
        done: list[tuple[_Job, str]] = []
        while not done and (self._busy or any(self._waiting.values()) or self._done):
            done = self.turn()
        return done

    def turn(self) -> list[tuple[_Job, str]]:
        """Begin what there is room for and take one step of each training: each job that is done, as :meth:`finished`.

        Raises:
            ConflictError, MachineError: what every other job would meet as well.
        """
        self._admit()
        stepped = self._step_all()
        self._collect()
        if not stepped and not self._done:
            self._rest()
        done, self._done = self._done, []
        return done

    def _admit(self) -> None:
        """Begin what is in line, in its order, as far as places and memory allow."""
        for kind, waiting in self._waiting.items():
            while waiting:
                free = (place for place in self._places[kind] if place.job is None)
                place = next((each for each in free if self._has_room(each, waiting[0])), None)
                if place is None:
                    break
                self._begin(place, waiting.popleft())

    def _has_room(self, place: Place[_Job], job: _Job) -> bool:
        # What does not even fit alone is tried all the same.
        if not self._busy:
            return True
        if job in self._large:
            return False
        with place.on_card():
            return place.slot.fits(job)

    def _begin(self, place: Place[_Job], job: _Job) -> None:
        place.job = job
        if self._is_training(job):
            with self._failures_of(place), place.on_card():
                place.steps = place.slot.begin(job)
        else:
            place.future = self._threads.submit(self._do, place, job)

    @staticmethod
    def _do(place: Place[_Job], job: _Job) -> None:
        with place.on_card():
            place.slot.do(job)

    def _step_all(self) -> bool:
        """One step of each training that is ready for it; whether there was any."""
        stepped = False
        for place in self._places[True]:
            if place.steps is None or not place.steps.is_ready:
                continue
            stepped = True
            with self._failures_of(place), place.on_card():
                place.steps.step()
                if place.steps.done:
                    assert place.job is not None
                    place.slot.end(place.job, place.steps)
                    self._free(place, "")
        return stepped

    def _collect(self) -> None:
        for place in self._places[False]:
            if place.future is not None and place.future.done():
                with self._failures_of(place):
                    place.future.result()
                    self._free(place, "")

    def _rest(self) -> None:
        """Wait for a thread; if there are trainings, only for a moment."""
        futures = [place.future for place in self._places[False] if place.future is not None]
        if any(place.steps is not None for place in self._places[True]) or not futures:
            time.sleep(_PAUSE)
        else:
            wait(futures, timeout=_LONG_PAUSE, return_when=FIRST_COMPLETED)

    def _free(self, place: Place[_Job], why: str) -> None:
        assert place.job is not None
        self._done.append((place.job, why))
        place.clear()

    @contextmanager
    def _failures_of(self, place: Place[_Job]) -> Iterator[None]:
        """What fails in the block fails this job alone; one that found no memory waits for the others."""
        try:
            yield
        except BaseException as error:  # one job may fail in any way; the others go on
            if isinstance(error, ConflictError | MachineError) and not isinstance(error, Unavailable):
                raise
            if is_the_users(error):
                raise
            assert place.job is not None
            if isinstance(error, self._out_of_memory) and place.job not in self._large:
                self._large.append(place.job)
                self._waiting[self._is_training(place.job)].appendleft(place.job)
                place.clear()
            else:
                self._free(place, one_line(error))
