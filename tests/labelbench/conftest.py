"""Made-up records and small data sets for the core's tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labelbench.evaluation import Measurement, Score
from labelbench.results import Cell, Results
from labelbench.runs import Numerics, RunSpec


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Results]:
    """Save one made-up measurement: ``save("category", seed=1, value=0.5)`` returns the results folder."""
    results = Results(tmp_path / "results")

    def save_one(
        label: str,
        *,
        seed: int = 0,
        value: float | None = 0.5,
        score: str = "nearest",
        evaluator: str = "accuracy",
        version: int = 1,
        backbone: str = "resnet8",
        identity: str = "1234567890",
        torch: str = "2.15.0",
        fingerprint: str = "fedcba9876543210",
        notes: tuple[str, ...] = (),
        diverged: bool = False,
        test_images: int | None = None,
        **run: Any,
    ) -> Results:
        spec = RunSpec("digits", label, backbone, seed, **{"numerics": Numerics(threads=2), **run})
        if not backbone:
            spec = spec.of_labels
        found = Score(
            score,
            value,
            "share",
            True,
            (0.4, 0.6) if value is not None else None,
            100,
            "" if value is not None else "nothing to see",
        )
        facts = {
            "evaluator": {"settings": {}, "plugin": "labelbench 0.1.0"},
            "label": {"sha256": identity, "identity": identity, "shape": [10], "loss": "mse", "notes": list(notes)},
            "images": {"fingerprint": fingerprint, "train": 1442, "test": 355, "source": "made up"},
            "environment": {"labelbench": "0.1.0", "torch": torch},
        }
        scores = () if diverged else (found,)
        results.save_measurement(
            Cell(spec, evaluator, version, test_images), Measurement(scores), facts, diverged=diverged
        )
        return results

    return save_one


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the real command in a process and folder of its own: ``command("list", "labels", env={...})``."""

    def run(*args: str, env: dict[str, str] | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "labelbench", *args],
            capture_output=True,
            text=True,
            cwd=options.pop("cwd", tmp_path),
            env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})},
            timeout=300,
            check=False,
            **options,
        )

    return run


@pytest.fixture
def images_folder(tmp_path: Path) -> Path:
    """A folder of images of two colours: two classes, twelve training and six test images each."""
    from PIL import Image

    random = np.random.RandomState(0)
    for part, count in (("train", 12), ("test", 6)):
        for level, name in ((40, "dark_thing"), (200, "light_thing")):
            folder = tmp_path / "images" / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                pixels = np.clip(level + random.randint(-30, 30, (32, 32, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.png")
    return tmp_path / "images"


@pytest.fixture
def install(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Lay a plugin distribution on the path of child processes: ``env=install("my-plugin", source)``."""
    site = tmp_path / "site"

    def lay(distribution: str, source: str, version: str = "1.0") -> dict[str, str]:
        module = distribution.replace("-", "_")
        info = site / f"{module}-{version}.dist-info"
        info.mkdir(parents=True)
        (site / f"{module}.py").write_text(source, encoding="utf-8")
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[labelbench]\n{distribution} = {module}\n")
        return {"PYTHONPATH": str(site)}

    return lay
