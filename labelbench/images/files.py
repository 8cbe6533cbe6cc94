"""Image files in a folder or a zip: ``train/<class>/<image>`` and ``test/<class>/<image>``."""

from __future__ import annotations

import hashlib
import lzma
import os
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

from labelbench.errors import InputError, MachineError, one_line
from labelbench.images.arrays import ImageArrays, Report
from labelbench.images.decoding import LAYOUT, PARTS, ImageFile, class_name_of, decode, opened
from labelbench.images.source import ImageSource

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


@dataclass(frozen=True)
class ImageZip:
    """A zip of image files; one leading folder around ``train`` and ``test`` is allowed. Nothing is ever extracted."""

    path: Path

    def source(self, class_names: Sequence[str], image_size: tuple[int, int]) -> ImageSource:
        """Its images, known by the hash of the archive.

        Args:
            class_names: in words; each must have images in both parts, and no folder may be of another class.
            image_size: ``(height, width)`` that every image must have.
        """
        return ImageSource(self.path.name, content_hash(self.path), partial(self._read, class_names, image_size))

    def _read(self, class_names: Sequence[str], image_size: tuple[int, int], report: Report) -> ImageArrays:
        with self._errors():
            archive = zipfile.ZipFile(self.path)
        with archive:
            files = list(self._files(archive.namelist()))

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
                raise InputError(
                    f"{self.path} has the member {member!r} {count} times; zip it again with each image once"
                )
        split = [member.split("/") for member in members if not member.endswith("/")]
        wanted = [parts for parts in split if len(parts) > 1 and not any(map(_is_clutter, parts))]
        first = {parts[0] for parts in wanted}
        leading = 1 if len(first) == 1 and not first & set(PARTS) else 0
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
        except PermissionError:
            raise
        except _ZIP_ERRORS as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{self.path} cannot be read as a zip ({reason}); replace it by an intact copy") from error


@dataclass(frozen=True)
class ImageFolder:
    """A folder of image files."""

    path: Path

    def source(self, class_names: Sequence[str], image_size: tuple[int, int]) -> ImageSource:
        """Its images, known by the hash of each file.

        Args:
            class_names: in words; each must have images in both parts, and no folder may be of another class.
            image_size: ``(height, width)`` that every image must have.

        Raises:
            InputError: it is not laid out as expected.
            OSError: it cannot be read.
        """
        files = [
            ImageFile(part, folder.name, f"{part}/{folder.name}/{image.name}")
            for part in PARTS
            for folder in self._entries(part)
            for image in self._images(part, folder)
        ]
        state = [[file.path, content_hash(self.path / file.path)] for file in files]
        description = f"folder {self.path.name or self.path}"
        return ImageSource(
            description,
            state,
            lambda report: decode(self.path, files, self._bytes, class_names, image_size, report),
        )

    def class_names(self) -> tuple[str, ...]:
        """The classes in words, in alphabetical order: the folders in ``train``, ``maple_tree`` is "maple tree".

        Raises:
            InputError: the folder is not there, holds no or one class, or two folders of one class.
            MachineError: it cannot be read.
        """
        with reading_errors(self.path):
            return tuple(map(class_name_of, self._class_folders()))

    def _class_folders(self) -> list[str]:
        """Names of the folders in ``train``, ordered by class name."""
        names = [entry.name for entry in self._entries("train") if entry.is_dir()]
        if not names:
            raise InputError(f"{self.path / 'train'} holds no class folders; expected {LAYOUT}")
        if len(names) == 1:
            raise InputError(f"{self.path / 'train'} holds one class ({names[0]!r}); expected two or more")
        words = sorted(map(class_name_of, names))
        for one, other in pairwise(words):
            if one == other:
                raise InputError(f"{self.path / 'train'} has two folders for the class {one!r}; expected one per class")
        return sorted(names, key=class_name_of)

    def image_size(self) -> tuple[int, int]:
        """``(height, width)`` of one of the images, read from its header.

        Raises:
            InputError: the first class folder is empty, or its first file is no image.
            MachineError: it cannot be read.
        """
        with reading_errors(self.path):
            folder = self._class_folders()[0]
            for entry in self._entries("train", folder):
                with opened(Path(entry.path), self._bytes(f"train/{folder}/{entry.name}")) as image:
                    return image.height, image.width
        raise InputError(f"{self.path / 'train' / folder} holds no image; expected {LAYOUT}")

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
            missing = folder if self.path.is_dir() else self.path
            raise InputError(f"there is no folder {missing}; expected {self.path}/{LAYOUT}") from None

    def _bytes(self, path: str) -> bytes:
        return (self.path / path).read_bytes()


def _is_clutter(name: str) -> bool:
    return _CLUTTER.fullmatch(name) is not None


def content_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def reading_errors(what: object) -> Iterator[None]:
    """Say in one line that the images of ``what`` cannot be read."""
    try:
        yield
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}" if error.filename else one_line(error)
        raise MachineError(
            f"cannot read the images of {what} ({reason}); allow or repair that, and run again"
        ) from error
