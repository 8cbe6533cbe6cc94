"""The speech label and its shuffled twin, against the published arrays and a kept one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from labelbench import InputError, LabelSet, Unavailable, UnknownName, label
from labelbench.datasets import Dataset
from labelbench.plugins.lookup import find_dataset
from labelbench_labels import recordings
from labelbench_labels.espeak import VOICE
from labelbench_labels.spectrograms import PIPELINE, shuffle_time
from labelbench_labels.speech import register_labels

DIGITS = find_dataset("digits")
PETS = Dataset("pets", ("cat", "dog"), (32, 32))
# The default label of the ten digits, side 64: decibels times 400 as int16.
KEPT = Path(__file__).parent / "data" / "speech_digits.npy"


def speech(dataset: Dataset, argument: str, name: str = "speech") -> LabelSet:
    return label(f"{name}:{argument}", dataset)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    for name in PETS.class_names:
        shutil.copy(recordings.SHIPPED / f"{name}.flac", tmp_path)
    return tmp_path


@pytest.mark.parametrize(("name", "largest"), [("cifar10", 0.15), ("cifar100", 0.4)])
def test_official_recordings_give_the_official_arrays(shared: Path, name: str, largest: float) -> None:
    folder = shared / "labels" / "official"
    difference = np.abs(
        speech(find_dataset(name), f"wav={folder}/{name}_wav").targets - np.load(folder / f"{name}_speech.npy")
    )
    assert difference.max() <= largest
    assert difference.mean() <= 0.01
    assert difference.mean(axis=(1, 2)).max() <= 0.01


def test_the_default_label_equals_the_kept_array_and_needs_no_synthesiser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    dataset = Dataset("digits", DIGITS.class_names, (32, 32))
    kept = np.load(KEPT, allow_pickle=False).astype(np.float64) / 400
    np.testing.assert_allclose(speech(dataset, "").targets, kept, rtol=0, atol=0.01)


@pytest.mark.parametrize(("size", "side"), [((8, 8), 16), ((32, 32), 64), ((20, 28), 64)])
def test_a_label_is_twice_as_large_as_the_image(size: tuple[int, int], side: int) -> None:
    labels = speech(Dataset("pets", ("cat", "dog"), size), "")
    assert labels.shape == (side, side)
    assert labels.loss == "smooth-l1"
    assert -80 <= labels.targets.min() < labels.targets.max() <= 0


def test_the_label_is_known_by_its_sound_and_its_pipeline(pets: Path) -> None:
    shipped, from_files = speech(PETS, ""), speech(PETS, f"wav={pets}")
    assert shipped.identity == from_files.identity
    np.testing.assert_array_equal(shipped.targets, from_files.targets)
    samples, rate = soundfile.read(pets / "cat.flac", dtype="int16")
    others = [speech(Dataset("pets", ("dog", "cat"), (32, 32)), ""), speech(Dataset("p", ("cat", "dog"), (16, 16)), "")]
    soundfile.write(pets / "cat.flac", samples, rate - 50)
    others.append(speech(PETS, f"wav={pets}"))
    samples[5000] += 1
    soundfile.write(pets / "cat.flac", samples, rate)
    others.append(speech(PETS, f"wav={pets}"))
    others.append(speech(PETS, "", "shuffled-speech"))
    assert len({labels.identity for labels in [shipped, *others]}) == 6


def test_the_record_names_source_words_pipeline_and_versions(pets: Path) -> None:
    record = speech(PETS, "").provenance
    assert (record["source"]["engine"], record["source"]["voice"], record["source"]["language"]) == (
        "espeak-ng",
        VOICE,
        "en-us",
    )
    assert record["words"]["cat"]["sha256"] == recordings.manifest()["words"]["cat"]["sha256"]
    assert record["pipeline"] == PIPELINE
    assert record["librosa"]
    own = speech(PETS, f"wav={pets},lang=en").provenance
    assert own["source"] == {"recordings": pets.name, "language": "en"}
    assert own["words"]["dog"]["file"] == "dog.flac"


def test_shuffled_speech_is_speech_shuffled_in_time(pets: Path) -> None:
    for argument in ("", f"wav={pets}"):
        shuffled, ordered = speech(PETS, argument, "shuffled-speech"), speech(PETS, argument)
        np.testing.assert_array_equal(shuffled.targets, shuffle_time(ordered.targets))
        assert shuffled.provenance["words"] == ordered.provenance["words"]


def test_shuffle_is_the_official_name_of_shuffled_speech() -> None:
    labels = register_labels()
    assert labels["shuffle"] is labels["shuffled-speech"] is not labels["speech"]


def test_words_spoken_by_espeak_are_those_of_the_package() -> None:
    pytest.importorskip("espeakng_loader", reason="espeak-ng is not installed (extra tts)")
    spoken = speech(PETS, "tts=espeak")
    if spoken.provenance["source"]["engine_version"] != recordings.manifest()["engine"]["engine_version"]:
        pytest.skip("another espeak-ng is installed than the one that made the recordings")
    assert spoken.identity == speech(PETS, "").identity
    assert spoken.identity != speech(PETS, "tts=espeak,voice=de").identity


@pytest.mark.parametrize(
    ("argument", "kind", "said"),
    [
        ("wavs=x", UnknownName, "did you mean wav?"),
        ("tts=espaek", UnknownName, r"unknown tts of label .*did you mean espeak\?"),
        ("wav=x,tts=espeak", InputError, "wav does not belong there"),
        ("voice=de", InputError, "voice does not belong there; expected wav=FOLDER"),
        ("tts=gtts,voice=de", InputError, "voice does not belong there"),
        ("tts=espeak,lang=de", InputError, "lang does not belong there"),
        ("tts=espeak,voice=", InputError, "voice is ''; expected a text"),
        ("wav=", InputError, "expected a path"),
        ("tts=gtts", Unavailable, "'cat'.*offline"),
        ("tts=gtts,lang=xx", UnknownName, "unknown language"),
    ],
)
def test_an_argument_that_makes_no_sense_is_refused_in_words(argument: str, kind: type[Exception], said: str) -> None:
    for name in ("speech", "shuffled-speech"):
        with pytest.raises(kind, match=said):
            speech(PETS, argument, name)


def test_a_class_without_a_recording_is_named() -> None:
    with pytest.raises(InputError, match=r"'unicorn'.*speech:wav=FOLDER"):
        speech(Dataset("d", ("cat", "unicorn"), (32, 32)), "")


def test_classes_that_sound_the_same_are_named(pets: Path) -> None:
    shutil.copy(pets / "cat.flac", pets / "dog.flac")
    with pytest.raises(InputError, match="'cat' and 'dog' have the same sound"):
        speech(PETS, f"wav={pets}")


def test_a_silent_recording_is_named(pets: Path) -> None:
    soundfile.write(pets / "dog.flac", np.zeros(22_050, np.int16), 22_050)
    with pytest.raises(InputError, match="the recording of 'dog' cannot be used: it is silent"):
        speech(PETS, f"wav={pets}")


def test_registering_the_labels_loads_nothing_heavy() -> None:
    code = (
        "import sys; from labelbench_labels import speech; speech.register_labels();"
        "print({'librosa', 'scipy', 'soundfile', 'gtts', 'requests', 'espeakng_loader', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
