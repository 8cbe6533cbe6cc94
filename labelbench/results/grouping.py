"""Records brought together that differ in their seed alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from labelbench.results.records import Finished, Record
from labelbench.results.tables import Flag


@dataclass(frozen=True)
class Group:
    """What records share that differ in their seed alone; ``settings`` is the letter of the legend."""

    dataset: str
    backbone: str
    label: str
    label_identity: str
    settings: str


def newest_versions(records: Iterable[Record]) -> tuple[list[Record], list[str]]:
    """Records of each evaluator's newest version, and a remark on those left out."""
    newest: dict[str, int] = {}
    records = list(records)
    for record in records:
        newest[record.cell.evaluator] = max(record.cell.version, newest.get(record.cell.evaluator, 0))
    kept = [record for record in records if record.cell.version == newest[record.cell.evaluator]]
    left_out: dict[str, int] = defaultdict(int)
    for record in records:
        if record.cell.version != newest[record.cell.evaluator]:
            left_out[record.cell.evaluator] += 1
    remarks = [
        f"{count} result(s) of an older version of {evaluator} are left out; run again to renew them"
        for evaluator, count in sorted(left_out.items())
    ]
    return kept, remarks


def group_of(record: Finished, letter: str = "") -> Group:
    """The group of a record whose settings have this letter."""
    run = record.run
    drawn_per_seed = run.label_seed is not None
    return Group(
        run.dataset,
        run.backbone,
        run.label,
        "" if drawn_per_seed else record.facts["label"]["identity"],
        letter,
    )


def ambiguous_labels(groups: Iterable[Group]) -> set[tuple[str, str]]:
    """Data set and name of labels whose name stands for more than one set of targets."""
    identities: dict[tuple[str, str], set[str]] = defaultdict(set)
    for group in groups:
        identities[group.dataset, group.label].add(group.label_identity)
    return {key for key, found in identities.items() if len(found) > 1}


def identity_shown(group: Group, ambiguous: set[tuple[str, str]]) -> str:
    """The start of the label's identity where the name alone is ambiguous, else nothing."""
    return group.label_identity[:6] if (group.dataset, group.label) in ambiguous else ""


def flags_of(found: Mapping[str, Iterable[Record]]) -> tuple[Flag, ...]:
    """Findings about a group, given its records by evaluator."""
    raised: dict[str, set[int]] = defaultdict(set)
    measured: dict[str, set[int]] = defaultdict(set)
    carriers: dict[str, set[str]] = defaultdict(set)
    for record in (record for records in found.values() for record in records):
        for score in record.scores:
            measured[score.name].add(record.run.seed)
            if score.flag:
                raised[score.flag].add(record.run.seed)
                carriers[score.flag].add(score.name)
    return tuple(
        Flag(name, len(seeds), len(set().union(*(measured[carrier] for carrier in carriers[name]))))
        for name, seeds in sorted(raised.items())
    )


def letter_of(index: int) -> str:
    """a, b, ..., z, aa, ab, ...

    >>> letter_of(0), letter_of(26)
    ('a', 'aa')
    """
    letters = ""
    index += 1
    while index:
        index, digit = divmod(index - 1, 26)
        letters = chr(ord("a") + digit) + letters
    return letters
