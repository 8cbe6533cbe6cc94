from __future__ import annotations

from pathlib import Path

import made_up
from labelbench.leaderboard.choice import first_alone
from labelbench.leaderboard.exports import to_markdown
from labelbench.leaderboard.leaderboard import Leaderboard, build
from labelbench.recipes import RECIPES

seeds, record = made_up.seeds, made_up.record


def headings(board: Leaderboard) -> list[str]:
    assert board.headline
    return [column.heading for column in board.headline.columns]


def test_an_evaluator_of_an_installed_plugin_stands_in_the_first_table_without_any_option(hostile_run: Path) -> None:
    first = next(
        line
        for line in (hostile_run / "results" / "leaderboard.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| label")
    )
    assert {"accuracy % ↑", "&lt;i&gt;dim % ↑"} <= {heading.strip() for heading in first.split("|")}


def test_what_evaluators_name_stands_side_by_side_whatever_was_measured() -> None:
    found = seeds("speech", "accuracy", {"nearest": 0.9})
    found += seeds("speech", "attacks-paper", {"fgsm-untargeted/0.05": 0.4, "iterative-untargeted/0.05": 0.1})
    found += seeds("speech", "attacks-adaptive", {"adaptive/1": 0.2})
    found += [record("speech", 0, "label-statistics", {"entropy-256": 4.0, "effective-rank": 6.0}, backbone="")]
    assert headings(build(found)) == [
        *("accuracy", "FGSM 0.05", "iterative 0.05", "adaptive 1/255"),
        *("entropy", "rank"),
    ]
    # A suite chooses and orders; what it does not name stays as it is.
    chosen = ["attacks-paper/iterative-untargeted/0.05", "accuracy/nearest"]
    assert headings(build(found, headline=chosen)) == [
        "iterative 0.05",
        "accuracy",
        "adaptive 1/255",
        "entropy",
        "rank",
    ]


def test_a_chosen_score_has_the_heading_of_its_neighbour_on_the_axis_or_of_what_it_is_a_part_of() -> None:
    found = seeds("speech", "attacks-paper", {"fgsm-untargeted/0.1": 0.4, "clean": 0.9})
    found += seeds("speech", "attacks-adaptive:quick", {"adaptive/2": 0.2}) + seeds(
        "speech", "feature-views", {"knn/10%": 0.6}
    )
    found += [record("speech", 0, "label-statistics", {"entropy-256/pooled": 4.0}, backbone="")]
    chosen = ["attacks-paper/fgsm-untargeted/0.1", "attacks-paper/clean", "attacks-adaptive:quick/adaptive/2"]
    chosen += ["feature-views/knn/10%", "label-statistics/entropy-256/pooled"]
    assert headings(build(found, headline=chosen)) == [
        *("FGSM 0.1", "clean", "adaptive 2/255", "k-NN at 10 %", "entropy pooled"),
    ]


def test_an_evaluator_that_names_nothing_shows_its_first_score() -> None:
    board = build(seeds("speech", "not-installed", {"one": 0.3, "two": 0.4}))
    assert headings(board) == ["one"]


def test_equal_headings_are_told_apart() -> None:
    found = seeds("speech", "attacks-adaptive:quick", {"adaptive/1": 0.2})
    found += seeds("speech", "attacks-adaptive", {"adaptive/1": 0.3})
    assert headings(build(found)) == ["adaptive 1/255 (attacks-adaptive)", "adaptive 1/255 (quick)"]


def test_a_label_is_one_row_though_evaluators_saw_other_numbers_of_images() -> None:
    some = [
        record("speech", seed, "attacks-paper", {"fgsm-untargeted/0.05": 0.4}, test_images=100) for seed in range(2)
    ]
    board = build(seeds("speech", "accuracy", {"nearest": 0.9}, count=2) + some)
    assert board.headline
    (row,) = board.headline.rows
    assert set(row.values) == {"accuracy/nearest", "attacks-paper/fgsm-untargeted/0.05"}
    assert str(board.legend[row.settings]).endswith("torch 2.15.0")


def test_other_recipes_are_other_rows() -> None:
    found = seeds("speech", "accuracy", {"nearest": 0.9})
    found += seeds("speech", "accuracy", {"nearest": 0.8}, recipe=RECIPES["quick"])
    board = build(found)
    assert board.headline and [row.settings for row in board.headline.rows] == ["a", "b"]


def test_what_is_missing_is_said_with_the_command_that_measures_it() -> None:
    found = seeds("category", "accuracy", {"nearest": 0.9}) + seeds("speech", "accuracy", {"nearest": 0.8})
    found += seeds("category", "attacks-adaptive", {"adaptive/1": 0.3})
    found += seeds("speech", "attacks-adaptive", {"adaptive/1": 0.2}, count=1)
    found += seeds("constant", "accuracy", {"nearest": 0.7})
    board = build(found, folder="results/mine")
    lacking = {one.labels: one for one in board.missing}
    assert str(lacking["constant",]) == "constant: not measured with attacks-adaptive"
    assert str(lacking["speech",]) == "speech: not measured with attacks-adaptive for seeds 1, 2"
    command = lacking["speech",].repeat.command
    for part in ("--dataset cifar10", "--label speech", "--seeds 1,2,", "--evaluator attacks-adaptive", "results/mine"):
        assert part in command
    assert "constant: not measured with attacks-adaptive; to measure it: labelbench run" in to_markdown(board)


def test_of_many_gaps_the_first_are_said_and_where_the_others_stand() -> None:
    found = [
        one
        for place, label in enumerate(("category", "speech", "constant", "low-dim"))
        for evaluator in ("accuracy", "attacks-paper", "attacks-adaptive", "feature-views")[: 4 - place]
        for one in seeds(label, evaluator, {"nearest": 0.9}, count=3 if evaluator == "accuracy" else 2)
    ]
    text = to_markdown(build(found))
    assert len(build(found).missing) == 6
    assert text.count("to measure it: ") == 2
    assert "4 more gaps; all stand with their commands under \\`missing\\` of --format json" in text


def test_nothing_is_missing_where_all_rows_are_measured_alike() -> None:
    found = seeds("category", "accuracy", {"nearest": 0.9}) + seeds("speech", "accuracy", {"nearest": 0.8})
    assert build(found).missing == ()


def test_the_first_table_as_markdown_is_short() -> None:
    found = [one for index in range(18) for one in seeds(f"label-{index}", "accuracy", {"nearest": 0.5 + index / 100})]
    assert len(to_markdown(first_alone(build(found))).splitlines()) < 40
