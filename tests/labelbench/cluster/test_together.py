"""Jobs that are asked for one by one are in hand together, as the networks on one GPU are; with made-up work."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labelbench.cluster.together import Together
from labelbench.errors import MachineError
from labelbench.running.streams import Place, Streams
from labelbench.settings import current_settings, use_settings


class Steps:
    """A training that gets no further before another is begun beside it."""

    def __init__(self, begun: list[Any]) -> None:
        self._begun = begun
        self.done = False

    @property
    def is_ready(self) -> bool:
        return len(self._begun) > 1

    def step(self) -> None:
        self.done = True


class Slot:
    def __init__(self, begun: list[Any]) -> None:
        self._begun = begun

    def fits(self, job: str) -> bool:
        return True

    def begin(self, job: str) -> Steps:
        if job == "no disk":
            raise MachineError("no disk")
        self._begun.append((job, current_settings().data_dir))
        return Steps(self._begun)

    def end(self, job: str, steps: object) -> None:
        pass

    def do(self, job: str) -> None:
        pass


@pytest.fixture
def begun() -> list[Any]:
    """What was begun, and where data were looked for then."""
    return []


@pytest.fixture
def together(begun: list[Any], tmp_path: Path) -> Together:
    @contextmanager
    def made() -> Iterator[Streams[Any]]:
        places = [Place[Any](Slot(begun), nullcontext) for _ in range(2)]
        with ThreadPoolExecutor(1) as threads:
            yield Streams(places, [], lambda job: True, threads, MemoryError)

    with use_settings(replace(current_settings(), data_dir=tmp_path)):
        return Together(made)


def test_jobs_that_are_given_one_by_one_are_done_together(together: Together, begun: list[Any], tmp_path: Path) -> None:
    ask: Any = together.answer
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(ask, ["a", "b"], timeout=60)) == [("done", ""), ("done", "")]
    assert sorted(begun) == [("a", tmp_path), ("b", tmp_path)]
    assert ask("c") == ("done", "")


def test_what_every_job_would_meet_is_answered_to_all(together: Together) -> None:
    ask: Any = together.answer
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(ask, ["a", "no disk"], timeout=60)) == [("machine", "no disk")] * 2
    assert ask("b") == ("machine", "no disk")
