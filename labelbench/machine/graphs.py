"""Streams and captures of threads that share a GPU."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Held while a CUDA graph is captured: torch captures one at a time, and waits for the whole device before it does.
CAPTURING = threading.RLock()

# Torch has 32 streams for each device and gives them out in a circle; two users of one would be captured together.
STREAMS = 32
_idle: dict[int, list[Any]] = defaultdict(list)
_LOCK = threading.Lock()


class Lease:
    """A stream of a GPU that nobody else uses, until :meth:`end` or until nobody knows of the lease.

    Args:
        card: index of the GPU; None for the current one.

    Attributes:
        stream: torch's.
    """

    def __init__(self, card: int | None = None) -> None:
        import torch

        card = torch.cuda.current_device() if card is None else card
        with _LOCK:
            idle = _idle[card]
            self.stream: Any = idle.pop() if idle else torch.cuda.Stream(card)  # type: ignore[no-untyped-call]
        self._card = card
        self._ended = False

    def end(self) -> None:
        """Give it back; what it was given may still be under way."""
        if not self._ended:
            self._ended = True
            with _LOCK:
                _idle[self._card].append(self.stream)

    def __del__(self) -> None:
        if hasattr(self, "_ended"):
            self.end()


@contextmanager
def leased_stream(card: int | None = None) -> Iterator[Any]:
    """A stream of a GPU, by default of the current one, for the block alone."""
    lease = Lease(card)
    try:
        yield lease.stream
    finally:
        lease.end()
