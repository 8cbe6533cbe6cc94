"""CIFAR-10 and CIFAR-100 as their authors publish them: the files that torchvision reads, and their download."""

from __future__ import annotations

import hashlib
import http.client
import secrets
import tarfile
import tempfile
import urllib.request
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labelbench.errors import InputError, MachineError, one_line
from labelbench.images.arrays import ImageArrays, Report, SplitArrays
from labelbench.images.cache import disk_errors

# A server that says nothing for so long is taken for unreachable.
_TIMEOUT_SECONDS = 30
_BLOCK_BYTES = 1 << 18


@dataclass(frozen=True)
class Published:
    """Names of the published files of a data set.

    Attributes:
        name: of the class in ``torchvision.datasets`` that reads them, and knows their address and MD5 sums.
        folder: the unpacked files.
        archive: what they come in.
    """

    name: str
    folder: str
    archive: str

    @property
    def reader(self) -> Any:
        """The class in ``torchvision.datasets``."""
        from torchvision import datasets

        return getattr(datasets, self.name)


PUBLISHED = {
    "cifar10": Published("CIFAR10", "cifar-10-batches-py", "cifar-10-python.tar.gz"),
    "cifar100": Published("CIFAR100", "cifar-100-python", "cifar-100-python.tar.gz"),
}


@dataclass(frozen=True)
class PublishedFolder:
    """The unpacked files. They are pickles, so torchvision opens none before all have their published MD5 sums."""

    path: Path
    published: Published

    @property
    def description(self) -> str:
        """What is read, in words."""
        return f"folder {self.path.name}"

    def state(self) -> list[Any]:
        """Path of the folder; name, size and time of every file."""
        files = sorted(item for item in self.path.iterdir() if item.is_file())
        infos = [(file.name, file.stat()) for file in files]
        return [str(self.path.resolve()), *([name, info.st_size, info.st_mtime_ns] for name, info in infos)]

    def read(self, class_names: Sequence[str], image_size: tuple[int, int], report: Report) -> ImageArrays:
        """All images.

        Raises:
            InputError: a file is missing, or its MD5 sum is not the published one.
        """
        parts = []
        for train in (True, False):
            report(f"reading {self.path.name}", 0.0 if train else 0.8)
            try:
                with warnings.catch_warnings():
                    # An early numpy wrote these files; some later ones warn of what it wrote.
                    warnings.simplefilter("ignore")
                    images = self.published.reader(self.path.parent, train=train, download=False)
            except RuntimeError as error:
                raise InputError(
                    f"{self.path} is not as published: a file is missing or has another MD5 sum; replace or remove it"
                ) from error
            parts.append(SplitArrays(np.ascontiguousarray(images.data), np.array(images.targets, dtype=np.int64)))
        report(f"reading {self.path.name}", 1.0)
        return ImageArrays(*parts)


@dataclass(frozen=True)
class PublishedArchive:
    """The archive; unpacked in the cache folder for as long as it is read."""

    path: Path
    published: Published
    cache_dir: Path

    @property
    def description(self) -> str:
        """What is read, in words."""
        return self.path.name

    def state(self) -> list[Any]:
        """Path, size and time of the archive."""
        info = self.path.stat()
        return [str(self.path.resolve()), info.st_size, info.st_mtime_ns]

    def read(self, class_names: Sequence[str], image_size: tuple[int, int], report: Report) -> ImageArrays:
        """All images.

        Raises:
            InputError: the MD5 sum of the archive is not the published one.
            MachineError: it cannot be unpacked.
        """
        expected = self.published.reader.tgz_md5
        if _md5_of(self.path) != expected:
            raise InputError(f"{self.path} is not as published (expected the MD5 sum {expected}); replace or remove it")
        report(f"unpacking {self.path.name}", 0.0)
        with disk_errors(self.cache_dir):
            self.cache_dir.mkdir(parents=True, exist_ok=True)
            unpacked = tempfile.TemporaryDirectory(prefix=".unpacked-", dir=self.cache_dir)
        with unpacked as folder:
            with disk_errors(self.cache_dir), tarfile.open(self.path) as archive:
                archive.extractall(folder, filter="data")
            return PublishedFolder(Path(folder, self.published.folder), self.published).read(
                class_names, image_size, report
            )


def download(published: Published, path: Path, cache_dir: Path, advice: str, report: Report) -> None:
    """Fetch the archive from the address that torchvision knows, and check its MD5 sum.

    Args:
        published: what to fetch.
        path: where to keep it, below ``cache_dir``; it is there only when it is whole.
        cache_dir: named in messages.
        advice: what to do where the network fails.
        report: called with what is being done and how much of it is done, 0 to 1.

    Raises:
        MachineError: network or disk failed, or something else came than was published.
    """
    reader = published.reader
    part = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    try:
        with disk_errors(cache_dir):
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                for block, share in _blocks(reader.url, advice):
                    file.write(block)
                    report(f"downloading {path.name}", share)
            if _md5_of(part) != reader.tgz_md5:
                raise MachineError(f"{reader.url} sent something else than was published; try again, or {advice}")
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _blocks(url: str, advice: str) -> Iterator[tuple[bytes, float]]:
    """What the address sends, part by part, each with the share of the whole that has come."""
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310  (torchvision's own address)
            size, done = response.length or 0, 0
            while block := response.read(_BLOCK_BYTES):
                done += len(block)
                yield block, done / size if size else 0.0
    except (OSError, http.client.HTTPException) as error:
        raise MachineError(f"cannot download {url} ({one_line(error)}); {advice}") from error


def _md5_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
