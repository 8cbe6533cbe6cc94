"""Fetch one file over HTTP: announced with its size, resumed where it stopped, checked, and put in place whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from labelbench import InputError, MachineError, Unavailable, current_settings

if TYPE_CHECKING:
    import requests

# Seconds without a byte after which a server counts as gone.
_TIMEOUT = 30.0
_CHUNK = 1 << 16


def fetch(url: str, target: Path, sha256: str | None, size: int | None, hint: str = "") -> Path:
    """Download ``url`` to ``target`` unless the right file is there already.

    Bytes go to ``<target>.part`` and are moved to ``target`` when they are complete and their checksum is right, so
    a file under the final name is always whole. If a checksum is known, an interrupted download goes on where it
    stopped, which pooch cannot do. Several processes may ask for one file: one downloads it, the others wait.

    Args:
        url: ``http://`` or ``https://``; the proxy variables of the environment are respected.
        target: where the file shall lie; folders are made.
        sha256: expected hash in hexadecimal, or None if unknown: then any file at ``target`` is taken as right.
        size: expected length in bytes, or None if unknown.
        hint: what else helps when it cannot be fetched, for the message (``"give its folder with --labels-dir"``).

    Returns:
        ``target``.

    Raises:
        InputError: another kind of URL.
        Unavailable: offline, a failing network, or a file with another length or checksum, which is removed; the
            message says where to place the file by hand.
        MachineError: the disk refuses.
    """
    from filelock import FileLock
    from requests import RequestException

    if is_right(target, sha256):
        return target
    if urlsplit(url).scheme not in ("http", "https"):
        raise InputError(f"cannot fetch {url!r}: expected an http or https address")
    by_hand = f"place the file of {url} at {target}" + (f", or {hint}" if hint else "")
    if current_settings().offline:
        raise Unavailable(f"{target.name} is missing and may not be fetched offline; {by_hand}")
    part = target.with_name(target.name + ".part")
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(target.with_name(f".{target.name}.lock")):
                if not is_right(target, sha256):
                    _download(url, part, size, resume=sha256 is not None)
                    _check(part, sha256)
                    part.replace(target)
        except (RequestException, _Failed) as error:
            why = str(error) if isinstance(error, _Failed) else f"no connection ({_root_of(error)})"
            raise Unavailable(f"cannot fetch {target.name}: {why}; run again, or {by_hand}") from error
    return target


@contextmanager
def disk_errors(target: Path) -> Iterator[None]:
    """Say in one line that a file of the cache folder cannot be written, and what to do."""
    try:
        yield
    except OSError as error:
        raise MachineError(
            f"cannot write {target}: {error.strerror or error}; make room there or name another folder with --cache-dir"
        ) from error


def is_right(path: Path, sha256: str | None) -> bool:
    """Whether ``path`` is a file and, if a hash is given, has it."""
    return path.is_file() and (sha256 is None or sha256_of(path) == sha256)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def readable_size(size: int) -> str:
    """A number of bytes for a person.

    >>> readable_size(437), readable_size(163968), readable_size(437_000_000)
    ('437 B', '164.0 kB', '437.0 MB')
    """
    if size < 1000:
        return f"{size} B"
    return f"{size / 1e3:.1f} kB" if size < 1_000_000 else f"{size / 1e6:.1f} MB"


class _Failed(Exception):
    """Why a download did not end well."""


def _check(part: Path, sha256: str | None) -> None:
    if not is_right(part, sha256):
        found = sha256_of(part)
        part.unlink()
        raise _Failed(f"what came has SHA-256 {found}, expected {sha256}; it was removed")


def _download(url: str, part: Path, size: int | None, *, resume: bool) -> None:
    """Write all of ``url`` to ``part``, keeping what it holds already if ``resume``."""
    import requests

    start = part.stat().st_size if resume and part.exists() else 0
    if size is not None and start == size:
        return
    start = 0 if size is not None and start > size else start
    headers = {"User-Agent": "labelbench", "Accept-Encoding": "identity"}
    headers |= {"Range": f"bytes={start}-"} if start else {}
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
        if start and response.status_code == 416:  # what is here is longer than what is there
            _download(url, part, size, resume=False)
            return
        if not response.ok:
            raise _Failed(f"the server answers {response.status_code} {response.reason}")
        if not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            start = 0
        length = response.headers.get("Content-Length")
        expected = size if size is not None or length is None else start + int(length)
        _write(response, part, start, expected)


def _write(response: requests.Response, part: Path, start: int, expected: int | None) -> None:
    """Append what comes, with a bar on a terminal and one line elsewhere."""
    from requests import RequestException
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    console, name = Console(stderr=True), part.name.removesuffix(".part")
    size = f" ({readable_size(expected)})" if expected else ""
    console.print(f"fetching {name}{size} from {urlsplit(response.url).netloc}", highlight=False, soft_wrap=True)
    columns = BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    done = start
    with (
        part.open("ab" if start else "wb") as file,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task(name, completed=done, total=expected)
        try:
            for chunk in response.iter_content(_CHUNK):
                done += file.write(chunk)
                progress.update(task, completed=done)
                if expected is not None and done > expected:
                    part.unlink()
                    raise _Failed(f"the server sends more than the expected {readable_size(expected)}")
        except RequestException as error:
            if not expected:
                raise _Failed(f"the connection broke ({_root_of(error)})") from error
    if expected is not None and done < expected:
        raise _Failed(f"the connection ended after {readable_size(done)} of {readable_size(expected)}")


def _root_of(error: BaseException) -> BaseException:
    """What a library's error came from: what the system said."""
    while error.__context__ is not None:
        error = error.__context__
    return error
