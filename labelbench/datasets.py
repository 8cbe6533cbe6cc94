"""Data sets: class names that need no file, and images that are found on request, decoded once and memory-mapped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from labelbench.errors import InputError, PluginError
from labelbench.images.arrays import Report
from labelbench.images.cache import ImageCache
from labelbench.images.listing import reading_errors
from labelbench.images.look import Look
from labelbench.images.source import ImageSource
from labelbench.settings import current_settings


@dataclass(frozen=True, eq=False)
class Split:
    """Images of one part of a data set, with their classes.

    Attributes:
        images: ``(n, height, width, 3)`` uint8 RGB, read-only (a memory map when it comes from :meth:`Dataset.images`).
        classes: ``(n,)`` int64 class indices.
    """

    images: np.ndarray
    classes: np.ndarray

    def __len__(self) -> int:
        return len(self.classes)

    def evenly(self, count: int | None) -> Split:
        """``count`` of the images, drawn evenly over classes.

        The first images of every class are taken in stored order, the first ``count // classes`` or one more of each,
        classes with a lower index first; where a class has too few, the others fill up. What is taken for a count is
        part of what is taken for any larger one.

        Args:
            count: how many, 1 or more; None, or as many as there are, gives the split itself.

        Returns:
            A split of ``min(count, n)`` images in stored order.

        Raises:
            InputError: ``count`` is below 1.

        >>> split = Split(np.zeros((5, 8, 8, 3), dtype=np.uint8), np.array([0, 0, 0, 1, 1]))
        >>> split.evenly(3).classes.tolist()
        [0, 0, 1]
        """
        if count is None or count >= len(self):
            return self
        if count < 1:
            raise InputError(f"{count} images asked for; expected 1 or more")
        by_class = np.argsort(self.classes, kind="stable")
        ordered = self.classes[by_class]
        rank = np.empty_like(by_class)
        rank[by_class] = np.arange(len(ordered)) - np.searchsorted(ordered, ordered, side="left")
        chosen = np.sort(np.lexsort((self.classes, rank))[:count])
        images, classes = np.asarray(self.images[chosen]), self.classes[chosen]
        images.setflags(write=False)
        classes.setflags(write=False)
        return Split(images, classes)


@dataclass(frozen=True, eq=False)
class Images:
    """The images of a data set.

    Attributes:
        train, test: its two parts, each ordered by class, then by the SHA-256 of the pixels.
        fingerprint: SHA-256 over class names, shapes and pixels of both parts; equal for every source of equal images.
        mean, std: of each channel (red, green, blue) of pixels in [0, 1], for normalisation; std is at least 1/255
            where it is measured.
        source: what was read, in words.
        look: what is odd about them; None if nobody has looked.
        notes: what a reader of results on them must know, a sentence each.
    """

    train: Split
    test: Split
    fingerprint: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    source: str
    look: Look | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """What a data set is; its images come when they are asked for.

    Attributes:
        name: as a user writes it.
        class_names: in words; the class of index i is the i-th.
        image_size: ``(height, width)`` in pixels.
        flip: whether mirrored images still show their class, so that training may flip them.
        validation_share: share of the training images kept for validation, 0 to 1 (paper: 5,000 of 50,000).
        mean, std: of each channel of pixels in [0, 1], for normalisation; None to measure them on the training images.
        by_pixels: whether its name does not say for certain which images it has, as a path does not: their fingerprint
            is then part of the identity of every run on them.
        source: finds the images, by the settings in force; called with a function that is told what is being done and
            how much of it is done, 0 to 1. Raises :class:`labelbench.Unavailable` where they are not here and may not,
            or could not, be fetched. None for a description alone.
    """

    name: str
    class_names: tuple[str, ...]
    image_size: tuple[int, int]
    flip: bool = True
    validation_share: float = 0.1
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    by_pixels: bool = False
    source: Callable[[Report], ImageSource] | None = field(default=None, compare=False, repr=False)

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def fingerprint(self) -> str:
        """That of :meth:`images`: SHA-256 over class names, shapes and pixels."""
        return self.images().fingerprint

    def found(self, report: Report) -> ImageSource:
        """Where its images are, by the settings in force.

        Raises:
            InputError: it is a description without images, or files that are there cannot be used.
            PluginError: its source returns something else.
            Unavailable: they are not here, and may not or could not be fetched.
        """
        if self.source is None:
            raise InputError(f"data set {self.name!r} is a description without images; expected a source of them")
        found = self.source(report)
        if not isinstance(found, ImageSource):
            raise PluginError(
                f"the source of data set {self.name!r} returned {type(found).__name__}; expected a "
                "labelbench.ImageSource"
            )
        return found

    def images(self, report: Report | None = None) -> Images:
        """Find the images, decode them unless the cache holds them, and map them.

        Args:
            report: called with what is being done (downloading, decoding) and how much of it is done, 0 to 1.

        Raises:
            InputError: they are not what this description says, it has none, or no result on them would mean anything;
                the message says why.
            PluginError: the source gave something else than images.
            Unavailable: they are not here, and may not or could not be fetched.
            MachineError: they cannot be read, or the cache cannot be written.
        """
        report = report or (lambda doing, share: None)
        kind = self.name.partition(":")[0]
        with reading_errors(self.name):
            source = self.found(report)
            cache = ImageCache(current_settings().cache_dir)
            stored = cache.load(kind, source, self.class_names, self.image_size, report)
        meaningless = stored.look.meaningless()
        if meaningless:
            raise InputError(f"data set {self.name} has {meaningless}")
        return Images(
            train=Split(*stored.arrays.train),
            test=Split(*stored.arrays.test),
            fingerprint=stored.fingerprint,
            mean=self.mean or stored.mean,
            std=self.std or stored.std,
            source=source.description,
            look=stored.look,
            notes=(*source.notes, *stored.look.notes(self.class_names)),
        )
