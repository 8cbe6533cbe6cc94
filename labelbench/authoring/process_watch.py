"""What foreign code does to the process that it runs in: global state, network, files."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from labelbench.authoring.findings import in_words
from labelbench.machine.process_state import changed_since, process_state, witnessed

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGING = {"os.mkdir": 0, "os.rename": 1, "os.link": 1, "os.symlink": 1, "os.remove": 0, "os.rmdir": 0}
_ASKING = {"socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"}


class NetworkRefused(OSError):
    """The network was asked for where none may be used."""


@contextmanager
def watched_state(changed: list[str], *, allowed: tuple[str, ...] = ()) -> Iterator[None]:
    """Add to ``changed`` the parts of the global state that the block changes, but for those ``allowed``.

    Every global generator is seeded before, at random: a function that seeds them alike in every call changes them too.
    """
    import torch

    seed = random.SystemRandom().getrandbits(32)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    before = process_state()
    with witnessed() as put_back:
        yield
    # What the core has put back already was changed all the same.
    found = dict.fromkeys([*put_back, *changed_since(before)])
    changed += [name for name in found if name not in changed and name not in allowed]


def changes(changed: list[str], when: str) -> Iterator[str]:
    """What is wrong if a block changed the global state, in words."""
    if changed:
        yield (
            f"{in_words(changed)} changed {when}; expected all as it was, since others draw from there too and then "
            "get other numbers: use a generator of its own, numpy.random.RandomState(seed)"
        )


class ProcessWatch:
    """Refuses the network to this process from here on, and records who asked; records files written on request.

    What Python itself opens is seen, through audit hooks, which cannot be taken back: this belongs into a process of
    its own. Compiled code that calls the system by itself is not seen.

    Attributes:
        asked: hosts and addresses that were asked for.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._written: list[str] | None = None
        sys.addaudithook(self._hook)

    @contextmanager
    def files_written(self) -> Iterator[list[str]]:
        """Record every file that the block writes, renames or removes; the list fills up while the block runs."""
        before, self._written = self._written, []
        try:
            yield self._written
        finally:
            self._written = before

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if event in _ASKING:
            self._ask(event, args)
        elif self._written is not None:
            if event == "open" and isinstance(args[0], str | bytes) and (args[2] or 0) & _WRITING:
                self._write(args[0])
            elif event in _CHANGING:
                self._write(args[_CHANGING[event]])

    def _ask(self, event: str, args: tuple[Any, ...]) -> None:
        # Of a socket's methods the first argument is the socket, and a path stands for one within this machine.
        asked = args[1] if event in ("socket.connect", "socket.sendto") else args[0]
        if isinstance(asked, str | bytes) and asked is not args[0]:
            return
        host = asked[0] if isinstance(asked, tuple) else asked
        text = host.decode(errors="replace") if isinstance(host, bytes) else str(host)
        if text not in self.asked:
            self.asked.append(text)
        raise NetworkRefused(f"the network may not be used here: {text} was asked for")

    def _write(self, path: Any) -> None:
        text = os.fsdecode(path) if isinstance(path, str | bytes) else str(path)
        # Python and torch make folders for what they compile when they are first asked to.
        ignored = text == os.devnull or text.startswith(("/dev/", "/proc/"))
        ignored |= "__pycache__" in text or "torchinductor_" in text
        if self._written is not None and not ignored and text not in self._written:
            self._written.append(text)
