"""Spectrograms of the spoken class names, and the same shuffled in time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from labelbench import InputError, LabelSet, hookimpl
from labelbench_labels import espeak, google_speech, recordings
from labelbench_labels.dense import dense_side
from labelbench_labels.recordings import Recording
from labelbench_labels.spectrograms import PIPELINE, PIPELINE_VERSION, SHUFFLE_SEED, shuffle_time, spectrogram

if TYPE_CHECKING:
    from labelbench import Dataset


TTS = Literal["espeak", "gtts"]
# What may be said beside each source of sound.
_CITATIONS = {
    "espeak": """@software{espeakng,
  title  = {{eSpeak NG}},
  author = {{The eSpeak NG contributors}},
  url    = {https://github.com/espeak-ng/espeak-ng}
}""",
    "gtts": """@software{gtts,
  title  = {{gTTS}: Google Text-to-Speech},
  author = {Durette, Pierre Nicolas},
  url    = {https://github.com/pndurette/gTTS}
}""",
}
_COMPANIONS = {"wav": {"wav", "lang"}, "espeak": {"tts", "voice"}, "gtts": {"tts", "lang", "tld"}, "shipped": set()}


class Speech:
    """Mel spectrogram of the spoken class name: recordings of wav=FOLDER, or a voice of tts=espeak or tts=gtts.

    Without an argument, the recordings that come with the package: the class names of digits, CIFAR-10 and CIFAR-100.
    Targets are ``(C, side, side)``, -80 to 0 dB below the maximum (paper, section 3.1), rows from low to high
    frequency, columns time. The label's identity is the hash of the sounds and the version of the pipeline, since
    spectra differ in their last bits from machine to machine.

    Raises:
        InputError: arguments that do not belong together, a class without a recording, two classes that sound the same,
            or a recording that cannot be used.
        Unavailable, MachineError: see :mod:`labelbench_labels.espeak` and :mod:`labelbench_labels.google_speech`.
    """

    def __init__(self, *, shuffled: bool = False) -> None:
        self._shuffled = shuffled
        if shuffled:
            self.__doc__ = _SHUFFLED

    def __call__(
        self,
        dataset: Dataset,
        *,
        wav: Path | None = None,
        tts: TTS | None = None,
        voice: str | None = None,
        lang: str | None = None,
        tld: str | None = None,
    ) -> LabelSet:
        """The label set of one source of sound."""
        source = self.check(dataset, wav=wav, tts=tts, voice=voice, lang=lang, tld=tld)
        spoken = _recordings(source, dataset.class_names, wav, voice, lang, tld)
        side = dense_side(dataset)
        targets = np.stack([_spectrogram(recording, side) for recording in spoken])
        common, words = _record(spoken)
        identity = _digest([PIPELINE_VERSION, side, [(recording.sha256, recording.rate) for recording in spoken]])
        labels = LabelSet(
            targets,
            provenance={
                "recipe": "speech",
                "identity": identity,
                "side": side,
                "source": common,
                "words": words,
                "pipeline": dict(PIPELINE),
                "librosa": version("librosa"),
                **({"citation": _CITATIONS[source]} if source in _CITATIONS else {}),
            },
        )
        return _in_another_order(labels) if self._shuffled else labels

    @staticmethod
    def check(dataset: Dataset, *, wav: Path | None = None, **voices: str | None) -> str:
        """Where the sound comes from; refuses arguments that do not belong together."""
        given = [key for key, value in {"wav": wav, **voices}.items() if value is not None]
        source = voices.get("tts") or ("wav" if wav else "shipped")
        strays = [key for key in given if key not in _COMPANIONS[source]]
        if strays:
            ways = "wav=FOLDER[,lang=L], tts=espeak[,voice=V] or tts=gtts[,lang=L][,tld=T]"
            raise InputError(f"label speech: {strays[0]} does not belong there; expected {ways}")
        if wav is not None:
            recordings.check_folder(wav)
        elif source == "shipped":
            recordings.check_shipped(dataset.class_names)
        return source


_SHUFFLED = """Speech with the columns of each spectrogram in a random order, one per class; arguments as speech has.

Targets are :func:`labelbench_labels.spectrograms.shuffle_time` of those of speech (paper, section 3.1).
"""


def _in_another_order(ordered: LabelSet) -> LabelSet:
    provenance = {
        **ordered.provenance,
        "recipe": "shuffled speech",
        "identity": _digest(["shuffled", SHUFFLE_SEED, ordered.identity]),
        "shuffle_seed": SHUFFLE_SEED,
    }
    return LabelSet(shuffle_time(ordered.targets), provenance=provenance)


@hookimpl
def register_labels() -> Mapping[str, Callable[..., LabelSet]]:
    """Speech and its shuffled twin, and the latter's name in the paper's repository."""
    shuffled = Speech(shuffled=True)
    return {"speech": Speech(), "shuffled-speech": shuffled, "shuffle": shuffled}


def _recordings(
    source: str,
    class_names: Sequence[str],
    wav: Path | None,
    voice: str | None,
    lang: str | None,
    tld: str | None,
) -> list[Recording]:
    if wav is not None:
        spoken = recordings.from_folder(wav, class_names, lang)
    elif source == "espeak":
        spoken = espeak.spoken(class_names, voice or espeak.VOICE)
    elif source == "gtts":
        spoken = google_speech.spoken(class_names, lang or "en", tld or "com")
    else:
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
