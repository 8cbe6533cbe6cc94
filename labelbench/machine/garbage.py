"""Python's collector of reference cycles, held back where many records are read at once."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """No search for reference cycles in the block.

    Each search looks at all objects that are alive, so that reading many results, in which there is nothing to find,
    would take longer for each result the more there are.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
