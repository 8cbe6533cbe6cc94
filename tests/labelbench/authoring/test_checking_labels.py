"""Checks of labels: built-in ones pass, and every promise that is broken is told in a sentence."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import bad_plugins
from brief import BRIEF
from labelbench.authoring.findings import failures
from labelbench.errors import InputError, Unavailable, UnknownName
from labelbench.testing import Finding, assert_fine, check_label

Command = Callable[..., subprocess.CompletedProcess[str]]
OFFLINE = [
    *("category", "category-dense", "category-huber", "category-smoothed", "constant", "gaussian-composition"),
    *("hadamard", "low-dim", "normal-dim:50", "orthogonal-random", "random-like:hadamard", "scaled:speech"),
    *("shuffled-speech", "simplex", "speech", "uniform-gap:3", "uniform-random"),
]
ALIASES = {"composite", "lowdim", "random", "shuffle", "uniform"}
NEED_FILES = {"bert", "glove", "npy", "official", "official-as-released"}


def by_check(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings}


def test_every_built_in_label_is_checked_or_needs_files(monkeypatch: pytest.MonkeyPatch) -> None:
    from labelbench.commands.listing import names_of

    monkeypatch.setenv("LABELBENCH_PLUGINS", "")
    assert {name.partition(":")[0] for name in OFFLINE} | ALIASES | NEED_FILES == set(names_of("labels"))


@pytest.mark.parametrize("name", OFFLINE)
def test_a_built_in_label_keeps_its_promises(name: str) -> None:
    assert_fine(check_label(name))


def test_a_label_from_a_file_is_checked_on_the_data_sets_that_it_serves(tmp_path: Path) -> None:
    import numpy as np

    np.save(tmp_path / "mine.npy", np.eye(10) * 80)
    findings = check_label(f"npy:{tmp_path / 'mine.npy'}")
    assert_fine(findings)
    noted = by_check(findings)["classes"]
    assert noted.state == "noted" and noted.text.startswith("checked on made-up-10, digits and cifar10; others are")


def test_published_arrays_are_checked_on_their_data_sets(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELBENCH_LABELS", str(shared / "labels" / "official"))
    findings = check_label("official:speech")
    assert_fine(findings)
    assert "checked on cifar10 and cifar100" in by_check(findings)["classes"].text


@pytest.mark.parametrize(
    ("name", "made_from"),
    [
        ("hadamard", "its place among the classes"),
        ("speech", "the class's name"),
        ("shuffled-speech", "the class's name and its place together"),
    ],
)
def test_what_a_row_is_made_from_is_said(name: str, made_from: str) -> None:
    assert by_check(check_label(name))["order"].text == f"a row is made from {made_from}"


def test_what_cannot_be_checked_is_an_error_and_no_finding() -> None:
    with pytest.raises(UnknownName, match="unknown label 'speach'; did you mean speech"):
        check_label("speach")
    with pytest.raises(InputError, match=r"serves no data set that was tried.*npy needs its path"):
        check_label("npy")
    with pytest.raises(Unavailable, match="is not on this machine"):
        check_label("glove")
    with pytest.raises(InputError, match="time limit is 0 s"):
        check_label("category", time_limit=0)


def test_a_test_fails_with_a_sentence_for_each_failure() -> None:
    with pytest.raises(AssertionError, match=r"^order: one\nscale: two$"):
        assert_fine([Finding("order", "failed", "one"), Finding("x", "noted", "-"), Finding("scale", "failed", "two")])


# Installed plugins that break a promise


@pytest.mark.parametrize("name", bad_plugins.FOUND_BY_A_CHECK)
def test_a_broken_promise_fails_the_check_with_a_sentence(
    name: str, command: Command, install: Callable[..., dict[str, str]]
) -> None:
    body, words = bad_plugins.FOUND_BY_A_CHECK[name]
    done = command("check", name, "--time-limit", "3" if name == "slow" else "60", env=install(
        name, bad_plugins.label_plugin(name, body)))  # fmt: skip
    assert done.returncode == 3, done.stderr
    check, *told = words
    lines = [line for line in done.stdout.splitlines() if line.split()[:1] == ["FAILED"]]
    assert any(line.split("FAILED")[1].strip().startswith(check) and all(word in line for word in told)
               for line in lines), done.stdout  # fmt: skip
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("name", bad_plugins.FOUND_WHEN_LOADED)
def test_what_is_wrong_when_loaded_is_the_answer_to_a_check(
    name: str, command: Command, install: Callable[..., dict[str, str]]
) -> None:
    sources, words = bad_plugins.FOUND_WHEN_LOADED[name]
    for distribution, source in sources.items():
        env = install(distribution, source)
    for line in (["check", name], ["try", name]):
        done = command(*line, env=env)
        assert (done.returncode, done.stdout) == (3, "")
        assert all(word in done.stderr for word in words), done.stderr
        assert done.stderr.count("\n") == 1


def test_bad_plugins_stop_neither_the_list_nor_another_plugin(
    command: Command, install: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    for name, (body, _) in bad_plugins.FOUND_BY_A_CHECK.items():
        install(name, bad_plugins.label_plugin(name, body))
    for sources, _ in bad_plugins.FOUND_WHEN_LOADED.values():
        for distribution, source in sources.items():
            install(distribution, source)
    env = install("good-plugin", bad_plugins.GOOD)
    listed = command("list", env=env)
    assert listed.returncode == 0, listed.stderr
    assert all(name in listed.stdout for name in [*bad_plugins.FOUND_BY_A_CHECK, "good", "broken: "])
    done = command(
        "run", "--label", "good", "--label", "nan", "--dataset", "digits:size=8", *BRIEF, "--results", "out", env=env
    )
    assert done.returncode == 3
    assert "1.0) failed" not in done.stdout and "\ngood " in done.stdout
    assert "label targets hold 10 value(s) that are not finite" in done.stderr
    checked = command("check", "good", env=env)
    assert checked.returncode == 0, checked.stdout
    assert not [line for line in checked.stdout.splitlines() if "FAILED" in line]


def test_findings_are_sentences_for_people() -> None:
    findings = check_label("category")
    assert not failures(findings)
    assert len({finding.check for finding in findings}) == len(findings) > 8
    assert all(finding.text and "\n" not in finding.text for finding in findings)


def test_a_module_that_is_heavy_or_loud_when_it_is_loaded_fails_the_check(
    command: Command, install: Callable[..., dict[str, str]]
) -> None:
    environment = install("heavy", 'import sklearn\nprint("hello")\n' + bad_plugins.GOOD)
    done = command("check", "good", env=environment, fresh=True)
    assert done.returncode == 3, done.stderr
    assert "loading       its module imports sklearn" in done.stdout and "its module prints 'hello'" in done.stdout
    assert done.stdout.count("FAILED") == 2
