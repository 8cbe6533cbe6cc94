"""What an evaluator does wrong fails its own cells; what is absent fails what needs it; everything else is done."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

PLUGIN = """
import sys
from dataclasses import dataclass, replace
from labelbench import Evaluator, Measurement, Needs, Score, hookimpl

@dataclass(frozen=True)
class Mine(Evaluator):
    what: str = ""

    def needs(self, run):
        if self.what == "no-needs":
            sys.exit("no needs")
        return Needs() if self.what == "targets" else Needs((run,))

    def evaluate(self, context):
        if self.what == "targets":
            import torch
            context.labels.targets_on(torch.device("cpu")).neg_()
        elif self.what == "weights":
            next(context.trained().network.parameters()).data.zero_()
        elif self.what == "undeclared":
            try:
                context.outputs(replace(context.run, seed=7))
            except Exception:
                pass
        elif self.what == "exit":
            sys.exit(0)
        elif self.what == "interrupt":
            raise KeyboardInterrupt
        elif self.what == "generator":
            raise GeneratorExit
        else:
            context.outputs().neg_()
        return Measurement((Score("x", 1.0),))

@hookimpl
def register_evaluators():
    return {"a-mine": Mine}
"""
DIGITS = "digits:size=8"
PLACE = f"{DIGITS} resnet8 constant"
SMALL = [
    "run",
    "--dataset",
    DIGITS,
    "--seeds",
    "1",
    "--device",
    "cpu",
    "--threads",
    "1",
    "--label",
    "constant",
    "--backbone",
    "resnet8",
    "--epochs",
    "2",
]
SMALL += ["--train-fraction", "0.2", "--test-images", "50", "--results", "out", "--offline"]
# What an evaluator does -> what is said of its cell.
WRONG = {
    "targets": "evaluate() changed the targets of its labels, which others are given too; expected that it changes",
    "weights": f"evaluate() changed the weights of {PLACE} seed 0",
    "undeclared": f"it asked for the network of {PLACE} seed 7 20% of the data without need; expected",
    "no-needs": f"needs() failed for {PLACE} seed 0 20% of the data: it ended the process: sys.exit",
    "exit": "it ended the process: sys.exit(0)",
    "interrupt": "KeyboardInterrupt",
    "generator": "GeneratorExit",
}


def accuracy(folder: Path) -> object:
    (file,) = (folder / "out" / "digits-size=8").rglob("accuracy-??????????.json")
    return json.loads(file.read_text())["scores"]


def test_what_is_wrong_or_absent_fails_its_own_cells(
    command: Callable[..., subprocess.CompletedProcess[str]], install: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    """Every evaluator that breaks its contract, beside one that keeps it; and a data set that is not here."""
    environment = {**install("mine", PLUGIN), "LABELBENCH_DATA": str(tmp_path / "nothing")}
    forms = [f"a-mine:{what}" for what in (*WRONG, "outputs")]
    beside = [*SMALL, *(part for form in forms for part in ("--evaluator", form)), "--evaluator", "accuracy"]
    beside += ["--dataset", "cifar10", "--dataset", DIGITS]
    for name, options in (("alone", [*SMALL, "--evaluator", "accuracy"]), ("beside", beside)):
        (tmp_path / name).mkdir()
        done = command(*options, env=environment, cwd=tmp_path / name)
    assert done.returncode == 3, done.stderr
    for what, told in WRONG.items():
        (line,) = [
            line
            for line in done.stderr.splitlines()
            if line.startswith(f"failed: {DIGITS}") and f"a-mine:{what}:" in line
        ]
        assert told in line
    assert f"{PLACE} seed 0 20% of the data a-mine:outputs: x 1" in done.stderr
    assert "failed: training cifar10 resnet8 constant seed 0 20% of the data: " in done.stderr
    assert "failed: cifar10 resnet8 constant seed 0 20% of the data accuracy: needs " in done.stderr
    assert f"{PLACE} seed 0 20% of the data accuracy: failed" not in done.stderr
    assert accuracy(tmp_path / "alone") == accuracy(tmp_path / "beside") != []
