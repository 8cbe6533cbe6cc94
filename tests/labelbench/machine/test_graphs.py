"""Streams are leased: nobody has one that another uses, and few are made."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from labelbench.machine import graphs
from labelbench.machine.graphs import Lease, leased_stream


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Cards for which streams were made."""
    cards: list[int] = []

    class Stream:
        def __init__(self, card: int) -> None:
            cards.append(card)

    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    graphs._idle.clear()
    return cards


def test_a_stream_is_used_by_one_at_a_time(made: list[int]) -> None:
    first, second = Lease(), Lease()
    assert first.stream is not second.stream and made == [0, 0]
    ended = first.stream
    first.end()
    first.end()
    assert Lease().stream is ended and Lease().stream not in (ended, second.stream)


def test_each_card_has_its_own(made: list[int]) -> None:
    with leased_stream(1) as other:
        assert Lease().stream is not other
    assert made == [1, 0] and Lease(1).stream is other


def test_whoever_is_gone_has_given_it_back(made: list[int]) -> None:
    for _ in range(100):
        Lease()
    assert made == [0]


def test_threads_share_what_is_idle(made: list[int]) -> None:
    def use(_: int) -> None:
        with leased_stream():
            pass

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(use, range(200)))
    assert len(made) <= 4
