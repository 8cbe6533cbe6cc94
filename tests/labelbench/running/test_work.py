"""One evaluator cannot change what another is given."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

PLUGIN = """
from dataclasses import dataclass
from labelbench import Evaluator, Measurement, Needs, Score, hookimpl

@dataclass(frozen=True)
class Mine(Evaluator):
    what: str = ""

    def needs(self, run):
        return Needs() if self.what == "targets" else Needs((run,))

    def evaluate(self, context):
        if self.what == "targets":
            import torch
            context.labels.targets_on(torch.device("cpu")).neg_()
        elif self.what == "weights":
            next(context.trained().network.parameters()).data.zero_()
        else:
            context.outputs().neg_()
        return Measurement((Score("x", 1.0),))

@hookimpl
def register_evaluators():
    return {"a-mine": Mine}
"""
SMALL = ["run", "--device", "cpu", "--threads", "1", "--label", "constant", "--backbone", "resnet8", "--epochs", "2"]
SMALL += ["--train-fraction", "0.2", "--test-images", "50", "--results", "out"]


def accuracy(folder: Path) -> object:
    (file,) = folder.rglob("accuracy-*.json")
    return json.loads(file.read_text())["scores"]


def test_what_an_evaluator_changes_is_refused_or_a_copy(
    command: Callable[..., subprocess.CompletedProcess[str]], install: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    environment = install("mine", PLUGIN)
    forms = ["a-mine:targets", "a-mine:weights", "a-mine:outputs"]
    with_them = [*SMALL, *(part for form in forms for part in ("--evaluator", form)), "--evaluator", "accuracy"]
    for name, options in (("alone", [*SMALL, "--evaluator", "accuracy"]), ("beside", with_them)):
        (tmp_path / name).mkdir()
        done = command(*options, env=environment, cwd=tmp_path / name)
    assert done.returncode == 3, done.stderr
    assert "a-mine:targets: failed" in done.stderr and "a-mine:weights: failed" in done.stderr
    assert "expected that it changes copies" in done.stderr and "a-mine:outputs: failed" not in done.stderr
    assert accuracy(tmp_path / "alone") == accuracy(tmp_path / "beside")
