"""Two sides compared by label and seed: differences, exact tests, settings, and the exit code."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.stats import binomtest, permutation_test

from labelbench.cli import cli
from labelbench.comparison import compare, exact_p
from labelbench.errors import InputError, UnknownName
from labelbench.results.reading import read
from labelbench.results.records import Record
from labelbench.results.store import Results
from labelbench.same_images import compared_networks, mcnemar
from made_up import record

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
    assert "accuracy/nearest" in printed and "+0.0" in printed and "*" not in printed and "-0.0" not in printed


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


def test_seeds_that_differ_by_one_image_each_are_as_unsure_as_on_the_leaderboard() -> None:
    values = (0.900, 0.905, 0.910)
    one, other = (
        [record("speech", seed, "accuracy", {"nearest": value + more}) for seed, value in enumerate(values)]
        for more in (0.0, 0.001)
    )
    (line,) = compare(one, other).lines
    # 1,000 images, so that a difference is known to a step of 0.001, whose spread is step / sqrt(6).
    half = stats.t.ppf(0.975, 2) * 0.001 / math.sqrt(6) / math.sqrt(3)
    assert line.difference.interval == pytest.approx((0.001 - half, 0.001 + half))
    assert not line.difference.separated


def test_what_two_sides_mean_by_one_name_is_said_where_it_differs() -> None:
    def side(identity: str, version: int, test_images: int) -> list[Record]:
        made = [record(name, 0, "accuracy", {"nearest": 0.5}, test_images=test_images) for name in ("speech", "bert")]
        return [
            replace(
                one,
                cell=replace(one.cell, version=version),
                facts={**one.facts, "label": {"identity": identity if one.run.label == "speech" else "same"}},
            )
            for one in made
        ]

    found = compare(side("1a", 1, 100), side("2b", 2, 50))
    assert found.only_left == (
        "100 of the test images measured",
        "targets of speech (cifar10) 1a",
        "evaluator accuracy, version 1",
    )
    assert found.only_right == (
        "50 of the test images measured",
        "targets of speech (cifar10) 2b",
        "evaluator accuracy, version 2",
    )
    assert compare(side("1a", 1, 100), side("1a", 1, 100)).only_left == ()


def test_labels_alone_have_no_share_of_the_data_and_no_networks(
    save: Callable[..., Results], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(save("category", backbone="", evaluator="label-statistics", score="effective-rank").folder)
    assert compared(folder, folder) == 0
    assert "digits, labels alone " in capsys.readouterr().out.replace("\n", " ")
    with pytest.raises(InputError, match="holds measurements of labels alone"):
        compared("--in", folder, "category", "speech")


def test_an_evaluator_that_is_not_here_is_compared_by_its_first_score() -> None:
    records = [record("speech", 0, "gone-from-here", {"first": 0.5, "second": 0.25})]
    assert [line.score for line in compare(records, records).lines] == ["first"]
    assert [line.score for line in compare(records, records, ["gone-from-here/second"]).lines] == ["second"]


def test_the_exact_test_is_the_paired_permutation_test() -> None:
    for seed in range(4):
        numbers = np.random.RandomState(seed).normal(0.3, 1.0, 8)
        expected = permutation_test(
            (numbers, np.zeros(8)), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
        )
        assert exact_p(numbers.tolist()) == pytest.approx(expected.pvalue)
    assert exact_p([1.0] * 5) is None and exact_p([1.0] * 30) is None


@pytest.mark.parametrize(
    ("only_left", "only_right", "expected"),
    [
        # Agresti (2002, table 10.1): approval of the prime minister, 944 people asked twice.
        (150, 86, 3.7e-5),
        # Fay (2010, exact2x2): 2 and 9 discordant pairs, p = 0.06543.
        (2, 9, 0.06543),
        (0, 0, 1.0),
    ],
)
def test_mcnemar_is_that_of_published_tables(only_left: int, only_right: int, expected: float) -> None:
    assert mcnemar(only_left, only_right) == mcnemar(only_right, only_left) == pytest.approx(expected, rel=0.01)


def test_two_networks_are_compared_on_the_images_that_both_saw(
    published: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    results = Results(Path(published[0]))
    pair, *others = compared_networks(results, "category", "low-dim")
    assert len(others) == 11
    right = {
        one.run.label: round((one.scores[0].value or 0) * (one.scores[0].count or 0))
        for one in read(results).records
        if one.cell.evaluator == "accuracy" and one.run.seed == 0
    }
    assert (pair.both + pair.left_alone, pair.both + pair.right_alone) == (right["category"], right["low-dim"])
    assert pair.both + pair.left_alone + pair.right_alone + pair.neither == 100
    assert pair.p == binomtest(pair.left_alone, pair.left_alone + pair.right_alone).pvalue < 0.01
    assert compared("--in", published[0], "category", "low-dim") == 0
    printed = capsys.readouterr().out
    assert f"{pair.p:.3g}" in printed and "these two networks" in printed


def test_what_cannot_be_compared_is_refused_in_one_line(published: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for arguments, error, says in (
        ((published[0], str(tmp_path / "none")), InputError, "no results folder"),
        ((published[0], str(tmp_path / "empty")), InputError, "holds no results"),
        ((*published, "--score", "accuracy/nearst"), UnknownName, "did you mean accuracy/nearest"),
        (("--in", published[0], "quick", "quik"), UnknownName, "did you mean quick"),
        (("--in", published[0], "category", "speach"), UnknownName, "did you mean speech"),
        (("--in", published[0], "quick", "category"), UnknownName, "unknown recipe 'category'; known: quick"),
        (("--in", published[0], "category", "quick"), UnknownName, "unknown label 'quick'"),
        ((*published, "--fail-if-worse", "nan"), InputError, "expected a finite number of points"),
        ((published[0], str(PUBLISHED / "cifar10-attacks")), InputError, "in common"),
        (("--in", published[0], "category", "low-dim", "--fail-if-worse", "1"), InputError, "image by image"),
    ):
        with pytest.raises(error, match=says) as refused:
            cli(["compare", *arguments], standalone_mode=False)
        assert "\n" not in str(refused.value)
