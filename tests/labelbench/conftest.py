"""Made-up records and small data sets for the core's tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest

from labelbench.evaluation.scores import Measurement, Score
from labelbench.results.records import Cell
from labelbench.results.store import Results
from labelbench.runs import Numerics, RunSpec

_PYTHON = sys.executable


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
        at: float | None = None,
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
            at,
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
def command(tmp_path: Path, forked_python: Path) -> Callable[..., CompletedProcess[str]]:
    """Run the real command in a process and folder of its own: ``command("list", "labels", env={...})``.

    With ``fresh=True``, or options of ``subprocess.run``, by an interpreter that is started for it, as a shell does.
    """
    return partial(_run, tmp_path, forked_python)


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
    return partial(_lay, tmp_path / "site")


def _lay(site: Path, distribution: str, source: str, version: str = "1.0") -> dict[str, str]:
    module = distribution.replace("-", "_")
    info = site / f"{module}-{version}.dist-info"
    info.mkdir(parents=True)
    (site / f"{module}.py").write_text(source, encoding="utf-8")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[labelbench]\n{distribution} = {module}\n")
    return {"PYTHONPATH": str(site)}


def _run(
    folder: Path,
    python: Path,
    *args: str,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    fresh: bool = False,
    **options: Any,
) -> CompletedProcess[str]:
    return subprocess.run(
        [_PYTHON if fresh or options else python, "-m", "labelbench", *args],
        capture_output=True,
        text=True,
        cwd=cwd or folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})},
        timeout=900,
        check=False,
        **options,
    )


HOSTILE = """
from dataclasses import dataclass
import numpy as np
from labelbench import Axes, Curve, Evaluator, Headline, LabelSet, Measurement, Score, Section, hookimpl

def hostile(dataset):
    "<script>alert(2)</script>"
    targets = np.random.RandomState(0).uniform(0, 9, (dataset.num_classes, 24))
    return LabelSet(targets, provenance={"notes": ["</script><script>alert(3)</script>", "<!--"]})

@hookimpl
def register_labels():
    return {"<img src=x onerror=alert(1)>": hostile, "../x": lambda dataset: hostile(dataset)}

@dataclass(frozen=True)
class Dimmed(Evaluator):
    curves = (Curve("dimmed", Axes("brightness", "Accuracy <i>in the dark</i>", "<i>brightness", "share"), "<b>a"),)
    section = Section("Light", "How much light does a label need?")
    headline = (Headline("dimmed/0.25", "<i>dim"),)

    def evaluate(self, context):
        import torch

        pixels = torch.from_numpy(np.array(context.test.images)).permute(0, 3, 1, 2) / 255
        scores = []
        for light in (0.25, 0.5, 1.0):
            with torch.no_grad():
                read = context.labels.nearest(context.trained().network(pixels * light)).numpy()
            hits = int((read == context.test.classes).sum())
            scores.append(Score.share(f"dimmed/{light}", hits, len(read), at=light))
        return Measurement(scores)

@hookimpl
def register_evaluators():
    return {"dimmed": lambda: Dimmed()}
"""


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory: pytest.TempPathFactory, forked_python: Path) -> Path:
    """Folder of a real run, ``results`` in it, with labels of an installed plugin whose names are markup and a path."""
    folder = tmp_path_factory.mktemp("hostile") / "inner"
    folder.mkdir()
    settings = {"LABELBENCH_OFFLINE": "1", "LABELBENCH_CACHE": str(tmp_path_factory.getbasetemp() / "cache")}
    evaluators = ("accuracy", "attacks-paper", "dimmed", "feature-views", "label-statistics")
    done = _run(
        folder,
        forked_python,
        *("run", "--device", "cpu", "--threads", "1", "--dataset", "digits:size=8", "--backbone", "resnet8"),
        *("--label", "category", "--label", "<img src=x onerror=alert(1)>", "--label", "../x"),
        *(part for name in evaluators for part in ("--evaluator", name)),
        *(
            "--seeds",
            "1",
            "--recipe",
            "quick",
            "--epochs",
            "1",
            "--train-fraction",
            "0.1",
            "--test-images",
            "40",
            "--results",
            "results",
        ),
        env={**settings, **_lay(folder.parent / "site", "hostile-names", HOSTILE)},
    )
    assert done.returncode == 0, done.stderr
    return folder
