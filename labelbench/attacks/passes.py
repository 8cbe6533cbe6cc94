"""Passes of one frozen network: outputs, and gradients by its images; on CUDA recorded once and replayed.

A small batch keeps a GPU busy for less time than its launches take the host. A pass of a shape that comes back is
therefore recorded as a CUDA graph. A recording is used only if it repeats what the pass gave, and where recording fails
passes go on one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from labelbench.machine.graphs import CAPTURING, leased_stream

# Passes of one shape before it is recorded: fewer do not pay for it.
_BEFORE_RECORDING = 2
# How far a recording may be from the pass, relative to the largest value, where kernels are free to differ by call.
_TOLERANCE = 1e-2


class Passes:
    """What attacks ask of one network while it is frozen.

    Args:
        network: a :class:`labelbench.Network` in eval mode, whose parameters want no gradient.
    """

    def __init__(self, network: Any) -> None:
        self.network = network
        self._uses: Counter[Any] = Counter()
        self._forward: dict[Any, _Recording] = {}
        self._both: dict[Any, _Recording] = {}
        self._may_record = True
        self._bytes: dict[torch.Size, int] = {}
        self._pool: Any = None

    def outputs(self, points: Tensor) -> Tensor:
        """Outputs for normalised images, without gradient; to be read before the next pass may overwrite them."""
        key = points.shape, points.stride()
        recording = self._both.get(key) or self._recorded(self._forward, key, points, with_gradient=False)
        if recording:
            return recording.outputs(points)
        with torch.no_grad():
            outputs: Tensor = self.network.forward_normalised(points)
        return outputs

    def gradient(self, points: Tensor, value: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """The gradient of ``value(outputs)``, summed, by normalised images, and the outputs.

        Both are to be read before the next pass, which may overwrite them.
        """
        points = points.detach()
        recording = self._recorded(self._both, (points.shape, points.stride()), points, with_gradient=True)
        with torch.enable_grad():
            if recording:
                outputs = recording.outputs(points).requires_grad_()
                (pushed,) = torch.autograd.grad(value(outputs).sum(), outputs)
                return recording.gradient(pushed), outputs.detach()
            outputs = self.network.forward_normalised(points.requires_grad_())
            (gradient,) = torch.autograd.grad(value(outputs).sum(), points)
        return gradient, outputs.detach()

    def bytes_of_row(self, points: Tensor) -> int:
        """Memory that one image takes until its gradient is there; ``points`` are a few normalised images."""
        shape = points.shape[1:]
        if shape not in self._bytes:
            weights = {each.untyped_storage().data_ptr() for each in self.network.state_dict().values()}
            saved: dict[int, int] = {}

            def pack(tensor: Tensor) -> Tensor:
                storage = tensor.untyped_storage()
                saved[storage.data_ptr()] = storage.nbytes()
                return tensor

            with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
                kept = self.network.forward_normalised(points.detach().requires_grad_())
            activations = sum(size for place, size in saved.items() if place not in weights)
            self._bytes[shape] = max(1, activations // len(points))
            del kept
        return self._bytes[shape]

    def _recorded(
        self, recordings: dict[Any, _Recording], key: Any, points: Tensor, *, with_gradient: bool
    ) -> _Recording | None:
        if not points.is_cuda or not self._may_record:
            return None
        if key not in recordings:
            self._uses[key, with_gradient] += 1
            if self._uses[key, with_gradient] <= _BEFORE_RECORDING:
                return None
            try:
                self._pool = self._pool or torch.cuda.graph_pool_handle()
                recordings[key] = _Recording(self.network, points, with_gradient, self._pool)
            except RuntimeError:
                # A forward pass that waits for the host, draws numbers of its own, or finds no memory to stay in.
                self._may_record = False
                self._forward.clear()
                self._both.clear()
                return None
        return recordings[key]


class _Recording:
    """A forward pass of one shape as a CUDA graph, and the pass back as another, on memory of their own.

    Recordings of one network share that memory: what one leaves there is read before another is replayed.
    """

    def __init__(self, network: Any, points: Tensor, with_gradient: bool, pool: Any) -> None:
        with leased_stream(points.device.index) as stream:
            self._record(network, points, with_gradient, pool, stream)

    def _record(self, network: Any, points: Tensor, with_gradient: bool, pool: Any, stream: Any) -> None:
        self._points = points.detach().clone().requires_grad_(with_gradient)
        stream.wait_stream(torch.cuda.current_stream(points.device))
        with torch.set_grad_enabled(with_gradient):
            with torch.cuda.stream(stream):
                # Libraries choose their kernels and take their workspaces in the first passes.
                for _ in range(2):
                    expected = network.forward_normalised(self._points)
                    self._pushed = torch.ones_like(expected)
                    back = torch.autograd.grad(expected, self._points, self._pushed)[0] if with_gradient else None
                expected = expected.detach()
            self._forward = torch.cuda.CUDAGraph()
            with _recording(self._forward, pool, stream):
                outputs = network.forward_normalised(self._points)
            if with_gradient:
                self._back = torch.cuda.CUDAGraph()
                with _recording(self._back, pool, stream):
                    (self._gradient,) = torch.autograd.grad(outputs, self._points, self._pushed)
        self._outputs = outputs.detach()
        torch.cuda.current_stream(points.device).wait_stream(stream)
        self._forward.replay()
        repeats = _alike(self._outputs, expected)
        if back is not None:
            self._back.replay()
            repeats = repeats and _alike(self._gradient, back)
        if not repeats:
            raise RuntimeError("a recorded pass gives something else than the pass itself")

    def outputs(self, points: Tensor) -> Tensor:
        with torch.no_grad():
            self._points.copy_(points)
        self._forward.replay()
        outputs: Tensor = self._outputs.detach()
        return outputs

    def gradient(self, pushed: Tensor) -> Tensor:
        self._pushed.copy_(pushed)
        self._back.replay()
        gradient: Tensor = self._gradient
        return gradient


@contextmanager
def _recording(graph: Any, pool: Any, stream: Any) -> Iterator[None]:
    """Record what the block launches; the streams in use are put back also where that fails."""
    before = torch.cuda.current_stream(stream.device), torch.cuda.current_stream()
    try:
        # Other threads may go on with work of their own.
        with CAPTURING, torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local"):
            yield
    except RuntimeError:
        for each in before:
            torch.cuda.set_stream(each)
        raise


def _alike(found: Tensor, expected: Tensor) -> bool:
    if torch.are_deterministic_algorithms_enabled():
        return torch.equal(found, expected)
    most = float(expected.abs().max())
    return bool(torch.allclose(found, expected, rtol=0, atol=_TOLERANCE * most))


# Passes of the networks that are frozen now.
_OPEN: dict[int, Passes] = {}


@contextmanager
def passes_of(network: nn.Module) -> Iterator[Passes]:
    """Passes of a network for the block; blocks within it share them, and what they recorded."""
    if id(network) in _OPEN:
        yield _OPEN[id(network)]
        return
    _OPEN[id(network)] = Passes(network)
    try:
        yield _OPEN[id(network)]
    finally:
        del _OPEN[id(network)]
