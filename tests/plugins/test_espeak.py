"""What speech:tts=espeak speaks: the same on every call, and what comes with the package."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from labelbench import InputError, MachineError, UnknownName
from labelbench_labels import espeak, make_recordings, recordings
from labelbench_labels.espeak import spoken

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
needs_espeak = pytest.mark.usefixtures("installed")


@pytest.fixture(scope="module")
def installed() -> Path:
    loader = pytest.importorskip("espeakng_loader", reason="espeak-ng is not installed (extra tts)")
    return Path(loader.__file__).parent


@pytest.fixture
def installed_at(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Have espeak-ng installed in another folder."""

    def install(folder: Path) -> None:
        package = folder / "espeakng_loader"
        package.mkdir(parents=True)
        for item in installed.iterdir():
            if item.name == "__init__.py":
                shutil.copy(item, package)
            else:
                (package / item.name).symlink_to(item)
        monkeypatch.delitem(sys.modules, "espeakng_loader", raising=False)
        monkeypatch.syspath_prepend(folder)

    return install


@needs_espeak
def test_equal_words_sound_equal_and_come_in_the_order_of_the_classes() -> None:
    first = spoken(["cat", "oak_tree", "cat"])
    second = spoken(["oak tree", "cat"])
    assert [recording.word for recording in first] == ["cat", "oak_tree", "cat"]
    assert first[0].sha256 == first[2].sha256 == second[1].sha256
    assert first[1].sha256 == second[0].sha256 != first[0].sha256


@needs_espeak
def test_the_recordings_of_the_package_can_be_made_again() -> None:
    engine = recordings.manifest()["engine"]
    remade = spoken(DIGITS)
    if remade[0].source["engine_version"] != engine["engine_version"]:
        pytest.skip(f"they were made by espeak-ng {engine['engine_version']}, another one is installed")
    kept = recordings.shipped(DIGITS)
    assert [recording.sha256 for recording in remade] == [recording.sha256 for recording in kept]
    assert dict(remade[0].source) == engine
    assert make_recordings.differences(["aquarium fish", "automobile"]) == []


@needs_espeak
def test_recordings_that_are_made_are_read_back_as_they_were_spoken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "SHIPPED", tmp_path)
    assert make_recordings.main(["oak_tree", "Cat"]) == 0
    assert make_recordings.main(["unicorn"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "cat.flac",
        "manifest.json",
        "oak_tree.flac",
        "unicorn.flac",
    ]
    words = ["oak tree", "cat", "unicorn"]
    for kept, said in zip(recordings.shipped(words), spoken(words), strict=True):
        np.testing.assert_array_equal(kept.samples, said.samples)
    assert make_recordings.main(["--check"]) == 0
    shutil.copy(tmp_path / "manifest.json", tmp_path / "copy")
    text = (tmp_path / "manifest.json").read_text()
    (tmp_path / "manifest.json").write_text(text.replace('"rate": 22050', '"rate": 22051', 1))
    assert make_recordings.main(["--check"]) == 1


@needs_espeak
def test_the_voice_is_heard_and_recorded() -> None:
    german, american, variant = (spoken(["september"], voice)[0] for voice in ("de", "en-us", "en-us+f3"))
    assert len({german.sha256, american.sha256, variant.sha256}) == 3
    assert (german.source["voice"], german.source["language"]) == ("de", "de")
    assert (variant.source["voice"], variant.source["language"]) == ("en-us+f3", "en-us")


@needs_espeak
@pytest.mark.parametrize(
    ("voice", "said"),
    [
        ("en-gb", "unknown espeak-ng voice 'en-gb'; did you mean en-gb-x-rp"),
        ("klingon-x", "unknown espeak-ng voice 'klingon-x'"),
        ("en-us+f33", "unknown variant of an espeak-ng voice 'f33'; did you mean f3"),
    ],
)
def test_a_voice_that_does_not_exist_is_refused_with_near_ones(voice: str, said: str) -> None:
    with pytest.raises(UnknownName) as raised:
        spoken(["cat"], voice)
    assert str(raised.value).startswith(said)


@needs_espeak
def test_a_name_without_sound_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"no sound for the class name '\?'"):
        spoken(["cat", "?"])


@needs_espeak
@pytest.mark.parametrize("length", [159, 160, 230])
def test_data_at_a_long_path_gives_the_same_sound(
    tmp_path: Path, installed_at: Callable[[Path], None], length: int
) -> None:
    expected = spoken(["cat"])[0].sha256
    rest = length - len(os.fsencode(tmp_path / "x" / "espeakng_loader" / "espeak-ng-data"))
    installed_at(tmp_path / ("x" * (1 + rest)))
    assert spoken(["cat"])[0].sha256 == expected


@needs_espeak
def test_no_short_path_at_all_is_an_error_that_says_what_to_set(
    tmp_path: Path, installed_at: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("x" * 160)
    installed_at(folder)
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    with pytest.raises(MachineError, match="set TMPDIR to a short path"):
        spoken(["cat"])


@needs_espeak
def test_data_that_cannot_be_used_is_an_error_and_no_other_data_is_taken(
    tmp_path: Path, installed_at: Callable[[Path], None]
) -> None:
    installed_at(tmp_path)
    data = tmp_path / "espeakng_loader" / "espeak-ng-data"
    data.unlink()
    data.mkdir()
    with pytest.raises(MachineError, match="espeak-ng"):
        spoken(["cat"])


@needs_espeak
def test_a_library_that_does_not_load_is_an_error_of_the_machine(
    tmp_path: Path, installed_at: Callable[[Path], None]
) -> None:
    installed_at(tmp_path)
    for library in (tmp_path / "espeakng_loader").glob("lib*"):
        library.unlink()
    with pytest.raises(MachineError, match="does not run on this machine: OSError"):
        spoken(["cat"])


def test_without_the_extra_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(InputError, match=r"pip install 'labelbench\[tts\]'"):
        espeak.spoken(["cat"])
