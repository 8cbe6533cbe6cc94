from __future__ import annotations

import re

import pytest
from rich.console import Console

import made_up
from labelbench.leaderboard.choice import first_alone
from labelbench.leaderboard.leaderboard import Leaderboard, build
from labelbench.leaderboard.terminal import print_tables

seeds, record = made_up.seeds, made_up.record

LABELS = ("category", "gaussian-composition", "official:shuffled-speech", "scaled:low-dim:factor=2,seed=run")
MEASURED = {
    "accuracy": {"nearest": 0.9},
    "attacks-paper": {"fgsm-untargeted/0.05": 0.5, "iterative-untargeted/0.05": 0.2},
    "attacks-adaptive": {"adaptive/1": 0.3},
    "data-efficiency": {"area": 0.7},
    "feature-views": {"knn/30%": 0.8},
}
HEADINGS = ("accuracy", "FGSM", "iterative", "adaptive", "little", "k-NN", "entropy", "rank")


@pytest.fixture(scope="module")
def board() -> Leaderboard:
    records = []
    for place, label in enumerate(LABELS):
        for evaluator, scores in MEASURED.items():
            records += seeds(label, evaluator, {name: value - place / 20 for name, value in scores.items()})
        of_label = {"entropy-256": 4.5, "effective-rank": 9 - place}
        records.append(record(label, 0, "label-statistics", of_label, backbone="", unit="bits"))
    return build(records, name="quick")


def shown(board: Leaderboard, width: int) -> list[str]:
    console = Console(width=width, color_system=None, force_terminal=False)
    with console.capture() as capture:
        print_tables(board, console)
    return capture.get().splitlines()


@pytest.mark.parametrize("width", [80, 120, 200])
def test_every_label_and_heading_is_whole_at_every_width(board: Leaderboard, width: int) -> None:
    lines = shown(first_alone(board), width)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert all(word in text.split() for word in HEADINGS)
    rows = lines[next(index for index, line in enumerate(lines) if line.startswith("─")) + 1 :]
    for label in LABELS[:3]:
        assert next(line for line in rows if line.startswith(f"{label} ")).split()[1][0].isdigit()
    # What is longer than its column is folded, and nothing of it is lost.
    begun = next(index for index, line in enumerate(rows) if line.startswith("scaled"))
    assert "".join(line.split(" ")[0] for line in rows[begun : begun + 2]).startswith(LABELS[3])


def test_intervals_give_way_where_it_is_narrow(board: Leaderboard) -> None:
    narrow, middle, wide = (shown(first_alone(board), width) for width in (80, 120, 250))
    assert not any("[" in line or "±" in line for line in narrow[3:10])
    needed = re.search(r"with intervals at (\d+) columns", narrow[1])
    assert needed
    for width, there in ((int(needed[1]) - 1, False), (int(needed[1]), True)):
        assert any("[" in line for line in shown(first_alone(board), width)[3:10]) == there
    assert any("±" in line for line in middle[3:10]) and not any("[" in line for line in middle[3:10])
    assert any("± 0.4 [" in line or "± 0.8 [" in line for line in wide[3:10])


def test_what_all_rows_share_stands_above(board: Leaderboard) -> None:
    first, *rest = shown(first_alone(board), 120)
    assert first == "Leaderboard: cifar10, resnet32, n = 3, settings a, 1,000 images"
    assert not any(line.lstrip().startswith("cifar10") for line in rest[:8])


def test_what_does_not_fit_goes_on_below(board: Leaderboard) -> None:
    lines = shown(first_alone(board), 60)
    assert max(map(len, lines)) <= 60
    assert sum(line.startswith("category ") for line in lines) > 1


@pytest.mark.parametrize("width", [80, 200])
def test_all_tables_fit(board: Leaderboard, width: int) -> None:
    lines = shown(board, width)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert all(f"{table.title}: " in text for table in board.tables) and "not decided" in text
