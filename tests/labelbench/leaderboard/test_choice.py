from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest

import made_up
from labelbench.cli import cli
from labelbench.errors import InputError, UnknownName
from labelbench.leaderboard.choice import Choice, chosen, chosen_scores, table_names
from labelbench.leaderboard.data import to_csv, to_wide_csv
from labelbench.leaderboard.leaderboard import Leaderboard, build
from labelbench.results.records import Record
from labelbench.results.store import Results

seeds, record = made_up.seeds, made_up.record


@pytest.fixture(scope="module")
def board() -> Leaderboard:
    records = []
    for place, label in enumerate(("category", "speech", "official:speech")):
        for backbone in ("resnet32", "vgg19"):
            scores = {"nearest": 0.9 - place / 10, "threshold": 0.2 + place / 10}
            records += seeds(label, "accuracy", scores, backbone=backbone)
            records += seeds(label, "attacks-paper", {"fgsm-untargeted/0.05": 0.1 + place / 10}, backbone=backbone)
    return build(records)


def board_of_one() -> list[Record]:
    return [
        *seeds("category", "accuracy", {"nearest": 0.5}, backbone="resnet8"),
        *seeds("category", "attacks-adaptive:quick,eps=8", {"adaptive/8": 0.25}, backbone="resnet8"),
    ]


def rows(found: Leaderboard) -> list[tuple[str, str]]:
    return [(row.backbone, row.label) for row in found.tables[0].rows]


def test_one_table_is_shown_unless_all_are_asked_for(board: Leaderboard) -> None:
    assert [table.title for table in chosen(board, Choice()).tables] == ["Leaderboard"]
    assert [table.title for table in chosen(board, Choice(table="attacks-paper")).tables] == ["attacks-paper"]
    assert chosen(board, Choice(everything=True)) == board
    claims = chosen(board, Choice(table="claims"))
    assert claims.tables == () and claims.verdicts == board.verdicts and claims.differences == ()
    assert {"differences", "claims", "accuracy"} <= set(table_names(board))
    with pytest.raises(UnknownName, match="did you mean attacks-paper"):
        chosen(board, Choice(table="attack-paper"))


def test_columns_may_be_any_score_of_any_evaluator(board: Leaderboard) -> None:
    asked = Choice(columns=("attacks-paper/fgsm-untargeted/0.05", "threshold"))
    (table,) = chosen(board, asked).tables
    assert [column.key for column in table.columns] == ["attacks-paper/fgsm-untargeted/0.05", "accuracy/threshold"]
    assert all(len(row.values) == 2 for row in table.rows)
    assert [column.key for column in chosen(board, Choice(columns=("FGSM 0.05",))).tables[0].columns] == [
        "attacks-paper/fgsm-untargeted/0.05"
    ]
    (table,) = chosen(board, Choice(table="accuracy", columns=("accuracy/thr*",))).tables
    assert [column.score for column in table.columns] == ["threshold"]
    with pytest.raises(UnknownName, match="did you mean accuracy/nearest"):
        chosen(board, Choice(columns=("accuracy/nearst",)))


def test_rows_are_chosen_by_label_and_place(board: Leaderboard) -> None:
    assert {label for _, label in rows(chosen(board, Choice(labels=("*speech",))))} == {"speech", "official:speech"}
    assert {backbone for backbone, _ in rows(chosen(board, Choice(only=("backbone=vgg19",))))} == {"vgg19"}
    with pytest.raises(UnknownName, match="did you mean speech"):
        chosen(board, Choice(labels=("speach",)))
    with pytest.raises(InputError, match=r"--only vgg19; expected dataset=NAME or backbone=NAME or set=NAME"):
        chosen(board, Choice(only=("vgg19",)))


def test_a_place_that_no_row_has_is_refused(board: Leaderboard) -> None:
    with pytest.raises(UnknownName, match="unknown backbone 'vgg16'; did you mean vgg19"):
        chosen(board, Choice(only=("backbone=vgg16",)))
    with pytest.raises(UnknownName, match="unknown set 'b'; known: a"):
        chosen(board, Choice(only=("set=b",)))
    apart = build([*seeds("speech", "accuracy", {"nearest": 0.5}, backbone="vgg19"), *board_of_one()])
    with pytest.raises(InputError, match="no row is of speech and backbone=resnet8"):
        chosen(apart, Choice(labels=("speech",), only=("backbone=resnet8",)))


