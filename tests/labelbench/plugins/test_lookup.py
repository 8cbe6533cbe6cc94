from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

import labelbench
from labelbench.errors import UnknownName
from labelbench.plugins.lookup import backbone, evaluator, find_dataset, label

BAD = """
import os
import sys
import numpy as np
from labelbench import LabelSet, hookimpl

def interrupts(dataset):
    raise KeyboardInterrupt

def generator():
    raise GeneratorExit

def checked(dataset):
    raise AssertionError

checked.check = lambda dataset: 1 / 0

def rude(dataset):
    import torch
    print("loud")
    os.chdir("/")
    np.random.seed(1)
    torch.set_default_dtype(torch.float64)
    return LabelSet(np.eye(dataset.num_classes))

@hookimpl
def register_labels():
    return {
        "raises": lambda dataset: 1 / 0,
        "array": lambda dataset: np.eye(10),
        "short": lambda dataset: LabelSet(np.eye(3)),
        "exits": lambda dataset: sys.exit(3),
        "interrupts": interrupts,
        "checked": checked,
        "rude": rude,
    }

@hookimpl
def register_backbones():
    return {"no-module": lambda size: 3}

@hookimpl
def register_evaluators():
    return {"no-evaluator": lambda: 3, "generator": generator}
"""


def test_every_public_name_is_there_and_listed() -> None:
    assert set(labelbench.__all__) <= set(dir(labelbench))
    for name in labelbench.__all__:
        assert getattr(labelbench, name) is not None


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


# How a name of the plugin above is built, and what is said of it.
ANSWERS = {
    "label('raises', digits)": "label 'raises' (bad-things 1.0) failed: ZeroDivisionError: division by zero",
    "label('array', digits)": "'array' (bad-things 1.0) returned ndarray; expected labelbench.LabelSet",
    "label('short', digits)": "'short' (bad-things 1.0) returned 3 rows; expected 10 for digits",
    "label('exits', digits)": "label 'exits' (bad-things 1.0) failed: it ended the process: sys.exit(3)",
    "label('interrupts', digits)": "label 'interrupts' (bad-things 1.0) failed: KeyboardInterrupt",
    "backbone('no-module', (32, 32))": "'no-module' (bad-things 1.0) returned int; expected torch.nn.Module",
    "evaluator('no-evaluator')": "'no-evaluator' (bad-things 1.0) returned int; expected labelbench.Evaluator",
    "evaluator('generator')": "evaluator 'generator' (bad-things 1.0) failed: GeneratorExit",
    "check('label', 'checked', digits)": "label 'checked' (bad-things 1.0) failed: ZeroDivisionError: division by zero",
}
LOOK = """
import json, signal
from labelbench.machine.process_state import process_state
from labelbench.plugins.lookup import *
signal.signal(signal.SIGINT, signal.SIG_IGN)
digits, answers = find_dataset("digits"), {}
import torch
before = process_state()
for call in CALLS:
    try:
        eval(call)
    except Exception as error:
        answers[call] = f"{type(error).__name__}: {error}"
    assert process_state() == before
print(json.dumps(answers))
"""


def test_what_a_plugin_does_and_returns_is_checked(install: Callable[..., dict[str, str]]) -> None:
    code = LOOK.replace("CALLS", repr([*ANSWERS, "label('rude', digits)", "label('rude', digits)"]))
    env = {**os.environ, **install("bad-things", BAD)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    assert json.loads(done.stdout) == {call: f"PluginError: {message}" for call, message in ANSWERS.items()}
    assert done.stderr.splitlines() == [
        "loud",
        "labelbench: label 'rude' (bad-things 1.0) changed the current folder, numpy.random, torch's default dtype; "
        "that was put back",
        "loud",
    ]
