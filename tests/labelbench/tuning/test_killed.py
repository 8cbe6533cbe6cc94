"""`labelbench tune` from the outside: killed, taken up again, and joined by a label later."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from labelbench.cli import cli

OPTIONS = [
    "--recipe",
    "quick",
    "--dataset",
    "digits:size=8",
    "--backbone",
    "resnet8",
    "--epochs",
    "1",
    "--train-fraction",
    "0.1",
]
OPTIONS += ["--threads", "1", "--device", "cpu", "--grid", "learning-rate=0.1,0.5"]
LABELS = ["--label", "category", "--label", "low-dim"]


def tune(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, str]:
    """What the command prints on standard output and standard error."""
    cli(["tune", *arguments], standalone_mode=False)
    return capsys.readouterr()


def test_a_tuning_that_was_killed_goes_on_and_a_later_label_is_tuned_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, output = tmp_path / "tuning", tmp_path / "tuned.toml"
    asked = [*OPTIONS, "--results", str(folder), "--output", str(output)]
    killed = subprocess.Popen(
        [sys.executable, "-m", "labelbench", "tune", *LABELS, *asked],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not (finished := list(folder.rglob("training.json"))) and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.kill()
    assert killed.wait() == -9 and 1 <= len(finished) < 4 and not output.exists()
    before = {file: file.read_bytes() for file in folder.rglob("training.json")}

    _, error = tune(capsys, *LABELS, *asked)
    assert f"2 labels, {4 - len(before)} of 4 trainings to do" in error
    assert all(file.read_bytes() == content for file, content in before.items())
    alone = tmp_path / "alone.toml"
    tune(capsys, *LABELS, *OPTIONS, "--results", str(tmp_path / "other"), "--output", str(alone))
    first, second = (re.sub(r"seconds = \d+", "", file.read_text()) for file in (output, alone))
    assert first == second and "[recipes.low-dim]" in first

    joined = [
        "--suite",
        str(output),
        "--label",
        "constant",
        "--threads",
        "1",
        "--device",
        "cpu",
        "--results",
        str(folder),
    ]
    _, error = tune(capsys, *joined, "--output", str(output))
    assert "3 labels, 2 of 2 trainings to do" in error
    assert first[first.index("[recipes.category]") : first.index("[recipes.low-dim]")] in output.read_text()
    assert "[recipes.constant]" in output.read_text()
    _, error = tune(capsys, *joined, "--grid", "learning-rate=0.1,0.5,1", "--dry-run")
    assert "3 labels, 3 of 3 trainings to do" in error


def test_a_label_that_joins_a_shipped_suite_gets_the_budget_of_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, error = tune(capsys, "--label", "hadamard", "--dry-run", "--results", str(tmp_path / "tuning"))
    assert "10 labels, 16 of 16 trainings to do" in error
