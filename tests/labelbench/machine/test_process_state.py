"""The state of the process around foreign code: what changed is told and put back, and nothing else is told."""

from __future__ import annotations

import os
import random
import signal
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from labelbench.machine.process_state import kept_state, process_state

# What foreign code does, and the part of the state that it changes.
DONE = {
    "chdir": (lambda: os.chdir("/"), "the current folder"),
    "seed": (lambda: random.seed(1), "Python's random"),
    "draw": (random.random, "Python's random"),
    "filters": (lambda: warnings.simplefilter("once"), "filters of all warnings"),
    "no filters": (warnings.resetwarnings, "filters of all warnings"),
    "numpy seed": (lambda: np.random.seed(1), "numpy.random"),
    "numpy draw": (lambda: np.random.normal(), "numpy.random"),
    "errors": (lambda: np.seterr(all="raise"), "numpy's error handling"),
    "torch seed": (lambda: torch.manual_seed(1), "torch's random state"),
    "dtype": (lambda: torch.set_default_dtype(torch.float64), "torch's default dtype"),
    "gradients": (lambda: torch.set_grad_enabled(False), "torch's gradient mode"),
    "threads": (lambda: torch.set_num_threads(torch.get_num_threads() + 1), "torch's number of threads"),
    "deterministic": (lambda: torch.use_deterministic_algorithms(True), "torch's deterministic algorithms"),
    "oneDNN": (lambda: torch.backends.mkldnn.set_flags(False), "torch's use of oneDNN"),
    "precision": (lambda: torch.set_float32_matmul_precision("medium"), "torch's precision of matrix products"),
    "cuDNN": (lambda: setattr(torch.backends.cudnn, "benchmark", True), "torch's cuDNN switches"),
    "Ctrl-C": (lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), "the handler of Ctrl-C"),
}


@pytest.mark.parametrize("what", DONE)
def test_each_part_is_told_and_put_back(what: str) -> None:
    act, part = DONE[what]
    told: list[list[str]] = []
    before = process_state()
    with kept_state(told.append):
        act()
    assert told == [[part]]
    assert process_state() == before


def test_it_is_put_back_after_an_error_too() -> None:
    told: list[list[str]] = []
    before = process_state()
    with pytest.raises(ZeroDivisionError), kept_state(told.append):
        np.random.seed(1)
        _ = 1 / 0
    assert (told, process_state()) == ([["numpy.random"]], before)


def test_what_is_allowed_may_change_and_what_is_as_before_is_not_told() -> None:
    told: list[list[str]] = []
    with kept_state(told.append, allowed=("torch's random state",)):
        torch.manual_seed(1)
        torch.set_default_dtype(torch.float64)
        torch.set_default_dtype(torch.float32)
        warnings.filterwarnings("ignore", message="x", module="some.library")
    assert told == []


def test_what_is_printed_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with kept_state(lambda changed: None):
        print("loud")
        sys.stdout = sys.stderr
    print("mine")
    assert capsys.readouterr() == ("mine\n", "loud\n")


def test_a_folder_that_is_gone_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    told: list[list[str]] = []
    with kept_state(told.append):
        (tmp_path / "gone").rmdir()
    monkeypatch.chdir(tmp_path)
    assert told == [["the current folder"]]
