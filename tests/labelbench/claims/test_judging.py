"""Verdicts on made-up results whose truth is known."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import made_up
from labelbench.claims.claim import Claims, Verdict
from labelbench.claims.files import load_claims, paper_claims
from labelbench.claims.judging import judge
from labelbench.leaderboard.leaderboard import build
from labelbench.recipes import RECIPES
from labelbench.results.records import Record
from labelbench.results.spread import p_below
from labelbench.results.tables import Table

seeds, record = made_up.seeds, made_up.record

EPSILONS = ("0.05", "0.1", "0.15", "0.2", "0.25", "0.3")
ATTACKS = tuple(f"{kind}-{aim}" for kind in ("fgsm", "iterative") for aim in ("untargeted", "targeted"))
PIXELS = ("0.25", "0.5", "1", "2", "4", "8")
SHARES = ("1%", "2%", "4%", "8%", "10%", "20%")


def paper_attack(mean: float) -> dict[str, float]:
    return {f"{attack}/{epsilon}": mean for attack in ATTACKS for epsilon in EPSILONS}


def adaptive(paper: float, pixels: float, kept: float = 0.5) -> dict[str, float]:
    return {
        **{f"at-paper-epsilon/{epsilon}": paper for epsilon in EPSILONS},
        **{f"adaptive/{epsilon}": pixels for epsilon in PIXELS},
        **{f"adaptive/{epsilon}/of-correct": kept for epsilon in PIXELS},
    }


def verdict(records: list[Record], claim: str, attack: str = "", claims: Claims | None = None) -> Verdict:
    found = [one for one in build(records, claims=claims).verdicts if (one.claim, one.attack) == (claim, attack)]
    (one,) = found
    return one


def accuracy(**means: float) -> list[Record]:
    return [
        one for label, mean in means.items() for one in seeds(label.replace("_", "-"), "accuracy", {"nearest": mean})
    ]


COMPARABLE = {"category": 0.9, "speech": 0.901, "shuffled_speech": 0.899, "gaussian_composition": 0.9}


def test_equivalence_holds_where_the_difference_lies_within_the_margin() -> None:
    quiet = [
        record(label, seed, "accuracy", {"nearest": mean + 0.001 * seed})
        for label, mean in (("category", 0.9), ("speech", 0.901), ("shuffled-speech", 0.9), ("composite", 0.899))
        for seed in range(3)
    ]
    assert verdict(quiet, "C1").outcome == "reproduced"


def test_no_difference_found_is_not_equivalence() -> None:
    """Means are equal, but seeds differ by more than the margin."""
    loud = [
        record(label, seed, "accuracy", {"nearest": 0.9 + sign * 0.02 * (seed - 1)})
        for label, sign in (("category", 1), ("speech", -1), ("shuffled-speech", -1), ("gaussian-composition", -1))
        for seed in range(3)
    ]
    found = verdict(loud, "C1")
    assert found.outcome == "not decided"
    assert found.missing == ("not separated in 3 of 3 cells; with the present spread 46 seeds would reproduce it",)


def test_as_many_seeds_as_are_said_to_contradict_a_claim_do_so() -> None:
    """One cell of 72 is false: with one seed fewer, the chance that one of so many looks so is too large."""

    def found_with(count: int) -> Verdict:
        steps = [seed - (count - 1) / 2 for seed in range(count)]
        noise = [0.01 * step / statistics.stdev(steps) for step in steps]
        records = [
            record(label, seed, "attacks-paper", paper_attack(mean))
            for label, mean in (("category", 0.4), ("shuffled-speech", 0.6), ("gaussian-composition", 0.6))
            for seed in range(count)
        ]
        almost = paper_attack(0.6)
        records += [
            record("speech", seed, "attacks-paper", almost | {"fgsm-targeted/0.05": 0.38 + noise[seed]})
            for seed in range(count)
        ]
        return verdict(records, "C3", "paper")

    (said,) = found_with(3).missing
    needed = int(said.removeprefix("not separated in 1 of 72 cells; with the present spread ").split()[0])
    assert "would contradict it" in said and needed > 5
    assert found_with(needed - 1).outcome == "not decided" and found_with(needed).outcome == "contradicted"


def test_what_contradicts_a_claim_comes_first() -> None:
    found = verdict(accuracy(**{**COMPARABLE, "shuffled_speech": 0.85, "gaussian_composition": 0.5}), "C1")
    firsts = [sentence.partition(" less ")[0] for sentence in found.evidence]
    assert found.outcome == "contradicted" and firsts == ["gaussian-composition", "shuffled-speech", "speech"]


@pytest.mark.parametrize("speech", [0.8, 0.99])
def test_equivalence_is_contradicted_by_a_difference_beyond_the_margin(speech: float) -> None:
    found = verdict(accuracy(**{**COMPARABLE, "speech": speech}), "C1")
    assert found.outcome == "contradicted"
    assert any("speech less category: holds in 0 of 1 cells" in text for text in found.evidence)


@pytest.mark.parametrize(("count", "has"), [(1, 1), (2, 2)])
def test_too_few_seeds_decide_nothing(count: int, has: int) -> None:
    records = [
        one
        for label in ("category", "speech", "shuffled-speech", "gaussian-composition")
        for one in seeds(label, "accuracy", {"nearest": 0.2 if label == "category" else 0.9}, count)
    ]
    found = verdict(records, "C1")
    assert found.outcome == "not decided"
    assert found.missing == (f"needs 3 seeds, has {has}: speech and category: accuracy/nearest and 2 more",)


def test_seeds_are_paired() -> None:
    """Seeds differ by far more than labels do, and labels differ by the same in each seed."""
    records = [
        record(label, seed, "attacks-paper", dict.fromkeys(paper_attack(0), 0.3 + 0.2 * seed + better))
        for label, better in (
            *(("category", 0.0), ("speech", 0.05), ("shuffled-speech", 0.06), ("gaussian-composition", 0.04)),
        )
        for seed in range(3)
    ]
    assert verdict(records, "C3", "paper").outcome == "reproduced"
    others = [one for one in records if one.cell.run.label != "category"]
    shifted = [record("category", seed + 7, "attacks-paper", paper_attack(0.1)) for seed in range(3)]
    assert "needs 3 seeds, has 0" in verdict([*others, *shifted], "C3", "paper").missing[0]


def attacked(category: float, others: float, **changes: Any) -> list[Record]:
    labels = {"category": category, "speech": others, "shuffled-speech": others, "gaussian-composition": others}
    return [
        one for label, mean in labels.items() for one in seeds(label, "attacks-paper", paper_attack(mean), **changes)
    ]


def test_more_at_every_epsilon_is_reproduced_and_less_is_contradicted() -> None:
    assert verdict(attacked(0.1, 0.4), "C3", "paper").outcome == "reproduced"
    assert verdict(attacked(0.4, 0.1), "C3", "paper").outcome == "contradicted"


def test_what_is_not_separated_is_not_decided() -> None:
    found = verdict(attacked(0.4, 0.401), "C3", "paper")
    assert found.outcome == "not decided" and "not separated in " in found.missing[0]


def test_attacks_are_judged_apart() -> None:
    labels = ("category", "speech", "shuffled-speech", "gaussian-composition")
    broken = [
        one
        for label in labels
        for one in seeds(label, "attacks-adaptive", adaptive(0.01, 0.5 if label == "category" else 0.2))
    ]
    records = [*attacked(0.1, 0.4), *broken]
    assert verdict(records, "C3", "paper").outcome == "reproduced"
    under_adaptive = verdict(records, "C3", "adaptive")
    assert under_adaptive.outcome == "contradicted"
    assert any("counts for nothing, both under 2%" in text for text in under_adaptive.evidence)


def test_cells_at_the_floor_decide_nothing() -> None:
    assert verdict(attacked(0.001, 0.015), "C3", "paper").outcome == "not decided"
    assert verdict(attacked(0.001, 0.015), "C3", "paper").missing == ("no cell decides, all count for nothing",)
    some = {name: 0.015 if name.endswith("/0.3") else 0.4 for name in paper_attack(0)}
    none = {name: 0.001 if name.endswith("/0.3") else 0.1 for name in paper_attack(0)}
    records = seeds("category", "attacks-paper", none)
    for label in ("speech", "shuffled-speech", "gaussian-composition"):
        records += seeds(label, "attacks-paper", some)
    found = verdict(records, "C3", "paper")
    assert found.outcome == "reproduced"
    assert any("counts for nothing" in text and "11 more" in text for text in found.evidence)


@pytest.mark.parametrize(("kept", "outcome"), [(0.5, "contradicted"), (0.97, "not decided"), (0.03, "not decided")])
def test_pixel_epsilons_count_where_category_keeps_neither_all_nor_nothing(kept: float, outcome: str) -> None:
    labels = ("category", "speech", "shuffled-speech", "gaussian-composition")
    records = [
        one
        for label in labels
        for one in seeds(label, "attacks-adaptive", adaptive(0.0, 0.6 if label == "category" else 0.3, kept))
    ]
    assert verdict(records, "C3", "adaptive").outcome == outcome


def test_missing_cells_and_labels_are_named_and_keep_a_claim_from_being_reproduced() -> None:
    records = [one for one in attacked(0.1, 0.4) if one.cell.run.label != "shuffled-speech"]
    records = [replace(one, scores=one.scores[:-1]) if one.cell.run.label == "speech" else one for one in records]
    found = verdict(records, "C3", "paper")
    assert found.outcome == "not decided"
    assert set(found.missing) == {
        "not measured with attacks-paper: shuffled-speech",
        "no value: speech: attacks-paper/iterative-targeted/0.3",
    }
    assert verdict(records, "C5").missing == ("not measured: data-efficiency",)


def test_a_part_that_is_shown_false_contradicts_whatever_else_is_missing() -> None:
    records = [one for one in attacked(0.4, 0.1) if one.cell.run.label != "shuffled-speech"]
    assert verdict(records, "C3", "paper").outcome == "contradicted"


def test_a_score_without_value_is_missing() -> None:
    records = accuracy(category=0.9, shuffled_speech=0.9, gaussian_composition=0.9)
    records += seeds("speech", "accuracy", {"nearest": None})
    assert verdict(records, "C1").missing == ("no value: speech: accuracy/nearest",)


def test_a_number_that_is_none_at_all_decides_nothing() -> None:
    board = build(accuracy(**COMPARABLE))
    (table,) = board.evaluator_tables

    def spoilt(table: Table) -> Table:
        rows = []
        for row in table.rows:
            value = row.values["accuracy/nearest"]
            if row.label == "speech":
                value = replace(value, mean=float("nan"), numbers=(0.9, float("nan"), 0.9))
            rows.append(replace(row, values={"accuracy/nearest": value}))
        return replace(table, rows=tuple(rows))

    (found,) = [one for one in judge(paper_claims(), [spoilt(table)], {}) if one.claim == "C1"]
    assert found.outcome != "reproduced" and "no value: speech: accuracy/nearest" in found.missing


def test_one_cell_of_many_does_not_contradict_by_chance() -> None:
    """A difference that alone would be called separated is one of 72."""

    def scores(label: str, seed: int) -> dict[str, float]:
        if label == "category":
            return dict.fromkeys(paper_attack(0), 0.4)
        return {**dict.fromkeys(paper_attack(0), 0.7), "fgsm-targeted/0.1": 0.36 - 0.01 * (seed - 1)}

    labels = ("category", "speech", "shuffled-speech", "gaussian-composition")
    records = [record(label, seed, "attacks-paper", scores(label, seed)) for label in labels for seed in range(3)]
    assert p_below([-0.03, -0.04, -0.05], 0.0) <= 0.025
    assert verdict(records, "C3", "paper").outcome == "not decided"


@pytest.mark.parametrize("name", ["speech", "official:speech", "speech:lang=en", "speech:wav=recordings,lang=de"])
def test_all_speech_counts_as_speech(name: str) -> None:
    records = [one for one in attacked(0.1, 0.4) if one.cell.run.label != "speech"]
    records += seeds(name, "attacks-paper", paper_attack(0.05))
    assert verdict(records, "C3", "paper").outcome == "contradicted"


def test_controls_count_as_no_label_of_the_paper() -> None:
    records = attacked(0.1, 0.4)
    for control in ("scaled:speech", "category-dense", "category-huber"):
        records += seeds(control, "attacks-paper", paper_attack(0.01))
    assert verdict(records, "C3", "paper").outcome == "reproduced"


def test_corrected_attacks_are_not_the_papers() -> None:
    records = [
        one
        for label in ("category", "speech", "shuffled-speech", "gaussian-composition")
        for one in seeds(label, "attacks-paper:corrected", paper_attack(0.5))
    ]
    assert verdict(records, "C3", "paper").missing == ("not measured: attacks-paper",)


def test_settings_are_never_mixed() -> None:
    records = [one for one in attacked(0.1, 0.4) if one.cell.run.label != "category"]
    records += seeds("category", "attacks-paper", paper_attack(0.1), recipe=RECIPES["quick"])
    outcomes = [one for one in build(records).verdicts if (one.claim, one.attack) == ("C3", "paper")]
    assert [one.settings for one in outcomes] == ["a", "b"]
    assert {one.outcome for one in outcomes} == {"not decided"}


def efficient(recipe: str, category: float, dense: float, low: float, constant: float, steps: int = 0) -> list[Record]:
    means = dict.fromkeys(("speech", "shuffled-speech", "gaussian-composition", "uniform-random"), dense)
    means |= {"category": category, "low-dim": low, "constant": constant}
    used = replace(RECIPES[recipe], minimum_steps=steps)
    return [
        one
        for label, mean in means.items()
        for one in seeds(label, "data-efficiency", {**dict.fromkeys(SHARES, mean), "area": mean}, recipe=used)
    ]


def test_small_shares_are_judged_at_each_share() -> None:
    assert verdict(efficient("paper", 0.5, 0.6, 0.55, 0.3), "C5").outcome == "reproduced"
    assert verdict(efficient("paper", 0.6, 0.5, 0.55, 0.3), "C5").outcome == "contradicted"
    assert verdict(efficient("paper", 0.5, 0.6, 0.65, 0.3), "C5").outcome == "contradicted"


def test_a_short_recipe_that_states_no_minimum_of_steps_tests_step_count() -> None:
    short = verdict(efficient("paper-fast", 0.5, 0.6, 0.55, 0.3, steps=0), "C5")
    assert short.outcome == "not decided" and "minimum of steps" in short.missing[0]
    assert verdict(efficient("paper-fast", 0.5, 0.6, 0.55, 0.3, steps=2000), "C5").outcome == "reproduced"


def with_entropy(records: list[Record], **entropies: float) -> list[Record]:
    alone = [
        record(label.replace("_", "-"), 0, "label-statistics", {"entropy-256/pooled": bits}, backbone="", unit="bits")
        for label, bits in entropies.items()
    ]
    return [*records, *alone]


HIGH = {"speech": 7.5, "shuffled_speech": 7.5, "gaussian_composition": 7.7, "uniform_random": 8.0, "low_dim": 6.9}


def test_the_best_have_more_entropy_or_the_claim_is_contradicted() -> None:
    records = efficient("paper", 0.5, 0.6, 0.55, 0.3)
    assert verdict(with_entropy(records, **HIGH, category=0.5, constant=3.3), "C6").outcome == "reproduced"
    low = with_entropy(records, **{**HIGH, "speech": 0.4}, category=0.5, constant=3.3)
    assert verdict(low, "C6").outcome == "contradicted"
    assert verdict(records, "C6").missing[0].startswith("not measured with label-statistics/entropy-256/pooled")


def test_a_label_of_low_entropy_that_does_best_contradicts_the_claim() -> None:
    records = with_entropy(efficient("paper", 0.9, 0.6, 0.55, 0.3), **HIGH, category=0.5, constant=3.3)
    assert verdict(records, "C6").outcome == "contradicted"


def test_the_best_are_those_of_the_mean_over_the_epsilons_that_were_measured() -> None:
    """Of six epsilons two were asked for: enough to contradict the claim, not to say that it holds at all six."""
    dense = ("speech", "shuffled-speech", "gaussian-composition", "uniform-random", "low-dim")

    def records(category: float, pixels: Sequence[str]) -> list[Record]:
        means = {**dict.fromkeys(dense, 0.5), "category": category, "constant": 0.1}
        found = [
            one
            for label, mean in means.items()
            for one in seeds(label, "attacks-adaptive:quick", {f"adaptive/{each}": mean for each in pixels})
        ]
        return with_entropy(found, **HIGH, category=0.5, constant=3.3)

    assert verdict(records(0.9, ("4", "8")), "C6", "adaptive").outcome == "contradicted"
    assert verdict(records(0.3, PIXELS), "C6", "adaptive").outcome == "reproduced"
    some = verdict(records(0.3, ("4", "8")), "C6", "adaptive")
    assert some.outcome == "not decided"
    assert some.missing == ("not measured, so not in the mean: attacks-adaptive:quick/adaptive/0.25 and 3 more",)


def test_the_more_labels_are_tried_the_surer_the_best_must_be() -> None:
    lead = (0.02, 0.01, 0.015)

    def records(*others: str) -> list[Record]:
        means = {"category": 0.5, "constant": 0.1, **dict.fromkeys(others, 0.2)}
        found = [
            record(label, seed, "data-efficiency", {"area": mean + (seed + len(label)) % 3 / 500})
            for label, mean in means.items()
            for seed in range(3)
        ]
        found += [
            record("speech", seed, "data-efficiency", {"area": 0.5 + (seed + len("category")) % 3 / 500 + more})
            for seed, more in enumerate(lead)
        ]
        return with_entropy(found, **HIGH, category=0.5, constant=3.3)

    assert verdict(records(), "C6").outcome == "reproduced"
    tried = verdict(records("shuffled-speech", "gaussian-composition", "uniform-random", "low-dim"), "C6")
    assert tried.outcome == "not decided" and tried.missing[0].startswith("no label is shown to do better")


def test_where_none_is_best_entropy_says_nothing() -> None:
    records = with_entropy(efficient("paper", 0.6, 0.6, 0.55, 0.3), **HIGH, category=0.5, constant=3.3)
    assert verdict(records, "C6").missing == (
        "no label is shown to do better than category and constant: data-efficiency/area",
    )


def test_difficult_training_and_features_are_judged() -> None:
    records = accuracy(category=0.9, constant=0.8)
    records += seeds("category", "learning-curve", {"area": 0.8}) + seeds("constant", "learning-curve", {"area": 0.5})
    assert verdict(records, "C2").outcome == "reproduced"
    moments = [f"{name}/{share}%" for name in ("silhouette", "separation") for share in (10, 30, 50, 70, 100)]
    for label, mean in (("category", 0.2), ("official:speech", 0.4)):
        records += seeds(label, "feature-views", dict.fromkeys(moments, mean))
    assert verdict(records, "C7").outcome == "reproduced"


def test_flags_are_part_of_the_evidence() -> None:
    flags = {"masked-gradients": "noise breaks 9 of 10 survivors"}
    scores = {**adaptive(0.3, 0.4), "masked-gradients": 0.9}
    records = [
        one
        for label in ("speech", "shuffled-speech", "gaussian-composition")
        for one in seeds(label, "attacks-adaptive:strong", scores, flags=flags)
    ]
    records += seeds("category", "attacks-adaptive:strong", adaptive(0.05, 0.2))
    found = verdict(records, "C3", "adaptive")
    assert found.outcome == "reproduced"
    assert "speech has the flag masked-gradients for 3 of 3 seeds" in found.evidence


EVERYTHING = [
    *attacked(0.1, 0.4),
    *accuracy(**COMPARABLE, constant=0.7),
    *with_entropy(efficient("paper", 0.5, 0.6, 0.55, 0.3), **HIGH, category=0.5, constant=3.3),
    *(one for label in ("category", "speech") for one in seeds(label, "attacks-adaptive", adaptive(0.01, 0.3))),
    *seeds("speech:lang=de", "attacks-paper", paper_attack(0.3), 2),
]
EXPECTED = build(EVERYTHING).verdicts


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32))
def test_the_order_of_rows_and_records_changes_no_verdict(seed: int) -> None:
    shuffler = random.Random(seed)
    records = list(EVERYTHING)
    shuffler.shuffle(records)
    board = build(records)
    assert board.verdicts == EXPECTED
    tables = []
    for table in board.evaluator_tables:
        rows = list(table.rows)
        shuffler.shuffle(rows)
        tables.append(replace(table, rows=tuple(rows)))
    shuffler.shuffle(tables)
    recipes = {one.settings: RECIPES["paper"] for one in EXPECTED}
    assert judge(paper_claims(), tables, recipes) == EXPECTED


def test_a_claim_about_a_correlation(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text(
        '[[claim]]\nid="r"\ntext="entropy explains accuracy"\n[[claim.comparison]]\nkind="correlation"\nleft=["*"]\n'
        'evaluators=["accuracy"]\nscores=["nearest"]\nstatistic="label-statistics/entropy-256/pooled"\nminimum-n=6\n'
    )
    names = [f"label{index}" for index in range(8)]

    def board(sign: int, count: int = 8) -> str:
        records = accuracy(**{name: 0.5 + sign * 0.05 * index for index, name in enumerate(names[:count])})
        records = with_entropy(records, **{name: float(index) for index, name in enumerate(names)})
        return verdict(records, "r", claims=load_claims(file)).outcome

    assert (board(1), board(-1), board(1, 5)) == ("reproduced", "contradicted", "not decided")


def test_a_label_that_diverged_in_some_seeds_does_not_support_a_claim() -> None:
    records = [record for name in ("category", "constant") for record in seeds(name, "learning-curve", {"area": 0.5})]
    records += seeds("category", "accuracy", {"nearest": 0.9}, 4) + seeds("constant", "accuracy", {"nearest": 0.5})
    last = record("constant", 3, "accuracy", {"nearest": 0.5})
    assert "no value for" not in " ".join(verdict([*records, last], "C2").missing)
    found = verdict([*records, replace(last, scores=(), diverged=True)], "C2")
    assert found.outcome == "not decided"
    assert "no value for 1 of 4 seeds: constant: accuracy/nearest" in found.missing


def test_a_label_that_diverged_in_some_seeds_is_not_shown_to_be_the_best() -> None:
    means = {"speech": 0.6, "category": 0.5, "constant": 0.3}
    records = [one for name, mean in means.items() for one in seeds(name, "data-efficiency", {"area": mean}, 4)]
    records = with_entropy(records, speech=7.5, category=0.5, constant=3.3)
    assert verdict(records, "C6").outcome == "reproduced"
    for name in means:
        diverged = [
            replace(one, scores=(), diverged=True)
            if (one.run.label, one.run.seed, one.cell.evaluator) == (name, 3, "data-efficiency")
            else one
            for one in records
        ]
        found = verdict(diverged, "C6")
        assert (found.outcome, found.missing) == (
            "not decided",
            (f"no value for 1 of 4 seeds: {name}: data-efficiency",),
        )


def test_a_label_that_diverged_in_some_seeds_does_not_support_a_correlation(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text(
        '[[claim]]\nid="r"\ntext="entropy explains accuracy"\n[[claim.comparison]]\nkind="correlation"\nleft=["*"]\n'
        'evaluators=["accuracy"]\nscores=["nearest"]\nstatistic="label-statistics/entropy-256/pooled"\n'
    )
    names = [f"label{index}" for index in range(8)]
    records = accuracy(**{name: 0.5 + 0.05 * index for index, name in enumerate(names)})
    records = with_entropy(records, **{name: float(index) for index, name in enumerate(names)})
    assert verdict(records, "r", claims=load_claims(file)).outcome == "reproduced"
    found = verdict([replace(records[0], scores=(), diverged=True), *records[1:]], "r", claims=load_claims(file))
    assert (found.outcome, found.missing) == ("not decided", ("no value for 1 of 3 seeds: label0: accuracy",))
