"""Fetch one file over HTTP: announced with its size, resumed where it stopped, checked, and put in place whole."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from labelbench import InputError, MachineError, Unavailable, current_settings

Report = Callable[[str, float], None]

# Seconds without a byte after which a server counts as gone.
_TIMEOUT = 30.0
_CHUNK = 1 << 16


def fetch(
    url: str, target: Path, sha256: str | None, size: int | None, report: Report | None = None, hint: str = ""
) -> Path:
    """Download ``url`` to ``target`` unless the right file is there already.

    Bytes go to ``<target>.part`` and are moved to ``target`` when they are complete and their checksum is right, so
    a file under the final name is always whole. If a checksum is known, an interrupted download goes on where it
    stopped. Several processes may ask for one file: one downloads it, the others wait.

    Args:
        url: ``http://`` or ``https://``; the proxy variables of the environment are respected.
        target: where the file shall lie; folders are made.
        sha256: expected hash in hexadecimal, or None if unknown: then any file at ``target`` is taken as right.
        size: expected length in bytes, or None if unknown.
        report: called with what is being done and the share done, 0 to 1; by default a progress bar on standard
            error.
        hint: what else helps when it cannot be fetched, for the message (``"give its folder with --labels-dir"``).

    Returns:
        ``target``.

    Raises:
        InputError: another kind of URL.
        Unavailable: offline, a failing network, or a file with another length or checksum, which is removed; the
            message says where to place the file by hand.
        MachineError: the disk refuses.
    """
    if is_right(target, sha256):
        return target
    if urlsplit(url).scheme not in ("http", "https"):
        raise InputError(f"cannot fetch {url!r}: expected an http or https address")
    by_hand = f"place the file of {url} at {target}" + (f", or {hint}" if hint else "")
    if current_settings().offline:
        raise Unavailable(f"{target.name} is missing and may not be fetched offline; {by_hand}")
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(part) as file:
            if is_right(target, sha256):
                part.unlink()
                return target
            with _reporting(target.name, url, report) as tell:
                _download(url, file, size, resume=sha256 is not None, tell=tell)
            found = sha256_of(part)
            if sha256 is not None and found != sha256:
                part.unlink()
                raise _Failed(f"what came has SHA-256 {found}, expected {sha256}; it was removed")
            part.replace(target)
    except _Failed as error:
        raise Unavailable(f"cannot fetch {target.name}: {error}; run again, or {by_hand}") from error
    except OSError as error:
        raise MachineError(
            f"cannot write {target}: {error.strerror or error}; make room there or name another folder with --cache-dir"
        ) from error
    return target


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
    """Why a download did not end well; not an OSError, so that the network's refusals are told from the disk's."""


def _download(
    url: str, file: IO[bytes], size: int | None, *, resume: bool, tell: Callable[[int, int | None], None]
) -> None:
    """Append to ``file`` until it holds all of ``url``, keeping what it holds already if ``resume``."""
    if not resume:
        file.truncate(0)
    start = file.seek(0, os.SEEK_END)
    if size is not None and start >= size:
        if start == size:
            return
        start = file.truncate(0)
    with _opened(url, start) as response:
        if response.status != 206 or not (response.headers["Content-Range"] or "").startswith(f"bytes {start}-"):
            start = file.truncate(0)
        expected = size
        if expected is None and response.headers["Content-Length"] is not None:
            expected = start + int(response.headers["Content-Length"])
        done = start
        tell(done, expected)
        while chunk := _read(response):
            file.write(chunk)
            done += len(chunk)
            tell(done, expected)
            if expected is not None and done > expected:
                file.truncate(0)
                raise _Failed(f"the server sends more than the expected {readable_size(expected)}")
        file.flush()
    if expected is not None and done < expected:
        raise _Failed(f"the connection ended after {readable_size(done)} of {readable_size(expected)}")


@contextmanager
def _opened(url: str, start: int) -> Iterator[HTTPResponse]:
    headers = {"User-Agent": "labelbench", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        response = urlopen(Request(url, headers=headers), timeout=_TIMEOUT)  # noqa: S310  (fetch admits http and https)
    except HTTPError as error:
        error.close()
        if start and error.code == 416:  # what is here is longer than what is there
            with _opened(url, 0) as response:
                yield response
            return
        raise _Failed(f"the server answers {error.code} {error.reason}") from error
    except URLError as error:
        raise _Failed(f"no connection ({error.reason})") from error
    except (OSError, HTTPException) as error:
        raise _Failed(f"no connection ({error or type(error).__name__})") from error
    with response:
        yield response


def _read(response: HTTPResponse) -> bytes:
    try:
        return response.read(_CHUNK)
    except (OSError, HTTPException) as error:
        raise _Failed(f"the connection broke ({error or type(error).__name__})") from error


@contextmanager
def _alone(part: Path) -> Iterator[IO[bytes]]:
    """The part file, open for appending and held by this process alone; removed if nothing came."""
    while True:
        with part.open("ab") as file:
            _lock(file)
            # Whoever held it may have moved or removed it meanwhile; then another file has the name.
            if part.exists() and os.path.samestat(os.fstat(file.fileno()), part.stat()):
                try:
                    yield file
                finally:
                    if part.exists() and part.stat().st_size == 0:
                        part.unlink()
                return


def _lock(file: IO[bytes]) -> None:
    try:
        import fcntl
    except ImportError:  # without such a lock, the checksum finds what two writers would spoil
        return
    fcntl.flock(file, fcntl.LOCK_EX)


@contextmanager
def _reporting(name: str, url: str, report: Report | None) -> Iterator[Callable[[int, int | None], None]]:
    """A function that is told bytes done and bytes expected."""
    if report is not None:

        def tell(done: int, expected: int | None) -> None:
            size = f" ({readable_size(expected)})" if expected else ""
            report(f"fetching {name}{size} from {urlsplit(url).netloc}", done / expected if expected else 0.0)

        yield tell
        return

    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(name, start=True)
        announced = False

        def show(done: int, expected: int | None) -> None:
            nonlocal announced
            if not announced:
                size = f" ({readable_size(expected)})" if expected else ""
                progress.console.print(f"fetching {name}{size} from {urlsplit(url).netloc}", highlight=False)
                announced = True
            progress.update(task, completed=done, total=expected)

        yield show
