"""What counts among the files of a data set, and how files that cannot be read are told."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from labelbench.errors import InputError, MachineError, one_line
from labelbench.images.decoding import SUFFIXES

# What file managers, synchronisation and version control leave in folders and archives.
_CLUTTER = re.compile(
    r"\._.*|\.DS_Store|\.localized|\.directory|\.AppleDouble|\.Trash.*|\.Spotlight-V100|\.fseventsd|\.TemporaryItems"
    r"|\.apdisk|\.git.*|\.svn|\.hg.*|\.ipynb_checkpoints|\.thumbnails|\.cache|\.nfs.*|\.~.*|\.picasa\.ini|\.stfolder"
    r"|\.sync.*|\.dropbox.*|__MACOSX|Thumbs\.db|ehthumbs.*\.db|desktop\.ini|@eaDir|Icon\r",
    re.IGNORECASE,
)


def counts(name: str, place: Path, *, is_folder: bool) -> bool:
    """Whether a file or folder belongs to the data.

    Args:
        name: of it alone.
        place: what it lies in, for messages.
        is_folder: whether it is a folder.

    Raises:
        InputError: it is hidden, and looks as if it belongs.
    """
    if _CLUTTER.fullmatch(name):
        return False
    if name.startswith("."):
        if is_folder or name.lower().endswith(SUFFIXES):
            raise InputError(
                f"{place} holds {name!r}, which its dot hides; rename it if it belongs to the data, else remove it"
            )
        return False
    return True


def in_utf8(name: str, place: Path) -> str:
    """The name of a class folder.

    Raises:
        InputError: it is not UTF-8.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InputError(
            f"{place} has the class folder {name!r}, which is not UTF-8; rename it, since labels and results carry it"
        ) from None
    return name


def content_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal; computed again only if the system says that the file was touched."""
    info = path.stat()
    # The time of the last change of the entry itself cannot be set back, as that of the content can.
    return _content_hash(path, (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns))


@lru_cache(maxsize=200_000)
def _content_hash(path: Path, state: tuple[int, ...]) -> str:
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
    except MemoryError as error:
        raise MachineError(f"the images of {what} do not fit into memory ({one_line(error)}); take fewer") from error