def test_settings_of_rows_that_are_left_out_are_not_explained() -> None:
    found = build([*board_of_one(), *seeds("speech", "accuracy", {"nearest": 0.5}, train_fraction=0.5)])
    assert list(found.legend) == ["a", "b"]
    for letter in found.legend:
        left = chosen(found, Choice(only=(f"set={letter}",)))
        assert left.legend == {letter: found.legend[letter]}


def test_columns_whose_evaluator_has_commas_can_be_named_beside_others() -> None:
    found = build(board_of_one())
    keys = ["attacks-adaptive:quick,eps=8/adaptive/8", "accuracy/nearest"]
    for asked in ((", ".join(keys),), tuple(keys)):
        assert [column.key for column in chosen(found, Choice(columns=asked)).tables[0].columns] == keys
    with pytest.raises(UnknownName, match="unknown column ''"):
        chosen(found, Choice(columns=("accuracy/nearest,",)))


def test_rows_are_ordered_by_a_score_the_best_first_or_by_label(board: Leaderboard) -> None:
    by_robustness = chosen(board, Choice(sort="FGSM 0.05", only=("backbone=vgg19",)))
    assert [label for _, label in rows(by_robustness)] == ["official:speech", "speech", "category"]
    by_label = chosen(board, Choice(sort="label", only=("backbone=vgg19",)))
    assert [label for _, label in rows(by_label)] == ["category", "official:speech", "speech"]
    with pytest.raises(UnknownName, match="unknown column to sort by 'accurcy/nearest'"):
        chosen(board, Choice(sort="accurcy/nearest"))


def test_wide_csv_has_a_line_for_each_label_and_a_column_for_each_score(board: Leaderboard) -> None:
    lines = list(csv.DictReader(io.StringIO(to_wide_csv(board))))
    assert len(lines) == 6
    (line,) = [one for one in lines if (one["label"], one["backbone"]) == ("category", "vgg19")]
    assert float(line["accuracy/nearest"]) == pytest.approx(0.9)
    assert float(line["accuracy/threshold low"]) < float(line["accuracy/threshold"])
    assert (line["attacks-paper/fgsm-untargeted/0.05 n"], line["seeds"]) == ("3", "0 1 2")


def test_csv_of_a_choice_has_a_line_for_each_score_that_is_left(board: Leaderboard) -> None:
    def lines(choice: Choice) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(to_csv(chosen_scores(board, choice)))))

    by_label = lines(Choice(labels=("speech",)))
    assert {line["label"] for line in by_label} == {"speech"} and len(by_label) == 6
    by_column = lines(Choice(columns=("accuracy",)))
    assert {line["score"] for line in by_column} == {"nearest"} and len(by_column) == 6
    assert {line["difference_n"] for line in by_column if line["label"] == "speech"} == {"3"}
    assert len(lines(Choice())) == 18 and len(lines(Choice(table="accuracy"))) == 12
    wide = list(csv.DictReader(io.StringIO(to_wide_csv(chosen_scores(board, Choice(labels=("speech",)))))))
    assert len(wide) == 2 and "accuracy/threshold" in wide[0]
    with pytest.raises(InputError, match="--table differences has no scores"):
        chosen_scores(board, Choice(table="differences"))


def test_what_is_explained_is_what_is_shown(save: Callable[..., Results], capsys: pytest.CaptureFixture[str]) -> None:
    save("category", score="fgsm-untargeted/0.05", evaluator="attacks-paper")
    folder = str(save("category").folder)

    def explained(*options: str) -> set[str]:
        cli(["leaderboard", folder, "--explain", *options], standalone_mode=False)
        lines = capsys.readouterr().out.splitlines()
        return {line.partition(":")[0] for line in lines if line.startswith(("accuracy/", "attacks-paper/"))}

    assert explained() == {"accuracy/nearest", "attacks-paper/fgsm-untargeted"}
    assert explained("--table", "accuracy") == {"accuracy/nearest"}
    assert explained("--columns", "FGSM 0.05") == {"attacks-paper/fgsm-untargeted"}
    assert explained("--table", "claims") == set()
