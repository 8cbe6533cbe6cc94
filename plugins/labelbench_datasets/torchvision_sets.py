"""Data sets that torchvision reads: from its folders in the data folder, else downloaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np

from labelbench import (
    Between,
    Dataset,
    ImageFit,
    ImageSource,
    InputError,
    Unavailable,
    UnknownName,
    content_hash,
    current_settings,
    divided,
    hookimpl,
)
from labelbench_datasets import torchvision_names as names
from labelbench_datasets.reading import Part, Report, read_all


@dataclass(frozen=True)
class Known:
    """What is known of one of them without its files.

    Attributes:
        class_names: in words, in the order of torchvision's indices.
        files: patterns of the files that it reads, below its root.
        train, test: arguments of the class for either part; no ``test`` where it has one part alone.
        size: of all images in pixels; None where they have many sizes.
        flip: whether mirrored images show their class.
    """

    class_names: tuple[str, ...]
    files: tuple[str, ...]
    train: Mapping[str, Any]
    test: Mapping[str, Any] | None
    size: int | None = None
    flip: bool = True


_TRAIN, _TEST = {"train": True}, {"train": False}
_TRAIN_SPLIT, _TRAINVAL, _TEST_SPLIT = {"split": "train"}, {"split": "trainval"}, {"split": "test"}
KNOWN = {
    "DTD": Known(names.TEXTURES, ("dtd/dtd/images/*/*", "dtd/dtd/labels/*"), _TRAIN_SPLIT, _TEST_SPLIT),
    "EuroSAT": Known(names.EUROSAT, ("eurosat/2750/*/*",), {}, None, 64),
    "FashionMNIST": Known(names.FASHION, ("FashionMNIST/raw/*-ubyte",), _TRAIN, _TEST, 28),
    "Flowers102": Known(names.FLOWERS, ("flowers-102/*.mat", "flowers-102/jpg/*"), _TRAIN_SPLIT, _TEST_SPLIT),
    "Food101": Known(names.FOOD, ("food-101/images/*/*", "food-101/meta/*"), _TRAIN_SPLIT, _TEST_SPLIT),
    "GTSRB": Known(names.GTSRB, ("gtsrb/*.csv", "gtsrb/GTSRB/**/*.ppm"), _TRAIN_SPLIT, _TEST_SPLIT, flip=False),
    "KMNIST": Known(names.KANA, ("KMNIST/raw/*-ubyte",), _TRAIN, _TEST, 28, flip=False),
    "MNIST": Known(names.DIGITS, ("MNIST/raw/*-ubyte",), _TRAIN, _TEST, 28, flip=False),
    "OxfordIIITPet": Known(names.PETS, ("oxford-iiit-pet/images/*", "oxford-iiit-pet/annotations/*.txt"), _TRAINVAL,
                           _TEST_SPLIT),
    "STL10": Known(names.STL10, ("stl10_binary/*",), _TRAIN_SPLIT, _TEST_SPLIT, 96),
    "SVHN": Known(names.DIGITS, ("*_32x32.mat",), _TRAIN_SPLIT, _TEST_SPLIT, 32, flip=False),
    "USPS": Known(names.DIGITS, ("usps*.bz2",), _TRAIN, _TEST, 16, flip=False),
}  # fmt: skip


def torchvision(
    name: str,
    *,
    size: Annotated[int, Between(1, 4096)] | None = None,
    resize: Literal["crop", "squash", "pad"] = "crop",
    test: Annotated[float, Between(0, 1)] | None = None,
    seed: int = 0,
) -> Dataset:
    """A data set that torchvision reads, as torchvision:FashionMNIST; size=64 where its images have many sizes."""
    if name not in KNOWN:
        raise UnknownName("data set of torchvision", name, KNOWN)
    known = KNOWN[name]
    if known.test is not None and test is not None:
        raise InputError(f"torchvision:{name} has test images of its own; leave out test={test:g}")
    side = size or known.size or 64
    share = (test or 0.2) if known.test is None else None
    fit = ImageFit((side, side), None if side == known.size else resize)
    source = partial(_source, name, known, fit, share, seed)
    return Dataset(f"torchvision:{name}", known.class_names, fit.size, flip=known.flip, source=source)


def _source(name: str, known: Known, fit: ImageFit, share: float | None, seed: int, report: Report) -> ImageSource:
    root = _root(name, known, report)
    state = [name, fit.size, fit.resize, share, seed if share else None, *_hashes(root, known)]

    def read(report: Report) -> tuple[Part, Part]:
        train = _part(name, known.train, root, known, fit, report)
        if share is not None:
            return divided(*train, share, seed)
        return train, _part(name, known.test or {}, root, known, fit, report)

    notes = (f"{100 * share:g} % of {name} are measured and not trained on, by seed {seed}",) if share else ()
    return ImageSource(f"{name} as torchvision reads it", state, read, notes)


def _hashes(root: Path, known: Known) -> Iterator[list[str]]:
    for pattern in known.files:
        for file in sorted(root.glob(pattern)):
            yield [file.relative_to(root).as_posix(), content_hash(file)]


def _made(name: str, arguments: Mapping[str, Any], root: Path, *, download: bool) -> Any:
    """Torchvision's own object of one part.

    Raises:
        RuntimeError: its files are not there, or not as published.
    """
    from torchvision import datasets

    try:
        return getattr(datasets, name)(root, **arguments, download=download)
    except FileNotFoundError as error:
        raise RuntimeError(str(error)) from error


def _root(name: str, known: Known, report: Report) -> Path:
    """The folder that torchvision finds the files in: the data folder, else that of downloads in the cache folder.

    Raises:
        Unavailable: they are in neither, and may not or could not be fetched.
    """
    settings = current_settings()
    downloads = settings.cache_dir / "downloads" / "torchvision"
    parts = [part for part in (known.train, known.test) if part is not None]
    for root in (settings.data_dir, downloads):
        if any(True for pattern in known.files for _ in root.glob(pattern)):
            return root
    place = known.files[0].rpartition("*")[0] or known.files[0]
    advice = f"put the files that torchvision reads ({place}...) into {settings.data_dir}, or name another --data-dir"
    if settings.offline:
        raise Unavailable(f"{name} is not in {settings.data_dir}, and offline nothing is downloaded; {advice}")
    report(f"downloading {name}", 0.0)
    try:
        downloads.mkdir(parents=True, exist_ok=True)
        for part in parts:
            _made(name, part, downloads, download=True)
    except (OSError, RuntimeError) as error:
        raise Unavailable(f"cannot download {name} ({' '.join(str(error).split())}); {advice}") from error
    return downloads


def _part(name: str, arguments: Mapping[str, Any], root: Path, known: Known, fit: ImageFit, report: Report) -> Part:
    try:
        found = _made(name, arguments, root, download=False)
    except RuntimeError as error:
        raise InputError(
            f"the files of {name} in {root} are not as torchvision expects them ({' '.join(str(error).split())}); "
            "replace or remove them"
        ) from error
    part = "_".join(map(str, arguments.values())) or "all"

    classes = np.empty(len(found), np.int64)

    def read(number: int) -> np.ndarray:
        image, classes[number] = found[number]
        return fit.of_image(f"image {number} of {name} ({part})", image)

    return read_all(len(found), read, fit.size, f"reading {name}", report), classes


@hookimpl
def register_datasets() -> Mapping[str, Callable[..., Dataset]]:
    """The hook of this module."""
    return {"torchvision": torchvision}
