"""What was measured, by where it was measured, and what comparisons of it have shown so far."""

from __future__ import annotations

import fnmatch
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from labelbench.claims.claim import Claim, Claims, Comparison
from labelbench.claims.correlations import labels_alone
from labelbench.results.spread import p_any, seeds_to_decide, seeds_to_show_any
from labelbench.results.tables import Row, Table

HOLDS_AT = 0.025


class Measured:
    """The tables by evaluator and by place."""

    def __init__(self, tables: Sequence[Table]) -> None:
        self.tables = {table.title: table for table in tables}
        self.rows: dict[tuple[str, str, str, str], list[Row]] = defaultdict(list)
        self.units: dict[str, str] = {}
        for table in tables:
            self.units |= {column.key: column.unit for column in table.columns}
            for row in sorted((row for row in table.rows if row.backbone), key=lambda row: row.name):
                self.rows[table.title, *row.place].append(row)
        self.places = sorted({(dataset, backbone) for _, dataset, backbone, _ in self.rows})
        self.settings: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        for name, dataset, backbone, settings in self.rows:
            self.settings[name, dataset, backbone].add(settings)

    def evaluators(self, comparison: Comparison) -> list[str]:
        """Names of tables that a comparison may use, the preferred one first."""
        matching = (fnmatch.filter(sorted(self.tables), pattern) for pattern in comparison.evaluators)
        return list(dict.fromkeys(name for names in matching for name in names))

    def scores(self, evaluator: str, comparison: Comparison) -> list[str]:
        """Scores of a comparison that an evaluator gave at all: of an attack, those at the epsilons asked of it."""
        return [score for score in comparison.scores if f"{evaluator}/{score}" in self.units]

    def settings_of(self, claim: Claim, attack: str, dataset: str, backbone: str) -> list[str]:
        """Settings under which a part of a claim was measured; a single empty one if none was."""
        names = {name for each in claim.comparisons if each.attack == attack for name in self.evaluators(each)}
        found = (self.settings.get((name, dataset, backbone), set()) for name in names)
        return sorted(set().union(*found)) or [""]

    def statistic(self, key: str) -> Mapping[tuple[str, str], float]:
        """A statistic of labels alone, by data set and label; empty if it was not measured."""
        table = next((table for name, table in self.tables.items() if key.startswith(f"{name}/")), None)
        return labels_alone(table, key) if table else {}


@dataclass
class Found:
    """What the comparisons of one claim have shown so far."""

    # Sentences, each with the least p-value of what it says against the claim.
    evidence: dict[str, float] = field(default_factory=dict)
    against: list[float] = field(default_factory=list)
    held: int = 0
    # Of each pair's cell: how far the mean lies where the claim has it, its spread, and the level at which it holds.
    spreads: list[tuple[float, float, float]] = field(default_factory=list)
    # Things by the reason for which nothing follows from them.
    missing: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    nothing: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def verdict(self) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        """Outcome, evidence and what is missing; what contradicts most comes first."""
        missing = list(_summed(self.missing))
        evidence = [*self.evidence, *_summed(self.nothing)]
        if self.against and p_any(self.against) <= HOLDS_AT:
            evidence.sort(key=lambda sentence: self.evidence.get(sentence, 1.0))
            return "contradicted", tuple(evidence), tuple(missing)
        if missing:
            return "not decided", tuple(evidence), tuple(missing)
        if not self.against:
            return "not decided", tuple(evidence), ("no cell decides, all count for nothing",)
        if self.held == len(self.against):
            return "reproduced", tuple(evidence), ()
        open_cells = len(self.against) - self.held
        undecided = f"not separated in {open_cells} of {len(self.against)} cells"
        return "not decided", tuple(evidence), (undecided + self._seeds_in_words(),)

    def _seeds_in_words(self) -> str:
        """How many seeds would decide, if spread and differences stay as they are; nothing if no number would."""
        wrong = [(-ahead, spread) for ahead, spread, _ in self.spreads if ahead < 0]
        against = seeds_to_show_any(wrong, len(self.against), HOLDS_AT)
        if against:
            return f"; with the present spread {against} seeds would contradict it"
        # All must hold for it to be reproduced.
        right = [seeds_to_decide(*each) for each in self.spreads]
        if right and all(right):
            return f"; with the present spread {max(filter(None, right))} seeds would reproduce it"
        return "; with the present spread no number of seeds below 1,000 would decide" if self.spreads else ""


def asked(comparison: Comparison) -> str:
    """The evaluators of a comparison, whatever their arguments."""
    return " or ".join(dict.fromkeys(pattern.partition(":")[0] for pattern in comparison.evaluators))


def rows_by_label(measured: Measured, names: Sequence[str], place: tuple[str, str, str]) -> dict[str, dict[str, Row]]:
    """Rows of one place by the label's name in tables, and by evaluator."""
    by_label: dict[str, dict[str, Row]] = defaultdict(dict)
    for name in names:
        for row in measured.rows.get((name, *place), ()):
            by_label[row.name][name] = row
    return by_label


def labels_of(
    claims: Claims,
    by_label: Mapping[str, Mapping[str, Row]],
    wanted: Sequence[str],
    comparison: Comparison,
    found: Found,
) -> list[str]:
    """Labels that count as those of one side; what no label counts as is missing."""
    plain = {name: row.label for name, rows in by_label.items() for row in rows.values()}
    labels: dict[str, None] = {}
    for name in wanted:
        matching = sorted(shown for shown, label in plain.items() if claims.counts_as(label, name))
        labels.update(dict.fromkeys(matching))
        if not matching and comparison.kind != "best":
            found.missing[f"not measured with {asked(comparison)}"].append(name)
    return list(labels)


def preferred(measured: Measured, comparison: Comparison, left: Mapping[str, Row], right: Mapping[str, Row]) -> str:
    """The evaluator by which two labels are compared, given the rows of each by evaluator; empty if they share none.

    It is the first of those with most seeds in common. Seeds beyond those needed do not make one preferable.
    """

    def shared_seeds(evaluator: str) -> int:
        scores = measured.scores(evaluator, comparison)
        values = [row[evaluator].values.get(f"{evaluator}/{scores[0]}") if scores else None for row in (left, right)]
        return min(
            comparison.minimum_n, len(set.intersection(*(set(value.seeds) if value else set() for value in values)))
        )

    shared = [name for name in measured.evaluators(comparison) if name in left and name in right]
    return max(shared, key=shared_seeds, default="")


def mean_outcome(row: Row, evaluator: str, scores: Sequence[str]) -> dict[int, float]:
    """The mean of several scores for each seed that has them all."""
    values = [row.values.get(f"{evaluator}/{score}") for score in scores]
    by_seed = [value.by_seed if value else {} for value in values]
    seeds = set.intersection(*(set(each) for each in by_seed))
    return {seed: statistics.fmean(each[seed] for each in by_seed) for seed in sorted(seeds)}


def _summed(things: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Each reason once, with the first thing it holds for and how many more there are."""
    for reason, found in things.items():
        names = list(dict.fromkeys(found))
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        yield f"{reason}: {names[0]}{more}"
