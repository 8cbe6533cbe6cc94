"""The adaptive attack: the worst case it finds, what it costs, and whether its flags can be trusted."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import defended_networks as defended
from labelbench import Evaluator
from labelbench.attacks.engine import Attack, run_attack
from labelbench.errors import InputError
from labelbench.evaluation.scores import Measurement
from labelbench.optimizers import SGD
from labelbench.plugins.lookup import evaluator
from labelbench.recipes import Recipe
from labelbench.runs import RunSpec
from labelbench_evaluators import attack_search
from labelbench_evaluators.attack_libraries import Classifier
from labelbench_evaluators.attack_presets import STRENGTHS, Library
from labelbench_evaluators.attack_search import Attacker, Survivors, downwards
from labelbench_evaluators.attacks_adaptive import EPSILONS, AdaptiveAttacks, attacks_adaptive, transfer_run

MakeBench = Callable[..., Any]
FLAGS = ("overstated", "saturated-loss", "masked-gradients")


def made(argument: str) -> Evaluator:
    return evaluator(f"attacks-adaptive:{argument}")


def measured(bench: Any, argument: str = "quick") -> Measurement:
    bench.parts.clear()
    found = bench.measured_by(made(argument))
    assert json.loads(json.dumps(found.details)) is not None
    return found


def accuracy(found: Measurement, name: str) -> list[float]:
    return [float(found[f"{name}/{epsilon:g}"].value or 0) for epsilon in EPSILONS]


def raised(found: Measurement) -> set[str]:
    return {name for name in FLAGS if found.details["flags"][name]["raised"]}


def global_random_state() -> tuple[object, ...]:
    _, numbers, *rest = np.random.get_state(legacy=True)
    return torch.get_rng_state().tolist(), np.asarray(numbers).tolist(), rest, random.getstate()


# What it asks for


def test_it_needs_its_network_and_that_of_category_labels() -> None:
    run = RunSpec("digits", "speech", "resnet8", 3)
    needs = attacks_adaptive().needs(run)
    assert needs.trainings == (run, replace(run, label="category"))
    assert needs.snapshots == ()
    own = replace(run, label="category")
    assert attacks_adaptive().needs(own).trainings == (own,)


def test_labels_tuned_by_one_grid_have_one_category_network_to_transfer_from() -> None:
    def tuned(label: str, rate: float) -> RunSpec:
        recipe = replace(Recipe(optimizer=SGD(learning_rate=rate)), tuned=("learning_rate",), tuning="two rates")
        return RunSpec("digits", label, "resnet8", 0, recipe=recipe)

    found = {
        transfer_run(tuned(label, rate)) for label, rate in (("speech", 0.4), ("constant", 0.1), ("category", 0.2))
    }
    assert found == {RunSpec("digits", "category", "resnet8", 0, recipe=Recipe())}


def test_the_category_run_keeps_the_files_of_its_data_set_and_not_those_of_the_label() -> None:
    run = RunSpec("folder:pets", "npy:a.npy", "resnet8", 0, files=(("a.npy", "1" * 64), ("pets", "2" * 64)))
    category = transfer_run(run)
    assert category is not None
    assert (category.label, category.files) == ("category", (("pets", "2" * 64),))


@pytest.mark.parametrize(
    "argument", ["weak", "quick,eps=", "quick,eps=2+1", "quick,eps=0+1", "quick,eps=1+1", "quick,1e9"]
)
def test_another_argument_is_refused_in_one_line(argument: str) -> None:
    with pytest.raises(InputError, match=r"expected|known") as refused:
        made(argument)
    assert "\n" not in str(refused.value)


def test_arguments_choose_strength_and_epsilons() -> None:
    assert attacks_adaptive() == attacks_adaptive("standard")
    assert attacks_adaptive("strong").epsilons == EPSILONS
    assert made("quick,eps=0.5+3").epsilons == (0.5, 3.0)
    assert made("strong,eps=1,autoattack") == AdaptiveAttacks("strong", (1.0,), autoattack=True)
    assert made("strong,autoattack").autoattack and not attacks_adaptive("strong").autoattack


# Presets


def test_presets_grow_and_cover_every_loss_untargeted_and_targeted() -> None:
    losses = {"training", "cross-entropy", "margin", "dlr"}
    for name, strength in STRENGTHS.items():
        assert {attack.loss for attack in strength.gradient.values()} == losses
        assert all(attack.success == "any" and attack.clamp == "range" for attack in strength.gradient.values())
        if name != "quick":
            assert {attack.loss for attack in strength.gradient.values() if attack.targeted} == losses
    steps = [
        sum(attack.steps * attack.restarts for attack in STRENGTHS[name].gradient.values())
        for name in ("quick", "standard", "strong")
    ]
    assert steps == sorted(steps) and steps[0] < steps[1] < steps[2]


def test_attacks_that_a_label_has_too_few_classes_for_are_left_out() -> None:
    strength = STRENGTHS["standard"]
    assert set(dict(strength.attacks(10))) == set(strength.gradient)
    of_three = dict(strength.attacks(3))
    assert "dlr-random" in of_three and "dlr-targeted-1" not in of_three
    assert {attack.target_rank for attack in of_three.values() if attack.targeted} == {1, 2}
    of_two = dict(strength.attacks(2))
    assert not any("dlr" in name for name in of_two)
    assert "margin-targeted-1" in of_two and "margin-targeted-2" not in of_two


# The worst case


def test_what_breaks_within_a_small_ball_is_broken_within_larger_ones_and_stays_broken() -> None:
    survivors = Survivors(np.array([0, 1, 2]), np.tile([True, True, False], (3, 1)))
    survivors.add("first", np.array([[0, 1, -1], [5, 1, -1], [0, 1, -1]]))
    np.testing.assert_array_equal(survivors.alive, [[1, 1, 0], [0, 1, 0], [0, 1, 0]])
    survivors.add("second", np.array([[7, 1, -1], [-1, 1, -1], [-1, 4, -1]]))
    np.testing.assert_array_equal(survivors.alive, [[0, 1, 0], [0, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(survivors.broken_by, [[1, -1, -1], [0, -1, -1], [0, 1, -1]])
    assert survivors.names == ["first", "second"]


@pytest.mark.parametrize(("step", "everyone"), [(0.2, True), (1e-9, False)])
def test_another_library_s_attack_goes_beyond_its_sample_only_where_the_sample_breaks(
    digit_bench: MakeBench, step: float, everyone: bool
) -> None:
    bench = digit_bench("category", images=60)
    right = bench.labels.nearest(bench.context.outputs()).numpy() == bench.test.classes
    part = Attacker(bench.context).library(Library("square", amount=20, sample=10), (step,), right[None])
    tried = part["read"][0] != -1
    assert not tried[~right].any()
    assert tried.sum() == (right.sum() if everyone else 10)
    assert (part["read"][0] != bench.test.classes)[tried].any() == everyone


def test_an_attack_goes_down_from_the_largest_epsilon_that_was_survived_as_long_as_it_breaks() -> None:
    alive = np.array([[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 0, 0]], dtype=bool)
    weakest_broken = np.array([2, 0, 1, 0])
    calls = []

    def attack(asked: np.ndarray) -> dict[str, np.ndarray]:
        calls.append(asked.astype(int).tolist())
        breaks = np.arange(3)[:, None] >= weakest_broken
        return {"read": np.where(asked, breaks.astype(int), -1), "queries": np.array([asked.sum()])}

    found = downwards(np.zeros(4, dtype=int), alive, attack)
    assert calls == [
        [[0, 0, 0, 0], [0, 0, 1, 0], [1, 1, 0, 0]],
        [[0, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]],
        [[0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]],
    ]
    np.testing.assert_array_equal(found["read"], [[-1, 1, 0, -1], [0, 1, 1, -1], [1, 1, -1, -1]])
    assert found["queries"].tolist() == [7]


@pytest.mark.parametrize("kind", ["category", "low-dim"])
def test_accuracy_falls_with_epsilon_and_lies_below_every_single_attack_and_noise(
    digit_bench: MakeBench, kind: str
) -> None:
    bench = digit_bench(kind, images=120)
    found = measured(bench)
    adaptive = accuracy(found, "adaptive")
    clean = float(found.arrays["right"].mean())
    assert adaptive == sorted(adaptive, reverse=True)
    assert clean >= adaptive[0] and adaptive[-1] < clean - 0.1
    assert all(low <= high for low, high in zip(adaptive, accuracy(found, "noise"), strict=True))
    classes = bench.test.classes
    for name in ("pixels margin", "square"):
        read = bench.parts[name]["read"]
        assert ((found.arrays["survived"] & (read != -1)) <= (read == classes)).all()
    single = Attack(tuple(step / 255 for step in EPSILONS), loss="training", steps=10, step=0.25)
    left = run_attack(single, bench.network, bench.labels, bench.test.images, classes).predictions == classes
    assert (found.arrays["survived"].sum(axis=1) <= left.sum(axis=1)).all()


def test_the_strongest_of_the_paper_s_attacks_is_shown_within_the_same_epsilons(digit_bench: MakeBench) -> None:
    bench = digit_bench("low-dim", images=60)
    found = measured(bench)
    left = [
        (bench.parts[f"paper {method}-{mode}"]["read"] == bench.test.classes).mean(axis=1)
        for method in ("fgsm", "iterative")
        for mode in ("untargeted", "targeted")
    ]
    assert accuracy(found, "paper") == pytest.approx(np.min(left, axis=0))
    gaps = np.subtract(accuracy(found, "paper"), accuracy(found, "adaptive"))
    assert found["overstated"].value == pytest.approx(gaps.max())
    assert (found.details["flags"]["overstated"]["raised"]) == (gaps.max() > 0.1)


def test_both_denominators_and_intervals_are_given(digit_bench: MakeBench) -> None:
    found = measured(digit_bench("category", images=60))
    right = int(found.arrays["right"].sum())
    for epsilon in EPSILONS:
        over_all, over_right = found[f"adaptive/{epsilon:g}"], found[f"adaptive/{epsilon:g}/of-correct"]
        assert (over_all.count, over_right.count) == (60, right)
        assert over_all.interval is not None and over_right.interval is not None
        assert over_all.value == pytest.approx(float(over_right.value or 0) * right / 60)


def test_the_first_attack_sees_every_image_and_later_ones_survivors_only(digit_bench: MakeBench) -> None:
    bench = digit_bench("category", images=80)
    found = measured(bench)
    alive = np.tile(found.arrays["right"], (len(EPSILONS), 1))
    for index, name in enumerate(found.details["settings"]):
        tried = bench.parts[f"pixels {name}"]["read"] != -1
        assert (tried <= alive).all() and (index or tried.sum() == alive.sum())
        assert (tried.any(axis=0) == alive.any(axis=0)).all()
        broken = tried & (bench.parts[f"pixels {name}"]["read"] != bench.test.classes)
        alive &= ~np.logical_or.accumulate(broken, axis=0)
        # Each survivor withstood this attack at the largest epsilon it lives at, or at a larger one.
        largest = alive.sum(axis=0) - 1
        withstood = np.where(tried & ~broken, np.arange(len(EPSILONS))[:, None], -1).max(axis=0)
        assert (withstood >= largest).all()


def test_images_of_the_record_tell_who_broke_what(digit_bench: MakeBench) -> None:
    found = measured(digit_bench("category", images=80))
    names = found.details["attacks"]
    by = found.arrays["broken_by"]
    broken = found.arrays["right"] & ~found.arrays["survived"]
    np.testing.assert_array_equal(by >= 0, broken)
    assert by.max() < len(names) and names[0] == "margin" and names[-1] == "square"


def test_examples_show_images_before_and_after(digit_bench: MakeBench) -> None:
    bench = digit_bench("category", images=80)
    found = measured(bench).arrays
    assert found["example_images"].shape == (8, 2, 16, 16, 3)
    np.testing.assert_array_equal(found["example_images"][:, 0], bench.test.images[found["examples"]])
    before, after = found["example_read"].T
    np.testing.assert_array_equal(before, bench.test.classes[found["examples"]])
    assert (before != after).any()
    change = np.abs(np.diff(found["example_images"].astype(int), axis=1)).max(axis=(1, 2, 3, 4))
    assert (change <= np.ceil(found["example_epsilon"] * 255)).all()


def test_given_epsilons_alone_are_attacked(digit_bench: MakeBench) -> None:
    bench = digit_bench("category", images=40)
    found = measured(bench, "quick,eps=2+16")
    names = {score.name for score in found.scores if score.name.startswith("adaptive/")}
    assert names == {"adaptive/2", "adaptive/2/of-correct", "adaptive/16", "adaptive/16/of-correct"}
    whole = measured(bench, "quick")
    assert found["adaptive/2"].value == pytest.approx(float(whole["adaptive/2"].value or 0), abs=0.026)


def test_cost_counts_what_was_done_to_the_network(digit_bench: MakeBench) -> None:
    bench = digit_bench("category", images=40)
    seen = {"gradients": 0, "queries": 0}

    def count(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen["gradients" if inputs[0].requires_grad else "queries"] += len(inputs[0])

    bench.parts.clear()
    bench.network = copy.deepcopy(bench.network)
    clean_and_examples = 40
    hook = bench.network.backbone.register_forward_pre_hook(count)
    found = bench.measured_by(attacks_adaptive("quick"))
    hook.remove()
    cost = found.details["cost"]
    passes = sum(3 * part["gradients"] + part["queries"] for part in cost.values())
    assert 0.3 < attacks_adaptive("quick").needs(bench.run).passes / (passes / 40) < 3
    examples = run_attack(
        replace(STRENGTHS["quick"].gradient["margin"], epsilons=tuple(step / 255 for step in EPSILONS)),
        bench.network,
        bench.labels,
        bench.test.images[found.arrays["examples"]],
        bench.test.classes[found.arrays["examples"]],
    )
    assert seen["gradients"] == sum(part["gradients"] for part in cost.values()) + examples.gradients.sum()
    assert seen["queries"] == sum(part["queries"] for part in cost.values()) + examples.queries + clean_and_examples


def test_every_random_start_is_at_points_of_its_own(digit_bench: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = digit_bench("low-dim", images=10)
    seeds: dict[str, set[int]] = {"attacks": set(), "noise": set()}

    def note(attack: Attack, *args: Any, **rest: Any) -> Any:
        if attack.start == "random":
            seeds["attacks" if attack.steps else "noise"].add(attack.seed)
        return run_attack(attack, *args, **rest)

    monkeypatch.setattr(attack_search, "run_attack", note)
    found = measured(bench, "standard,eps=2")
    from_random = [name for name, settings in found.details["settings"].items() if settings["start"] == "random"]
    assert len(from_random) == len(seeds["attacks"]) == 11
    assert len(seeds["noise"]) == 1 and not seeds["noise"] & seeds["attacks"]


# Resuming, and leaving things alone


def test_an_interrupted_evaluation_goes_on_after_its_last_finished_part(digit_bench: MakeBench) -> None:
    bench = digit_bench("low-dim", images=30)
    expected = measured(bench)
    finished = dict(list(bench.parts.items())[:14])
    names = list(bench.parts)
    bench.parts = dict(finished)
    bench.reports.clear()
    again = bench.measured_by(attacks_adaptive("quick"))
    assert again.scores == expected.scores and again.details == expected.details
    for name, array in expected.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)
    assert list(bench.parts) == names
    shares = [share for _, share in bench.reports]
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1.0)


def test_global_random_state_and_network_are_left_alone(digit_bench: MakeBench) -> None:
    bench = digit_bench("low-dim", images=16)
    weights = {name: value.clone() for name, value in bench.network.state_dict().items()}
    before = global_random_state()
    measured(bench)
    assert global_random_state() == before
    assert all(torch.equal(value, weights[name]) for name, value in bench.network.state_dict().items())
    assert all(parameter.requires_grad for parameter in bench.network.parameters())


# Flags


@pytest.mark.parametrize("kind", ["category", "low-dim"])
def test_a_network_that_rounds_its_input_masks_its_gradients(digit_bench: MakeBench, kind: str) -> None:
    bench = digit_bench(kind, images=120)
    masked = copy.deepcopy(bench.network)
    masked.backbone = defended.Rounded(masked.backbone, step=0.05)
    bench.network = masked
    if kind == "category":
        bench.category = masked
    found = measured(bench, "quick,eps=8+32")
    assert "masked-gradients" in raised(found)
    assert "saturated-loss" not in raised(found)
    evidence = found.details["flags"]["masked-gradients"]["evidence"]
    assert "survive every gradient attack at" in evidence
    assert found["masked-gradients"].note == evidence and found["masked-gradients"].flag == "masked-gradients"
    assert found.details["checks"]["large-epsilon"]["raised"]


def test_a_loss_that_underflows_is_found_saturated_and_the_worst_case_does_not_need_it(digit_bench: MakeBench) -> None:
    bench = digit_bench("category", images=80)
    expected = accuracy(measured(bench), "adaptive")
    sure = copy.deepcopy(bench.network)
    with torch.no_grad():
        sure.head.layers.weight.mul_(1000)
        sure.head.layers.bias.mul_(1000)
    bench.network = bench.category = sure
    found = measured(bench)
    assert "saturated-loss" in raised(found)
    assert "training" in found["saturated-loss"].note and "margin 0.0%" in found["saturated-loss"].note
    assert accuracy(found, "adaptive") == pytest.approx(expected, abs=0.02)


def test_plain_cross_entropy_on_distances_has_no_gradient_where_ours_has(digit_bench: MakeBench) -> None:
    found = measured(digit_bench("16x16", images=20), "quick,eps=1")
    zero = found.details["clean_zero_gradients"]
    assert zero["plain-cross-entropy"] == zero["images"] > 0
    assert zero["cross-entropy"] == zero["margin"] == zero["training"] == 0
    assert "saturated-loss" not in raised(found)


@pytest.mark.parametrize("kind", ["category", "16x16"])
def test_a_network_trained_to_withstand_attacks_raises_no_flag(digit_bench: MakeBench, kind: str) -> None:
    bench = digit_bench(kind, images=80)
    plain = float(measured(bench, "quick,eps=8")["adaptive/8"].value or 0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        train = bench.context.images.train
        bench.network = defended.hardened(bench.network, bench.labels, train, 16 / 255, epochs=4)
    found = measured(bench, "standard,eps=8")
    left = float(found["adaptive/8"].value or 0)
    assert left > 0.5 and left > plain
    assert raised(found) == set()
    assert not any(check["raised"] for check in found.details["checks"].values())


# Against the libraries


@pytest.mark.parametrize("kind", ["category", "low-dim", "16x16"])
def test_standard_reads_no_more_than_targeted_apgd_and_square_with_fewer_gradients(
    digit_bench: MakeBench, kind: str
) -> None:
    import torchattacks

    bench = digit_bench(kind, images=80)
    classifier = Classifier(bench.network, bench.labels).eval()
    pixels = torch.from_numpy(np.array(bench.test.images)).permute(0, 3, 1, 2).float() / 255
    classes = torch.from_numpy(bench.test.classes)
    epsilon = 8 if kind == "category" else 5
    left = torch.arange(len(classes))
    with torch.random.fork_rng(devices=[]):
        for attack in (
            torchattacks.APGDT(classifier, eps=epsilon / 255, steps=20, n_classes=10),
            torchattacks.Square(classifier, eps=epsilon / 255, n_queries=300),
        ):
            found = attack(pixels[left], classes[left]).detach()
            with torch.no_grad():
                left = left[bench.labels.nearest(bench.network(found)) == classes[left]]
    theirs = len(left) / len(classes)
    found = measured(bench, f"standard,eps={epsilon}")
    assert 0.2 < theirs < 0.8
    assert float(found[f"adaptive/{epsilon}"].value or 0) <= theirs + 0.005
    assert found.details["cost_of_worst_case"]["gradients"] < classifier.gradients
