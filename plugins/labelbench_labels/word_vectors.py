"""Read a few vectors out of a text file of word vectors, in GloVe's or word2vec's format."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from labelbench import InputError, MachineError


@dataclass(frozen=True, eq=False)
class Vectors:
    """What was found in a file of word vectors.

    Attributes:
        path: the file.
        of: ``(width,)`` float64 of each word that was asked for and found.
        width: numbers of a vector.
        count: words in the file.
        sha256: of the whole file.
    """

    path: Path
    of: dict[str, np.ndarray]
    width: int
    count: int
    sha256: str


def read_vectors(path: Path, words: frozenset[str]) -> Vectors:
    """Read the vectors of ``words`` from a file, once per process while the file stays as it is.

    The last ``width`` numbers of a line are the vector, so that words may hold spaces. Of equal words the first counts.

    Raises:
        InputError: no vectors in the file, or a line that is not a word and ``width`` numbers; the message tells its
            number.
        MachineError: the file cannot be read.
    """
    try:
        stamp = path.stat()
        return _read_vectors(path, stamp.st_size, stamp.st_mtime_ns, words)
    except OSError as error:
        raise MachineError(f"cannot read {path}: {error.strerror or error}") from error


@lru_cache(maxsize=4)
def _read_vectors(path: Path, size: int, time: int, words: frozenset[str]) -> Vectors:
    wanted = {word.encode(errors="surrogateescape"): word for word in words}
    first_parts = {word.split()[0] for word in wanted}
    found: dict[str, np.ndarray] = {}
    count = width = 0
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            digest.update(line)
            head = line.split(None, 1)
            if not head:
                continue
            if width == 0:
                width, header = _width(line.split())
                if width == 0:
                    raise _malformed(path, number, line, width)
                if header:
                    continue
            count += 1
            if head[0] not in first_parts:
                # All lines are looked at, but only roughly: parsing millions of vectors for a few would take minutes.
                if line.count(b" ") + line.count(b"\t") < width:
                    raise _malformed(path, number, line, width)
                continue
            fields = line.split()
            word = wanted.get(b" ".join(fields[:-width]))
            vector = _numbers(fields[-width:])
            if vector is None or len(fields) <= width:
                raise _malformed(path, number, line, width)
            if word is not None:
                found.setdefault(word, vector)
    if count == 0:
        raise InputError(f"glove: {path} holds no vectors; expected lines 'word v1 v2 ...'")
    return Vectors(path, found, width, count, digest.hexdigest())


def _width(fields: Sequence[bytes]) -> tuple[int, bool]:
    """Numbers of a vector by the fields of the first line, and whether that is a header that tells count and width."""
    if len(fields) == 2 and all(field.isdigit() for field in fields) and int(fields[1]) > 0:
        return int(fields[1]), True
    numbers = itertools.takewhile(lambda field: _numbers([field]) is not None, reversed(fields[1:]))
    return sum(1 for _ in numbers), False


def _numbers(fields: Sequence[bytes]) -> np.ndarray | None:
    """The fields as finite float64, or None."""
    try:
        numbers = np.array([float(field) for field in fields])
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).all() else None


def _malformed(path: Path, number: int, line: bytes, width: int) -> InputError:
    start = line[:40].decode("utf-8", "replace").strip()
    numbers = f"{width} numbers" if width else "numbers"
    return InputError(f"glove: line {number} of {path} is {start!r}...; expected a word and {numbers}")
