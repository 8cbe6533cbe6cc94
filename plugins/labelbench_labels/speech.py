"""Spectrograms of the spoken class names, and the same shuffled in time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from labelbench import InputError, LabelSet, hookimpl
from labelbench_labels import espeak, google_speech, recordings
from labelbench_labels.arguments import Provider, alias, choice, path, read_argument
from labelbench_labels.dense import dense_side
from labelbench_labels.recordings import Recording
from labelbench_labels.spectrograms import PIPELINE, PIPELINE_VERSION, SHUFFLE_SEED, shuffle_time, spectrogram

if TYPE_CHECKING:
    from labelbench import Dataset


@hookimpl
def register_labels() -> Mapping[str, Provider]:
    """Speech and its shuffled twin, and the latter's name in the paper's repository as an alias."""
    return {
        "speech": speech,
        "shuffled-speech": shuffled_speech,
        "shuffle": alias(shuffled_speech, "shuffled-speech"),
    }


def speech(dataset: Dataset, argument: str) -> LabelSet:
    """Mel spectrogram of the spoken class name; wav=FOLDER, tts=espeak[,voice=V] or tts=gtts[,lang=L][,tld=T].

    Without an argument, the recordings that come with the package: the class names of digits, CIFAR-10 and CIFAR-100.
    Targets are ``(C, side, side)``, -80 to 0 dB below the maximum (paper, section 3.1), rows from low to high
    frequency, columns time. The label's identity is the hash of the sounds and the version of the pipeline, since
    spectra differ in their last bits from machine to machine.

    Raises:
        InputError: an argument that makes no sense, a class without a recording, two classes that sound the same, or
            a recording that cannot be used.
        Unavailable, MachineError: see :mod:`labelbench_labels.espeak` and :mod:`labelbench_labels.google_speech`.
    """
    spoken = _recordings(dataset.class_names, argument)
    side = dense_side(dataset)
    targets = np.stack([_spectrogram(recording, side) for recording in spoken])
    common, words = _record(spoken)
    identity = _digest([PIPELINE_VERSION, side, [(recording.sha256, recording.rate) for recording in spoken]])
    return LabelSet(
        targets,
        provenance={
            "recipe": "speech",
            "identity": identity,
            "side": side,
            "source": common,
            "words": words,
            "pipeline": dict(PIPELINE),
            "librosa": version("librosa"),
        },
    )


def shuffled_speech(dataset: Dataset, argument: str) -> LabelSet:
    """Speech with the columns of each spectrogram in a random order, one per class; takes the arguments of speech.

    Targets are :func:`labelbench_labels.spectrograms.shuffle_time` of those of :func:`speech` (paper, section 3.1).
    """
    ordered = speech(dataset, argument)
    provenance = {
        **ordered.provenance,
        "recipe": "shuffled speech",
        "identity": _digest(["shuffled", SHUFFLE_SEED, ordered.identity]),
        "shuffle_seed": SHUFFLE_SEED,
    }
    return LabelSet(shuffle_time(ordered.targets), provenance=provenance)


def _text(expected: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not text:
            raise ValueError(expected)
        return text

    return read


_READERS = {
    "wav": path,
    "tts": choice("espeak", "gtts"),
    "voice": _text("a voice of espeak-ng such as en-us"),
    "lang": _text("a language such as en"),
    "tld": _text("a top-level domain such as com"),
}
# What may be said beside each source of sound.
_COMPANIONS = {"wav": {"wav", "lang"}, "espeak": {"tts", "voice"}, "gtts": {"tts", "lang", "tld"}, "shipped": set()}


def _recordings(class_names: Sequence[str], argument: str) -> list[Recording]:
    given = read_argument("speech", argument, _READERS)
    source = given.get("tts") or ("wav" if "wav" in given else "shipped")
    strays = [key for key in given if key not in _COMPANIONS[source]]
    if strays:
        ways = "wav=FOLDER[,lang=L], tts=espeak[,voice=V] or tts=gtts[,lang=L][,tld=T]"
        raise InputError(f"label speech:{argument}: {strays[0]} does not belong there; expected {ways}")
    match source:
        case "wav":
            spoken = recordings.from_folder(given["wav"], class_names, given.get("lang"))
        case "espeak":
            spoken = espeak.spoken(class_names, given.get("voice", espeak.VOICE))
        case "gtts":
            spoken = google_speech.spoken(class_names, given.get("lang", "en"), given.get("tld", "com"))
        case _:
            spoken = recordings.shipped(class_names)
    _check_distinct(spoken)
    return spoken


def _check_distinct(spoken: Sequence[Recording]) -> None:
    first: dict[tuple[str, int], str] = {}
    for recording in spoken:
        other = first.setdefault((recording.sha256, recording.rate), recording.word)
        if other != recording.word:
            raise InputError(
                f"the classes {other!r} and {recording.word!r} have the same sound, so no output could tell them "
                "apart; give recordings that differ: speech:wav=FOLDER"
            )


def _spectrogram(recording: Recording, side: int) -> np.ndarray:
    try:
        return spectrogram(recording.samples, recording.rate, side)
    except InputError as error:
        raise InputError(
            f"the recording of {recording.word!r} cannot be used: {error}; give another: speech:wav=FOLDER"
        ) from error


def _record(spoken: Sequence[Recording]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """What all recordings have in common, and what each has of its own, by word."""
    first = spoken[0].source
    common = {key: value for key, value in first.items() if all(item.source.get(key) == value for item in spoken)}
    words = {
        item.word: {
            "sha256": item.sha256,
            "rate": item.rate,
            "seconds": item.seconds,
            **{key: value for key, value in item.source.items() if key not in common},
        }
        for item in spoken
    }
    return common, words


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
