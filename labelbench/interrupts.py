"""Ctrl-C, told apart from foreign code that raises KeyboardInterrupt by itself."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_pressed = False


def _press(number: int, frame: FrameType | None) -> None:
    global _pressed
    _pressed = True
    raise KeyboardInterrupt


@contextmanager
def watching_for_ctrl_c() -> Iterator[None]:
    """Know in this block, and in what it calls, who a KeyboardInterrupt came from.

    Only the main thread is ever interrupted by a signal, and a handler that somebody else has set is left alone.
    """
    global _pressed
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    _pressed = False
    signal.signal(signal.SIGINT, _press)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def is_the_users(error: BaseException) -> bool:
    """Whether an error is the user's Ctrl-C, which ends everything, and not how foreign code failed.

    Where nobody watches, every KeyboardInterrupt is taken for the user's.
    """
    # Where it is ignored, as in a background job, no user can press it.
    watched = signal.getsignal(signal.SIGINT) in (_press, signal.SIG_IGN)
    watched = watched or threading.current_thread() is not threading.main_thread()
    return isinstance(error, KeyboardInterrupt) and (_pressed or not watched)
