from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import made_up
from labelbench.evaluation.scores import Score
from labelbench.leaderboard.exports import FORMATS, export, to_csv, to_json, to_markdown
from labelbench.leaderboard.leaderboard import Leaderboard, build
from labelbench.optimizers import SGD
from labelbench.recipes import Recipe
from labelbench.results.reading import read
from labelbench.results.store import Results
from labelbench.runs import Numerics

Save = Callable[..., Results]


def test_a_row_is_the_mean_over_seeds_with_spread_and_n(save: Save) -> None:
    save("category", seed=0, value=0.5)
    board = Leaderboard.of(read(save("category", seed=1, value=0.7)))
    (row,) = board.tables[0].rows
    value = row.values["accuracy/nearest"]
    assert (row.seeds, value.mean, value.std) == ((0, 1), pytest.approx(0.6), pytest.approx(0.02**0.5))
    assert "60.0 ± 14.1" in to_markdown(board)


def test_one_seed_shows_the_interval_over_images(save: Save) -> None:
    assert "50.0 [40.0, 60.0]" in to_markdown(Leaderboard.of(read(save("category"))))


@pytest.mark.parametrize(
    "other",
    [
        {"recipe": Recipe(epochs=3)},
        {"recipe": Recipe(optimizer=SGD(0.2))},
        {"train_fraction": 0.5},
        {"numerics": Numerics(threads=1)},
        {"test_images": 10},
        {"torch": "2.14.0"},
        {"fingerprint": "0123456789abcdef"},
    ],
    ids=str,
)
def test_results_made_under_different_settings_stand_in_rows_of_their_own(save: Save, other: dict[str, object]) -> None:
    save("category", seed=0)
    board = Leaderboard.of(read(save("category", seed=1, **other)))
    (table,) = board.evaluator_tables
    assert [len(row.seeds) for row in table.rows] == [1, 1]
    assert len({row.settings for row in table.rows}) == len(board.legend) == 2
    for letter, text in board.legend.items():
        assert f"settings {letter}: " in to_markdown(board)
        assert str(text)


def test_more_test_images_than_there_are_is_all_of_them(save: Save) -> None:
    save("category", seed=0)
    board = Leaderboard.of(read(save("category", seed=1, test_images=5000)))
    (row,) = board.tables[0].rows
    assert row.seeds == (0, 1) and "of the test images measured" not in to_markdown(board)
    assert {one.training for one in board.legend.values()} == {
        "600 epochs, 100% of 1,442 training images, 355 test images"
    }


def test_two_versions_of_one_label_are_told_apart_by_their_hash(save: Save) -> None:
    save("npy:mine.npy", seed=0, identity="aaaaaaaa")
    board = Leaderboard.of(read(save("npy:mine.npy", seed=1, identity="bbbbbbbb")))
    assert {row.name for row in board.tables[0].rows} == {"npy:mine.npy #aaaaaa", "npy:mine.npy #bbbbbb"}
    assert {row.label for row in board.tables[0].rows} == {"npy:mine.npy"}


def test_a_label_drawn_again_with_each_seed_is_one_row(save: Save) -> None:
    save("low-dim:seed=run", seed=0, identity="aaaaaaaa")
    board = Leaderboard.of(read(save("low-dim:seed=run", seed=1, identity="bbbbbbbb")))
    (row,) = board.tables[0].rows
    assert (row.label, row.seeds) == ("low-dim:seed=run", (0, 1))
    assert "digits resnet8 low-dim:seed=run: drawn again with each seed: its spread contains the draw" in to_markdown(
        board
    )


def test_older_versions_of_an_evaluator_are_left_out_and_counted(save: Save) -> None:
    save("category", version=1, value=0.1)
    board = Leaderboard.of(read(save("category", version=2, value=0.9)))
    assert board.tables[0].rows[0].values["accuracy/nearest"].mean == 0.9
    assert board.remarks == ("1 result(s) of an older version of accuracy are left out; run again to renew them",)


def test_the_best_row_comes_first_and_what_has_no_value_last(save: Save) -> None:
    save("a", value=0.2)
    save("b", value=0.9)
    board = Leaderboard.of(read(save("c", value=None)))
    assert [row.label for row in board.tables[0].rows] == ["b", "a", "c"]


def test_what_has_no_value_says_why(save: Save) -> None:
    text = to_markdown(Leaderboard.of(read(save("category", value=None))))
    assert "| n/m |" in text and "nearest: nothing to see (digits category)" in text


def test_a_diverged_training_is_said_and_not_averaged(save: Save) -> None:
    save("constant", seed=0, diverged=True)
    board = Leaderboard.of(read(save("constant", seed=1, value=0.4)))
    (row,) = board.tables[0].rows
    assert row.values["accuracy/nearest"].mean == 0.4
    assert "seed 0 diverged" in row.notes
    assert "(n=1)" in to_markdown(board)


