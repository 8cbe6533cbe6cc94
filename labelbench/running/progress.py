"""Tell the reader what is going on: a live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_REPORTS = 0.2


class JobListener:
    """Who is told of one job after another: begun, done to a share, done. This one says nothing to anybody."""

    def begin(self, name: str, size: float = 0.0) -> None:
        """Begin a piece of this size."""

    def update(self, doing: str, share: float, *, always: bool = False) -> None:
        """The piece is done to ``share``, 0 to 1; ``always`` if the reader is to hear of it in any case."""

    def end(self, outcome: str = "") -> None:
        """The piece is done."""


class RemoteReporter(JobListener):
    """Tells a :class:`Reporter` elsewhere of one piece after another, or of several at once, as often as it can show.

    Args:
        send: takes ``(method, arguments, options)`` of the reporter there.
        first: number of the first worker there.
    """

    def __init__(self, send: Callable[[tuple[str, tuple[object, ...], dict[str, object]]], None], first: int) -> None:
        self._send = send
        self._first = first
        self._last: dict[int, float] = {}

    def begin(self, name: str, size: float = 0.0, worker: int = 0) -> None:
        """Begin a piece of this size."""
        self._send(("begin", (name, size), {"worker": self._first + worker}))

    def update(self, doing: str, share: float, *, always: bool = False, worker: int = 0) -> None:
        """The piece is done to ``share``."""
        now = time.monotonic()
        if always or now - self._last.get(worker, 0.0) >= _SECONDS_BETWEEN_REPORTS:
            self._last[worker] = now
            self._send(("update", (doing, share), {"always": always, "worker": self._first + worker}))

    def end(self, outcome: str = "", worker: int = 0) -> None:
        """The piece is done."""
        self._send(("end", (outcome,), {"worker": self._first + worker}))


@dataclass
class _Piece:
    """One piece of work in hand."""

    name: str = ""
    size: float = 0.0
    share: float = 0.0
    begun: float = field(default_factory=time.monotonic)
    last_line: float = field(default_factory=time.monotonic)


class Reporter(JobListener, AbstractContextManager["Reporter"]):
    """Shows the pieces of work in hand within a whole of known size.

    The whole is counted in whatever the pieces are (images to look at); times left follow from the pace so far.
    Where several pieces are in hand, the ``worker`` of each tells them apart.

    Args:
        console: where to write; decides by itself whether it is a terminal.
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._live: _Live | _OneLine | None = None
        if console.is_terminal:
            self._live = _Live(console)
        elif type(console.file).__module__.startswith("ipykernel") and not console.quiet:
            self._live = _OneLine(console)
        self._total = 0.0
        self._done = 0.0
        self._begun = time.monotonic()
        self._pieces: dict[int, _Piece] = {}

    def __enter__(self) -> Reporter:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the terminal to the block, which may show a progress of its own."""
        if self._live:
            self._live.stop()
        yield
        if self._live:
            self._live.start()

    def whole(self, total: float) -> None:
        """Begin: the pieces to come add up to ``total``."""
        self._total = max(total, 1e-9)
        self._begun = time.monotonic()

    def begin(self, name: str, size: float = 0.0, worker: int = 0) -> None:
        """Begin a piece of this size."""
        self._pieces[worker] = _Piece(name, size)
        self.update("", 0.0, worker=worker)

    def update(self, doing: str, share: float, *, always: bool = False, worker: int = 0) -> None:
        """The piece is done to ``share``, 0 to 1. Without a terminal a line appears now and then, or ``always``."""
        piece = self._pieces.setdefault(worker, _Piece())
        piece.share = share
        now = time.monotonic()
        done = self._done + sum(each.size * each.share for each in self._pieces.values())
        overall = min(1.0, done / self._total) if self._total else 0.0
        left = _time_left(now - piece.begun, share)
        whole_left = _time_left(now - self._begun, overall)
        if self._live:
            self._live.show(worker, piece.name, doing, share, left, overall, whole_left)
        elif doing and (always or now - piece.last_line >= _SECONDS_BETWEEN_LINES):
            piece.last_line = now
            times = f", {left} left" if left else ""
            times += f" ({whole_left} left in all)" if left and whole_left else ""
            self.line(f"{piece.name}: {doing}{times}")

    def end(self, outcome: str = "", worker: int = 0) -> None:
        """The piece is done; say so if there is an outcome."""
        piece = self._pieces.pop(worker, _Piece())
        self._done += piece.size
        if outcome:
            self.line(f"{piece.name}: {outcome}, done in {_duration(time.monotonic() - piece.begun)}")

    def line(self, text: str) -> None:
        """Write one line that stays; a terminal has it in several where it is too narrow, between words."""
        if isinstance(self._live, _OneLine):
            self._live.stop()
        self.console.print(Text(text), highlight=False, soft_wrap=not self.console.is_terminal)


class _OneLine:
    """One line that is written over itself, as the output of a notebook's cell can be."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._shown = ""
        self._last = 0.0

    def start(self) -> None:
        """Nothing stands there yet."""

    def stop(self) -> None:
        """Clear the line."""
        if self._shown:
            self.console.file.write("\r" + " " * len(self._shown) + "\r")
            self._shown = ""

    def show(
        self, worker: int, name: str, doing: str, share: float, left: str, overall: float, whole_left: str
    ) -> None:
        now = time.monotonic()
        if now - self._last < _SECONDS_BETWEEN_REPORTS:
            return
        self._last = now
        whole = f"{overall:.0%}" + (f", {whole_left} left" if whole_left else "")
        text = ": ".join(part for part in (whole, name, doing) if part)
        self.stop()
        self.console.file.write(text)
        self.console.file.flush()
        self._shown = text


class _Live:
    """A bar for each piece in hand, and one for the whole."""

    def __init__(self, console: Console) -> None:
        # Bar and percentage keep their place; what is being done is cut off where there is no room for it.
        width = min(24, console.width // 4)
        self.progress = Progress(
            BarColumn(bar_width=width, table_column=Column(min_width=width, no_wrap=True)),
            TextColumn("{task.percentage:>3.0f} %", table_column=Column(min_width=5, no_wrap=True)),
            TextColumn(
                "{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")
            ),
            console=console,
            transient=True,
            expand=True,
        )
        self.pieces: dict[int, TaskID] = {}
        self.overall: TaskID = self.progress.add_task("", total=1.0, visible=False)

    def start(self) -> None:
        self.progress.start()

    def stop(self) -> None:
        self.progress.stop()

    def show(
        self, worker: int, name: str, doing: str, share: float, left: str, overall: float, whole_left: str
    ) -> None:
        if worker not in self.pieces:
            self.pieces[worker] = self.progress.add_task("", total=1.0)
        text = ": ".join(part for part in (name, doing) if part) + (f", {left} left" if left else "")
        self.progress.update(self.pieces[worker], completed=share, description=text)
        whole = f"whole suite, {whole_left} left" if whole_left else "whole suite"
        self.progress.update(self.overall, completed=overall, description=whole, visible=overall > 0)


def _time_left(elapsed: float, share: float) -> str:
    if share <= 0 or elapsed < 1.0:
        return ""
    return _duration(elapsed * (1 - share) / share)


def _duration(seconds: float) -> str:
    """Seconds as a reader would say them: ``0:07``, ``12:40``, ``3 h 05 min``."""
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d}"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
