"""Which images a data set name stands for on this machine: scikit-learn's digits, image files, published files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labelbench.errors import InputError, UnknownName
from labelbench.images import published as published_files
from labelbench.images.arrays import ImageArrays, Report, Source, SplitArrays, pixel_order
from labelbench.images.files import ImageFolder, ImageZip
from labelbench.images.published import PublishedArchive, PublishedFolder

if TYPE_CHECKING:
    from labelbench.settings import Settings


def find_source(name: str, settings: Settings, report: Report) -> Source:
    """Where the images of a data set are.

    Args:
        name: a name that :func:`labelbench.datasets.find_dataset` knows.
        settings: where to look. For the CIFAR sets, in this order: ``NAME.zip``, the folder ``NAME``, the folder that
            torchvision reads and the archive it comes in, all in the data folder; then that archive among the
            downloads in the cache folder, where it is fetched to unless offline.
        report: called with what is being done and how much of it is done, 0 to 1.

    Raises:
        UnknownName: there is no such data set.
        InputError: nothing is there, and nothing may be fetched.
        MachineError: the download failed.
    """
    if name.startswith("folder:"):
        return ImageFolder(folder_argument(name)[0])
    if name == "digits":
        return Digits()
    if name not in published_files.PUBLISHED:
        raise UnknownName("data set", name, ["digits", *published_files.PUBLISHED, "folder:PATH"])
    published, data = published_files.PUBLISHED[name], settings.data_dir
    if (data / f"{name}.zip").is_file():
        return ImageZip(data / f"{name}.zip")
    if (data / name).is_dir():
        return ImageFolder(data / name)
    if (data / published.folder).is_dir():
        return PublishedFolder(data / published.folder, published)
    downloaded = settings.cache_dir / "downloads" / published.archive
    for archive in (data / published.archive, downloaded):
        if archive.is_file():
            return PublishedArchive(archive, published, settings.cache_dir)
    advice = (
        f"put {name}.zip or a folder {name} (train/<class>/<image>, test/<class>/<image>), {published.archive} or its "
        f"folder {published.folder} into {data}, or name another folder with --data-dir"
    )
    if settings.offline:
        raise InputError(f"{name} is not in {data}, and offline nothing is downloaded; {advice}")
    published_files.download(published, downloaded, settings.cache_dir, advice, report)
    return PublishedArchive(downloaded, published, settings.cache_dir)


def folder_argument(name: str) -> tuple[Path, bool]:
    """Path, and whether images may be flipped, of ``folder:PATH`` or ``folder:PATH,flip=no``.

    Raises:
        InputError: no path, or flip is neither yes nor no.
    """
    path, _, flip = re.fullmatch(r"folder:(.*?)(,flip=(.*))?", name, re.DOTALL).groups("yes")  # type: ignore[union-attr]
    if not path or flip not in ("yes", "no"):
        raise InputError(f"data set {name!r}; expected folder:PATH, folder:PATH,flip=yes or folder:PATH,flip=no")
    return Path(path).expanduser(), flip == "yes"


@dataclass(frozen=True)
class Digits:
    """scikit-learn's handwritten digits: 8x8 pixels of 0 to 16, each made 4x4 pixels of 0 to 255, in three channels.

    Of each class, ordered by the SHA-256 of the pixels, the first fifth (rounded down) are the test images.
    """

    @property
    def description(self) -> str:
        """What is read, in words."""
        return f"digits of scikit-learn {version('scikit-learn')}"

    def state(self) -> list[Any]:
        """Version of scikit-learn."""
        return ["scikit-learn", version("scikit-learn")]

    def read(self, class_names: Sequence[str], image_size: tuple[int, int], report: Report) -> ImageArrays:
        """All images."""
        from sklearn.datasets import load_digits

        report("reading digits", 0.0)
        values, classes = load_digits(return_X_y=True)
        grey = values.astype(np.int64).reshape(-1, 8, 8)
        # round(v * 255 / 16), halves upwards, without leaving the integers.
        grey = ((grey * 510 + 16) // 32).astype(np.uint8)
        images = np.repeat(grey.repeat(4, axis=1).repeat(4, axis=2)[..., None], 3, axis=3)
        classes = classes.astype(np.int64)
        order = pixel_order(images, classes)
        images, classes = images[order], classes[order]
        sizes = np.bincount(classes)
        rank = np.arange(len(classes)) - np.searchsorted(classes, classes, side="left")
        test = rank < sizes[classes] // 5
        report("reading digits", 1.0)
        return ImageArrays(SplitArrays(images[~test], classes[~test]), SplitArrays(images[test], classes[test]))
