"""Image files in a folder or a zip, ``train/<class>/<image>`` and ``test/<class>/<image>``, decoded to arrays."""

from __future__ import annotations

import difflib
import io
import lzma
import os
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from labelbench.errors import InputError, LabelbenchError, MachineError, one_line
from labelbench.image_arrays import ImageArrays, Report, SplitArrays

if TYPE_CHECKING:
    from PIL import Image

PARTS = ("train", "test")
LAYOUT = "train/<class>/<image> and test/<class>/<image>, each a PNG, WebP or JPEG"
_SUFFIXES = (".png", ".webp", ".jpg", ".jpeg")
_FORMATS = ("PNG", "WEBP", "JPEG")
# What file managers leave in folders and archives.
_CLUTTER = re.compile(r"(\..*|__MACOSX|Thumbs\.db|desktop\.ini)", re.IGNORECASE)
# What a damaged or encrypted archive makes the standard library raise.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)
# Images decoded by one task of a thread.
_TASK = 256


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


def in_words(folder: str) -> str:
    """The class that a folder is named after, in words: ``maple_tree`` is ``maple tree``."""
    return folder.replace("_", " ")


@dataclass(frozen=True)
class ImageZip:
    """A zip of image files; one leading folder around ``train`` and ``test`` is allowed. Nothing is ever extracted."""

    path: Path

    @property
    def description(self) -> str:
        """What is read, in words."""
        return self.path.name

    def state(self) -> list[Any]:
        """Path, size and time of the archive."""
        info = self.path.stat()
        return [str(self.path.resolve()), info.st_size, info.st_mtime_ns]

    def read(self, class_names: Sequence[str], image_size: tuple[int, int], report: Report) -> ImageArrays:
        """All images; see :func:`decode`."""
        with self._errors():
            archive = zipfile.ZipFile(self.path)
        with archive:
            files = list(self._files([info.filename for info in archive.infolist() if not info.is_dir()]))

            def read(member: str) -> bytes:
                with self._errors():
                    return archive.read(member)

            return decode(self.path, files, read, class_names, image_size, report)

    def _files(self, members: Sequence[str]) -> Iterator[ImageFile]:
        for member in members:
            if member.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", member) or ".." in re.split(r"[/\\]", member):
                raise InputError(f"{self.path} has the member {member!r}, which points outside of it; nothing was read")
        for member, count in Counter(members).most_common(1):
            if count > 1:
                raise InputError(f"{self.path} has the member {member!r} {count} times; expected each image once")
        wanted = [parts for parts in (member.split("/") for member in members) if not any(map(_is_clutter, parts))]
        first = {parts[0] for parts in wanted}
        leading = 0 if first & set(PARTS) or len(first) != 1 else 1
        for parts in wanted:
            inner = parts[leading:]
            if inner[0] not in PARTS:
                continue
            if len(inner) != 3:
                raise InputError(f"{self.path} has the member {'/'.join(parts)!r}; expected {LAYOUT}")
            yield ImageFile(inner[0], inner[1], "/".join(parts))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            raise MachineError(f"cannot read {self.path}: {error.strerror}") from error
        except _ZIP_ERRORS as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{self.path} cannot be read as a zip ({reason}); replace it by an intact copy") from error


