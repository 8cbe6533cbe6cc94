"""The numbers that ``results/README.md`` gives are those of the records."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import labelbench
from labelbench.results.spread import paired

RESULTS = Path(__file__).parents[2] / "results"
# A heading of the table -> evaluator and score.
COLUMNS = {
    "FGSM 0.05": ("attacks-paper", "fgsm-untargeted/0.05"),
    "iterative 0.05": ("attacks-paper", "iterative-untargeted/0.05"),
    "adaptive 0.25/255": ("attacks-adaptive:quick", "adaptive/0.25"),
    "adaptive 1/255": ("attacks-adaptive:quick", "adaptive/1"),
    "adaptive 2/255": ("attacks-adaptive:quick", "adaptive/2"),
}


@pytest.fixture(scope="module")
def board() -> labelbench.ScoreTable:
    return labelbench.load_results(RESULTS / "cifar10-quarter")


def difference(board: labelbench.ScoreTable, label: str, other: str, evaluator: str, score: str) -> str:
    """Mean of the difference paired by seed in percentage points, and its interval, as the page writes them."""
    one, two = (
        {row.seed: row.value for row in board.where(label=name, evaluator=evaluator, score=score)}
        for name in (label, other)
    )
    found = paired(one, two)
    assert found and found.n == 5 and found.interval
    low, high = found.interval
    return f"{100 * found.mean:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def test_points_more_than_category_are_those_of_the_board(board: labelbench.ScoreTable) -> None:
    text = (RESULTS / "README.md").read_text(encoding="utf-8")
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    start = next(place for place, cells in enumerate(lines) if cells[1:] == list(COLUMNS))
    rows = [cells for cells in lines[start + 1 :] if len(cells) == len(COLUMNS) + 1]
    assert len(rows) == 5
    for label, *cells in rows:
        name = label.partition(":")[0] if label.startswith("category") else label
        assert cells == [difference(board, name, "category", *column) for column in COLUMNS.values()], label


def test_what_the_loss_alone_gives_is_that_of_the_board(board: labelbench.ScoreTable) -> None:
    text = " ".join((RESULTS / "README.md").read_text(encoding="utf-8").split())
    said = re.search(r"official:speech less category-huber (.+?) and (.+?)\)", text)
    assert said
    columns = (COLUMNS["adaptive 1/255"], COLUMNS["adaptive 2/255"])
    assert list(said.groups()) == [difference(board, "official:speech", "category-huber", *one) for one in columns]
