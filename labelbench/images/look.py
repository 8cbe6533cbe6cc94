"""A look at a data set before anything is learned from it: what is odd about its images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labelbench.images.arrays import ImageArrays, SplitArrays

# Images looked at at a time: a few MiB of CIFAR images.
_BLOCK = 2048
# A class with so many times the training images of another makes accuracy over all images a poor measure.
_UNBALANCED = 3.0
_FEW = 10


@dataclass(frozen=True)
class Look:
    """Counts of what a researcher would want to know.

    Attributes:
        train, test: images of each class, in the order of the class names.
        shared: test images that are in the training part too, pixel for pixel.
        shared_relabelled: how many of these show other classes there than here alone.
        pairs: equal pairs among all images of both parts.
        pairs_relabelled: those of them with different classes.
        repeated: training images that are the same as an earlier one.
        constant: images of one colour, in both parts.
    """

    train: tuple[int, ...]
    test: tuple[int, ...]
    shared: int = 0
    shared_relabelled: int = 0
    pairs: int = 0
    pairs_relabelled: int = 0
    repeated: int = 0
    constant: int = 0

    @classmethod
    def at(cls, class_names: Sequence[str], arrays: ImageArrays) -> Look:
        """Look once at every pixel of both parts.

        Args:
            class_names: in words.
            arrays: both parts.
        """
        train, test = arrays
        hashes = [_hashes(part.images) for part in arrays]
        counts = [tuple(np.bincount(part.classes, minlength=len(class_names)).tolist()) for part in arrays]
        groups = list(_equal(arrays, np.concatenate([found for found, _ in hashes])))
        classes = np.concatenate([train.classes, test.classes])
        shared = relabelled = pairs = pairs_relabelled = repeated = 0
        for group in groups:
            inside, outside = group[group < len(train.classes)], group[group >= len(train.classes)]
            repeated += max(len(inside) - 1, 0)
            pairs += len(group) * (len(group) - 1) // 2
            equal_classes = np.bincount(classes[group])
            pairs_relabelled += (len(group) ** 2 - int((equal_classes**2).sum())) // 2
            if len(inside):
                shared += len(outside)
                relabelled += int((~np.isin(classes[outside], classes[inside])).sum())
        constant = sum(int(found.sum()) for _, found in hashes)
        return cls(counts[0], counts[1], shared, relabelled, pairs, pairs_relabelled, repeated, constant)

    @classmethod
    def of_json(cls, value: dict[str, Any]) -> Look:
        """The counts whose fields, as JSON, are given.

        Raises:
            TypeError: it is something else.
            KeyError: it is something else.
        """
        return cls(**{**value, "train": tuple(value["train"]), "test": tuple(value["test"])})

    def meaningless(self) -> str | None:
        """Why no result on these images would mean anything, in words; None if there is no reason."""
        if sum(count > 0 for count in self.train) < 2:
            return "training images of one class alone; expected two classes or more"
        if self.shared == sum(self.test):
            return (
                f"all {self.shared:,} test images among the training images, pixel for pixel; expected images that "
                "were not trained on: put others into test"
            )
        return None

    def notes(self, class_names: Sequence[str]) -> Iterator[str]:
        """What is odd, a sentence each.

        Args:
            class_names: in words.
        """
        tested = sum(self.test)
        if self.shared:
            other = f", {self.shared_relabelled:,} of them under another class" if self.shared_relabelled else ""
            yield (
                f"{self.shared:,} of {tested:,} test images ({100 * self.shared / tested:.2g} %) "
                f"{'is' if self.shared == 1 else 'are'} in the training part too, pixel for pixel{other}"
            )
        if self.repeated:
            yield f"{_images(self.repeated, 'training image')} the same as another, pixel for pixel"
        if self.pairs_relabelled:
            yield f"{self.pairs_relabelled:,} of {self.pairs:,} pairs of equal images are under different classes"
        if self.constant:
            yield f"{_images(self.constant, 'image')} of one colour"
        for what, counts in (("training", self.train), ("test", self.test)):
            missing = [name for name, count in zip(class_names, counts, strict=True) if not count]
            if missing:
                more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
                yield f"no {what} image shows {', '.join(missing[:3])}{more}"
        some = sorted(count for count in self.train if count)
        if some[0] < _FEW <= some[-1]:
            yield f"a class has {some[0]:,} training images, others up to {some[-1]:,}"
        elif some[-1] > _UNBALANCED * some[0]:
            yield f"classes have {some[0]:,} to {some[-1]:,} training images: accuracy favours the common ones"


def _images(count: int, what: str) -> str:
    return f"1 {what} is" if count == 1 else f"{count:,} {what}s are"


def _hashes(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A 64-bit hash of each image, and whether it has one colour.

    The sum of its 8-byte words, each times an odd number of its own: equal for equal images, and for two others once in
    about 2**63. What is equal by it is compared pixel for pixel.
    """
    size = int(np.prod(images.shape[1:]))
    words = -(-size // 8)
    factors = np.random.RandomState(0).randint(0, 2**63, words, dtype=np.int64).astype(np.uint64) * 2 + 1
    found, constant = np.empty(len(images), np.uint64), np.empty(len(images), bool)
    padded = np.zeros((_BLOCK, words * 8), np.uint8)
    for start in range(0, len(images), _BLOCK):
        block = np.asarray(images[start : start + _BLOCK]).reshape(-1, size)
        padded[: len(block), :size] = block
        part = slice(start, start + len(block))
        found[part] = padded[: len(block)].view(np.uint64) @ factors
        # Most images are told apart by a few pixels: the rest are looked at whole.
        corners = block[:, [0, size // 6 * 3, size // 3 * 3 - 3]] == block[:, :1]
        likely = np.flatnonzero(corners.all(axis=1))
        pixels = block[likely].reshape(len(likely), size // 3, 3)
        constant[part] = False
        constant[start + likely] = (pixels == pixels[:, :1]).all(axis=(1, 2))
    return found, constant


def _equal(arrays: ImageArrays, hashes: np.ndarray) -> Iterator[np.ndarray]:
    """Groups of two or more equal images: places in both parts, one after the other."""
    order = np.argsort(hashes, kind="stable")
    starts = np.flatnonzero(np.concatenate(([True], np.diff(hashes[order]) != 0)))
    for group in np.split(order, starts[1:]):
        if len(group) > 1:
            by_pixels: dict[bytes, list[int]] = {}
            for number in group:
                by_pixels.setdefault(_pixels(arrays, int(number)), []).append(int(number))
            yield from (np.array(same) for same in by_pixels.values() if len(same) > 1)


def _pixels(arrays: ImageArrays, number: int) -> bytes:
    part: SplitArrays = arrays.train
    if number >= len(part.classes):
        part, number = arrays.test, number - len(part.classes)
    return bytes(part.images[number].tobytes())
