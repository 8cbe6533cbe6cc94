"""The page of findings: what boards say together, and the published page made again."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

import made_up
from labelbench.claims.files import paper_claims
from labelbench.cli import cli
from labelbench.errors import InputError
from labelbench.findings.page import BEGIN, END, Published, page_text, summary_text, with_summary
from labelbench.leaderboard.leaderboard import build

ROOT = Path(__file__).parents[3]


def published(**means: float) -> Published:
    records = [
        one
        for label, mean in means.items()
        for one in made_up.seeds(label.replace("_", "-"), "accuracy", {"nearest": mean})
    ]
    return Published("mine", build(records, headline=["accuracy/nearest"]))


def test_every_claim_has_its_verdict_and_the_number_behind_it() -> None:
    one = published(category=0.9, speech=0.5, shuffled_speech=0.9, gaussian_composition=0.9, category_huber=0.6)
    text = page_text([one], paper_claims(), "labelbench findings results/mine")
    (line,) = (
        line for line in text.splitlines() if line.startswith("| mine: cifar10, resnet32 |") and "speech less" in line
    )
    assert "**contradicted**" in line and "speech less category: holds in 0 of 1 cells; accuracy/nearest -40.0" in line
    assert "| loss: smooth L1 for cross-entropy | category-huber less category | one rate for all | **-30.0 [" in text
    assert "1 of 2 verdicts on 1 boards are decided: 0 reproduced, 1 contradicted, 1 not decided." in text


def test_what_no_board_measured_is_said() -> None:
    text = page_text([published(category=0.9, speech=0.9)], paper_claims(), "")
    assert "not measured" in text and text.count("Nothing was measured.") >= 2


def test_a_summary_replaces_the_one_before_it() -> None:
    summary = summary_text([published(category=0.9, speech=0.5)], paper_claims())
    once = with_summary(f"above\n{BEGIN}\nold\n{END}\nbelow\n", summary)
    assert with_summary(once, summary) == once and "old" not in once
    assert once.startswith("above\n") and once.endswith("below\n")
    with pytest.raises(ValueError, match="between which"):
        with_summary("no marks", summary)


def test_the_published_page_and_the_front_page_say_what_the_folders_say(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page = (ROOT / "docs" / "pages" / "findings.md").read_text()
    command = shlex.split(page.partition("`")[2].partition("`")[0])
    assert command[:2] == ["labelbench", "findings"]
    monkeypatch.chdir(ROOT)
    front = tmp_path / "README.md"
    front.write_text((ROOT / "README.md").read_text())
    args = ["--output", str(tmp_path / "findings.md"), "--summary", str(front), "--no-figures"]
    cli.main([*command[1:], *args], standalone_mode=False)
    assert (tmp_path / "findings.md").read_text() == page
    assert front.read_text() == (ROOT / "README.md").read_text()


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no results"):
        cli.main(["findings", str(tmp_path)], standalone_mode=False)
