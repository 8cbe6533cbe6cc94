"""Two sides compared by label and seed: differences, exact tests, settings, and the exit code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import permutation_test

from labelbench.cli import cli
from labelbench.comparison import exact_p
from labelbench.errors import InputError, UnknownName

PUBLISHED = Path(__file__).parents[2] / "results"


def compared(*arguments: str) -> int:
    try:
        cli(["compare", *arguments], standalone_mode=False)
    except SystemExit as done:
        return int(done.code or 0)
    return 0


@pytest.fixture(scope="module")
def published() -> tuple[str, str]:
    """The first published folder that is measured for accuracy, twice."""
    folder = str(PUBLISHED / "digits-quick")
    return folder, folder


def test_a_published_folder_differs_in_nothing_from_itself(
    published: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert compared(*published, "--fail-if-worse", "0") == 0
    printed = capsys.readouterr().out
    assert "settings and versions are the same" in printed
    assert "accuracy/nearest" in printed and "+0.0" in printed and "*" not in printed and "-0." not in printed


def test_what_was_made_worse_is_said_with_its_settings_and_gives_three_where_that_is_asked_for(
    published: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worse = tmp_path / "worse"
    shutil.copytree(published[0], worse)
    for file in worse.rglob("accuracy-*.json"):
        text = file.read_text(encoding="utf-8")
        facts = json.loads(text)
        for score in facts["scores"]:
            score["value"] = score["value"] and max(0.0, score["value"] - 0.05)
        facts["environment"]["torch"] = "9.9"
        file.write_text(json.dumps(facts), encoding="utf-8")
    assert compared(published[0], str(worse)) == 0
    printed = capsys.readouterr().out
    assert "-5.0" in printed and f"{worse} alone: labelbench" in printed and "torch 9.9" in printed
    assert compared(published[0], str(worse), "--fail-if-worse", "4.9") == 3
    assert "worse: " in capsys.readouterr().err
    assert compared(published[0], str(worse), "--fail-if-worse", "5.1") == 0
    assert compared(str(worse), published[0], "--fail-if-worse", "0") == 0


def test_the_exact_test_is_the_paired_permutation_test() -> None:
    for seed in range(4):
        numbers = np.random.RandomState(seed).normal(0.3, 1.0, 8)
        expected = permutation_test(
            (numbers, np.zeros(8)), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
        )
        assert exact_p(numbers.tolist()) == pytest.approx(expected.pvalue)
    assert exact_p([1.0] * 5) is None and exact_p([1.0] * 30) is None


def test_what_cannot_be_compared_is_refused_in_one_line(published: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for arguments, error, says in (
        ((published[0], str(tmp_path / "none")), InputError, "no results folder"),
        ((published[0], str(tmp_path / "empty")), InputError, "holds no results"),
        ((*published, "--score", "accuracy/nearst"), UnknownName, "did you mean accuracy/nearest"),
        (("--in", published[0], "quick", "quik"), UnknownName, "did you mean quick"),
        ((published[0], str(PUBLISHED / "cifar10-attacks")), InputError, "in common"),
    ):
        with pytest.raises(error, match=says) as refused:
            cli(["compare", *arguments], standalone_mode=False)
        assert "\n" not in str(refused.value)
