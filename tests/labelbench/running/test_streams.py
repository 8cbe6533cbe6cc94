"""Several jobs at once in one process: in turn, on several GPUs, as memory allows; with made-up work and machines."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import pytest

from labelbench.errors import MachineError, Unavailable
from labelbench.running.streams import Place, Streams


class MemoryIsFull(Exception):
    """Stands for torch's error."""


@dataclass
class Machine:
    """GPUs with room for so many jobs, and a log of what was done where."""

    room: int = 99
    log: list[tuple[str, int]] = field(default_factory=list)
    current: threading.local = field(default_factory=threading.local)
    busy: dict[int, int] = field(default_factory=dict)

    @contextmanager
    def on_card(self, card: int) -> Iterator[None]:
        before, self.current.card = getattr(self.current, "card", None), card
        yield
        self.current.card = before

    def note(self, what: str) -> None:
        self.log.append((what, self.current.card))


class Steps:
    """A training of three steps; ``slow`` is ready for every second look only."""

    def __init__(self, machine: Machine, job: str) -> None:
        self.machine, self.job, self.taken, self.looks = machine, job, 0, 0

    @property
    def done(self) -> bool:
        return self.taken == 3

    @property
    def is_ready(self) -> bool:
        self.looks += 1
        return self.job != "train slow" or self.looks % 2 == 0

    def step(self) -> None:
        self.taken += 1
        self.machine.note(f"{self.job} {self.taken}")
        if self.job == "train broken" and self.taken == 2:
            raise ValueError("no such layer")
        if self.job == "train large" and sum(self.machine.busy.values()) > 1:
            raise MemoryIsFull


class Slot:
    """Does made-up jobs: those that begin with ``train`` are trainings."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def fits(self, job: str) -> bool:
        return self.machine.busy.get(self.machine.current.card, 0) < self.machine.room

    def begin(self, job: str) -> Steps:
        card = self.machine.current.card
        self.machine.busy[card] = self.machine.busy.get(card, 0) + 1
        self.machine.note(f"begin {job}")
        return Steps(self.machine, job)

    def end(self, job: str, steps: object) -> None:
        self.machine.busy[self.machine.current.card] -= 1
        self.machine.note(f"end {job}")

    def do(self, job: str) -> None:
        self.machine.note(job)
        if job == "measure nothing":
            raise Unavailable("no images")
        if job == "measure everything":
            raise MachineError("no disk")


@contextmanager
def streams(machine: Machine, slots: int, cards: int = 1) -> Iterator[Streams[str]]:
    def places() -> list[Place[str]]:
        return [Place(Slot(machine), partial(machine.on_card, number % cards)) for number in range(slots)]

    with ThreadPoolExecutor(slots) as threads:
        yield Streams(places(), places(), lambda job: job.startswith("train"), threads, MemoryIsFull)


def all_done(executor: Streams[str], jobs: list[str]) -> dict[str, str]:
    """Why each job failed, given as the runner gives them."""
    waiting, running, found = list(jobs), 0, {}
    while waiting or running:
        while waiting and running < executor.capacity:
            executor.start(waiting.pop(0))
            running += 1
        for job, why in executor.finished():
            running -= 1
            found[job] = why
    return found


def test_trainings_get_their_steps_in_turn() -> None:
    machine = Machine()
    with streams(machine, 2) as executor:
        assert all_done(executor, ["train a", "train b"]) == {"train a": "", "train b": ""}
    steps = [what for what, _ in machine.log if what[-1].isdigit()]
    assert steps == ["train a 1", "train b 1", "train a 2", "train b 2", "train a 3", "train b 3"]


def test_who_is_not_ready_holds_up_nobody() -> None:
    machine = Machine()
    with streams(machine, 2) as executor:
        all_done(executor, ["train slow", "train quick"])
    log = [what for what, _ in machine.log]
    assert log.index("end train quick") < log.index("end train slow")


def test_jobs_are_spread_over_the_cards() -> None:
    machine = Machine()
    with streams(machine, 4, cards=2) as executor:
        all_done(executor, ["train a", "train b", "measure c", "measure d"])
    cards = {what.removeprefix("begin "): card for what, card in machine.log if not what[-1].isdigit()}
    assert [cards[job] for job in ("train a", "train b", "measure c", "measure d")] == [0, 1, 0, 1]
    assert {card for what, card in machine.log if "train a" in what} == {0}


def test_what_does_not_fit_waits() -> None:
    machine = Machine(room=1)
    with streams(machine, 3) as executor:
        assert set(all_done(executor, ["train a", "train b", "train c"]).values()) == {""}
    log = [what for what, _ in machine.log]
    assert log.index("end train a") < log.index("begin train b") < log.index("end train b") < log.index("begin train c")


def test_what_finds_no_memory_beside_others_is_done_alone() -> None:
    machine = Machine()
    with streams(machine, 2) as executor:
        machine.busy[0] = 1  # as if somebody else had a share of it at first
        executor.start("train a")
        executor.start("train large")
        found = executor.finished()
        machine.busy[0] = 0
        found += executor.finished()
    assert sorted(found) == [("train a", ""), ("train large", "")]
    assert [what for what, _ in machine.log].count("begin train large") == 2


def test_what_fails_fails_alone() -> None:
    machine = Machine()
    with streams(machine, 2) as executor:
        found = all_done(executor, ["train broken", "train a", "measure nothing", "measure b"])
    assert found == {
        "train broken": "ValueError: no such layer",
        "train a": "",
        "measure nothing": "no images",
        "measure b": "",
    }


def test_what_every_job_would_meet_ends_all() -> None:
    with streams(Machine(), 2) as executor:
        executor.start("measure everything")
        with pytest.raises(MachineError, match="no disk"):
            executor.finished()


def test_measurements_do_not_keep_trainings_waiting() -> None:
    """All that is ready to be measured is given first; what is trained comes all the same."""
    machine, held = Machine(), threading.Event()
    measured = Slot.do

    def wait(slot: Slot, job: str) -> None:
        held.wait(5)
        measured(slot, job)

    with pytest.MonkeyPatch.context() as patch, streams(machine, 1) as executor:
        patch.setattr(Slot, "do", wait)
        waiting = ["measure a", "measure b", "measure c", "train d", "train e"]
        given = 0
        while waiting and given < executor.capacity:
            executor.start(waiting.pop(0))
            given += 1
        assert waiting == ["train e"]
        assert executor.finished() == [("train d", "")]
        held.set()
