"""Two never do one job: a lease is held by one, expires with the one who holds it, and says what is done."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from labelbench.cluster.leases import Lease


def elsewhere(folder: Path, number: int, seconds_ago: float = 0.0) -> None:
    """A lease that a process of another machine holds, and touched some time ago."""
    folder.mkdir(exist_ok=True)
    file = folder / str(number)
    file.write_text(json.dumps({"state": "held", "for": "other", "process": ["far", "away", 1, "0"]}))
    then = time.time() - seconds_ago
    os.utime(file, (then, then))


def test_one_of_many_takes_it(tmp_path: Path) -> None:
    leases = [Lease(tmp_path / "job", "driver") for _ in range(16)]
    with ThreadPoolExecutor(16) as threads:
        taken = list(threads.map(Lease.take, leases))
    assert sum(taken) == 1
    leases[taken.index(True)].leave(done=False)
    assert Lease(tmp_path / "job", "driver").take()


def test_what_was_done_is_known_for_whom(tmp_path: Path) -> None:
    with Lease(tmp_path / "job", "driver").held() as lease:
        assert not lease.is_done()
        lease.leave(done=True)
    with Lease(tmp_path / "job", "driver").held() as lease:
        assert lease.is_done()
    with Lease(tmp_path / "job", "another driver").held() as lease:
        assert not lease.is_done()


def test_a_lease_of_another_machine_holds_until_it_expires(tmp_path: Path) -> None:
    elsewhere(tmp_path / "job", 1, seconds_ago=30)
    assert not Lease(tmp_path / "job", "driver", seconds=60).take()
    taken = Lease(tmp_path / "job", "driver", seconds=20)
    assert taken.take() and taken.touch()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("gone", [{2: 2**22 + 1}, {3: "0"}], ids=["none of that number", "a later one"])
def test_a_lease_of_a_process_of_this_machine_ends_with_it(tmp_path: Path, gone: dict[int, object]) -> None:
    held = Lease(tmp_path / "job", "driver")
    assert held.take()
    file = tmp_path / "job" / "1"
    says = json.loads(file.read_text())
    assert not Lease(tmp_path / "job", "driver").take()
    process = [gone.get(place, value) for place, value in enumerate(says["process"])]
    file.write_text(json.dumps({**says, "process": process}))
    assert Lease(tmp_path / "job", "driver").take()


def test_who_was_taken_over_notices(tmp_path: Path) -> None:
    paused = Lease(tmp_path / "job", "driver")
    assert paused.take() and paused.touch()
    elsewhere(tmp_path / "job", 2)
    assert not paused.touch()


def test_whoever_waits_gets_it_when_it_is_left(tmp_path: Path) -> None:
    first, told = Lease(tmp_path / "job", "driver", seconds=0.5), []
    assert first.take()

    def waiting() -> None:
        told.append(1)
        first.leave(done=False)

    with Lease(tmp_path / "job", "driver", seconds=0.5).held(waiting):
        pass
    assert told == [1]


def test_a_lease_that_is_held_stays_for_as_long_as_the_job_takes(tmp_path: Path) -> None:
    with Lease(tmp_path / "job", "driver", seconds=0.3).held():
        time.sleep(0.6)
        file = tmp_path / "job" / "1"
        assert time.time() - file.stat().st_mtime < 0.3


@pytest.mark.parametrize("text", ["", "[]", "{", '{"state": 3}'])
def test_a_lease_that_is_being_written_or_damaged_expires(tmp_path: Path, text: str) -> None:
    elsewhere(tmp_path / "job", 1)
    file = tmp_path / "job" / "1"
    file.write_text(text)
    if text != '{"state": 3}':
        assert not Lease(tmp_path / "job", "driver").take()
    os.utime(file, (0, 0))
    assert Lease(tmp_path / "job", "driver").take()
