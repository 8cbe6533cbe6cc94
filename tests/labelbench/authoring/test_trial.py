"""A trial: the real command on a plugin, its controls beside it, and nothing left behind."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from labelbench.authoring.trial import trial_suite
from labelbench.commands.plugins import kind_of

Command = Callable[..., subprocess.CompletedProcess[str]]


def test_a_label_stands_beside_category_and_noise_of_its_own_shape() -> None:
    suite = trial_suite("label", "speech:wav=DIR")
    assert suite.labels == ("category", "random-like:speech:wav=DIR", "speech:wav=DIR")
    assert (suite.datasets, suite.backbones, suite.seeds) == (("digits:size=8",), ("resnet8",), (0,))
    assert suite.tuning and suite.untuned == suite.labels


def test_a_backbone_and_an_evaluator_stand_beside_the_usual_ones() -> None:
    assert trial_suite("backbone", "vgg19").backbones == ("resnet8", "vgg19")
    assert trial_suite("backbone", "vgg19").labels == ("category",)
    assert trial_suite("evaluator", "attacks-paper").evaluators == ("accuracy", "attacks-paper")
    assert trial_suite("evaluator", "attacks-paper").labels == ("category", "uniform-random")
    assert trial_suite("dataset", "cifar10").datasets == ("cifar10",)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("speech", "label"), ("timm:resnet18", "backbone"), ("accuracy", "evaluator"), ("folder:x", "dataset")],
)
def test_the_kind_is_found_from_the_name(name: str, kind: str) -> None:
    assert kind_of(name, None) == kind


def test_a_name_of_several_kinds_is_asked_about(command: Command, install: Callable[..., dict[str, str]]) -> None:
    source = """
import labelbench

@labelbench.hookimpl
def register_labels():
    return {"both": lambda dataset: None}

@labelbench.hookimpl
def register_backbones():
    return {"both": lambda size: None}
"""
    env = install("both", source)
    asked = command("check", "both", env=env)
    assert asked.returncode == 2
    assert asked.stderr.strip() == "labelbench: 'both' is a label and a backbone; say which is meant with --kind label"
    assert "expected torch.nn.Module" in command("check", "both", "--kind", "backbone", env=env).stdout


@pytest.mark.parametrize("line", [["check", "speach"], ["try", "speach"], ["check", "speech", "speach"]])
def test_an_unknown_name_is_told_before_anything_is_done(line: list[str], command: Command) -> None:
    done = command(*line)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        "unknown label, backbone, evaluator or data set 'speach'; did you mean speech? (is its plugin installed?"
        in done.stderr
    )


@pytest.mark.long
def test_a_trial_prints_a_row_for_the_label_and_its_controls_and_keeps_nothing(
    command: Command, tmp_path: Path
) -> None:
    done = command("try", "category-huber", "--threads", "1", env={"TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    firsts = {line.split()[0] for line in done.stdout.splitlines() if line[:1].strip()}
    assert {"category", "category-huber", "random-like:category-huber"} <= firsts
    assert "proves nothing about which is better" in done.stdout
    # One-hot labels under smooth L1 need more than category labels do.
    rates = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines()[0].partition(": ")[2].split(", "))
    assert rates.keys() == {"category", "category-huber", "random-like:category-huber"}
    assert float(rates["category-huber"]) == 0.8 and "tuned for each label" in done.stdout
    assert "C1" not in done.stdout and "Differences" not in done.stdout
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("labelbench-")]
    assert not (tmp_path / "results").exists()


def test_a_trial_that_fails_says_what_and_ends_with_the_code_of_a_failure(
    command: Command, install: Callable[..., dict[str, str]]
) -> None:
    source = """
import labelbench

@labelbench.hookimpl
def register_backbones():
    return {"mine": build}

def build(size):
    raise ValueError("no luck")
"""
    done = command("try", "mine", "--threads", "1", env=install("mine", source))
    assert done.returncode == 3
    failed = (
        "failed: training digits:size=8 mine category seed 0: backbone 'mine' (mine 1.0) failed: ValueError: no luck"
    )
    assert failed in done.stderr
    assert "resnet8" in done.stdout


def test_a_dry_run_says_what_it_would_do(command: Command) -> None:
    done = command("try", "hadamard", "--dry-run")
    assert done.returncode == 0
    assert done.stdout.startswith(
        "would train category, random-like:hadamard and hadamard on resnet8, 16 epochs of digits:size=8"
    )
