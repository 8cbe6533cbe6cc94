"""Memory of trainings: estimated without a device, then measured."""

from __future__ import annotations

import pytest
import torch

from labelbench.networks import Network
from labelbench.plugins.lookup import backbone
from labelbench.running.memory import Memory, needed_memory


def network(name: str) -> Network:
    return Network(backbone(name, (32, 32)), (64, 64), (0.5,) * 3, (0.25,) * 3)


def test_an_estimate_holds_what_a_backward_pass_is_left() -> None:
    made = network("resnet8")
    found = {batch: needed_memory(made, (32, 32), batch, 0) for batch in (64, 128)}
    saved: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        kept = made.train()(torch.rand(64, 3, 32, 32))
    assert kept.shape == (64, 64, 64)
    # It counts the network's own weights among what is kept, on both sides.
    assert found[128] - found[64] == pytest.approx(1.5 * sum(saved.values()), rel=0.1)


def test_deeper_networks_and_more_images_need_more() -> None:
    small, large = (needed_memory(network(name), (32, 32), 128, 0) for name in ("resnet8", "resnet32"))
    assert small < large < small + (1 << 30)
    assert needed_memory(network("resnet8"), (32, 32), 128, 50_000) - small == 50_000 * 3 * 40 * 40


def test_what_was_measured_counts_from_then_on() -> None:
    memory, gigabyte = Memory(), 1 << 30
    assert memory.fits("kind", lambda: 2 * gigabyte, 4 * gigabyte)
    assert not memory.fits("kind", lambda: 4 * gigabyte, 4 * gigabyte)
    memory.learn("kind", before=40 * gigabyte, after=35 * gigabyte)
    memory.learn("kind", before=35 * gigabyte, after=34 * gigabyte)
    assert not memory.fits("kind", lambda: 0, 5 * gigabyte) and memory.fits("kind", lambda: 99 * gigabyte, 6 * gigabyte)
