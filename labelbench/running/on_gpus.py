"""Jobs of a results folder on the GPUs of this machine, several at once in this process."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch

from labelbench.machine.cards import cards_in_use
from labelbench.machine.graphs import STREAMS, leased_stream
from labelbench.machine.numerics import numerics_held
from labelbench.results.store import Results
from labelbench.running.jobs import Job, TrainingJob
from labelbench.running.materials import Materials
from labelbench.running.memory import Memory, needed_memory
from labelbench.running.progress import JobListener, RemoteReporter, Reporter
from labelbench.running.streams import Place, Steps, Streams
from labelbench.running.training_task import TrainingTask
from labelbench.running.worker import Worker
from labelbench.runs import Numerics
from labelbench.settings import current_settings, put_in_force
from labelbench.training.trainer import Trainer

# Steps of a training that are taken when it begins: after them it is compiled, captured, and as large as it gets.
_FIRST_STEPS = 5
# What must be free for an evaluator, which takes batches that suit what it finds.
_FOR_MEASURING = 3 << 30
# Seconds after which a thread that computes lets another in: the one that gives trainings their steps must not wait.
_SWITCH = 0.0005
# Trainings on one GPU: with half as many evaluators, each of which may capture on one stream more, all have streams.
_MOST = STREAMS // 2


class _Slot:
    """How jobs are done in one place: :class:`labelbench.running.streams.Slot`."""

    def __init__(self, worker: Worker, memory: Memory) -> None:
        self._worker = worker
        self._memory = memory
        self._task: TrainingTask | None = None

    def fits(self, job: Job) -> bool:
        if not isinstance(job, TrainingJob):
            return _free() >= _FOR_MEASURING
        return self._memory.fits(self._kind(job), partial(self._estimate, job), _free())

    def begin(self, job: Job) -> Trainer:
        assert isinstance(job, TrainingJob)
        before = _free()
        self._task = self._worker.training(job)
        trainer = self._task.begin()
        while trainer.steps_done < _FIRST_STEPS and not trainer.done:
            trainer.step()
        torch.cuda.synchronize()
        self._memory.learn(self._kind(job), before, _free())
        return trainer

    def end(self, job: Job, steps: Steps) -> None:
        assert isinstance(steps, Trainer) and self._task is not None
        self._task.end(steps)
        self._task = None

    def do(self, job: Job) -> None:
        # On a stream of its own, since the one that all threads share waits for every other.
        with leased_stream() as stream, torch.cuda.stream(stream):
            self._worker.do(job)

    def _kind(self, job: TrainingJob) -> object:
        run = job.run
        return run.dataset, run.backbone, self._worker.materials.labels(run).shape, run.recipe.batch_size

    def _estimate(self, job: TrainingJob) -> int:
        materials, run = self._worker.materials, job.run
        images = materials.images(run)
        size = images.train.images.shape[1:3]
        return needed_memory(materials.network(run), (size[0], size[1]), run.recipe.batch_size, len(images.train))


def _is_training(job: Job) -> bool:
    return isinstance(job, TrainingJob)


def _free() -> int:
    """Bytes that the current GPU has for more: those that nobody has, and those that torch keeps unused."""
    free, _ = torch.cuda.mem_get_info()
    return int(free) + int(torch.cuda.memory_reserved()) - int(torch.cuda.memory_allocated())


_Told = Reporter | RemoteReporter


@dataclass
class _Numbered(JobListener):
    """Reports one slot's work, from any thread; ends a thread's work once nobody wants it any more."""

    reporter: _Told
    number: int
    lock: threading.Lock
    ended: threading.Event

    def begin(self, name: str, size: float = 0.0) -> None:
        with self.lock:
            self.reporter.begin(name, size, worker=self.number)

    def update(self, doing: str, share: float, *, always: bool = False) -> None:
        if self.ended.is_set():
            raise InterruptedError("the run has ended")
        with self.lock:
            self.reporter.update(doing, share, always=always, worker=self.number)

    def end(self, outcome: str = "") -> None:
        with self.lock:
            self.reporter.end(outcome, worker=self.number)


@contextmanager
def on_gpus(
    jobs: int, numerics: Numerics, results: Results, reporter: _Told, materials: Materials, *, overwrite: bool
) -> Iterator[Streams[Job]]:
    """Train ``jobs`` networks at once, or one on each GPU in use if these are more, and measure beside them.

    Args:
        jobs: 1 or more; they are spread over the GPUs, at most 16 on each.
        numerics: of all runs; in force until the end of the block.
        results: where finished work goes.
        reporter: told of everything.
        materials: images and labels, which all jobs share.
        overwrite: True if checkpoints and finished parts are not to be taken up again.
    """
    cards = cards_in_use()
    lock, ended = threading.Lock(), threading.Event()
    memories = {card: Memory() for card in cards}
    at_once = min(max(jobs, len(cards)), _MOST * len(cards))
    measuring = -(-at_once // 2)

    def place(number: int) -> Place[Job]:
        card = cards[number % len(cards)]
        worker = Worker(results, _Numbered(reporter, number, lock, ended), materials, overwrite=overwrite)
        return Place(_Slot(worker, memories[card]), partial(torch.cuda.device, card))

    places = [place(number) for number in range(at_once + measuring)]
    threads = ThreadPoolExecutor(measuring, "labelbench-measuring", put_in_force, (current_settings(),))
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH)
    try:
        with numerics_held(numerics):
            yield Streams(places[:at_once], places[at_once:], _is_training, threads, torch.OutOfMemoryError)
    finally:
        ended.set()
        threads.shutdown(wait=True, cancel_futures=True)
        sys.setswitchinterval(before)
