from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from labelbench.errors import MachineError
from labelbench.images.arrays import SplitArrays
from labelbench.images.cache import ImageCache, StoredImages
from labelbench.images.source import ImageSource

NAMES = ("cat", "ship")
Part = tuple[np.ndarray, np.ndarray]


@dataclass
class Drawn:
    """Random images; counts how often they are read."""

    seed: int = 0
    version: int = 0
    reads: int = 0
    pixels: int = 4
    seconds: float = 0.0

    @property
    def source(self) -> ImageSource:
        return ImageSource("drawn", [self.seed, self.version], self.read)

    def read(self, report) -> tuple[Part, Part]:
        self.reads += 1
        random = np.random.default_rng(self.seed)
        report("drawing", 1.0)
        time.sleep(self.seconds)
        return self._part(random, 6), self._part(random, 4)

    def _part(self, random, count) -> Part:
        images = random.integers(0, 256, (count, self.pixels, self.pixels, 3), dtype=np.uint8)
        return images, np.arange(count) % 2


def load(folder: Path, drawn: Drawn) -> StoredImages:
    size = (drawn.pixels, drawn.pixels)
    return ImageCache(folder).load("drawn", drawn.source, NAMES, size, lambda doing, share: None)


def image_folders(folder: Path) -> list[Path]:
    return [path for path in (folder / "datasets").iterdir() if path.name not in ("sources", ".lock")]


def test_images_are_read_once_and_then_mapped_read_only(tmp_path):
    source = Drawn()
    first, second = load(tmp_path, source), load(tmp_path, source)
    assert source.reads == 1
    assert first.fingerprint == second.fingerprint
    for part in second.arrays:
        assert isinstance(part.images, np.memmap)
        assert not part.images.flags.writeable
        assert not part.classes.flags.writeable
        assert part.images.dtype == np.uint8
        assert part.classes.dtype == np.int64
    assert np.array_equal(first.arrays.train.images, second.arrays.train.images)
    assert (first.mean, first.std) == (second.mean, second.std)


def test_nothing_is_lost_or_invented(tmp_path):
    source = Drawn()
    given = source.read(lambda doing, share: None)
    for before, after in zip((SplitArrays(*part) for part in given), load(tmp_path, source).arrays, strict=True):
        pairs = sorted(zip(before.classes.tolist(), map(bytes, before.images), strict=True))
        assert pairs == sorted(zip(after.classes.tolist(), map(bytes, after.images), strict=True))
        assert np.all(np.diff(after.classes) >= 0)


def test_a_changed_source_is_read_again(tmp_path):
    load(tmp_path, Drawn(seed=0))
    source = Drawn(seed=1)
    assert load(tmp_path, source).fingerprint != load(tmp_path, Drawn(seed=0)).fingerprint
    assert source.reads == 1


def test_equal_images_of_two_sources_are_kept_once(tmp_path):
    first, second = load(tmp_path, Drawn(version=0)), load(tmp_path, Drawn(version=1))
    assert first.fingerprint == second.fingerprint
    assert len(image_folders(tmp_path)) == 1


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def pickle_instead(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.array([{"not": "images"}], dtype=object), allow_pickle=True)


def change_a_digit(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"0.4", b"0.3").replace(b"0.5", b"0.6"))


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, empty, pickle_instead, Path.unlink])
@pytest.mark.parametrize("name", ["train-images.npy", "train-classes.npy", "test-images.npy", "images.json"])
def test_a_damaged_cache_is_made_again(tmp_path, name, damage):
    source = Drawn()
    kept = load(tmp_path, source).fingerprint
    before = (image_folders(tmp_path)[0] / name).read_bytes()
    damage(image_folders(tmp_path)[0] / name)
    after = load(tmp_path, source)
    assert after.fingerprint == kept
    assert source.reads == 2
    assert (image_folders(tmp_path)[0] / name).read_bytes() == before
    assert load(tmp_path, source).fingerprint == kept
    assert source.reads == 2


def test_a_changed_mean_or_std_is_measured_again(tmp_path):
    kept = load(tmp_path, Drawn())
    change_a_digit(image_folders(tmp_path)[0] / "images.json")
    source = Drawn()
    assert load(tmp_path, source).mean == kept.mean
    assert source.reads == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"fingerprint": 3}', '{"fingerprint": "../../etc"}', "\xff"])
def test_a_damaged_note_of_a_source_is_made_again(tmp_path, text):
    source = Drawn()
    kept = load(tmp_path, source).fingerprint
    (note,) = (tmp_path / "datasets" / "sources").iterdir()
    note.write_text(text, encoding="latin-1")
    assert load(tmp_path, source).fingerprint == kept
    assert json.loads(note.read_text())["fingerprint"] == kept
    assert source.reads == 2


def test_what_a_killed_process_left_is_removed_after_a_day(tmp_path):
    old, new = tmp_path / "datasets" / ".new-old", tmp_path / "datasets" / ".new-new"
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "train-images.npy").write_bytes(b"half")
    os.utime(old, (1, 1))
    load(tmp_path, Drawn())
    assert not old.exists()
    assert new.exists()


@pytest.mark.parametrize("damaged", [False, True])
def test_several_at_once_wait_for_the_first_which_alone_reads(tmp_path, damaged):
    if damaged:
        load(tmp_path, Drawn())
        truncate(image_folders(tmp_path)[0] / "train-images.npy")
    drawn, found = Drawn(seconds=0.1), list[str]()
    threads = [threading.Thread(target=lambda: found.append(load(tmp_path, drawn).fingerprint)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert drawn.reads == 1
    assert found == [load(tmp_path, Drawn()).fingerprint] * 4
    assert [path.name for path in image_folders(tmp_path)] == [f"drawn-{found[0][:16]}"]


def test_a_cache_that_cannot_be_written_is_one_line_with_the_way_out(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MachineError, match=r"cannot write to .*file.*: .*; make room there or name .* --cache-dir$"):
        load(tmp_path / "file", Drawn())


# A limit on the size of files stands for a full disk: the system refuses the same write call.
FULL_DISK = """
import resource, sys, types
from pathlib import Path
from labelbench.errors import MachineError
test = types.ModuleType("drawn")
sys.modules["drawn"] = test
exec(compile(Path(sys.argv[1]).read_text(), sys.argv[1], "exec"), test.__dict__)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    test.load(Path(sys.argv[2]), test.Drawn(pixels=128))
except MachineError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="this limit is one of POSIX")
def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(tmp_path):
    command = [sys.executable, "-c", FULL_DISK, __file__, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout == (
        f"cannot write to {tmp_path}: File too large; make room there or name another folder with --cache-dir\n"
    ), done.stderr
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [".lock"]
    assert image_folders(tmp_path) == []
