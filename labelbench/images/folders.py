"""Image files in a folder: ``train/<class>/<image>`` and ``test/<class>/<image>``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from labelbench.errors import InputError
from labelbench.images.arrays import ImageArrays, Report
from labelbench.images.decoding import LAYOUT, ImageFile, class_name_of, decode
from labelbench.images.dividing import divided
from labelbench.images.fitting import ImageFit, opened, upright_size
from labelbench.images.listing import content_hash, counts, in_utf8, reading_errors
from labelbench.images.source import ImageSource

# Read in the place of a folder test that is not there.
_INSTEAD = ("val", "valid", "validation")


@dataclass(frozen=True)
class ImageFolder:
    """A folder of image files. Links are followed; what file managers leave behind does not count.

    Attributes:
        path: holds ``train`` and ``test``, or ``val`` where there is no ``test``.
        fit: how images become pixels of one size; None takes all to have the size that is asked for.
        test: share of the images of each class that are test images, where there is ``train`` alone; None to refuse.
        seed: which images these are.
        words: the class that a folder is named for, where its name is not the class; None where it is.
    """

    path: Path
    fit: ImageFit | None = None
    test: float | None = None
    seed: int = 0
    words: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if self.test is not None and not 0 < self.test < 1:
            raise InputError(f"test={self.test:g} of {self.path}; expected a share above 0 and below 1")

    def source(self, class_names: Sequence[str], image_size: tuple[int, int]) -> ImageSource:
        """Its images, known by the hash of each file.

        Args:
            class_names: in words; each must have images in both parts, and no folder may be of another class.
            image_size: ``(height, width)`` of all images, unless a fit says more.

        Raises:
            InputError: it is not laid out as expected.
            OSError: it cannot be read.
        """
        places, fit, words = self._places(), self.fit or ImageFit(image_size), self.words or {}
        files = [
            ImageFile(part, words.get(folder.name, folder.name), f"{place}/{folder.name}/{image.name}")
            for part, place in places.items()
            for folder in self._entries(place)
            for image in self._images(place, folder)
        ]
        options = [fit.resize, fit.ground, self.test, self.seed if self.test else None]
        state = [places, options, [[file.path, content_hash(self.path / file.path)] for file in files]]

        def read(report: Report) -> ImageArrays:
            arrays = decode(self.path, files, self._bytes, class_names, fit, report, places)
            return divided(*arrays.train, self.test, self.seed) if self.test else arrays

        notes = [f"{self.path.name}/{place} is measured, since there is no {part}"
                 for part, place in places.items() if place != part]  # fmt: skip
        if self.test:
            share = f"{100 * self.test:g} % of {self.path.name}/train"
            notes.append(f"{share} are measured and not trained on, by seed {self.seed}")
        return ImageSource(f"folder {self.path.name or self.path}", state, read, tuple(notes))

    def class_names(self) -> tuple[str, ...]:
        """The classes in words, in alphabetical order: the folders in ``train``, ``maple_tree`` is "maple tree".

        Raises:
            InputError: the folder is not there, holds no or one class, or two folders of one class.
            MachineError: it cannot be read.
        """
        with reading_errors(self.path):
            return tuple(map(class_name_of, self._class_folders()))

    def image_size(self) -> tuple[int, int]:
        """``(height, width)`` of the fit, else of one of the images, read from its header.

        Raises:
            InputError: the first class folder is empty, or its first file is no image.
            MachineError: it cannot be read.
        """
        if self.fit:
            return self.fit.size
        with reading_errors(self.path):
            folder = self._class_folders()[0]
            for entry in self._entries("train", folder):
                with opened(Path(entry.path), self._bytes(f"train/{folder}/{entry.name}")) as image:
                    return upright_size(image)
        raise InputError(f"{self.path / 'train' / folder} holds no image; expected {LAYOUT}")

    def _places(self) -> Mapping[str, str]:
        """The folder of each part."""
        there = [place for place in ("test", *_INSTEAD) if (self.path / place).is_dir()]
        if self.test:
            if there:
                raise InputError(f"{self.path} holds {there[0]}/; leave out test={self.test:g}, or remove it")
            return {"train": "train"}
        if not there and (self.path / "train").is_dir():
            raise InputError(
                f"there is no folder {self.path / 'test'} (nor val); expected {self.path}/{LAYOUT}, or a share of "
                "train to measure, as in test=0.2"
            )
        return {"train": "train", "test": (there or ["test"])[0]}

    def _class_folders(self) -> list[str]:
        """Names of the folders in ``train``, ordered by class name."""
        place = self.path / "train"
        names = [in_utf8(entry.name, place) for entry in self._entries("train") if entry.is_dir()]
        if not names:
            raise InputError(f"{place} holds no class folders; expected {LAYOUT}")
        if len(names) == 1:
            raise InputError(f"{place} holds one class ({names[0]!r}); expected two or more")
        words = sorted(map(class_name_of, names))
        for one, other in pairwise(words):
            if one == other:
                raise InputError(f"{place} has two folders for the class {one!r}; expected one per class")
        return sorted(names, key=class_name_of)

    def _images(self, place: str, folder: os.DirEntry[str]) -> list[os.DirEntry[str]]:
        if not folder.is_dir():
            raise InputError(f"{folder.path} is not a class folder; expected {LAYOUT}")
        images = self._entries(place, in_utf8(folder.name, self.path / place))
        for image in images:
            if image.is_dir():
                raise InputError(f"{image.path} is a folder; expected {LAYOUT}")
        return images

    def _entries(self, *parts: str) -> list[os.DirEntry[str]]:
        folder = self.path.joinpath(*parts)
        try:
            with os.scandir(folder) as entries:
                return sorted(
                    (entry for entry in entries if counts(entry.name, folder, is_folder=entry.is_dir())),
                    key=lambda entry: entry.name,
                )
        except (FileNotFoundError, NotADirectoryError):
            missing = folder if self.path.is_dir() else self.path
            raise InputError(f"there is no folder {missing}; expected {self.path}/{LAYOUT}") from None

    def _bytes(self, path: str) -> bytes:
        return (self.path / path).read_bytes()
