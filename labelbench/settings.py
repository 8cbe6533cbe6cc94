"""Where files are looked for on this machine, and whether the network may be used: values, never part of a result."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Locations and permissions of this machine.

    Attributes:
        data_dir: folder searched for data sets (``--data-dir``, ``LABELBENCH_DATA``).
        labels_dir: folder with the official label arrays (``--labels-dir``, ``LABELBENCH_LABELS``), or None.
        cache_dir: folder for decoded images and downloaded files (``--cache-dir``, ``LABELBENCH_CACHE``).
        offline: True if nothing may be fetched (``--offline``, ``LABELBENCH_OFFLINE``), or sent.
        log: dashboards that are told of trainings (``--log``).
        arrays: name and file of each label that a script gave as an array; the hash of its targets is the file's name.
    """

    data_dir: Path
    labels_dir: Path | None
    cache_dir: Path
    offline: bool
    log: tuple[str, ...] = ()
    arrays: tuple[tuple[str, Path], ...] = ()

    @staticmethod
    def from_environment() -> Settings:
        """The settings that the environment variables give."""
        labels = os.environ.get("LABELBENCH_LABELS")
        return Settings(
            data_dir=Path(os.environ.get("LABELBENCH_DATA") or "data"),
            labels_dir=Path(labels) if labels else None,
            cache_dir=Path(os.environ.get("LABELBENCH_CACHE") or _user_cache()),
            offline=os.environ.get("LABELBENCH_OFFLINE", "").lower() not in ("", "0", "false", "no"),
        )


# Variables that say where libraries keep what they made, and folders in the cache folder for it.
_CACHES = {"NUMBA_CACHE_DIR": "numba", "MPLCONFIGDIR": "matplotlib", "TORCHINDUCTOR_CACHE_DIR": "inductor",
           "HF_HOME": "huggingface", "XDG_CACHE_HOME": "others"}  # fmt: skip

_current: ContextVar[Settings | None] = ContextVar("labelbench_settings", default=None)


def current_settings() -> Settings:
    """The settings in force: those of the enclosing :func:`use_settings`, else those of the environment."""
    return _current.get() or Settings.from_environment()


def put_in_force(settings: Settings) -> None:
    """Put ``settings`` in force for the rest of this process."""
    _cache_elsewhere(settings)
    _current.set(settings)


@contextmanager
def use_settings(settings: Settings) -> Iterator[Settings]:
    """Put ``settings`` in force for the block."""
    _cache_elsewhere(settings)
    token = _current.set(settings)
    try:
        yield settings
    finally:
        _current.reset(token)


def _user_cache() -> str:
    import platformdirs

    try:
        return platformdirs.user_cache_dir("labelbench", appauthor=False)
    except RuntimeError:  # a user without a home folder, as in some containers
        return str(Path(tempfile.gettempdir(), f"labelbench-{os.getuid()}"))


def _cache_elsewhere(settings: Settings) -> None:
    """Have libraries that cache in the home folder do so in the cache folder, where there is no such home."""
    try:
        home = os.access(Path.home(), os.W_OK)
    except RuntimeError:
        home = False
    if not home:
        for name, folder in _CACHES.items():
            os.environ[name] = os.environ.get(name) or str(settings.cache_dir.absolute() / folder)
