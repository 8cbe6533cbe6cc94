"""CIFAR-10 and CIFAR-100 as their authors publish them: the files that torchvision reads, and their download."""

from __future__ import annotations

import tarfile
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labelbench import ImageSource, InputError, MachineError, Unavailable
from labelbench_datasets.reading import Part, Report

# A server that says nothing for so long is taken for unreachable.
_TIMEOUT_SECONDS = 30


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

    def of_folder(self, path: Path) -> ImageSource:
        """The unpacked files. They are pickles, so torchvision opens none before all have their published MD5 sums."""
        sums = [[file.name, _md5_of(file)] for file in sorted(path.iterdir()) if file.is_file()]
        return ImageSource(f"folder {path.name}", sums, lambda report: self._read(path, report))

    def of_archive(self, path: Path, cache_dir: Path) -> ImageSource:
        """The archive; unpacked in the cache folder for as long as it is read.

        Raises:
            InputError: its MD5 sum is not the published one.
        """
        found, expected = _md5_of(path), self.reader.tgz_md5
        if found != expected:
            raise InputError(f"{path} is not as published (expected the MD5 sum {expected}); replace or remove it")

        def read(report: Report) -> tuple[Part, Part]:
            report(f"unpacking {path.name}", 0.0)
            try:
                cache_dir.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryDirectory(prefix=".unpacked-", dir=cache_dir) as folder:
                    with tarfile.open(path) as archive:
                        archive.extractall(folder, filter="data")
                    return self._read(Path(folder, self.folder), report)
            except OSError as error:
                raise _full(cache_dir, error) from error

        return ImageSource(path.name, found, read)

    def _read(self, path: Path, report: Report) -> tuple[Part, Part]:
        def part(train: bool) -> Part:
            report(f"reading {path.name}", 0.0 if train else 0.8)
            with warnings.catch_warnings():
                # An early numpy wrote these files; some later ones warn of what it wrote.
                warnings.simplefilter("ignore")
                images = self.reader(path.parent, train=train, download=False)
            return np.ascontiguousarray(images.data), np.array(images.targets, dtype=np.int64)

        try:
            return part(True), part(False)
        except RuntimeError as error:
            raise InputError(
                f"{path} is not as published: a file is missing or has another MD5 sum; replace or remove it"
            ) from error


def download(url: str, md5: str, path: Path, advice: str, report: Report, unpack: Any = None) -> None:
    """Fetch a file with pooch, which begins anew where it is interrupted, and check its MD5 sum.

    Args:
        url: of the file.
        md5: the published one.
        path: where to keep it; it is there only when it is whole.
        advice: what to do where the network fails.
        report: called with what is being done and how much of it is done, 0 to 1.
        unpack: a processor of pooch.

    Raises:
        Unavailable: the network failed, or something else came than was published.
        MachineError: the disk refuses.
    """
    import pooch
    from requests import RequestException

    pooch.get_logger().setLevel("WARNING")
    fetch = pooch.HTTPDownloader(progressbar=_Bar(f"downloading {path.name}", report), timeout=_TIMEOUT_SECONDS)
    try:
        pooch.retrieve(url, f"md5:{md5}", path.name, path.parent, processor=unpack, downloader=fetch)
    except RequestException as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise Unavailable(f"cannot download {url} ({reason}); {advice}") from error
    except ValueError as error:
        raise Unavailable(f"{url} sent something else than was published; try again, or {advice}") from error
    except OSError as error:
        raise _full(path.parent, error) from error


class _Bar:
    """Hands on the progress of a download; pooch sets ``total`` in bytes."""

    def __init__(self, doing: str, report: Report) -> None:
        self.total = 0
        self._doing, self._report, self._done = doing, report, 0

    def update(self, count: int) -> None:
        """So many bytes more have come."""
        self._done += count
        self._report(self._doing, min(self._done / self.total, 1.0) if self.total else 0.0)

    def reset(self) -> None:
        """Pooch does this at the end, before it updates by the total."""
        self._done = 0

    def close(self) -> None:
        """Nothing is open."""


def _full(folder: Path, error: OSError) -> MachineError:
    reason = error.strerror or str(error)
    return MachineError(f"cannot write to {folder}: {reason}; make room there or name another folder with --cache-dir")


def _md5_of(path: Path) -> str:
    import pooch

    return str(pooch.file_hash(str(path), alg="md5"))
