"""Checks of evaluators: built-in ones pass, and every promise that is broken is told in a sentence."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from textwrap import indent

import pytest

from labelbench.testing import Finding, assert_fine, check_evaluator

Command = Callable[..., subprocess.CompletedProcess[str]]

PLUGIN = """
from dataclasses import dataclass, replace
import numpy as np
from labelbench import Evaluator, Measurement, Needs, Score, hookimpl

@dataclass(frozen=True)
class Mine(Evaluator):
    setting: object = 1
    explanations = {{"x": "a number"}}

    def evaluate(self, context):
{body}

def make():
    return Mine()
{after}

@hookimpl
def register_evaluators():
    return {{"mine": make}}
"""
FINE = "return Measurement((Score('x', 1.0),))"
# what evaluate does, what else the module says, and words of the answer
BAD = {
    "undeclared": (
        "context.trained(replace(context.run, seed=7))\n" + FINE,
        "",
        ["needs", "it asked for the network of made-up resnet8 category seed 7 without need", "needs(run) names"],
    ),
    "undeclared moment": (
        "context.snapshot(0.5)\n" + FINE,
        "",
        ["needs", "after 50% of training without need", "nothing else is made"],
    ),
    "writes": (
        "import pathlib\npathlib.Path('left-behind.txt').write_text('x')\n" + FINE,
        "",
        ["files", "left-behind.txt written; expected none", "context.part"],
    ),
    "no scores": ("return Measurement(())", "", ["scores", "there are none; expected one or more"]),
    "share above 1": (
        "return Measurement((Score('x', 97.0, 'share'),))",
        "",
        ["scores", "'x' is 97 with unit 'share'; expected 0 to 1"],
    ),
    "direction": (
        "return Measurement((Score('x', 1.0, 'bits', 'up'),))",
        "",
        ["contract", "higher_is_better 'up'; expected True, False or None"],
    ),
    "interval": (
        "return Measurement((Score('x', 1.0, interval=(2.0, 3.0)),))",
        "",
        ["scores", "'x' is 1 with interval (2.0, 3.0); expected one that holds the value"],
    ),
    "changed targets": (
        "context.labels.targets_on(context.outputs().device).zero_()\n" + FINE,
        "",
        ["contract", "evaluate() changed the targets of its labels", "expected that it changes copies"],
    ),
    "changed weights": (
        "next(context.trained().network.parameters()).data.zero_()\n" + FINE,
        "",
        ["contract", "evaluate() changed the weights of made-up resnet8 category seed 0"],
    ),
    "not finite": (
        "return Measurement((Score('x', float('nan')),))",
        "",
        ["contract", "score 'x' is nan; expected a finite number"],
    ),
    "random": (
        "return Measurement((Score('x', np.random.default_rng().random()),))",
        "",
        ["resumed", "gave something else; expected the same", "derive seeds from context.seed"],
    ),
    "hash": (
        "return Measurement((Score('x', float(hash('x') % 97)),))",
        "",
        ["processes", "disagree on the scores of made-up resnet8 category seed 0"],
    ),
    "details": (
        "return Measurement((Score('x', 1.0),), {}, {'found': np.arange(2)})",
        "",
        ["contract", "details cannot be written as JSON"],
    ),
    "objects": (
        "return Measurement((Score('x', 1.0),), {'a': np.array([None])})",
        "",
        ["contract", "array 'a' holds object; expected numbers"],
    ),
    "version": (FINE, "Mine.version = '1.0'", ["settings", "version is '1.0'; expected a whole number"]),
    "settings": (FINE, "make = lambda: Mine({1})", ["settings", "cannot be written as JSON"]),
    "no needs": (FINE, "Mine.needs = lambda self, run: [run]", ["contract", "needs() returned list; expected"]),
    "raising": ("1 / 0", "", ["contract", "evaluate() failed", "ZeroDivisionError", "expected a labelbench.Measure"]),
    "no measurement": ("return 0.5", "", ["contract", "evaluate() returned float; expected labelbench.Measurement"]),
}


@pytest.mark.parametrize(
    "name",
    ["accuracy", "attacks-adaptive:quick", "attacks-paper", "data-efficiency", "feature-views", "label-statistics",
     "learning-curve"],
)  # fmt: skip
def test_a_built_in_evaluator_keeps_its_promises(name: str) -> None:
    assert_fine(check_evaluator(name))


@pytest.mark.parametrize("name", BAD)
def test_a_broken_promise_fails_the_check_with_a_sentence(
    name: str, command: Command, install: Callable[..., dict[str, str]]
) -> None:
    body, after, (check, *told) = BAD[name]
    done = command("check", "mine", env=install("mine", PLUGIN.format(body=indent(body, " " * 8), after=after)))
    assert done.returncode == 3, done.stderr
    lines = [line.split("FAILED")[1].strip() for line in done.stdout.splitlines() if "  FAILED  " in line]
    assert any(line.startswith(check) and all(word in line for word in told) for line in lines), done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_scores_without_an_explanation_are_noted(command: Command, install: Callable[..., dict[str, str]]) -> None:
    body = indent("return Measurement((Score('y/1', 1.0),))", " " * 8)
    done = command("check", "mine", env=install("mine", PLUGIN.format(body=body, after="")))
    assert done.returncode == 0, done.stdout
    assert "note    explanations  none for y/1" in done.stdout


def test_what_is_seen_of_the_scores_is_said() -> None:
    findings = {finding.check: finding for finding in check_evaluator("accuracy")}
    assert findings["scores"] == Finding("scores", "fine", "nearest and threshold")
