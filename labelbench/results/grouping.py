"""Records brought together that differ in their seed alone, and everything else that may change a result in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from labelbench.recipes import RECIPES, Recipe
from labelbench.results.store import Record
from labelbench.results.tables import Flag
from labelbench.values import differences, digest_of


@dataclass(frozen=True)
class Group:
    """Records that differ in their seed alone."""

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


def settings_by_record(records: Iterable[Record]) -> list[str]:
    """Everything but the seed that may change a result, in words; nothing for labels alone."""
    known: dict[tuple[Any, ...], str] = {}
    found = []
    for record in records:
        run, facts = record.cell.run, record.facts
        images, environment = facts["images"], facts["environment"]
        files = tuple(pair for pair in run.files if pair[0] in run.backbone or pair[0] in run.dataset)
        key = (
            *(run.dataset, run.recipe.comparable, run.train_fraction, run.numerics, files, record.cell.test_images),
            *(images["fingerprint"], images["train"], images["test"]),
            *(environment["labelbench"], environment["torch"], _backbone_origin(record)),
        )
        if not run.backbone:
            found.append("")
        else:
            if key not in known:
                known[key] = _settings_in_words(record, files)
            found.append(known[key])
    return found


def _settings_in_words(record: Record, files: Iterable[tuple[str, str]]) -> str:
    run, facts = record.cell.run, record.facts
    images, environment = facts["images"], facts["environment"]
    parts = [
        _recipe_in_words(run.recipe),
        f"{run.share_of_data} of the training data",
        str(run.numerics),
        f"{run.dataset} {images['fingerprint'][:12]} ({images['train']:,} training, {images['test']:,} test images)",
        f"{record.cell.test_images:,} of them measured" if record.cell.test_images else "",
        f"labelbench {environment['labelbench']}, torch {environment['torch']}",
        *(f"{path} {digest[:12]}" for path, digest in files),
        _backbone_origin(record),
    ]
    return "; ".join(part for part in parts if part)


def _backbone_origin(record: Record) -> str:
    """The distribution and version of a backbone that is not our own."""
    origin = str(record.facts.get("plugins", {}).get("backbone", ""))
    return "" if origin.startswith("labelbench ") else origin


def _recipe_in_words(recipe: Recipe) -> str:
    """Name and epochs; a digest tells recipes apart that share both."""
    text = f"recipe {recipe.name}, {recipe.epochs} epochs"
    text += f", at least {recipe.minimum_steps:,} steps" if recipe.minimum_steps else ""
    kept = recipe.comparable
    usual = RECIPES.get(recipe.name)
    if usual:
        usual = replace(usual.with_epochs(recipe.epochs), tuned=kept.tuned, tuning=kept.tuning).comparable
    text += "" if kept == usual else f" ({digest_of(differences(kept))[:6]})"
    return f"{text}, tuned for each label: {recipe.tuning}" if recipe.tuned else text


def group_of(record: Record, letter: str) -> Group:
    """The group of a record whose settings have this letter."""
    run = record.cell.run
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
            measured[score.name].add(record.cell.run.seed)
            if score.flag:
                raised[score.flag].add(record.cell.run.seed)
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
