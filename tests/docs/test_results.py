"""What ``results/README.md`` and README say of the cause is what the records say."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from statistics import fmean

import pytest

import labelbench
from labelbench.results.spread import Paired, paired

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


def in_one_line(page: Path) -> str:
    """The text of a page, wherever its lines break."""
    return " ".join(page.read_text(encoding="utf-8").split())


def difference(board: labelbench.ScoreTable, label: str, other: str, evaluator: str, score: str) -> Paired:
    """Of all seeds that both have."""
    one, two = (
        {row.seed: row.value for row in board.where(label=name, evaluator=evaluator, score=score)}
        for name in (label, other)
    )
    found = paired(one, two)
    assert found and found.n >= 3
    return found


def points(found: Paired) -> str:
    """Percentage points and their interval, as the page writes them."""
    assert found.interval
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
        assert cells == [points(difference(board, name, "category", *one)) for one in COLUMNS.values()], label


def test_what_the_loss_alone_gives_is_that_of_the_board(board: labelbench.ScoreTable) -> None:
    text = in_one_line(RESULTS / "README.md")
    said = re.search(r"official:speech less category-huber at 1/255 and 2/255 (.+?) and (.+?)\)", text)
    assert said
    columns = (COLUMNS["adaptive 1/255"], COLUMNS["adaptive 2/255"])
    assert list(said.groups()) == [
        points(difference(board, "official:speech", "category-huber", *one)) for one in columns
    ]


def test_no_dense_label_keeps_more_than_one_hot_targets_of_its_loss_under_the_adaptive_attack(
    board: labelbench.ScoreTable,
) -> None:
    for page in ("README.md", "docs/pages/index.md"):
        text = in_one_line(RESULTS.parent / page)
        assert "under the adaptive attack to 4/255, no dense label is shown to keep more than one-hot targets" in text
    measured = {row.label for row in board.where(evaluator="attacks-adaptive:quick")}
    dense = {label for label in measured if not label.startswith("category")}
    assert len(dense) == 6
    for epsilon in ("0.25", "0.5", "1", "2", "4"):
        column = ("attacks-adaptive:quick", f"adaptive/{epsilon}")
        for label in dense:
            found = difference(board, label, "category-huber", *column)
            assert not (found.separated and found.mean > 0), (label, epsilon)
    # Category labels are told from both, so that the network and the seeds would have shown it.
    for label in ("official:speech", "category-huber"):
        assert difference(board, label, "category", "attacks-adaptive:quick", "adaptive/2").separated


@pytest.fixture(scope="module")
def cifar100() -> labelbench.ScoreTable:
    return labelbench.load_results(RESULTS / "cifar100-resnet8")


def means(board: labelbench.ScoreTable, evaluator: str, score: str) -> dict[str, float]:
    """Of each label over its seeds, in %."""
    found: dict[str, list[float]] = defaultdict(list)
    for row in board.where(evaluator=evaluator, score=score):
        assert row.value is not None
        found[row.label].append(100 * row.value)
    assert all(len(values) >= 3 for values in found.values())
    return {label: fmean(values) for label, values in found.items()}


def test_what_labels_reach_on_cifar_100_is_that_of_the_board(cifar100: labelbench.ScoreTable) -> None:
    text = in_one_line(RESULTS / "README.md")
    said = re.search(r"category reaches (\S+) % on 1,000 test images, and the best dense label (\S+) %", text)
    control = re.search(r"\(category-huber\) reach (\S+) %, at the largest rate", text)
    assert said and control
    accuracy = means(cifar100, "accuracy", "nearest")
    dense = max(mean for label, mean in accuracy.items() if not label.startswith("category"))
    found = (accuracy["category"], dense, accuracy["category-huber"])
    assert (*said.groups(), *control.groups()) == tuple(f"{value:.1f}" for value in found)
    for page in ("README.md", "docs/pages/index.md"):
        text = in_one_line(RESULTS.parent / page)
        assert f"such targets reach {accuracy['category-huber']:.0f} %, and the control says nothing" in text


def test_what_is_kept_of_what_was_read_right_on_cifar_100_is_that_of_the_board(
    cifar100: labelbench.ScoreTable,
) -> None:
    text = in_one_line(RESULTS / "README.md")
    said = re.search(r"at 1/255 dense labels keep (\d+) to (\d+) % of what they read right, category (\d+) %", text)
    assert said
    kept = means(cifar100, "attacks-adaptive:quick", "adaptive/1/of-correct")
    # Constant labels read next to nothing right.
    dense = [mean for label, mean in kept.items() if not label.startswith(("category", "constant"))]
    assert len(dense) == 3
    assert said.groups() == tuple(f"{value:.0f}" for value in (min(dense), max(dense), kept["category"]))
