"""Whether ``strong`` believes a network that withstands attacks, and sees through one that only seems to.

ResNet-8 on digits, trained for a few epochs on images perturbed within 16/255; and the same whose input is rounded to
few levels before the first layer, so that no gradient passes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

import defended_networks
from labelbench.datasets import Split
from labelbench.evaluation.scores import Measurement
from labelbench.plugins.lookup import evaluator

LABELS = ("category", "speech")
FLAGS = ("overstated", "saturated-loss", "masked-gradients")
IMAGES, EPOCHS = 100, 6


def judged(bench: Any, network: torch.nn.Module, category: torch.nn.Module, argument: str) -> Measurement:
    test = Split(bench.test.images[:IMAGES], bench.test.classes[:IMAGES])
    found = replace(bench, network=network, category=category, test=test, parts={}, reports=[])
    return found.measured_by(evaluator(f"attacks-adaptive:{argument}"))


def raised(found: Measurement) -> set[str]:
    return {name for name in FLAGS if found.details["flags"][name]["raised"]}


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.benchmark(group="false alarms")
def test_a_network_trained_on_attacked_images_keeps_half_and_raises_no_flag(
    label: str, trained: Callable[..., Any], benchmark: Any
) -> None:
    bench, category = trained("resnet8", label), trained("resnet8", "category")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = defended_networks.hardened(bench.network, bench.labels, bench.images.train, 16 / 255, EPOCHS)
    before = judged(bench, bench.network, category.network, "quick,eps=8")
    other = network if label == "category" else category.network
    found = benchmark.pedantic(judged, args=(bench, network, other, "strong,eps=8"), rounds=1)
    shares = {
        "clean": found.arrays["right"].mean(),
        "before": before["adaptive/8"].value,
        **{name: found[name].value for name in ("adaptive/8", "paper/8", *FLAGS)},
    }
    print(f"\n{label}: " + ", ".join(f"{name} {share:.1%}" for name, share in shares.items()), end="")
    benchmark.extra_info |= {name: f"{share:.1%}" for name, share in shares.items()}
    assert found["adaptive/8"].value >= 0.5
    assert raised(found) == set()


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.benchmark(group="false alarms")
def test_a_network_that_rounds_its_input_masks_its_gradients(
    label: str, trained: Callable[..., Any], benchmark: Any
) -> None:
    bench, category = trained("resnet8", label), trained("resnet8", "category")
    masked = copy.deepcopy(bench.network)
    masked.backbone = defended_networks.Rounded(masked.backbone, step=0.5)
    other = masked if label == "category" else category.network
    found = benchmark.pedantic(judged, args=(bench, masked, other, "standard,eps=8+32"), rounds=1)
    print(f"\n{label}: {found.details['flags']['masked-gradients']['evidence']}", end="")
    assert "masked-gradients" in raised(found)
