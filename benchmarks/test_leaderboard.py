"""How long finished results take to become a leaderboard, against only reading and parsing the same files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labelbench.evaluation.scores import Score
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.results.reading import read
from labelbench.results.records import Cell, run_facts
from labelbench.results.store import Results
from labelbench.runs import RunSpec

LABELS = ("category", "speech", "shuffled-speech", "constant", "gaussian-composition")
SEEDS = 5
EVALUATORS = {"accuracy": ("nearest", "threshold"), "learning-curve": ("area", "epochs-to-50%")}
HEADLINE = ["accuracy/nearest", "learning-curve/area"]
PER_BACKBONE = len(LABELS) * SEEDS * len(EVALUATORS)


def made_up_results(folder: Path, count: int) -> Results:
    """A results folder with ``count`` measurements, as many backbones as that takes."""
    results = Results(folder)
    results.save_suite({"name": "made up", "headline": HEADLINE})
    for backbone in range(count // PER_BACKBONE):
        for place, label in enumerate(LABELS):
            for seed in range(SEEDS):
                run = RunSpec("digits", label, f"net{backbone}", seed)
                for evaluator, names in EVALUATORS.items():
                    hits = 150 + (7 * backbone + 13 * place + 5 * seed) % 100
                    scores = [Score.share(name, hits, 355) for name in names]
                    file = results.measurement_file(Cell(run, evaluator, 1))
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_text(json.dumps(_facts(run, evaluator, scores), indent=1))
    return results


def _facts(run: RunSpec, evaluator: str, scores: list[Score]) -> dict[str, Any]:
    return {
        "schema": 1,
        "kind": "measurement",
        "status": "done",
        "run": run_facts(run),
        "evaluator": {"name": evaluator, "version": 1, "settings": {}},
        "test_images": None,
        "scores": [
            {"name": one.name, "value": one.value, "unit": one.unit, "higher_is_better": True, "interval": one.interval}
            for one in scores
        ],
        "details": {},
        "arrays": None,
        "label": {"sha256": "ab" * 32, "identity": "ab" * 32, "shape": [10], "loss": "smooth-l1", "notes": []},
        "images": {"fingerprint": "fedcba9876543210", "train": 1442, "test": 355, "source": "made up"},
        "environment": {"labelbench": "0.1.0", "torch": "2.15.0", "python": "3.11", "system": "made up"},
    }


def read_and_parse(results: Results) -> int:
    return sum(1 for file in results.folder.rglob("*.json") if json.loads(file.read_bytes()))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return made_up_results(tmp_path_factory.mktemp("many"), 10_000)


def test_ten_thousand_results(many: Results, benchmark: Any, best_of: Callable[..., float]) -> None:
    plain = best_of(lambda: read_and_parse(many))
    board = benchmark.pedantic(lambda: Leaderboard.of(read(many)), rounds=3, iterations=1, warmup_rounds=1)
    best = benchmark.stats.stats.min
    benchmark.extra_info["read and parse alone"] = plain
    benchmark.extra_info["times read and parse alone"] = best / plain
    assert len(board.tables[0].rows) == 10_000 // PER_BACKBONE * len(LABELS)
    print(f"\n{best:.2f} s for 10,000 results, {best / plain:.1f} times as long as reading and parsing them")


def test_time_grows_with_the_results(
    many: Results, tmp_path: Path, benchmark: Any, best_of: Callable[..., float]
) -> None:
    few = made_up_results(tmp_path, 2_500)
    benchmark.pedantic(lambda: Leaderboard.of(read(few)), rounds=3, iterations=1, warmup_rounds=1)
    ratio = best_of(lambda: Leaderboard.of(read(many))) / benchmark.stats.stats.min
    benchmark.extra_info["four times the results, times as long"] = round(ratio, 2)
    print(f"\nfour times the results take {ratio:.1f} times as long")


def test_the_plan_of_suite_paper(tmp_path: Path, benchmark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from labelbench.machine.numerics import resolve_numerics
    from labelbench.running.planning import plan
    from labelbench.suite import Suite

    monkeypatch.setenv("LABELBENCH_CACHE", str(tmp_path / "cache"))
    suite = Suite.load("paper")
    numerics = resolve_numerics(suite.numerics, "cpu", 1)
    found = benchmark.pedantic(lambda: plan(suite, numerics, Results(tmp_path / "results"), "missing"), rounds=3)
    cells = len(suite.datasets) * len(suite.labels) * len(suite.backbones) * len(suite.seeds)
    assert len(found.trainings) >= cells
    print(f"\nsuite paper planned in {benchmark.stats.stats.min * 1000:.0f} ms")
