"""One small training, shared by the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

import labelbench
from labelbench.recipes import RECIPES
from labelbench.suite import Suite


@pytest.fixture(scope="session")
def trained_here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with ResNet-8 on digits with two labels, measured for accuracy on all test images."""
    folder = tmp_path_factory.mktemp("trained-here") / "results"
    labelbench.run(
        Suite(
            "here",
            ("digits:size=16",),
            ("category", "low-dim"),
            ("resnet8",),
            ("accuracy",),
            recipe=RECIPES["quick"],
            train_fraction=0.3,
        ),
        epochs=1,
        device="cpu",
        threads=1,
        results=folder,
        progress=False,
    )
    return folder
