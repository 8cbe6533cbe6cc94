"""The attack engine: what its settings mean, what it counts, and what it leaves alone."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from labelbench.attacks.engine import Attack, AttackResult, run_attack
from labelbench.attacks.loop import GradientSource, nearest_others
from labelbench.attacks.losses import ascended
from labelbench.errors import InputError, UnknownName
from labelbench.labels import LabelSet
from labelbench.networks import Network

CLASSES = np.arange(12) % 6
LABELS = {
    "category": LabelSet(np.eye(6), loss="cross-entropy"),
    "vector": LabelSet(np.random.RandomState(0).uniform(0, 80, (6, 5))),
}
KINDS = tuple(LABELS)
# Rounding of a sum of two numbers of about 1.
ROUNDING = 3e-7


class Backbone(nn.Module):
    num_features = 24

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 24, 3, stride=2), nn.BatchNorm2d(24), nn.ELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.layers(images)
        return features


def pixels() -> Tensor:
    """Twelve images, some of whose pixels lie at the ends of the range."""
    return (1.2 * torch.rand(12, 3, 10, 10, generator=torch.Generator().manual_seed(1)) - 0.1).clamp(0, 1)


def network_for(kind: str, seed: int = 0) -> Network:
    """Random features, and a last layer fitted so that the image of index i is read as class i % 6."""
    labels = LABELS[kind]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network(Backbone(), labels.shape, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)).eval()
        head: Any = network.head.layers
        with torch.no_grad():
            features = network.features(pixels())
            wanted = torch.from_numpy(labels.targets[CLASSES])
            head.bias.copy_(wanted.mean(dim=0))
            head.weight.copy_(torch.linalg.lstsq(features, wanted - wanted.mean(dim=0), driver="gelsd").solution.T)
    return network


def attacked(attack: Attack, kind: str = "vector", **rest: Any) -> AttackResult:
    return run_attack(attack, network_for(kind), LABELS[kind], pixels(), CLASSES, keep_images=True, **rest)


def left(result: AttackResult) -> list[int]:
    """Images still read as their class, at each epsilon."""
    return [int(row) for row in (result.predictions == CLASSES).sum(axis=1)]


def gradient_of(network: Network, labels: LabelSet, loss: str, points: Tensor) -> Tensor:
    points = points.detach().requires_grad_()
    value = ascended(loss, labels, network(points), torch.from_numpy(CLASSES))
    return torch.autograd.grad(value.sum(), points)[0]


# Settings


def test_repr_shows_every_setting() -> None:
    text = repr(Attack((0.1,), loss="dlr"))
    assert all(f"{name}=" in text for name in Attack.__dataclass_fields__)
    assert "'dlr'" in text


@pytest.mark.parametrize(
    "wrong",
    [
        {"epsilons": ()},
        {"epsilons": (-0.1,)},
        {"epsilons": (float("nan"),)},
        {"steps": 0},
        {"step": 0.0},
        {"momentum": 1.0},
        {"restarts": 0},
        {"restarts": 2},
        {"target_rank": 0},
        {"seed": -1},
        {"units": "pixel"},
        {"clamp": "image range"},
        {"loss": "hinge"},
        {"schedule": "linear"},
    ],
)
def test_a_setting_out_of_range_is_refused_in_one_line(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError) as refused:
        Attack(**{"epsilons": (0.1,), **wrong})
    assert "\n" not in str(refused.value)


def test_near_miss_of_a_loss_name_is_suggested() -> None:
    with pytest.raises(UnknownName, match="margin"):
        Attack((0.1,), loss="margins")


def test_cosine_schedule_falls_from_the_step_towards_zero() -> None:
    sizes = [Attack((0.1,), steps=10, step=2.0, schedule="cosine").step_at(index) for index in range(10)]
    assert sizes[0] == 2.0
    assert sizes == sorted(sizes, reverse=True)
    assert 0 < sizes[-1] < 0.1


# Steps


@pytest.mark.parametrize("kind", KINDS)
def test_one_step_moves_every_pixel_by_epsilon_along_the_sign_of_the_gradient(kind: str) -> None:
    expected = gradient_of(network_for(kind), LABELS[kind], "margin", pixels()).sign()
    result = attacked(Attack((0.02,), loss="margin", clamp="none"), kind)
    assert result.images is not None
    torch.testing.assert_close(result.images[0], pixels() + 0.02 * expected)


def test_accumulated_steps_follow_the_sum_of_all_gradients_and_fresh_ones_the_last() -> None:
    network, labels = network_for("vector"), LABELS["vector"]
    first = gradient_of(network, labels, "margin", pixels())
    middle = pixels() + 0.5 * first.sign()
    second = gradient_of(network, labels, "margin", middle)
    attack = Attack((1.0,), loss="margin", steps=2, step=0.5, clamp="none")
    fresh, accumulated = attacked(attack).images, attacked(replace(attack, gradient="accumulated")).images
    assert fresh is not None and accumulated is not None
    torch.testing.assert_close(fresh[0], middle + 0.5 * second.sign())
    torch.testing.assert_close(accumulated[0], middle + 0.5 * (first + second).sign())
    assert (fresh - accumulated).abs().max() > 0.5


def test_a_targeted_attack_approaches_its_target_and_an_untargeted_one_leaves_the_truth() -> None:
    network, labels = network_for("vector"), LABELS["vector"]
    targets = (CLASSES + 3) % 6
    attack = Attack((0.01,), loss="training")
    away, towards = attacked(attack).images, attacked(replace(attack, targeted=True), targets=targets).images
    assert away is not None and towards is not None
    with torch.no_grad():
        clean = network(pixels())
        true, aimed = torch.from_numpy(CLASSES), torch.from_numpy(targets)
        assert (labels.loss_of(network(away[0]), true) > labels.loss_of(clean, true)).all()
        assert (labels.loss_of(network(towards[0]), aimed) < labels.loss_of(clean, aimed)).all()


def test_without_a_named_target_the_class_of_that_rank_is_aimed_at() -> None:
    network, labels = network_for("vector"), LABELS["vector"]
    with torch.no_grad():
        ranked = nearest_others(labels, network(pixels()), torch.from_numpy(CLASSES), 5).numpy()
    assert all(sorted({*row, true}) == list(range(6)) for row, true in zip(ranked, CLASSES, strict=True))
    for rank in (1, 2, 5):
        attack = Attack((0.05,), targeted=True, target_rank=rank, steps=3, step=0.5)
        chosen, named = attacked(attack), attacked(attack, targets=ranked[:, rank - 1])
        assert torch.equal(chosen.images, named.images)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="expected 1 to 5"):
        attacked(Attack((0.05,), targeted=True, target_rank=6))


@given(
    epsilon=st.floats(0.001, 0.5),
    steps=st.integers(1, 3),
    step=st.floats(0.1, 2.0),
    loss=st.sampled_from(["training", "margin", "cross-entropy"]),
    units=st.sampled_from(["pixels", "normalised"]),
    clamp=st.sampled_from(["range", "image", "none"]),
    start=st.sampled_from(["image", "random"]),
    momentum=st.sampled_from([0.0, 0.25]),
    success=st.sampled_from(["last", "any"]),
)
@settings(deadline=None, max_examples=60)
def test_perturbed_images_stay_in_the_ball_and_in_what_they_are_clamped_to(epsilon: float, **rest: Any) -> None:
    attack = Attack((epsilon,), **rest)
    result = attacked(attack, "category")
    assert result.images is not None
    network = network_for("category")
    change, clean, found = result.images[0] - pixels(), pixels(), result.images[0]
    if attack.units == "normalised":
        change = change / network.std
    assert change.abs().max() <= epsilon + 10 * ROUNDING
    if attack.clamp == "range":
        assert found.min() >= -ROUNDING and found.max() <= 1 + ROUNDING
    if attack.clamp == "image":
        seen, before = (found, clean) if attack.units == "pixels" else map(network.normalise, (found, clean))
        assert (seen.amin((1, 2, 3)) >= before.amin((1, 2, 3)) - 10 * ROUNDING).all()
        assert (seen.amax((1, 2, 3)) <= before.amax((1, 2, 3)) + 10 * ROUNDING).all()


def test_without_projection_steps_add_up_beyond_epsilon() -> None:
    attack = Attack((0.01,), loss="training", steps=4, clamp="none", gradient="accumulated")
    free, held = attacked(replace(attack, projection="none")).images, attacked(attack).images
    assert free is not None and held is not None
    assert (free[0] - pixels()).abs().max() > 0.03
    assert (held[0] - pixels()).abs().max() <= 0.01 + ROUNDING


def test_without_clamp_pixels_leave_the_range() -> None:
    found = attacked(Attack((0.1,), clamp="none")).images
    assert found is not None
    assert found.min() < 0 and found.max() > 1


# Grids, batches and counts


@pytest.mark.parametrize("success", ["last", "any"])
def test_a_grid_of_epsilons_gives_what_each_epsilon_gives_alone(success: str) -> None:
    attack = Attack((0.0, 0.01, 0.03, 0.1), steps=4, step=0.5, success=success)
    together = attacked(attack)
    assert together.images is not None
    for row, epsilon in enumerate(attack.epsilons):
        alone = attacked(replace(attack, epsilons=(epsilon,)))
        np.testing.assert_array_equal(together.predictions[row], alone.predictions[0])
        torch.testing.assert_close(together.images[row], alone.images[0])  # type: ignore[index]


def test_the_first_gradient_is_shared_by_all_epsilons_and_none_is_spent_on_epsilon_zero() -> None:
    result = attacked(Attack((0.0, 0.01, 0.03, 0.1), steps=4, step=0.5))
    assert result.gradients.tolist() == [12, 36, 36, 36]
    assert result.queries == 36


def test_at_epsilon_zero_the_image_is_what_it_was() -> None:
    result = attacked(Attack((0.0,), steps=5))
    assert torch.equal(result.images[0], pixels())  # type: ignore[index]
    np.testing.assert_array_equal(result.predictions[0], CLASSES)


@pytest.mark.parametrize("start", ["image", "random"])
def test_batches_of_any_size_decide_alike(start: str) -> None:
    attack = Attack((0.01, 0.03, 0.1), steps=3, step=0.5, start=start)
    whole = attacked(attack)
    for rows in (1, 7):
        np.testing.assert_array_equal(attacked(attack, rows=rows).predictions, whole.predictions)


def test_images_of_8_bits_are_read_as_pixels_from_0_to_1() -> None:
    network, labels = network_for("vector"), LABELS["vector"]
    stored = (pixels() * 255).round().to(torch.uint8)
    attack = Attack((0.03,), steps=3, step=0.5)
    from_bytes = run_attack(attack, network, labels, stored.permute(0, 2, 3, 1).numpy(), CLASSES, keep_images=True)
    from_floats = run_attack(attack, network, labels, stored.float() / 255, CLASSES, keep_images=True)
    torch.testing.assert_close(from_bytes.images, from_floats.images)


def test_only_what_is_asked_for_is_attacked() -> None:
    attack = Attack((0.0, 0.03, 0.1), steps=3, step=0.5)
    asked = np.random.RandomState(0).rand(3, 12) < 0.4
    partly, wholly = attacked(attack, asked=asked), attacked(attack)
    np.testing.assert_array_equal(partly.predictions, np.where(asked, wholly.predictions, -1))
    assert partly.gradients[1] == asked[1:].sum()
    nothing = attacked(attack, asked=np.zeros_like(asked))
    assert (nothing.predictions == -1).all() and not nothing.gradients.any()


def test_a_mask_or_classes_of_another_length_are_refused() -> None:
    with pytest.raises(InputError, match="2 epsilons x images"):
        attacked(Attack((0.1, 0.2)), asked=np.ones((1, 12), dtype=bool))
    with pytest.raises(InputError, match="11 classes"):
        run_attack(Attack((0.1,)), network_for("vector"), LABELS["vector"], pixels(), CLASSES[:11])


def test_where_any_iterate_counts_broken_images_are_left_alone() -> None:
    attack = Attack((0.01, 0.03, 0.1), loss="margin", steps=6, step=0.4)
    last, any_of = attacked(attack), attacked(replace(attack, success="any"))
    survived = any_of.predictions == CLASSES
    assert ((last.predictions == CLASSES) >= survived).all()
    assert 0 < survived.sum() < survived.size
    assert any_of.gradients.sum() < last.gradients.sum()


def test_restarts_never_leave_more_images_and_are_spent_on_survivors_only() -> None:
    attack = Attack((0.01, 0.03), loss="training", steps=2, step=0.5, start="random", success="any")
    one, five = attacked(attack), attacked(replace(attack, restarts=5))
    survived = one.predictions == CLASSES
    assert (survived >= (five.predictions == CLASSES)).all()
    np.testing.assert_array_equal(one.predictions[~survived], five.predictions[~survived])
    assert one.gradients.sum() < five.gradients.sum() < 5 * one.gradients.sum()


def test_random_starts_repeat_with_their_seed_and_change_with_another() -> None:
    attack = Attack((0.03,), start="random", seed=1)
    first, again, other = attacked(attack), attacked(attack), attacked(replace(attack, seed=2))
    assert torch.equal(first.images, again.images)  # type: ignore[arg-type]
    assert not torch.equal(first.images, other.images)  # type: ignore[arg-type]


def test_noise_is_a_random_start_without_steps() -> None:
    noise = attacked(Attack((0.05,), steps=0, start="random", restarts=3, clamp="none"))
    assert noise.images is not None
    change = (noise.images[0] - pixels()).flatten(1)
    assert change.abs().max() <= 0.05 + ROUNDING
    assert (change.std(dim=1) - 0.1 / 12**0.5).abs().max() < 0.005
    assert not len(noise.gradients) and 12 <= noise.queries <= 36


def test_exactly_zero_gradients_are_counted_where_the_image_is_not_broken() -> None:
    saturated = attacked(Attack((0.03, 0.1), loss="plain-cross-entropy", steps=2, step=0.5))
    assert saturated.zero_gradients.tolist() == saturated.unbroken.tolist() == [12, 24]
    useful = attacked(Attack((0.03, 0.1), loss="dlr", steps=6, step=0.5))
    assert not useful.zero_gradients.any()
    assert useful.unbroken.sum() < useful.gradients.sum()


# What gradients are taken from


def test_gradients_of_an_equal_copy_find_the_same() -> None:
    for success in ("last", "any"):
        attack = Attack((0.0, 0.01, 0.03, 0.1), steps=4, step=0.5, success=success)
        own, copied = (
            attacked(attack, source=source)
            for source in (None, GradientSource(network_for("vector"), LABELS["vector"]))
        )
        np.testing.assert_array_equal(own.predictions, copied.predictions)


@pytest.mark.parametrize("success", ["last", "any"])
def test_a_transferred_attack_follows_the_source_and_is_judged_by_the_attacked_network(success: str) -> None:
    source = GradientSource(network_for("category", seed=5), LABELS["category"])
    attack = Attack((0.2,), loss="margin", clamp="none", success=success)
    result = attacked(attack, source=source)
    expected = pixels() + 0.2 * gradient_of(source.network, source.labels, "margin", pixels()).sign()
    assert result.images is not None
    torch.testing.assert_close(result.images[0], expected)
    with torch.no_grad():
        seen = LABELS["vector"].nearest(network_for("vector")(expected)).numpy()
    np.testing.assert_array_equal(result.predictions[0], seen)


# What is left alone


@pytest.mark.parametrize("start", ["image", "random"])
def test_global_random_state_is_untouched(start: str) -> None:
    def state() -> tuple[object, ...]:
        _, numbers, *rest = np.random.get_state(legacy=True)
        return torch.get_rng_state().tolist(), np.asarray(numbers).tolist(), rest, random.getstate()

    before = state()
    attacked(Attack((0.03,), steps=2, start=start))
    assert state() == before


class Boom(Exception):
    pass


@pytest.mark.parametrize("fails", [False, True])
def test_the_network_is_put_back_as_it_was_also_after_an_exception(fails: bool) -> None:
    network = network_for("vector").train()
    network.backbone.eval()
    network.head.requires_grad_(False)
    modes = [module.training for module in network.modules()]
    wanted = [parameter.requires_grad for parameter in network.parameters()]
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    seen: list[bool] = []

    def report(share: float) -> None:
        seen.append(network.training)
        if fails:
            raise Boom

    try:
        run_attack(Attack((0.03,)), network, LABELS["vector"], pixels(), CLASSES, report=report)
    except Boom:
        assert fails
    assert seen == [False]
    assert modes == [module.training for module in network.modules()]
    assert wanted == [parameter.requires_grad for parameter in network.parameters()]
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())


def test_it_attacks_also_where_the_caller_has_switched_gradients_off() -> None:
    attack = Attack((0.03,), steps=2)
    with torch.no_grad():
        inside = attacked(attack).predictions
    np.testing.assert_array_equal(inside, attacked(attack).predictions)


def test_a_network_whose_outputs_are_not_numbers_is_attacked_without_an_error() -> None:
    network = network_for("vector")
    with torch.no_grad():
        network.head.layers.weight.fill_(torch.nan)  # type: ignore[operator]
    result = run_attack(Attack((0.03,), steps=2), network, LABELS["vector"], pixels(), CLASSES, keep_images=True)
    assert torch.isfinite(result.images).all()  # type: ignore[arg-type]
    assert (result.predictions == 0).all()


def test_progress_is_reported_up_to_all_of_it() -> None:
    shares: list[float] = []
    attacked(Attack((0.03, 0.1), start="random", restarts=2), rows=4, report=shares.append)
    assert shares == sorted(shares)
    assert len(shares) > 4 and shares[-1] == 1.0
