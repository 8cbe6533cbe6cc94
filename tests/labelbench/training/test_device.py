"""Steps on a device, as far as a machine without a GPU can tell: numbers, copies, and what cannot be captured."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from labelbench.training.device import Captured, HostCopies, Reading, Stream


def test_numbers_are_read_in_their_order() -> None:
    reading = Reading(torch.tensor(0.1), torch.tensor(7))
    assert reading.is_there and reading.numbers() == [float(torch.tensor(0.1)), 7.0]


def test_copies_keep_types_shapes_and_values() -> None:
    tensors = {
        "kernel": torch.rand(4, 3, 2, 2).contiguous(memory_format=torch.channels_last),
        "count": torch.tensor(5),
        "bias": torch.rand(4),
        "state": torch.arange(9, dtype=torch.uint8),
    }
    copies = HostCopies(tensors)
    kept = {name: tensor.clone() for name, tensor in tensors.items()}
    for tensor in tensors.values():
        tensor.zero_()
    found = copies.tensors()
    assert list(found) == list(kept)
    for name, tensor in kept.items():
        assert torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype, name
        assert found[name].is_contiguous() and found[name].untyped_storage().nbytes() == tensor.nbytes


def test_elsewhere_than_on_cuda_there_is_no_stream() -> None:
    stream = Stream("cpu")
    with stream.entered():
        stream.mark()
    for wait in (stream.follow, stream.lead, stream.wait):
        wait()
    assert stream.has_room and not stream.is_apart


class Machine:
    """Stands for CUDA's graphs: counts captures, and replays what was captured."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails: Exception | None = None) -> None:
        self.captures, self.replays = 0, 0
        machine = self

        class Graph:
            def replay(self) -> None:
                machine.replays += 1

        @contextmanager
        def graph(made: Graph, *, stream: object, capture_error_mode: str) -> Any:
            assert capture_error_mode == "thread_local" and not gc.isenabled()
            machine.captures += 1
            yield
            if fails:
                raise fails

        monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
        monkeypatch.setattr(torch.cuda, "graph", graph)
        monkeypatch.setattr(torch.cuda, "current_stream", lambda: "a stream")
        monkeypatch.setattr(torch.cuda, "set_stream", lambda stream: None)


def test_a_step_is_taken_as_it_is_a_few_times_then_captured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    machine, taken = Machine(monkeypatch), []
    step = Captured(lambda: taken.append(1))
    for _ in range(3):
        step()
    assert not step.is_captured and len(taken) == 3
    for _ in range(5):
        step()
    assert step.is_captured and (machine.captures, machine.replays, len(taken)) == (1, 5, 4)
    step.forget()
    step()
    assert not step.is_captured and len(taken) == 5
    assert gc.isenabled()


def test_what_cannot_be_captured_goes_on_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, RuntimeError("operation not permitted\nwhen stream is capturing"))
    taken: list[int] = []
    step = Captured(lambda: taken.append(1))
    for _ in range(6):
        step()
    assert step.why_not == "RuntimeError: operation not permitted when stream is capturing"
    # Three as it is, one that was only looked at, and all that follow.
    assert (machine.captures, machine.replays, len(taken)) == (1, 0, 7) and gc.isenabled()


def test_a_device_without_memory_is_no_reason_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    Machine(monkeypatch, torch.OutOfMemoryError("out of memory"))
    step = Captured(lambda: None)
    with pytest.raises(torch.OutOfMemoryError):
        for _ in range(4):
            step()


def test_what_must_not_be_captured_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    step = Captured(lambda: None, "float16 gradients are scaled")
    for _ in range(6):
        step()
    assert machine.captures == 0
