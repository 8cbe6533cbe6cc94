"""One small training, shared by the tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

import labelbench


@pytest.fixture(scope="session")
def trained_here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with ResNet-8 on digits with two labels, measured for accuracy on all test images."""
    folder = tmp_path_factory.mktemp("trained-here") / "results"
    labelbench.run(
        datasets="digits:size=16",
        backbones="resnet8",
        labels=["category", "low-dim"],
        evaluators="accuracy",
        epochs=1,
        train_fraction=0.3,
        device="cpu",
        threads=1,
        results=folder,
        progress=False,
    )
    return folder
