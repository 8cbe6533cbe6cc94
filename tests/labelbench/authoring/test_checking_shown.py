"""What an evaluator declares to be shown must be among what it measures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from labelbench.authoring.checking_shown import what_is_not_measured
from labelbench.evaluation.evaluator import Evaluator
from labelbench.evaluation.scores import Measurement, Score
from labelbench.evaluation.shown import Axes, Curve, Headline, Scatter, Strip

LIGHT = Axes("light", "In the dark", "brightness", "share")
FOUND = Measurement(
    (Score("dimmed/0.5", 0.3, at=0.5), Score("best", 0.9)), {"images": np.zeros(1), "read": np.zeros(1)}
)


def made(**declared: Any) -> Evaluator:
    return type("Made", (Evaluator,), {**declared, "evaluate": lambda self, context: FOUND})()


def test_what_is_measured_may_be_shown() -> None:
    fine = made(
        headline=(Headline("best", "best"),),
        curves=(Curve("dimmed", LIGHT),),
        pictures=(Strip("strip", "Strip", "images", "read", "read"),),
    )
    assert list(what_is_not_measured(fine, [FOUND])) == []


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"headline": (Headline("bets", "best"),)}, "did you mean best"),
        ({"headline": (Headline("best", "best"),) * 4}, "3 at most"),
        ({"curves": (Curve("best", LIGHT),)}, "expected scores best/... with `at`"),
        ({"curves": (Curve("", LIGHT),)}, "expected scores ... with `at`"),
        ({"pictures": (Strip("strip", "Strip", "image", "read", "read"),)}, "array 'image'"),
        ({"pictures": (Scatter("cloud", "Cloud", "tsne", "read", "read"),)}, "array 'tsne'"),
    ],
)
def test_what_is_not_measured_is_said(declared: Mapping[str, Any], said: str) -> None:
    (sentence,) = what_is_not_measured(made(**declared), [FOUND])
    assert said in sentence
