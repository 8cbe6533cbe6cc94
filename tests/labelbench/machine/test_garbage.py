"""Many records are read without a search for reference cycles, and the collector is as it was afterwards."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labelbench.errors import InputError
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.leaderboard.records import ScoreTable
from labelbench.machine.garbage import collector_paused
from labelbench.results.store import Results


@pytest.fixture(params=[True, False])
def enabled(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Whether the collector is on before the block; on after the test."""
    (gc.enable if request.param else gc.disable)()
    yield request.param
    gc.enable()


@pytest.mark.parametrize("fails", [False, True])
def test_the_collector_is_as_it_was(enabled: bool, fails: bool) -> None:
    try:
        with collector_paused(), collector_paused():
            assert not gc.isenabled()
            if fails:
                raise OSError
    except OSError:
        pass
    assert gc.isenabled() == enabled


@pytest.mark.parametrize("read", [Leaderboard.of, ScoreTable.of])
def test_results_are_read_with_the_collector_paused(
    read: Callable[[Results], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(Results, "finished", lambda self: seen.append(gc.isenabled()) or iter(()))
    read(Results(tmp_path))
    assert seen and not any(seen)
    assert gc.isenabled()


def test_damaged_results_leave_the_collector_on(tmp_path: Path) -> None:
    file = tmp_path / "digits" / "resnet8" / "speech" / "run" / "accuracy-1.json"
    file.parent.mkdir(parents=True)
    file.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="damaged"):
        Leaderboard.of(Results(tmp_path))
    assert gc.isenabled()
