"""The page of findings: what boards say together, and the published page made again."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import made_up
from labelbench.claims.files import paper_claims
from labelbench.cli import cli
from labelbench.errors import InputError
from labelbench.findings.page import BEGIN, END, Published, page_text, summary_text, with_summary
from labelbench.leaderboard.leaderboard import build
from labelbench.results.store import Results
from labelbench.tunings import Grid, Tuning

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
    assert "| loss: smooth L1 for cross-entropy | category-huber less category | **-30.0 [" in text
    assert "1 of 2 verdicts are decided (1 on mine): 0 reproduced, 1 contradicted, 1 not decided." in text
    assert "gaussian-composition less category" in line


def test_how_far_from_the_paper_a_verdict_was_made_stands_beside_it() -> None:
    records = [
        one
        for label in ("category", "speech")
        for one in made_up.seeds(label, "accuracy", {"nearest": 0.9}, train_fraction=0.25, test_images=100)
    ]
    one = Published("mine", build(records, headline=["accuracy/nearest"]))
    training = "600 epochs, 25% of 50,000 training images, 100 test images, one rate for all"
    for text in (page_text([one], paper_claims(), ""), summary_text([one], paper_claims())):
        assert f"| **mine** | cifar10 | resnet32 | {training} |" in text
        assert "The paper trains VGG19, ResNet-32 and ResNet-110 for 600 epochs" in text
    assert f"| mine: cifar10, resnet32 | {training} |" in page_text([one], paper_claims(), "")


def test_a_board_of_two_trainings_has_a_column_for_each() -> None:
    records = [
        one
        for share in (0.25, 1.0)
        for label in ("category", "speech")
        for one in made_up.seeds(label, "accuracy", {"nearest": 0.9}, train_fraction=share, test_images=100)
    ]
    text = summary_text([Published("mine", build(records, headline=["accuracy/nearest"]))], paper_claims())
    assert "|  | claim | attack | mine (1) | mine (2) |" in text
    for head, share in (("mine (1)", "100%"), ("mine (2)", "25%")):
        assert f"| **{head}** | cifar10 | resnet32 | 600 epochs, {share} of 50,000 training images" in text


def test_a_front_page_has_the_boards_that_decide_and_counts_the_others() -> None:
    deciding = published(category=0.9, speech=0.5, shuffled_speech=0.9, gaussian_composition=0.9)
    other = replace(published(category=0.9, speech=0.9), name="other")
    text = summary_text([deciding, other], paper_claims())
    assert "verdicts are decided (1 on mine, none on other): 0 reproduced, 1 contradicted" in text
    assert "| **mine** |" in text and "| **other** |" not in text
    assert "| **other** |" in page_text([deciding, other], paper_claims(), "")
    assert "| **other** |" in summary_text([other], paper_claims())


def test_a_figure_is_said_to_show_no_more_than_was_measured() -> None:
    one = replace(published(category=0.9, speech=0.9), figure="mine.png")
    assert "*mine: accuracy against epsilon, for the labels and attacks that were measured.*" in page_text(
        [one], paper_claims(), ""
    )


def test_a_tuning_that_boards_share_is_shown_once_with_its_labels_at_an_edge() -> None:
    tuning = Tuning(
        Grid.of({"learning-rate": (0.1, 0.3, 1.0)}),
        *((1_000_000,), 3, (("cifar10", "resnet32"),), "0123456789"),
        {"category": (0.6, 0.7, 0.65), "speech": (0.6, 0.5, 0.4)},
    )
    first = replace(published(category=0.9, speech=0.9), tuning=tuning)
    text = page_text([first, replace(first, name="other")], paper_claims(), "")
    assert text.count("| category | 60.0 | **70.0** | 65.0 | +0.0 |") == 1
    assert "**mine, other**: learning-rate 0.1, 0.3, 1" in text
    assert "Best at an edge of the grid, so perhaps better beyond it: speech." in text


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


def test_folders_of_one_name_are_told_apart_and_none_counts_twice(
    save: Callable[..., Results], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = save("category").folder
    other = shutil.copytree(first, tmp_path / "yours" / first.name)
    cli(["findings", str(first), str(other)], standalone_mode=False)
    page = capsys.readouterr().out
    assert f"| **{tmp_path.name}/results** |" in page and "| **yours/results** |" in page
    with pytest.raises(InputError, match="is named twice"):
        cli(["findings", str(first), f"{first}/../results"], standalone_mode=False)


def test_printed_statistics_of_speech_say_whose_voice_they_are_of() -> None:
    statistics = made_up.record("speech", 0, "label-statistics", {"mean-difference": 0.18}, backbone="", unit="")
    one = Published("mine", build([statistics, *made_up.seeds("speech", "accuracy", {"nearest": 0.9})]))
    row = "| speech | label-statistics/mean-difference | 0.18 | 0.1533 | the authors' recordings |"
    assert row in page_text([one], paper_claims(), "")


def test_a_difference_over_the_seeds_that_have_a_value_says_how_many_they_are() -> None:
    epochs = {"category": [2.0, 3.0, 2.0, 4.0], "category-huber": [4.0, 5.0, 3.0, None]}
    records = [
        made_up.record(label, seed, "learning-curve", {"area": 0.5, "epochs-to-50%": reached}, unit="epochs")
        for label, found in epochs.items()
        for seed, reached in enumerate(found)
    ]
    one = Published("mine", build(records, headline=["learning-curve/area", "learning-curve/epochs-to-50%"]))
    (row,) = (line for line in page_text([one], paper_claims(), "").splitlines() if "| category-huber less" in line)
    assert row.count("(n = ") == 1 and row.rstrip("| ").endswith("(n = 3)")
