"""Findings about attacks: when each is raised, and that its evidence says why."""

from __future__ import annotations

import numpy as np
import pytest

from labelbench_evaluators.attack_diagnosis import (
    large_epsilon_breaks,
    masked_gradients,
    more_steps_help,
    noise_is_weaker,
    overstated,
    saturated_loss,
)

NAMES = ("1/255", "8/255")


@pytest.mark.parametrize(("adaptive", "raised"), [(5, True), (11, False), (30, False)])
def test_overstated_is_raised_over_ten_points_beyond_the_strongest_attack_of_the_paper(
    adaptive: int, raised: bool
) -> None:
    paper = {"fgsm-untargeted": np.array([60, 50]), "iterative-targeted": np.array([20, 20])}
    found = overstated(paper, np.array([20, adaptive]), 100, NAMES)
    assert found.raised is raised
    if raised:
        assert found.value == pytest.approx(0.15)
        assert "at 8/255" in found.evidence
        assert "iterative-targeted, leaves 20.0% of 100 images" in found.evidence
        assert "adaptive attack 5.0%" in found.evidence


def test_a_loss_is_saturated_where_over_one_percent_of_its_gradients_are_zero_and_the_margin_has_one() -> None:
    found = saturated_loss({"training": 11, "margin": 0, "dlr": 0}, 1000)
    assert found.raised and found.value == pytest.approx(0.011)
    assert "training 1.1%" in found.evidence and "1,000 clean images" in found.evidence
    assert not saturated_loss({"training": 10, "margin": 0}, 1000).raised


def test_a_network_that_stops_every_gradient_saturates_no_loss() -> None:
    found = saturated_loss({"training": 990, "margin": 990, "dlr": 985}, 1000)
    assert not found.raised
    assert "network itself" in found.evidence


def masked(tried: int, broken: int) -> bool:
    nothing = np.array([0, 0])
    return masked_gradients(
        {"noise": np.array([50, tried]), "square": nothing}, {"noise": np.array([0, broken]), "square": nothing}, NAMES
    ).raised


def test_gradients_are_masked_where_over_two_percent_of_their_survivors_break_without_them() -> None:
    assert masked(200, 5)
    assert not masked(200, 4)
    assert not masked(200, 0)


def test_two_images_are_chance_however_few_there_are() -> None:
    assert not masked(4, 2)
    assert masked(4, 3)
    for images in (2, 3):
        assert overstated({"fgsm-untargeted": np.array([images])}, np.array([0]), 10, NAMES[:1]).raised == (images == 3)
        assert saturated_loss({"training": images, "margin": 0}, 10).raised == (images == 3)


def test_evidence_of_masked_gradients_names_attack_epsilon_and_counts() -> None:
    found = masked_gradients(
        {"square": np.array([500, 100]), "transfer": np.array([500, 100])},
        {"square": np.array([1, 2]), "transfer": np.array([0, 40])},
        NAMES,
    )
    assert found.value == pytest.approx(0.4)
    assert "of 100 images that survive every gradient attack at 8/255, transfer breaks 40 (40.0%)" in found.evidence


def test_where_nothing_survives_nothing_is_masked() -> None:
    none = {"square": np.array([0, 0])}
    found = masked_gradients(none, none, NAMES)
    assert not found.raised and "nothing survived" in found.evidence


def test_a_raised_cell_is_shown_before_a_larger_share_of_a_handful() -> None:
    found = masked_gradients({"square": np.array([3, 100])}, {"square": np.array([2, 10])}, NAMES)
    assert found.raised and found.value == pytest.approx(0.1)


def test_more_steps_may_not_leave_more_than_two_percent_more_images() -> None:
    steady = {5: np.array([90, 40]), 10: np.array([90, 38]), 20: np.array([91, 38])}
    assert not more_steps_help(steady, 100).raised
    worse = {5: np.array([90, 40]), 10: np.array([90, 43])}
    found = more_steps_help(worse, 100)
    assert found.raised and found.value == pytest.approx(0.03)
    assert "10 steps leave 3 images more than 5" in found.evidence


def test_a_large_epsilon_must_leave_about_nothing() -> None:
    assert not large_epsilon_breaks(2, 100, 0.5).raised
    assert large_epsilon_breaks(3, 100, 0.5).raised
    assert "3 of 100" in large_epsilon_breaks(3, 100, 0.5).evidence


def test_noise_may_not_leave_fewer_than_the_gradient_attacks() -> None:
    assert not noise_is_weaker(np.array([90, 80]), np.array([90, 20]), 100, NAMES).raised
    found = noise_is_weaker(np.array([90, 19]), np.array([90, 20]), 100, NAMES)
    assert found.raised and "at 8/255" in found.evidence
