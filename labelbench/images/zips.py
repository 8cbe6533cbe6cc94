"""Image files in a zip: ``train/<class>/<image>`` and ``test/<class>/<image>``."""

from __future__ import annotations

import lzma
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from labelbench.errors import InputError
from labelbench.images.arrays import ImageArrays, Report
from labelbench.images.decoding import LAYOUT, PARTS, ImageFile, decode
from labelbench.images.fitting import ImageFit
from labelbench.images.listing import content_hash, counts
from labelbench.images.source import ImageSource

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
            # Of two members of one name only the second could be read: it is refused below.
            members = [(_name_of(member), member) for member in archive.infolist()]
            by_name = dict(members)
            files = list(self._files([(name, member.filename) for name, member in members]))

            def read(name: str) -> bytes:
                with self._errors():
                    return archive.read(by_name[name])

            return decode(self.path, files, read, class_names, ImageFit(image_size), report)

    def _files(self, members: Sequence[tuple[str, str]]) -> Iterator[ImageFile]:
        for member, given in members:
            if member.startswith("/") or re.match(r"[A-Za-z]:", member) or ".." in member.split("/"):
                raise InputError(f"{self.path} has the member {given!r}, which points outside of it; nothing was read")
        for member, count in Counter(member for member, _ in members).most_common(1):
            if count > 1:
                raise InputError(
                    f"{self.path} has the member {member!r} {count} times; zip it again with each image once"
                )
        split = [member.split("/") for member, _ in members if not member.endswith("/")]
        wanted = [parts for parts in split if len(parts) > 1 and self._all_count(parts)]
        first = {parts[0] for parts in wanted}
        leading = 1 if len(first) == 1 and not first & set(PARTS) else 0
        for parts in wanted:
            inner = parts[leading:]
            if inner[0] not in PARTS:
                continue
            if len(inner) != 3:
                raise InputError(f"{self.path} has the member {'/'.join(parts)!r}; expected {LAYOUT}")
            yield ImageFile(inner[0], inner[1], "/".join(parts))

    def _all_count(self, parts: list[str]) -> bool:
        """Whether a file belongs to the data, by its name and the folders that it lies in."""
        above = [PurePosixPath(*parts[:depth]) for depth in range(len(parts))]
        last = len(parts) - 1
        return all(
            counts(part, self.path / above[depth], is_folder=depth < last and depth > 0)
            for depth, part in enumerate(parts)
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except PermissionError:
            raise
        except _ZIP_ERRORS as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{self.path} cannot be read as a zip ({reason}); replace it by an intact copy") from error


def _name_of(member: zipfile.ZipInfo) -> str:
    """The path of a member with slashes, and in UTF-8 where its archive did not say that it is."""
    name = member.filename
    if not member.flag_bits & 0x800:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")
