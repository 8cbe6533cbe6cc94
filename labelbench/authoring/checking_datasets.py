"""Checks of one data set, in this process: its description, and its images as the source gives them, past the cache."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import numpy as np

from labelbench.authoring.findings import Report, in_words
from labelbench.authoring.process_watch import ProcessWatch, changes, watched_state
from labelbench.datasets import Dataset
from labelbench.images.arrays import ImageArrays, SplitArrays, fingerprint, pixel_order
from labelbench.images.source import ImageSource
from labelbench.plugins.lookup import find_dataset

# Every command that names a data set describes it.
_SLOW_SECONDS = 2.0


def examine_dataset(name: str, report: Report, watch: ProcessWatch, thorough: bool) -> None:
    """Describe a data set, read its images and say what was found.

    Args:
        name: as a user writes it.
        report: told what is found; its facts hold the fingerprint of the images.
        watch: refuses the network to this process.
        thorough: False to read and find facts alone, for comparison between processes.

    Raises:
        InputError: an argument, or files, that cannot be used.
        PluginError: the maker or the source broke the contract.
        MachineError: files that it needs are not here.
    """
    report.doing("describing the data set")
    started = time.perf_counter()
    dataset = find_dataset(name)
    seconds = time.perf_counter() - started
    report.facts["the class names"] = list(dataset.class_names)
    problems = list(_description(dataset, seconds)) if thorough else []
    if thorough:
        height, width = dataset.image_size
        mirrored = "may" if dataset.flip else "may not"
        report.check("description", problems, f"{dataset.num_classes} classes of {width}x{height} pixels, which "
                     f"{mirrored} be mirrored; nothing is loaded for it")  # fmt: skip
    if problems:
        return
    changed: list[str] = []
    report.doing("reading the images")
    source, arrays = _read(dataset)
    found = _fingerprint(dataset, arrays)
    report.facts["the images"] = found
    if not thorough:
        return
    report.check("classes", _classes(dataset, arrays), _counts(arrays))
    report.doing("reading the images again")
    # What is imported on first use may draw from global generators, once.
    with watched_state(changed):
        again, arrays = _read(find_dataset(name))
    report.check("repeatable", _repeatable(found, _fingerprint(dataset, arrays)), "equal images whenever they are read")
    report.check("state", _state(source, again), "JSON, and the same while the images are the same")
    report.check("global state", changes(changed, "while images were read"), "as it was, random generators included")


def _description(dataset: Dataset, seconds: float) -> Iterator[str]:
    names, size = dataset.class_names, dataset.image_size
    if not isinstance(names, tuple) or not all(isinstance(name, str) and name.strip() == name != "" for name in names):
        yield f"the class names are {str(names)[:80]}; expected a tuple of words: labels are made from them"
    elif len(set(names)) < max(len(names), 2):
        yield f"the class names are {str(names)[:80]}; expected two or more, all different"
    if not isinstance(size, tuple) or len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size):
        yield f"the image size is {size!r}; expected (height, width) in pixels: networks are built for it"
    if not 0 < dataset.validation_share < 1:
        yield f"the validation share is {dataset.validation_share:g}; expected above 0 and below 1"
    for what, values, least in (("mean", dataset.mean, 0.0), ("std", dataset.std, 1 / 255)):
        if values is not None and (len(values) != 3 or not all(least <= value <= 1 for value in values)):
            yield (
                f"the {what} is {values!r}; expected three numbers, {least:.3g} to 1, of pixels in [0, 1]: images are "
                "normalised by it; or None, and it is measured"
            )
    if seconds > _SLOW_SECONDS:
        yield (
            f"describing it took {seconds:.1f} s; expected {_SLOW_SECONDS:.0f} s or less, since every command that "
            "names it waits: leave to the source what reads files"
        )


def _read(dataset: Dataset) -> tuple[ImageSource, ImageArrays]:
    def ignore(doing: str, share: float) -> None:
        pass

    source = dataset.found(ignore)
    return source, source.arrays(dataset.class_names, dataset.image_size, ignore)


def _fingerprint(dataset: Dataset, arrays: ImageArrays) -> str:
    ordered = []
    for images, classes in arrays:
        order = pixel_order(images, classes)
        ordered.append(SplitArrays(images[order], classes[order]))
    return fingerprint(dataset.class_names, ImageArrays(*ordered))


def _classes(dataset: Dataset, arrays: ImageArrays) -> Iterator[str]:
    for what, part, why in (("training", arrays.train, "learn"), ("test", arrays.test, "be measured on")):
        counts = np.bincount(part.classes, minlength=dataset.num_classes)
        missing = [name for name, count in zip(dataset.class_names, counts, strict=True) if not count]
        if missing:
            yield (
                f"no {what} image shows {in_words(missing[:3])}" + (" and others" if len(missing) > 3 else "")
                + f"; expected one or more of every class: no network can {why} it"
            )  # fmt: skip


def _counts(arrays: ImageArrays) -> str:
    train, test = (np.bincount(part.classes) for part in arrays)
    return (
        f"{len(arrays.train.classes):,} training images ({train.min():,} to {train.max():,} of each class), "
        f"{len(arrays.test.classes):,} test images ({test.min():,} to {test.max():,})"
    )


def _repeatable(first: str, second: str) -> Iterator[str]:
    if first != second:
        yield (
            f"two readings gave other images (fingerprints {first[:12]} and {second[:12]}); expected equal ones, or a "
            "run cannot be repeated or resumed: seed the randomness"
        )


def _state(first: ImageSource, second: ImageSource) -> Iterator[str]:
    try:
        states = [json.dumps(source.state, allow_nan=False) for source in (first, second)]
    except (TypeError, ValueError) as error:
        yield f"cannot be written as JSON ({error}); expected texts, numbers, lists and dicts: the cache goes by it"
        return
    if states[0] != states[1]:
        yield (
            f"is {states[0][:60]} and then {states[1][:60]}; expected the same while the images are the same, or they "
            "are decoded again for every run: leave out times and counters"
        )
    if first.state in (None, [], {}, ""):
        yield (
            f"is {first.state!r}; expected hashes of files, or a version that is raised when images change: the cache "
            "goes by it alone, and would give older images for newer ones"
        )