@dataclass(frozen=True)
class ImageFolder:
    """A folder of image files."""

    path: Path

    @property
    def description(self) -> str:
        """What is read, in words."""
        return f"folder {self.path.name or self.path}"

    def class_folders(self) -> list[str]:
        """Names of the folders in ``train``, ordered by class name.

        Raises:
            InputError: there is no such folder, it is empty, or two mean the same class.
        """
        names = [entry.name for entry in self._entries("train") if entry.is_dir()]
        if not names:
            raise InputError(f"{self.path / 'train'} holds no class folders; expected {LAYOUT}")
        words = sorted(map(in_words, names))
        for one, other in pairwise(words):
            if one == other:
                raise InputError(f"{self.path / 'train'} has two folders for the class {one!r}; expected one per class")
        return sorted(names, key=in_words)

    def image_size(self) -> tuple[int, int]:
        """``(height, width)`` of one of the images, read from its header.

        Raises:
            InputError: the first class folder is empty, or its first file is no image.
        """
        folder = self.class_folders()[0]
        for entry in self._entries("train", folder):
            with _opened(Path(entry.path), self._bytes(f"train/{folder}/{entry.name}")) as image:
                return image.height, image.width
        raise InputError(f"{self.path / 'train' / folder} holds no image; expected {LAYOUT}")

    def state(self) -> list[Any]:
        """Path of the folder; name, size and time of every image file."""
        state: list[Any] = [str(self.path.resolve())]
        for part in PARTS:
            for folder in self._entries(part):
                infos = [(image.name, image.stat()) for image in self._images(part, folder)]
                state += [part, folder.name, [(name, info.st_size, info.st_mtime_ns) for name, info in infos]]
        return state

    def read(self, class_names: Sequence[str], image_size: tuple[int, int], report: Report) -> ImageArrays:
        """All images; see :func:`decode`."""
        files = [
            ImageFile(part, folder.name, f"{part}/{folder.name}/{image.name}")
            for part in PARTS
            for folder in self._entries(part)
            for image in self._images(part, folder)
        ]
        return decode(self.path, files, self._bytes, class_names, image_size, report)

    def _images(self, part: str, folder: os.DirEntry[str]) -> list[os.DirEntry[str]]:
        if not folder.is_dir():
            raise InputError(f"{folder.path} is not a class folder; expected {LAYOUT}")
        images = self._entries(part, folder.name)
        for image in images:
            if image.is_dir():
                raise InputError(f"{image.path} is a folder; expected {LAYOUT}")
        return images

    def _entries(self, *parts: str) -> list[os.DirEntry[str]]:
        folder = self.path.joinpath(*parts)
        try:
            with os.scandir(folder) as entries:
                return sorted((entry for entry in entries if not _is_clutter(entry.name)), key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            raise InputError(f"there is no folder {folder}; expected {LAYOUT}") from None
        except OSError as error:
            raise MachineError(f"cannot read {folder}: {error.strerror or error}") from error

    def _bytes(self, path: str) -> bytes:
        try:
            return (self.path / path).read_bytes()
        except OSError as error:
            raise MachineError(f"cannot read {self.path / path}: {error.strerror or error}") from error


def decode(
    origin: Path,
    files: Sequence[ImageFile],
    read: Callable[[str], bytes],
    class_names: Sequence[str],
    image_size: tuple[int, int],
    report: Report,
) -> ImageArrays:
    """Decode image files by several threads.

    Args:
        origin: the folder or archive, for messages.
        files: what to decode.
        read: gives the bytes of a path.
        class_names: in words; each must have images in both parts, and no folder may be of another class.
        image_size: ``(height, width)`` that every image must have.
        report: called with what is being done and how much of it is done, 0 to 1.

    Raises:
        InputError: a file is no such image, or a class is missing; the message names it.
    """
    # Training images first, so that both parts are views of one array.
    files = sorted(files, key=lambda file: PARTS.index(file.part))
    size_of_train = sum(file.part == "train" for file in files)
    classes = _classes(origin, files, class_names)
    images = np.empty((len(files), *image_size, 3), dtype=np.uint8)

    def decode_task(start: int) -> None:
        for number in range(start, min(start + _TASK, len(files))):
            path = files[number].path
            images[number] = _pixels(origin / path, read(path), image_size)

    pool = ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1))
    try:
        starts = range(0, len(files), _TASK)
        for start, task in zip(starts, [pool.submit(decode_task, start) for start in starts], strict=True):
            report(f"decoding {origin.name}", start / len(files))
            task.result()
    finally:
        pool.shutdown(cancel_futures=True)
    report(f"decoding {origin.name}", 1.0)
    return ImageArrays(
        train=SplitArrays(images[:size_of_train], classes[:size_of_train]),
        test=SplitArrays(images[size_of_train:], classes[size_of_train:]),
    )


def _classes(origin: Path, files: Sequence[ImageFile], class_names: Sequence[str]) -> np.ndarray:
    """``(n,)`` int64 class of each file, from its folder; every class must occur in both parts."""
    index = {name: number for number, name in enumerate(class_names)}
    folders: dict[tuple[str, str], str] = {}
    for file in files:
        name = in_words(file.folder)
        if name not in index:
            near = difflib.get_close_matches(name, class_names, n=1)
            advice = f"did you mean {near[0]!r}?" if near else "expected folders named after the classes"
            raise InputError(f"{origin / file.part} has the folder {file.folder!r}, which is no class; {advice}")
        if folders.setdefault((file.part, name), file.folder) != file.folder:
            raise InputError(f"{origin / file.part} has two folders for the class {name!r}; expected one per class")
        if not file.path.lower().endswith(_SUFFIXES):
            raise InputError(f"{origin / file.path} is not named as a PNG, WebP or JPEG; convert or remove it")
    for part in PARTS:
        missing = [name for name in class_names if (part, name) not in folders]
        if missing:
            more = f" (nor of {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise InputError(f"{origin / part} holds no image of the class {missing[0]!r}{more}; expected {LAYOUT}")
    return np.array([index[in_words(file.folder)] for file in files], dtype=np.int64)


def _pixels(path: Path, data: bytes, image_size: tuple[int, int]) -> np.ndarray:
    """``(height, width, 3)`` uint8 RGB; transparency is ignored."""
    with _opened(path, data) as image:
        if (image.height, image.width) != image_size:
            height, width = image_size
            raise InputError(
                f"{path} is {image.width}x{image.height} pixels; expected {width}x{height}, as all of this data set"
            )
        if image.mode[0] in "IF":
            raise InputError(f"{path} has more than 8 bits for each pixel; expected 8-bit grey or colour")
        if image.mode == "P" and "transparency" in image.info:
            image = image.convert("RGBA")
        return np.asarray(image.convert("RGB"))


@contextmanager
def _opened(path: Path, data: bytes) -> Iterator[Image.Image]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            yield image
    except LabelbenchError:
        raise
    except UnidentifiedImageError as error:
        raise InputError(f"{path} is no PNG, WebP or JPEG image; replace or remove it") from error
    except Exception as error:  # Pillow's decoders raise whatever they meet in damaged data.
        raise InputError(f"{path} cannot be decoded ({one_line(error)}); replace or remove it") from error


def _is_clutter(name: str) -> bool:
    return _CLUTTER.fullmatch(name) is not None
