"""The paper's attacks: the engine decides as the official loops do, and what the evaluator makes of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import official_loops as official
from labelbench.errors import InputError
from labelbench.evaluation.scores import Measurement
from labelbench.plugins.lookup import evaluator
from labelbench.runs import Numerics
from labelbench_evaluators.attack_protocols import EPSILONS, PROTOCOLS, paper_targets
from labelbench_evaluators.attacks_paper import attacks_paper

MakeBench = Callable[..., Any]


# The loops take a minute at every epsilon with large labels.
@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "rows"),
    [("category", range(7)), ("low-dim", range(7)), ("64x64", (1, 3, 6)), ("48x48", (2, 5))],
    ids=["category", "low-dim", "64x64", "48x48"],
)
def test_engine_decides_as_the_official_loops_on_every_image_attack_and_mode(
    digit_bench: MakeBench, kind: str, rows: Sequence[int], record_property: Callable[[str, object], None]
) -> None:
    bench = digit_bench(kind, images=210)
    network, labels = bench.network, bench.labels
    images, classes = official.normalised(network, bench.test.images), torch.from_numpy(bench.test.classes)
    found = bench.measured_by(attacks_paper()).arrays
    sensitive = set()
    broken = 0
    for attack in PROTOCOLS["paper"]:
        for row in rows:
            epsilon = EPSILONS[row]
            read, aims = official.official_loop(network, labels, images, classes, epsilon, attack)
            broken += int((read != bench.test.classes).sum())
            if attack.endswith("-targeted"):
                np.testing.assert_array_equal(found["targets"], aims)
            for image in np.flatnonzero(found[attack][row] != read):
                reads = official.reads_when_nudged(network, labels, images[[image]], int(aims[image]), epsilon, attack)
                assert reads != {int(read[image])}, f"{attack} at {epsilon} on image {image}: not the official decision"
                sensitive.add(int(image))
    record_property(f"images of {kind} whose official decision changes when the input moves by 1e-6", sensitive)
    assert len(sensitive) <= 0.005 * len(classes)
    assert broken > len(classes), "attacks that break next to nothing could not tell two engines apart"


# The evaluator


def test_settings_of_the_paper_name_every_quirk_of_its_code_and_corrected_ones_have_none() -> None:
    fgsm, iterative = PROTOCOLS["paper"]["fgsm-untargeted"], PROTOCOLS["paper"]["iterative-targeted"]
    assert (fgsm.units, fgsm.loss, fgsm.steps, fgsm.step, fgsm.clamp) == ("normalised", "training", 1, 1.0, "image")
    assert (iterative.steps, iterative.step, iterative.clamp, iterative.gradient) == (5, 0.2, "none", "accumulated")
    assert fgsm.epsilons == iterative.epsilons == (0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
    assert iterative.targeted and not fgsm.targeted
    for name, attack in PROTOCOLS["corrected"].items():
        assert (attack.clamp, attack.gradient) == ("range", "fresh")
        assert (attack.steps, attack.targeted) == (PROTOCOLS["paper"][name].steps, PROTOCOLS["paper"][name].targeted)


def test_targets_are_other_classes_and_those_of_a_longer_test_set_begin_with_them() -> None:
    classes = np.random.RandomState(0).randint(0, 3, 500)
    targets = paper_targets(classes, 3)
    assert (targets != classes).all()
    assert set(targets) == {0, 1, 2}
    np.testing.assert_array_equal(paper_targets(classes[:100], 3), targets[:100])


def test_accuracy_is_given_over_all_images_and_over_those_read_right(digit_bench: MakeBench) -> None:
    bench = digit_bench("low-dim", images=150)
    found = bench.measured_by(attacks_paper())
    classes = bench.test.classes
    right = found.arrays["clean"] == classes
    assert 0 < right.sum() < len(classes)
    for attack in PROTOCOLS["paper"]:
        for row, epsilon in enumerate(EPSILONS):
            kept = found.arrays[attack][row] == classes
            assert not kept[~right].any()
            over_all, over_right = found[f"{attack}/{epsilon:g}"], found[f"{attack}/{epsilon:g}/of-correct"]
            assert over_all.value == pytest.approx(kept.mean())
            assert over_right.value == pytest.approx(kept[right].mean())
            assert (over_all.count, over_right.count) == (150, right.sum())
            assert over_all.interval is not None and over_right.interval is not None
        assert found[f"{attack}/0"].value == pytest.approx(right.mean())
        assert found.arrays[attack].shape == (7, 150)


def test_record_holds_settings_and_cost(digit_bench: MakeBench) -> None:
    bench = digit_bench("low-dim", images=60)
    found = bench.measured_by(attacks_paper("corrected"))
    right = int((found.arrays["clean"] == bench.test.classes).sum())
    assert found.details["protocol"] == "corrected"
    assert found.details["settings"]["iterative-targeted"]["clamp"] == "range"
    assert found.details["cost"]["fgsm-untargeted"] == {"gradients": right, "queries": 6 * right}
    assert found.details["cost"]["iterative-targeted"] == {"gradients": 25 * right, "queries": 6 * right}
    assert {score.name.partition("/")[0] for score in found.scores} == set(attacks_paper().explanations)
    passes = sum(3 * cost["gradients"] + cost["queries"] for cost in found.details["cost"].values())
    assert attacks_paper().needs(bench.run).passes == pytest.approx(passes / right)


def test_corrected_protocol_counts_targets_that_are_reached(digit_bench: MakeBench) -> None:
    bench = digit_bench("category", images=100)
    found = bench.measured_by(attacks_paper("corrected"))
    right = found.arrays["clean"] == bench.test.classes
    hits = (found.arrays["iterative-targeted"][6] == found.arrays["targets"]) & right
    assert found["iterative-targeted/0.3/target-hit"].value == pytest.approx(hits.mean())
    assert hits.any()
    assert found["iterative-targeted/0/target-hit"].value == 0
    names = {score.name for score in found.scores}
    assert "fgsm-untargeted/0.3/target-hit" not in names
    assert not any("target-hit" in score.name for score in bench.measured_by(attacks_paper("paper")).scores)


def test_an_interrupted_evaluation_goes_on_after_its_last_finished_part(digit_bench: MakeBench) -> None:
    whole = digit_bench("category", images=40)
    expected = whole.measured_by(attacks_paper())
    assert list(whole.parts) == list(PROTOCOLS["paper"])

    resumed = digit_bench("category", images=40)
    resumed.parts.update({name: whole.parts[name] for name in ("fgsm-untargeted", "fgsm-targeted")})
    again = resumed.measured_by(attacks_paper())
    assert again.scores == expected.scores
    assert {doing for doing, _ in resumed.reports} == {"attack iterative-untargeted", "attack iterative-targeted"}
    shares = [share for _, share in resumed.reports]
    assert shares == sorted(shares) and shares[-1] == 1


def accuracies(found: Measurement) -> list[float]:
    return [float(score.value or 0) for score in found.scores if score.name.count("/") == 1]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_fast_numerics_leave_accuracy_where_it_is(digit_bench: MakeBench, precision: str) -> None:
    bench = digit_bench("category", images=200)
    exact = bench.measured_by(attacks_paper())
    bench.run = replace(bench.run, numerics=Numerics(mode="fast", precision=precision))
    bench.parts.clear()
    fast = bench.measured_by(attacks_paper())
    gaps = np.abs(np.subtract(accuracies(exact), accuracies(fast)))
    assert gaps.mean() <= 0.005
    assert gaps.max() <= (0.005 if precision == "float32" else 0.03)


def global_random_state() -> tuple[object, ...]:
    _, numbers, *rest = np.random.get_state(legacy=True)
    return torch.get_rng_state().tolist(), np.asarray(numbers).tolist(), rest, random.getstate()


def test_global_random_state_is_untouched(digit_bench: MakeBench) -> None:
    bench = digit_bench("category", images=20)
    before = global_random_state()
    bench.measured_by(attacks_paper())
    assert global_random_state() == before


def test_another_protocol_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"'papers'; did you mean paper"):
        evaluator("attacks-paper:papers")
    assert attacks_paper() == attacks_paper("paper") != attacks_paper("corrected")
