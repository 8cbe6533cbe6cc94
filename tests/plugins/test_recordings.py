"""Where the sound of a word comes from: files of any format, folders, and what comes with the package."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from labelbench import InputError, MachineError
from labelbench.plugins.lookup import find_dataset
from labelbench_labels import recordings
from labelbench_labels.recordings import from_folder, manifest, read_audio, shipped
from labelbench_labels.spectrograms import spectrogram

WORDS = ("oak tree", "cat", "dog")
SOUND = np.arange(-500, 500, dtype=np.int16)


def content(samples: np.ndarray, rate: int = 16_000, **how: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, **how)
    return file.getvalue()


def put(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        soundfile.write(folder / name, SOUND + np.int16(number), 16_000, subtype="PCM_16")
    return folder


@given(arrays.arrays(np.int16, st.integers(1, 50)), st.sampled_from(["WAV", "FLAC", "AIFF"]))
def test_16_bit_mono_is_read_as_it_is(samples: np.ndarray, kind: str) -> None:
    read, rate = read_audio(content(samples, format=kind, subtype="PCM_16"), "it")
    assert rate == 16_000
    assert read.dtype == np.int16
    np.testing.assert_array_equal(read, samples)


def test_channels_are_averaged_and_finer_samples_rounded() -> None:
    stereo = np.array([[100, 300], [-7, -9]], dtype=np.int16)
    np.testing.assert_array_equal(read_audio(content(stereo, format="WAV"), "it")[0], [200, -8])
    fine = np.array([0.4, 0.6, -0.6, 32767.4, -32768.0]) / 32768
    read = read_audio(content(fine, format="WAV", subtype="DOUBLE"), "it")[0]
    np.testing.assert_array_equal(read, [0, 1, -1, 32767, -32768])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "it is no sound that can be read"),
        (b"hello world", "it is no sound that can be read"),
        (content(np.zeros(0, np.int16), format="WAV"), "it holds no sound"),
        (content(np.array([np.nan]), format="WAV", subtype="DOUBLE"), "it holds values that are not finite"),
    ],
    # The last file carries the time it was made at.
    ids=["nothing", "text", "no samples", "nan"],
)
def test_what_is_no_sound_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_audio(data, "it")


def test_the_hash_is_of_the_sound_and_not_of_the_file(tmp_path: Path) -> None:
    put(tmp_path, "cat.wav")
    soundfile.write(tmp_path / "dog.flac", SOUND, 16_000)
    cat, dog = from_folder(tmp_path, ["cat", "dog"])
    assert cat.sha256 == dog.sha256
    (other,) = from_folder(put(tmp_path / "other", "pad.wav", "cat.wav"), ["cat"])
    assert other.sha256 != cat.sha256


@pytest.mark.parametrize(
    "names",
    [
        ("oak tree.wav", "cat.wav", "dog.wav"),
        ("oak_tree.flac", "Cat.WAV", "dog.ogg"),
        ("0.wav", "1.aiff", "2.mp3"),
    ],
)
def test_a_folder_names_classes_in_words_or_with_underscores_or_by_index(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    for name in names:
        soundfile.write(tmp_path / name, SOUND, 16_000)
    (tmp_path / "cat.txt").write_text("a note")
    found = from_folder(tmp_path, WORDS)
    assert [recording.word for recording in found] == list(WORDS)
    assert [recording.source["file"] for recording in found] == list(names)


def test_classes_named_by_numbers_go_by_name(tmp_path: Path) -> None:
    put(tmp_path, "0.wav", "1.wav", "2.wav", "3.wav")
    found = from_folder(tmp_path, ["3", "1", "2"])
    assert [recording.source["file"] for recording in found] == ["3.wav", "1.wav", "2.wav"]


@pytest.mark.parametrize("gain", [1.0, 2.5, 100.0])
def test_a_recording_beyond_the_range_is_brought_back_as_a_whole(gain: float) -> None:
    tone = np.sin(np.linspace(0, 400, 22_050)) * np.linspace(0.1, 1, 22_050)
    file = io.BytesIO()
    soundfile.write(file, gain * tone, 22_050, "FLOAT", format="WAV")
    samples, _ = read_audio(file.getvalue(), "it")
    assert np.abs(samples / 32768 - tone / max(1.0, np.abs(gain * tone).max()) * gain).max() < 1e-4
    # A label is told in decibels below the loudest: the same for every gain.
    whole, _ = read_audio(content(np.rint(tone * 32767).astype(np.int16), 22_050, format="WAV"), "it")
    assert np.abs(spectrogram(samples, 22_050, 64) - spectrogram(whole, 22_050, 64)).max() < 0.5


def test_channels_that_cancel_out_are_told_from_classes_that_sound_the_same() -> None:
    tone = np.sin(np.linspace(0, 400, 8000))
    file = io.BytesIO()
    soundfile.write(file, np.stack([tone, -tone], axis=1), 16_000, "PCM_16", format="WAV")
    with pytest.raises(InputError, match="it is silent once its 2 channels are averaged"):
        read_audio(file.getvalue(), "it")


def test_a_kind_of_file_that_cannot_be_read_is_named_and_not_called_missing(tmp_path: Path) -> None:
    put(tmp_path, "dog.flac")
    (tmp_path / "cat.m4a").write_bytes(b"x")
    with pytest.raises(InputError, match=r"holds cat\.m4a for 'cat', which is no kind of sound that can be read"):
        from_folder(tmp_path, ("cat", "dog"))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("cat.wav", "dog.wav"), r"no recording of 'oak tree'; expected a file such as oak_tree\.wav or 0\.wav"),
        (("oak_tree.wav", "1.wav", "2.wav"), "no recording of 'oak tree'"),
        ((), "no recording of 'oak tree', 'cat', 'dog'"),
        (("oak_tree.wav", "oak tree.wav", "cat.wav", "dog.wav"), "several recordings of 'oak tree'.*keep one"),
        (("oak_tree.wav", "cat.wav", "cat.flac", "dog.wav"), r"several recordings of 'cat': cat\.flac and cat\.wav"),
    ],
)
def test_a_class_without_a_recording_of_its_own_is_named(tmp_path: Path, names: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        from_folder(put(tmp_path / "sounds", *names), WORDS)


def test_a_file_that_is_no_sound_is_named(tmp_path: Path) -> None:
    put(tmp_path, "oak_tree.wav", "cat.wav", "dog.wav")
    (tmp_path / "cat.wav").write_bytes(b"meow")
    with pytest.raises(InputError, match=r"cat\.wav is no sound that can be read"):
        from_folder(tmp_path, WORDS)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere is no folder"):
        from_folder(tmp_path / "nowhere", WORDS)


@pytest.mark.parametrize("name", ["digits", "cifar10", "cifar100"])
def test_every_class_of_the_built_in_data_sets_comes_with_the_package(name: str) -> None:
    words = find_dataset(name).class_names
    found = shipped(words)
    assert [recording.word for recording in found] == list(words)
    assert len({recording.sha256 for recording in found}) == len(words)
    assert {recording.source["engine"] for recording in found} == {"espeak-ng"}


def test_the_manifest_and_the_files_of_the_package_are_the_same_and_small() -> None:
    entries = manifest()["words"]
    assert {entry["file"] for entry in entries.values()} == {path.name for path in recordings.SHIPPED.glob("*.flac")}
    for recording in shipped(list(entries)):
        assert recording.seconds == entries[recording.word]["seconds"]
    assert sum(path.stat().st_size for path in recordings.SHIPPED.iterdir()) < 1_500_000


def test_a_word_that_does_not_come_with_the_package_is_named_with_the_three_ways_to_get_it() -> None:
    with pytest.raises(InputError) as raised:
        shipped(["cat", "unicorn"])
    for part in ("'unicorn'", "speech:wav=", "speech:tts=espeak", "speech:tts=gtts", "labelbench[tts]"):
        assert part in str(raised.value)
    assert "'cat'" not in str(raised.value)


def test_a_file_of_the_package_with_another_sound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("manifest.json", "cat.flac", "dog.flac"):
        shutil.copy(recordings.SHIPPED / name, tmp_path / name)
    monkeypatch.setattr(recordings, "SHIPPED", tmp_path)
    assert len(shipped(["cat", "dog"])) == 2
    shutil.copy(tmp_path / "cat.flac", tmp_path / "dog.flac")
    with pytest.raises(MachineError, match=r"dog\.flac is not the recording that came with the package"):
        shipped(["cat", "dog"])
