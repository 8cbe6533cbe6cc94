from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

import labelbench
from labelbench.errors import UnknownName
from labelbench.registry import backbone, evaluator, find_dataset, label

BAD = """
import numpy as np
from labelbench import LabelSet, hookimpl

@hookimpl
def register_labels():
    return {
        "raises": lambda dataset: 1 / 0,
        "array": lambda dataset: np.eye(10),
        "short": lambda dataset: LabelSet(np.eye(3)),
    }

@hookimpl
def register_backbones():
    return {"no-module": lambda size: 3}

@hookimpl
def register_evaluators():
    return {"no-evaluator": lambda: 3}
"""


def test_every_public_name_is_there_and_listed() -> None:
    assert set(labelbench.__all__) <= set(dir(labelbench))
    for name in labelbench.__all__:
        assert getattr(labelbench, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = labelbench.nothing  # type: ignore[attr-defined]


def test_names_are_built() -> None:
    digits = find_dataset("digits")
    assert label("constant", digits).shape == (64, 64)
    assert backbone("resnet8", (32, 32)).num_features == 64
    assert evaluator("accuracy").settings == {"threshold": 3.5}


@pytest.mark.parametrize(
    "build", [lambda: evaluator("x"), lambda: backbone("x", (8, 8)), lambda: label("x", find_dataset("digits"))]
)
def test_unknown_names_are_refused(build: Callable[[], object]) -> None:
    with pytest.raises(UnknownName):
        build()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("label('raises', find_dataset('digits'))", "label 'raises' (bad-things 1.0) failed: ZeroDivisionError"),
        (
            "label('array', find_dataset('digits'))",
            "'array' (bad-things 1.0) returned ndarray; expected labelbench.LabelSet",
        ),
        ("label('short', find_dataset('digits'))", "'short' (bad-things 1.0) returned 3 rows; expected 10 for digits"),
        ("backbone('no-module', (32, 32))", "'no-module' (bad-things 1.0) returned int; expected torch.nn.Module"),
        ("evaluator('no-evaluator')", "'no-evaluator' (bad-things 1.0) returned int; expected labelbench.Evaluator"),
    ],
)
def test_what_a_plugin_returns_is_checked(install: Callable[..., dict[str, str]], call: str, message: str) -> None:
    import os

    code = f"from labelbench.registry import *\n{call}"
    env = {**os.environ, **install("bad-things", BAD)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    assert done.stderr.splitlines()[-1].endswith(f"PluginError: {message}") or message in done.stderr.splitlines()[-1]