def test_the_headline_joins_scores_of_labels_alone(save: Save) -> None:
    save("category", value=0.5)
    results = save("category", backbone="", evaluator="label-statistics", score="rank", value=0.9)
    results.save_suite({"name": "quick", "headline": ["accuracy/nearest", "label-statistics/rank", "missing/score"]})
    headline, *others = Leaderboard.of(read(results)).tables
    assert headline.title == "Leaderboard" and len(others) == 2
    (row,) = headline.rows
    assert {key: value.mean for key, value in row.values.items()} == {
        "accuracy/nearest": 0.5,
        "label-statistics/rank": 0.9,
    }


def test_failures_are_listed(save: Save) -> None:
    results = save("category")
    results.save_failure(results.folder / "digits/resnet8/bert/seed0-x/training.json", "training bert", "no weights")
    assert "- failed: training bert: no weights" in to_markdown(Leaderboard.of(read(results)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=20)
@given(st.randoms())
def test_the_order_of_records_changes_nothing(save: Save, random: object) -> None:
    for seed in (0, 1, 2):
        results = save("category", seed=seed, value=0.1 + seed / 7)
    save("constant", value=0.3, numerics=Numerics(threads=1))
    records = list(read(results).records)
    expected = build(records)
    random.shuffle(records)  # type: ignore[attr-defined]
    for form in FORMATS:
        assert export(build(records), form) == export(expected, form)


def test_csv_has_one_line_per_row_and_score(save: Save) -> None:
    save("category", seed=0, value=0.5)
    board = Leaderboard.of(read(save("category", seed=1, value=0.7)))
    (line,) = csv.DictReader(io.StringIO(to_csv(board)))
    assert (line["label"], line["evaluator"], line["score"], line["n"], line["seeds"]) == (
        "category",
        "accuracy",
        "nearest",
        "2",
        "0 1",
    )
    assert float(line["mean"]) == board.tables[0].rows[0].values["accuracy/nearest"].mean


def test_json_holds_everything(save: Save) -> None:
    board = Leaderboard.of(read(save("category", notes=("rows put right",))))
    facts = json.loads(to_json(board))
    assert facts["tables"][0]["rows"][0]["values"]["accuracy/nearest"]["mean"] == 0.5
    assert facts["tables"][0]["rows"][0]["notes"] == ["rows put right"]
    assert facts["legend"] == {letter: str(each) for letter, each in board.legend.items()}


def test_a_table_of_very_many_scores_is_turned(save: Save) -> None:
    results = save("category")
    (record,) = read(results).records
    scores = tuple(Score(f"attack/{index}", index / 40, "share", True) for index in range(40))
    text = to_markdown(build([replace(record, scores=scores)]))
    table = [line for line in text.split("## accuracy")[1].splitlines() if line.startswith("|")]
    assert table[0] == "| dataset | digits |"
    assert "| attack/39 % ↑ | 97.5 |" in table


def test_no_name_breaks_the_markdown_table(save: Save) -> None:
    text = to_markdown(Leaderboard.of(read(save("<img src=x onerror=alert(1)>|[a](http://b)"))))
    assert "<img" not in text and "](" not in text
    table = [line for line in text.split("## accuracy")[1].splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1


def test_shares_of_the_data_are_told_apart_however_close(save: Save) -> None:
    save("category", seed=0, train_fraction=0.015)
    save("category", seed=0, train_fraction=0.02)
    board = Leaderboard.of(read(save("category", seed=1, train_fraction=0.0249)))
    assert [row.seeds for row in board.tables[0].rows] == [(0,), (0,), (1,)]
    assert all(f"{share}% of the training data" in to_markdown(board) for share in (1.5, 2, 2.49))


def test_a_label_with_values_for_some_of_its_seeds_is_neither_first_nor_best() -> None:
    def rows(label: str, *values: float | None) -> list[Any]:
        return [made_up.record(label, seed, "accuracy", {"nearest": value}) for seed, value in enumerate(values)]

    board = build([*rows("category", 0.50, 0.51, 0.50), *rows("speech", 0.90, 0.91, None)])
    first, second = board.tables[0].rows
    assert (first.label, second.label) == ("category", "speech")
    assert not any(row.values["accuracy/nearest"].best for row in (first, second))


def test_scores_in_whole_epochs_have_no_interval_without_width() -> None:
    records = [
        made_up.record(label, seed, "learning-curve", {"epochs-to-50%": epochs}, unit="epochs")
        for label, epochs in (("category", 2.0), ("speech", 3.0))
        for seed in range(2)
    ]
    for row in build(records).tables[0].rows:
        value = row.values["learning-curve/epochs-to-50%"]
        assert value.interval and value.interval[1] - value.interval[0] > 1 and not value.best
