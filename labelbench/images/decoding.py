"""Image files, wherever their bytes come from, decoded to arrays of one size and known classes."""

from __future__ import annotations

import difflib
import os
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from labelbench.errors import InputError
from labelbench.images.arrays import ImageArrays, Report, SplitArrays
from labelbench.images.fitting import ImageFit
from labelbench.images.memory import ask_for_memory

PARTS = ("train", "test")
WHOLE = MappingProxyType({part: part for part in PARTS})
LAYOUT = "{train,test}/<class>/<image>, each image a PNG, WebP or JPEG"
SUFFIXES = (".png", ".webp", ".jpg", ".jpeg")
# Images, and source pixels where they are known, decoded by one task.
_TASK, _TASK_RESIZED, _TASK_PIXELS = 256, 16, 1 << 22
# From so many files on, or so many that are resized, processes of their own are worth their start.
_MANY, _MANY_RESIZED = 20_000, 1_000


class ImageFile(NamedTuple):
    """One image file.

    Attributes:
        part: ``"train"`` or ``"test"``.
        folder: name of its class folder, as it is.
        path: where it lies, relative to the folder or in the archive.
    """

    part: str
    folder: str
    path: str


def class_name_of(folder: str) -> str:
    """The class that a folder is named after, in words: ``maple_tree`` is ``maple tree``, accents in one form (NFC)."""
    return unicodedata.normalize("NFC", folder).replace("_", " ")


def decode(
    origin: Path,
    files: Sequence[ImageFile],
    read: Callable[[str], bytes],
    class_names: Sequence[str],
    fit: ImageFit,
    report: Report,
    places: Mapping[str, str] = WHOLE,
) -> ImageArrays:
    """Decode image files by several threads, or processes where there are many.

    Args:
        origin: the folder or archive, for messages.
        files: what to decode.
        read: gives the bytes of a path.
        class_names: in words; each must have images in both parts, and no folder may be of another class.
        fit: how they become pixels of one size.
        report: called with what is being done and how much of it is done, 0 to 1.
        places: the parts that there are, and the folder of each; a part that is not named stays empty.

    Raises:
        InputError: a file is no such image, or a class is missing; the message names it.
        MachineError: they do not fit into memory.
    """
    # Training images first, so that both parts are views of one array.
    files = sorted(files, key=lambda file: PARTS.index(file.part))
    size_of_train = sum(file.part == "train" for file in files)
    classes = _classes(origin, files, class_names, places)
    height, width = fit.size
    ask_for_memory(
        len(files) * height * width * 3,
        f"decoding the {len(files):,} images of {width}x{height} pixels in {origin}",
        "make them smaller, as folder:PATH,size=64 does, or take fewer",
    )
    images = np.empty((len(files), *fit.size, 3), dtype=np.uint8)
    done = 0
    for block in _decoded(origin, files, read, fit):
        report(f"decoding {origin.name}", done / len(files))
        images[done : done + len(block)] = block
        done += len(block)
    report(f"decoding {origin.name}", 1.0)
    return ImageArrays(
        train=SplitArrays(images[:size_of_train], classes[:size_of_train]),
        test=SplitArrays(images[size_of_train:], classes[size_of_train:]),
    )


def _decoded(
    origin: Path, files: Sequence[ImageFile], read: Callable[[str], bytes], fit: ImageFit
) -> Iterator[np.ndarray]:
    from joblib import Parallel, delayed

    many = len(files) >= (_MANY_RESIZED if fit.resize else _MANY)
    size = _TASK_RESIZED if fit.resize else max(1, min(_TASK, _TASK_PIXELS // (fit.size[0] * fit.size[1])))
    paths = [[file.path for file in files[start : start + size]] for start in range(0, len(files), size)]
    workers = Parallel(
        n_jobs=max(1, min(8, os.cpu_count() or 1, len(paths))),
        backend="loky" if many else "threading",
        return_as="generator",
    )
    yield from workers(delayed(_pixels)([(origin / path, read(path)) for path in task], fit) for task in paths)


def _pixels(encoded: list[tuple[Path, bytes]], fit: ImageFit) -> np.ndarray:
    return np.stack([fit.of_bytes(path, data) for path, data in encoded])


def _classes(
    origin: Path, files: Sequence[ImageFile], class_names: Sequence[str], places: Mapping[str, str]
) -> np.ndarray:
    """``(n,)`` int64 class of each file, from its folder; every class must occur in all parts."""
    index = {name: number for number, name in enumerate(class_names)}
    folders: dict[tuple[str, str], str] = {}
    for file in files:
        name, place = class_name_of(file.folder), origin / places[file.part]
        if name not in index:
            near = difflib.get_close_matches(name, class_names, n=1)
            advice = f"did you mean {near[0]!r}?" if near else "expected folders named after the classes"
            raise InputError(f"{place} has the folder {file.folder!r}, which is no class; {advice}")
        if folders.setdefault((file.part, name), file.folder) != file.folder:
            raise InputError(f"{place} has two folders for the class {name!r}; expected one per class")
        if not file.path.lower().endswith(SUFFIXES):
            raise InputError(f"{origin / file.path} is not named as a PNG, WebP or JPEG; convert or remove it")
    for part, folder in places.items():
        missing = [name for name in class_names if (part, name) not in folders]
        if missing:
            more = f" (nor of {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise InputError(f"{origin / folder} holds no image of the class {missing[0]!r}{more}; expected {LAYOUT}")
    return np.array([index[class_name_of(file.folder)] for file in files], dtype=np.int64)
