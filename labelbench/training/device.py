"""Steps on a GPU: on a stream of their own, as one CUDA graph each, and numbers that are read when they are there."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from labelbench.machine.graphs import CAPTURING, Lease

# Steps taken as they are before one is captured: libraries choose their kernels and workspaces in the first.
_WARMING_UP = 3
# Steps between two marks, and marks that a device is given before the first must be reached: it stays busy while the
# host begins another training.
_BETWEEN, _AHEAD = 8, 8


def _event() -> Any:
    return torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]


class Reading:
    """Numbers that a device computes, asked for now and read later.

    Args:
        tensors: scalars of one device.
    """

    def __init__(self, *tensors: Tensor) -> None:
        self._tensors: tuple[Tensor, ...] = tensors
        self._event: Any = None
        if tensors[0].is_cuda:
            together = torch.stack([tensor.double() for tensor in tensors])
            self._tensors = (together.to("cpu", non_blocking=True),)
            self._event = _event()
            self._event.record()

    @property
    def is_there(self) -> bool:
        """Whether :meth:`numbers` need not wait."""
        return self._event is None or bool(self._event.query())

    def numbers(self) -> list[float]:
        """The numbers, in their order; waits for them."""
        if self._event is None:
            return [float(tensor) for tensor in self._tensors]
        self._event.synchronize()
        return [float(number) for number in self._tensors[0]]


class HostCopies:
    """Copies of tensors in the host's memory, asked for now and there later: from a GPU nobody waits for them.

    Args:
        tensors: by name, on one device or on the CPU.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._shapes = {name: (_kind_of(tensor), tensor.shape) for name, tensor in tensors.items()}
        flat: dict[tuple[str, torch.dtype], list[Tensor]] = {}
        # One copy for each type of number, since every copy has its price.
        for tensor in tensors.values():
            flat.setdefault(_kind_of(tensor), []).append(tensor.detach().reshape(-1))
        self._flat = {kind: torch.cat(parts).to("cpu", non_blocking=True) for kind, parts in flat.items()}
        self._event: Any = None
        if any(tensor.is_cuda for tensor in tensors.values()):
            self._event = _event()
            self._event.record()

    def tensors(self) -> dict[str, Tensor]:
        """The copies, contiguous; waits for them."""
        if self._event:
            self._event.synchronize()
        taken = dict.fromkeys(self._flat, 0)
        found = {}
        for name, (kind, shape) in self._shapes.items():
            start = taken[kind]
            taken[kind] += shape.numel()
            # A tensor of its own, since the file format stores each by itself.
            found[name] = self._flat[kind][start : taken[kind]].reshape(shape).clone()
        return found


def _kind_of(tensor: Tensor) -> tuple[str, torch.dtype]:
    return tensor.device.type, tensor.dtype


class Stream:
    """Where the steps of one training run; on other devices than CUDA they run at once, wherever they are called.

    Args:
        kind: ``"cuda"`` for the current CUDA device, or any other kind.
    """

    def __init__(self, kind: str) -> None:
        self._lease = Lease() if kind == "cuda" else None
        self._stream: Any = self._lease.stream if self._lease else None
        self._marks: deque[Any] = deque()
        self._given = 0

    @property
    def is_apart(self) -> bool:
        """Whether the host runs ahead of it."""
        return self._stream is not None

    @contextmanager
    def entered(self) -> Iterator[None]:
        """What the block computes, it computes here, after what was computed before it on the caller's stream."""
        if self._stream is None:
            yield
            return
        with torch.cuda.device(self._stream.device), torch.cuda.stream(self._stream):
            yield

    def follow(self) -> None:
        """Begin what comes next when the caller's stream has done what it has been given."""
        if self._stream is not None:
            self._stream.wait_stream(torch.cuda.current_stream(self._stream.device))

    def lead(self) -> None:
        """What the caller's stream is given next, it begins when everything here is done."""
        if self._stream is not None:
            torch.cuda.current_stream(self._stream.device).wait_stream(self._stream)

    def wait(self) -> None:
        """Wait until everything is done."""
        if self._stream is not None:
            self._stream.synchronize()

    def mark(self) -> None:
        """A step was given; waits while too many are not done."""
        if self._stream is None:
            return
        self._given += 1
        if self._given % _BETWEEN:
            return
        event = self._marks.popleft() if len(self._marks) >= _AHEAD else _event()
        event.synchronize()
        event.record(self._stream)
        self._marks.append(event)

    @property
    def has_room(self) -> bool:
        """Whether :meth:`mark` would not wait."""
        if (self._given + 1) % _BETWEEN:
            return True
        return len(self._marks) < _AHEAD or bool(self._marks[0].query())


class Captured:
    """A step of which every call does the same to the same memory, captured as a CUDA graph after the first few.

    Args:
        step: the step; everything that it reads and writes lies on the device and stays where it is.
        why_not: why it must not be captured, in a line; empty if it may be.

    Attributes:
        why_not: why it is not captured, in a line.
    """

    def __init__(self, step: Callable[[], None], why_not: str = "") -> None:
        self._step = step
        self._graph: torch.cuda.CUDAGraph | None = None
        self._taken = 0
        self.why_not = why_not

    @property
    def is_captured(self) -> bool:
        """Whether steps are replayed."""
        return self._graph is not None

    def __call__(self) -> None:
        """Take a step on the current stream."""
        if self._graph is None and not self.why_not and self._taken >= _WARMING_UP:
            self._capture()
        if self._graph is not None:
            self._graph.replay()
            return
        self._taken += 1
        self._step()

    def forget(self) -> None:
        """The memory of what the step reads is no longer where it was."""
        self._graph = None
        self._taken = 0

    def _capture(self) -> None:
        graph = torch.cuda.CUDAGraph()
        stream = torch.cuda.current_stream()
        collecting = gc.isenabled()
        # What the collector frees, streams and graphs among it, must not be freed amid a capture.
        gc.disable()
        try:
            with CAPTURING, torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                self._step()
        except Exception as error:  # whatever a step does that cannot be captured
            if isinstance(error, torch.OutOfMemoryError):
                raise
            torch.cuda.set_stream(stream)
            self.why_not = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        else:
            self._graph = graph
        finally:
            if collecting:
                gc.enable()
