"""Images decoded once: kept as uint8 arrays under the cache folder, memory-mapped, their hash checked at each opening.

Below ``CACHE/datasets`` lie the arrays of each data set in a folder named after their fingerprint, so that equal images
from different places are kept once, and in ``sources`` one small file per source that says which fingerprint it has. A
source is known by what it says of its content, never by names, sizes and times of files. Everything is written under a
temporary name and renamed, by one process at a time; what is damaged is made again.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labelbench.errors import MachineError
from labelbench.files import disk_errors, write_json
from labelbench.images.arrays import (
    ImageArrays,
    Report,
    SplitArrays,
    blocks,
    channel_statistics,
    fingerprint,
    pixel_order,
)
from labelbench.images.look import Look
from labelbench.images.source import ImageSource

# Raised when equal sources would be stored as other arrays, or their states mean something else; older entries are then
# made again.
_FORMAT = 3
_PARTS = ("train", "test")
_ADVICE = "make room there or name another folder with --cache-dir"
# A temporary folder of this age belongs to a process that was killed.
_ABANDONED_SECONDS = 24 * 3600


@dataclass(frozen=True, eq=False)
class StoredImages:
    """What the cache holds of a data set.

    Attributes:
        arrays: read-only, images memory-mapped, in pixel order.
        fingerprint: see :func:`labelbench.images.arrays.fingerprint`.
        mean, std: of each channel of the training images.
        look: what is odd about them.
    """

    arrays: ImageArrays
    fingerprint: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    look: Look


class ImageCache:
    """The decoded images of all data sets on this machine.

    Args:
        folder: the cache folder (``--cache-dir``).
    """

    def __init__(self, folder: Path) -> None:
        self._root = folder / "datasets"
        self._folder = folder

    def load(
        self, name: str, source: ImageSource, class_names: Sequence[str], image_size: tuple[int, int], report: Report
    ) -> StoredImages:
        """The images of a source: mapped if they are here and undamaged, else read and stored first.

        Args:
            name: first part of the folder name.
            source: where they come from.
            class_names: in words.
            image_size: ``(height, width)``.
            report: called with what is being done and how much of it is done, 0 to 1.

        Raises:
            InputError: the source does not hold such images.
            OSError: it cannot be read.
            MachineError: the cache folder cannot be written.
        """
        key = _sha256_of([_FORMAT, class_names, image_size, source.state])
        index = self._root / "sources" / f"{name}-{key[:32]}.json"
        stored = self._known(name, index, class_names)
        if stored is not None:
            return stored
        # Who comes second waits, and finds what the first has stored.
        with self._lock():
            stored = self._known(name, index, class_names)
            if stored is not None:
                return stored
            arrays = source.arrays(class_names, image_size, report)
            with disk_errors("cannot write to", self._folder, _ADVICE):
                self._sweep()
                report(f"storing {source.description}", 0.0)
                stored = self._store(name, class_names, arrays)
                write_json(index, {"fingerprint": stored.fingerprint, "source": source.description})
                report(f"storing {source.description}", 1.0)
            return stored

    @contextmanager
    def _lock(self) -> Iterator[None]:
        from filelock import FileLock

        lock = FileLock(self._root / ".lock")
        with disk_errors("cannot write to", self._folder, _ADVICE):
            self._root.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _known(self, name: str, index: Path, class_names: Sequence[str]) -> StoredImages | None:
        """What is stored of a source, undamaged."""
        known = _read_json(index).get("fingerprint")
        return _open(self._images_folder(name, known), class_names, known) if isinstance(known, str) else None

    def _images_folder(self, name: str, fingerprint: str) -> Path:
        return self._root / f"{name}-{fingerprint[:16]}"

    def _store(self, name: str, class_names: Sequence[str], arrays: ImageArrays) -> StoredImages:
        made = self._root / f".new-{secrets.token_hex(8)}"
        try:
            made.mkdir()
            for part, (images, classes) in zip(_PARTS, arrays, strict=True):
                order = pixel_order(images, classes)
                _write_array(made / f"{part}-images.npy", images.shape, np.uint8, blocks(images, order))
                _write_array(made / f"{part}-classes.npy", classes.shape, np.int64, [classes[order]])
            found = fingerprint(class_names, _mapped(made))
            mean, std = channel_statistics(_mapped(made).train.images)
            look = asdict(Look.at(class_names, _mapped(made)))
            described = {"mean": mean, "std": std, "look": look, "sha256": _sha256_of([found, mean, std, look])}
            write_json(made / "images.json", described)
            final = self._images_folder(name, found)
            stored = _open(final, class_names, found)
            if stored is None:
                self._discard(final)
                made.rename(final)
                stored = _open(final, class_names, found)
            if stored is not None:
                return stored
        finally:
            shutil.rmtree(made, ignore_errors=True)
        raise MachineError(f"folder {self._root} does not keep what is written to it; name another with --cache-dir")

    def _discard(self, folder: Path) -> None:
        """Delete a folder; under its name it is gone at once, whole."""
        aside = self._root / f".old-{secrets.token_hex(8)}"
        with suppress(FileNotFoundError):
            folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)

    def _sweep(self) -> None:
        """Delete what killed processes left behind."""
        for left in [*self._root.glob(".new-*"), *self._root.glob(".old-*")]:
            with suppress(OSError):
                if time.time() - left.stat().st_mtime > _ABANDONED_SECONDS:
                    shutil.rmtree(left)


def _open(folder: Path, class_names: Sequence[str], known: str) -> StoredImages | None:
    """The images in ``folder``, or None if they are damaged, not these, or not there."""
    try:
        arrays = _mapped(folder)
        described = _read_json(folder / "images.json")
        mean, std = ((red, green, blue) for red, green, blue in (described["mean"], described["std"]))
        look = Look.of_json(described["look"])
        if (
            described["sha256"] != _sha256_of([known, mean, std, described["look"]])
            or fingerprint(class_names, arrays) != known
        ):
            return None
    except (OSError, ValueError, TypeError, KeyError, EOFError):
        return None
    return StoredImages(arrays, known, mean, std, look)


def _mapped(folder: Path) -> ImageArrays:
    parts = []
    for part in _PARTS:
        images = np.load(folder / f"{part}-images.npy", mmap_mode="r", allow_pickle=False)
        classes = np.load(folder / f"{part}-classes.npy", allow_pickle=False)
        if images.ndim != 4 or images.dtype != np.uint8 or classes.shape != images.shape[:1]:
            raise ValueError("no images with classes")
        classes.setflags(write=False)
        parts.append(SplitArrays(images, classes))
    return ImageArrays(*parts)


def _write_array(path: Path, shape: tuple[int, ...], dtype: type[np.generic], rows: Iterable[np.ndarray]) -> None:
    """Write an array part by part. Not through a memory map: a full disk would then kill the process."""
    header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for part in rows:
            file.write(part.astype(dtype, copy=False).tobytes())


def _sha256_of(value: Any) -> str:
    """SHA-256 of a JSON value, in hexadecimal."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
