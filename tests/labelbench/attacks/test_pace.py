"""Batches and looks: any pace decides alike, and between two looks nothing waits for the host."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from labelbench.attacks.attack import Attack, AttackResult
from labelbench.attacks.engine import run_attack
from labelbench.attacks.freezing import frozen
from labelbench.attacks.loop import AttackLoop, GradientSource
from labelbench.attacks.pace import Pace, rows_that_fit
from labelbench.attacks.passes import Passes
from labelbench.labels import LabelSet
from labelbench.networks import Network

LABELS = {
    "category": LabelSet(np.eye(6), loss="cross-entropy"),
    "matrix": LabelSet(np.random.RandomState(0).uniform(0, 80, (6, 16, 16))),
}
IMAGES = np.random.RandomState(1).randint(0, 256, (40, 8, 8, 3)).astype(np.uint8)
EPSILONS = (0.0, 0.002, 0.01, 0.05)
# The pace of a GPU, with batches that are filled up and ones that are not.
GPU = Pace(64, filled=True, look_every=3)
ATTACKS = {
    "one step": Attack(EPSILONS),
    "paper": Attack(EPSILONS, units="normalised", loss="training", steps=5, step=0.2, gradient="accumulated"),
    "targeted": Attack(EPSILONS, steps=3, step=0.5, targeted=True, target_rank=2, clamp="image"),
    "adaptive": Attack(EPSILONS, steps=8, step=2.0, schedule="cosine", momentum=0.25, success="any"),
    "random": Attack(EPSILONS[1:], loss="dlr", steps=6, start="random", restarts=2, success="any", seed=3),
    "noise": Attack(EPSILONS[1:], steps=0, start="random", restarts=3),
}


class Backbone(nn.Module):
    num_features = 24

    def __init__(self) -> None:
        super().__init__()
        layers = nn.Conv2d(3, 24, 3, stride=2), nn.BatchNorm2d(24), nn.ELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.layers(images)
        return features


def network_for(kind: str, seed: int = 0) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Network(Backbone(), LABELS[kind].shape, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)).eval()


def classes_of(kind: str) -> np.ndarray:
    """What the network reads, but for every fifth image."""
    with torch.no_grad():
        outputs = network_for(kind)(torch.from_numpy(IMAGES).permute(0, 3, 1, 2).float() / 255)
    read = LABELS[kind].nearest(outputs).numpy()
    read[::5] = (read[::5] + 1) % 6
    return np.asarray(read)


def attacked(name: str, kind: str, pace: Pace | None, source: GradientSource | None = None) -> AttackResult:
    return run_attack(
        ATTACKS[name],
        network_for(kind),
        LABELS[kind],
        IMAGES,
        classes_of(kind),
        source=source,
        keep_images=True,
        pace=pace,
    )


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("kind", LABELS)
def test_filled_batches_that_are_seldom_looked_at_decide_and_count_as_the_plain_loop(name: str, kind: str) -> None:
    plain, filled = attacked(name, kind, None), attacked(name, kind, GPU)
    np.testing.assert_array_equal(filled.predictions, plain.predictions)
    for counts in ("gradients", "unbroken", "zero_gradients"):
        np.testing.assert_array_equal(getattr(filled, counts), getattr(plain, counts))
    assert filled.queries == plain.queries
    torch.testing.assert_close(filled.images, plain.images)


@pytest.mark.parametrize("name", ["paper", "adaptive"])
@pytest.mark.parametrize("is_copy", [True, False])
def test_what_another_source_breaks_is_checked_at_any_pace(name: str, is_copy: bool) -> None:
    source = GradientSource(network_for("category", seed=1), LABELS["category"], is_copy)
    plain, filled = (attacked(name, "category", pace, source) for pace in (None, GPU))
    np.testing.assert_array_equal(filled.predictions, plain.predictions)
    np.testing.assert_array_equal(filled.gradients, plain.gradients)
    assert filled.queries == plain.queries


@given(
    rows=st.integers(1, 300),
    marks=st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=60),
    filled=st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_batches_hold_every_image_once_and_as_many_rows_as_they_may(
    rows: int, marks: list[list[bool]], filled: bool
) -> None:
    pending, pace = np.array(marks).T, Pace(rows, filled=filled)
    chunks = list(pace.chunks(pending))
    found = np.concatenate(chunks) if chunks else np.zeros(0, dtype=int)
    np.testing.assert_array_equal(found, np.flatnonzero(pending.any(axis=0)))
    for chunk in chunks:
        count = int(pending[:, chunk].sum())
        assert len(chunk) == 1 or count <= rows
        assert count <= pace.size(count) <= max(rows, count)


def test_filled_batches_have_few_sizes() -> None:
    pace = Pace(2048, filled=True)
    assert {pace.size(count) for count in range(1, 2049)} == {64, 128, 256, 512, 1024, 2048}


@given(needed=st.integers(1, 1 << 34), free=st.integers(1 << 28, 1 << 37), total=st.integers(1 << 32, 1 << 37))
def test_a_batch_leaves_half_of_the_free_memory_and_most_of_the_card(needed: int, free: int, total: int) -> None:
    rows = rows_that_fit(needed, min(free, total), total)
    assert 1 <= rows <= 2048
    assert rows == 1 or rows * needed <= min(free / 2, total / 8)


def test_memory_of_a_row_is_what_is_saved_for_its_gradient() -> None:
    network = network_for("category").requires_grad_(False)
    images = torch.rand(2, 3, 8, 8)
    few, many = (Passes(network).bytes_of_row(images.repeat(times, 1, 1, 1)) for times in (1, 8))
    assert few == many
    # At least the output of the convolution, which batch norm saves, and no weight counted as an activation.
    assert 24 * 3 * 3 * 4 <= few <= 20 * 24 * 3 * 3 * 4


# Nothing waits for the host


class AsksNobody(TorchDispatchMode):
    """Refuses what reads a value of a tensor, or copies one to another device."""

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = function.overloadpacket.__name__
        assert name not in ("_local_scalar_dense", "item", "nonzero", "is_nonzero", "masked_select", "equal"), name
        if name in ("index", "index_put", "index_put_"):
            assert not any(each is not None and each.dtype == torch.bool for each in args[1]), f"{name} by a mask"
        if name == "_to_copy":
            device = (kwargs or {}).get("device")
            assert device is None or args[0].device.type == "cpu", f"a copy to {device}"
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("transfer", [False, True])
def test_between_two_looks_nothing_is_read_by_the_host(
    name: str, kind: str, transfer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a device whose tensors hold no values: whatever asks for one fails, whichever way it asks."""
    looks = []

    def look(self: AttackLoop, rows: Any) -> Any:
        looks.append(len(rows.index))
        return rows

    monkeypatch.setattr(AttackLoop, "_looked_at", look)
    monkeypatch.setattr(AttackLoop, "survived", lambda self: np.ones((len(self.epsilons), len(IMAGES)), dtype=bool))
    monkeypatch.setattr(AttackLoop, "result", lambda self: self.predictions)
    classes, network = classes_of(kind), network_for(kind).to("meta")
    source = GradientSource(copy.deepcopy(network), LABELS[kind]) if transfer else None
    attack = ATTACKS[name]
    with AsksNobody():
        found: Any = run_attack(
            attack, network, LABELS[kind], IMAGES, classes, source=source, pace=replace(GPU, rows=256)
        )
    assert found.device.type == "meta" and len(found) == len(attack.epsilons) * len(IMAGES) + 1
    assert bool(looks) == (attack.success == "any")
    # All rows fit in one batch, of which every third step is looked at.
    assert len(looks) <= attack.restarts * (attack.steps // 3 + 1)


@pytest.mark.parametrize("ask", [lambda rows: rows.sum().item(), lambda rows: rows[rows > 0], Tensor.nonzero])
def test_the_mode_above_sees_a_host_that_asks(ask: Callable[[Tensor], object]) -> None:
    with pytest.raises((AssertionError, RuntimeError, NotImplementedError)), AsksNobody():
        ask(torch.zeros(3, device="meta"))
    with pytest.raises(AssertionError), AsksNobody():
        ask(torch.zeros(3))


@pytest.mark.parametrize("kind", LABELS)
def test_classes_read_without_asking_are_those_that_are_read_with_it(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = LABELS[kind]
    targets = torch.from_numpy(np.array(labels.targets))
    between = (targets[:1] + targets[1:]) / 2
    noise = 1e-7 * torch.rand(8, *between.shape, generator=torch.Generator().manual_seed(0))
    outputs = torch.cat([targets, between, (between + noise).flatten(0, 1), torch.zeros_like(between)])
    outputs[-1], outputs[-2] = torch.nan, torch.inf
    asked = labels.nearest(outputs)
    monkeypatch.setattr("labelbench.decoding._NEVER_ASKED", ("cpu",))
    with AsksNobody():
        unasked = labels.nearest(outputs)
    distances = (outputs[:-2, None].double() - targets.double()).square().flatten(2).sum(dim=2)
    one, other = (distances.gather(1, each[:-2, None]) for each in (unasked, asked))
    # The same, or further apart by no more than the order of a sum decides.
    assert ((unasked == asked)[:-2] | ((one - other).abs() <= 1e-13 * other).flatten()).all()
    assert (unasked == asked).float().mean() > 0.9
    assert unasked[:6].tolist() == list(range(6)) and unasked[-2:].tolist() == [0, 0]
    assert asked[:6].tolist() == list(range(6)) and asked[-2:].tolist() == [0, 0]


# What frozen networks share


def test_blocks_within_a_block_share_their_passes_and_later_ones_begin_anew() -> None:
    network = network_for("category")
    with frozen(network) as outer:
        with frozen(network) as inner:
            assert inner is outer
        with frozen(network) as again:
            assert again is outer
    with frozen(network) as later:
        assert later is not outer


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: recordings are made there alone")
@pytest.mark.parametrize("name", ATTACKS)
def test_recorded_passes_decide_as_unrecorded_ones(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.use_deterministic_algorithms(True, warn_only=True)
    network, labels, classes = network_for("matrix").cuda(), LABELS["matrix"], classes_of("matrix")

    def decided() -> AttackResult:
        return run_attack(ATTACKS[name], network, labels, IMAGES, classes, rows=64, keep_images=True)

    recorded = decided()
    monkeypatch.setattr(Passes, "_recorded", lambda self, *args, **kwargs: None)
    plain = decided()
    torch.use_deterministic_algorithms(False)
    np.testing.assert_array_equal(recorded.predictions, plain.predictions)
    assert torch.equal(recorded.images, plain.images)  # type: ignore[arg-type]
