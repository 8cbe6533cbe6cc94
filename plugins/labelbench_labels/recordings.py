"""Spoken words: read from files of any format, from a folder, or from those shipped with the package."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from labelbench import InputError, MachineError

# Recordings made by make_recordings.py, with their manifest.
SHIPPED = Path(__file__).parent / "data" / "speech"
THREE_WAYS = (
    "give one recording per class in a folder (speech:wav=FOLDER), or have the words spoken by espeak-ng "
    "(pip install 'labelbench[tts]', then speech:tts=espeak) or by a network service (speech:tts=gtts)"
)
# Endings of file names that libsndfile reads but does not list as the names of formats.
_MORE_ENDINGS = frozenset({".aif", ".aifc", ".oga", ".opus", ".wave"})


@dataclass(frozen=True, eq=False)
class Recording:
    """One spoken word.

    Attributes:
        word: what is said, or the class whose label it becomes.
        samples: ``(n,)`` int16, mono.
        rate: samples per second.
        source: where it comes from, as JSON values.
    """

    word: str
    samples: np.ndarray
    rate: int
    source: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def sha256(self) -> str:
        """Hash of the samples as little-endian 16-bit integers: of the sound, whatever file it lies in."""
        return hashlib.sha256(np.ascontiguousarray(self.samples, dtype="<i2").tobytes()).hexdigest()

    @property
    def seconds(self) -> float:
        """How long it is."""
        return round(len(self.samples) / self.rate, 4)


def read_audio(file: Path | bytes, what: str) -> tuple[np.ndarray, int]:
    """The sound of a file, as 16-bit mono: channels are averaged, finer samples are rounded.

    Samples of floating point may lie beyond the range of others. A recording that does is brought back into it as a
    whole, which changes no decibel of a label, since those are told below the loudest.

    Args:
        file: a path, or the content of a file; any format of libsndfile.
        what: names the file in messages.

    Returns:
        ``(n,)`` int16 and samples per second.

    Raises:
        InputError: it cannot be decoded, or holds nothing.
        MachineError: it cannot be read.
    """
    import soundfile

    try:
        content = file if isinstance(file, bytes) else file.read_bytes()
        values, rate = soundfile.read(io.BytesIO(content), dtype="float64", always_2d=True)
    except OSError as error:
        raise MachineError(f"cannot read {what}: {error.strerror or error}") from error
    except soundfile.SoundFileError as error:
        reason = getattr(error, "error_string", str(error)).rstrip(".")
        raise InputError(f"{what} is no sound that can be read ({reason}); expected WAV, FLAC, OGG or MP3") from error
    if not np.isfinite(values).all() or not len(values):
        raise InputError(
            f"{what} holds {'no sound' if not len(values) else 'values that are not finite'}; record it again"
        )
    mono = values.mean(axis=1)
    loudest = np.abs(mono).max()
    if loudest > 1:
        mono /= loudest
    if values.any() and not np.rint(mono * 32768).any():
        raise InputError(
            f"{what} is silent once its {values.shape[1]} channels are averaged (they cancel out, or are too quiet); "
            "record it again in mono"
        )
    return np.clip(np.rint(mono * 32768), -32768, 32767).astype(np.int16), int(rate)


def shipped(class_names: Sequence[str]) -> list[Recording]:
    """The recordings that come with the package, in the order of ``class_names``.

    Raises:
        InputError: a word that was not recorded, with the ways to get it.
        MachineError: a file whose sound is not that of the manifest.
    """
    check_shipped(class_names)
    held = manifest()
    source = {"recordings": "shipped with labelbench", **held["engine"]}
    return [_shipped(name, held["words"][_key(name)], source) for name in class_names]


def check_shipped(class_names: Sequence[str]) -> None:
    """Refuse class names of which one was not recorded.

    Raises:
        InputError: the ways to get it.
    """
    words = manifest()["words"]
    missing = [name for name in class_names if _key(name) not in words]
    if missing:
        raise InputError(f"no recording comes with the package for {_listed(missing)}; {THREE_WAYS}")


def check_folder(folder: Path) -> None:
    """Refuse a folder that is none.

    Raises:
        InputError: what was expected.
    """
    if not folder.is_dir():
        raise InputError(f"speech:wav={folder} is no folder; expected one with a recording of each class")


def manifest() -> dict[str, Any]:
    """What comes with the package: ``engine`` says how it was made, ``words`` what each file holds."""
    content: dict[str, Any] = json.loads((SHIPPED / "manifest.json").read_text(encoding="utf-8"))
    return content


def from_folder(folder: Path, class_names: Sequence[str], language: str | None = None) -> list[Recording]:
    """One recording per class from a folder, in the order of ``class_names``.

    Files are named by class, in words or with underscores (``oak tree.wav``, ``oak_tree.flac``), or by index
    (``52.wav``); all in one of these two ways.

    Args:
        folder: where they lie.
        class_names: in words.
        language: what they are spoken in, for the record.

    Raises:
        InputError: no such folder; a class without a file or with two; a file that cannot be decoded.
    """
    check_folder(folder)
    files = _audio_files(folder)
    by_name = {name: files.get(_key(name), []) for name in class_names}
    by_index = {name: files.get(str(index), []) for index, name in enumerate(class_names)}
    found = max(by_name, by_index, key=lambda way: sum(map(bool, way.values())))
    missing = [name for name in class_names if not found[name]]
    if missing:
        index = list(class_names).index(missing[0])
        read = {path.name for paths in files.values() for path in paths}
        named = {path.name for path in folder.iterdir() if _key(path.stem) in (_key(missing[0]), str(index))}
        others = sorted(named - read)
        if others:
            raise InputError(
                f"{folder} holds {others[0]} for {missing[0]!r}, which is no kind of sound that can be read; expected "
                "WAV, FLAC, OGG or MP3: convert it"
            )
        raise InputError(
            f"{folder} holds no recording of {_listed(missing)}; expected a file such as "
            f"{missing[0].replace(' ', '_')}.wav or {index}.wav, one for each class"
        )
    source = {"recordings": folder.name, **({"language": language} if language else {})}
    recordings = []
    for name in class_names:
        if len(found[name]) > 1:
            names = " and ".join(path.name for path in found[name])
            raise InputError(f"{folder} holds several recordings of {name!r}: {names}; keep one")
        path = found[name][0]
        recordings.append(Recording(name, *read_audio(path, str(path)), {**source, "file": path.name}))
    return recordings


def in_words(name: str) -> str:
    """A class name as it is said: one space for underscores and other spaces.

    >>> in_words("oak_tree"), in_words("oak  tree")
    ('oak tree', 'oak tree')
    """
    return " ".join(name.replace("_", " ").split())


def _key(name: str) -> str:
    """A class name as it is looked up: in words, without regard to case."""
    return in_words(name).casefold()


def _shipped(name: str, entry: Mapping[str, Any], source: Mapping[str, Any]) -> Recording:
    path = SHIPPED / entry["file"]
    recording = Recording(name, *read_audio(path, str(path)), source)
    if (recording.sha256, recording.rate) != (entry["sha256"], entry["rate"]):
        raise MachineError(f"{path} is not the recording that came with the package; install labelbench again")
    return recording


def _audio_files(folder: Path) -> dict[str, list[Path]]:
    """Sound files of a folder by what their names say."""
    import soundfile

    endings = {f".{name.lower()}" for name in soundfile.available_formats() if name != "RAW"} | _MORE_ENDINGS
    files: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in endings and path.is_file() and not path.name.startswith("."):
            files.setdefault(_key(path.stem), []).append(path)
    return files


def _listed(names: Sequence[str]) -> str:
    most = 5
    quoted = [repr(name) for name in names]
    more = f" and {len(quoted) - most} more" if len(quoted) > most else ""
    return ", ".join(quoted[:most]) + more
