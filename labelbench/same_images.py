"""Networks of two labels, seed by seed, compared image by image on the test images that both saw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from labelbench.errors import ConflictError, InputError
from labelbench.plugins.lookup import find_dataset
from labelbench.results.conditions import conditions_of
from labelbench.results.grouping import newest_versions
from labelbench.results.reading import read
from labelbench.results.records import Record
from labelbench.results.store import Results

# What an evaluator calls the class that each test image was read as.
_READ = "predictions"


@dataclass(frozen=True)
class Networks:
    """Two networks and what they made of the same images.

    Attributes:
        place: data set, backbone and share of the training images, in words.
        evaluator: that read the images.
        seed: of both.
        both, left_alone, right_alone, neither: how many images were read right by which.
        p: exact and two-sided (McNemar), that these two networks read equally many right.
    """

    place: str
    evaluator: str
    seed: int
    both: int
    left_alone: int
    right_alone: int
    neither: int
    p: float


def compared_networks(results: Results, left: str, right: str) -> list[Networks]:
    """Every pair of networks with these labels, one seed and one set of settings.

    Raises:
        InputError: no such pair was measured.
        ConflictError: two networks have one label, seed and set of settings.
        Unavailable: their images are not here, which alone say what is right.
    """
    records = newest_versions(read(results).records)[0]
    sides = [dict(_outcomes(results, [one for one in records if one.run.label == label])) for label in (left, right)]
    found = []
    for key in sides[0].keys() & sides[1].keys():
        (_, place, evaluator, seed), one, other = key, *(side[key] for side in sides)
        both, left_alone, right_alone, neither = (
            int(np.sum(each)) for each in (one & other, one & ~other, ~one & other, ~one & ~other)
        )
        p = mcnemar(left_alone, right_alone)
        found.append(Networks(place, evaluator, seed, both, left_alone, right_alone, neither, p))
    if not found:
        raise InputError(
            f"no two networks of {left} and {right} in {results.folder} have one seed and one set of settings; "
            "expected accuracy of both"
        )
    return sorted(found, key=lambda pair: (pair.place, pair.evaluator, pair.seed))


def _outcomes(results: Results, records: Sequence[Record]) -> Iterator[tuple[tuple[str, str, str, int], np.ndarray]]:
    """Whether each test image was read right, by settings, place, evaluator and seed; records are of one label."""
    records = [one for one in records if one.run.backbone]
    seen = set()
    for record, conditions in zip(records, conditions_of(records), strict=True):
        arrays = results.load_measurement(record.cell).arrays
        if record.diverged or _READ not in arrays:
            continue
        run = record.run
        place = f"{run.dataset}, {run.backbone}" + (f", {run.share_of_data}" if run.train_fraction < 1 else "")
        key = (f"{conditions} {record.test_images}", place, record.cell.evaluator, run.seed)
        if key in seen:
            raise ConflictError(f"two networks of {run.label} with seed {run.seed} in {results.folder}; expected one")
        seen.add(key)
        yield key, np.asarray(arrays[_READ]) == _classes(record)


def _classes(record: Record) -> np.ndarray:
    images = find_dataset(record.run.dataset).images()
    if images.fingerprint != record.facts["images"]["fingerprint"]:
        raise InputError(f"the images of {record.run.dataset} that are here are not those that were measured")
    return np.asarray(images.test.evenly(record.cell.test_images).classes)


def mcnemar(left_alone: int, right_alone: int) -> float:
    """Two-sided exact p-value of "these two networks read equally many images right" (McNemar 1947, binomial).

    Args:
        left_alone, right_alone: how many images one network alone read right.
    """
    from scipy.stats import binomtest

    changed = left_alone + right_alone
    return float(binomtest(left_alone, changed).pvalue) if changed else 1.0
