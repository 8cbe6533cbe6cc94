from __future__ import annotations

import os
import re
import struct
import zipfile
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labelbench.errors import InputError, MachineError
from labelbench.images.arrays import ImageArrays
from labelbench.images.folders import ImageFolder
from labelbench.images.zips import ImageZip

NAMES = ("cat", "maple tree", "ship")
FOLDERS = ("cat", "maple_tree", "ship")


def read(source: ImageFolder | ImageZip, size: tuple[int, int] = (8, 8)) -> ImageArrays:
    return source.source(NAMES, size).arrays(NAMES, size, lambda doing, share: None)


def content(arrays: ImageArrays) -> list[list[tuple[int, bytes]]]:
    return [sorted(zip(part.classes.tolist(), map(bytes, part.images), strict=True)) for part in arrays]


def expected(drawn: dict[str, np.ndarray]) -> list[list[tuple[int, bytes]]]:
    parts: dict[str, list[tuple[int, bytes]]] = {"train": [], "test": []}
    for name, pixels in drawn.items():
        part, folder, _ = name.split("/")
        parts[part].append((FOLDERS.index(folder), bytes(pixels)))
    return [sorted(part) for part in parts.values()]


@pytest.fixture
def drawn(pictures) -> dict[str, np.ndarray]:
    return pictures.draw(FOLDERS)


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_a_folder_and_a_zip_give_every_pixel_of_every_image(tmp_path, pictures, drawn, suffix):
    folder = ImageFolder(pictures.folder(tmp_path / "images", drawn, suffix))
    archive = ImageZip(pictures.zip(tmp_path / "images.zip", drawn, suffix))
    assert content(read(folder)) == content(read(archive)) == expected(drawn)


def test_a_zip_may_hold_one_leading_folder_and_files_beside_it(tmp_path, pictures, drawn):
    path = pictures.zip(tmp_path / "images.zip", drawn, prefix="my images/")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("README.txt", "about")
        archive.writestr("my images/README.txt", "about")
        archive.writestr("my images/train/", "")
        archive.writestr("__MACOSX/my images/train/cat/._0.png", "clutter")
    assert content(read(ImageZip(path))) == expected(drawn)


def test_a_class_may_be_called_train_or_test(tmp_path, pictures):
    drawn = pictures.draw(("train", "test"), train=1, test=1)
    for prefix in ("", "train set/"):
        path = pictures.zip(tmp_path / "images.zip", drawn, prefix=prefix)
        names = ("test", "train")
        arrays = ImageZip(path).source(names, (8, 8)).arrays(names, (8, 8), lambda doing, share: None)
        assert arrays.train.classes.tolist() == [1, 0]
        assert np.array_equal(arrays.train.images[0], drawn["train/train/0"])
        assert np.array_equal(arrays.test.images[1], drawn["test/test/0"])


def test_a_zip_without_test_images_is_refused_as_such(tmp_path, pictures):
    path = pictures.zip(tmp_path / "images.zip", pictures.draw(("train",), test=0))
    with pytest.raises(InputError, match=r"images\.zip/test holds no image of the class 'train'; expected"):
        ImageZip(path).source(("train",), (8, 8)).read(lambda doing, share: None)


def test_class_folders_may_be_written_with_spaces(tmp_path, pictures, drawn):
    spaced = {name.replace("_", " "): pixels for name, pixels in drawn.items()}
    assert content(read(ImageFolder(pictures.folder(tmp_path, spaced)))) == expected(drawn)


def test_jpeg_images_are_read(tmp_path, pictures, drawn):
    arrays = read(ImageFolder(pictures.folder(tmp_path, drawn, ".jpg")))
    assert [part.images.shape for part in arrays] == [(9, 8, 8, 3), (6, 8, 8, 3)]


def test_clutter_of_file_managers_is_passed_over(tmp_path, pictures, drawn):
    pictures.folder(tmp_path, drawn)
    for name in ("train/.DS_Store", "test/cat/Thumbs.db", "test/cat/desktop.ini", ".hidden", "notes.txt"):
        (tmp_path / name).write_text("clutter")
    assert content(read(ImageFolder(tmp_path))) == expected(drawn)


def test_images_that_are_all_alike_are_refused_in_one_line(tmp_path, pictures, drawn):
    white = {name: np.full_like(pixels, 255) for name, pixels in drawn.items()}
    with pytest.raises(InputError, match=r"all 9 training images of folder .* are alike, pixel for pixel; expected"):
        read(ImageFolder(pictures.folder(tmp_path, white)))


def test_links_are_followed_and_paths_may_hold_commas(tmp_path, pictures, drawn):
    pictures.folder(tmp_path / "elsewhere, far", drawn)
    for part in ("train", "test"):
        (tmp_path / "a, b" / part).mkdir(parents=True)
        for name in FOLDERS:
            (tmp_path / "a, b" / part / name).symlink_to(tmp_path / "elsewhere, far" / part / name)
    (tmp_path / "link").symlink_to(tmp_path / "a, b")
    assert (
        content(read(ImageFolder(tmp_path / "link")))
        == content(read(ImageFolder(tmp_path / "a, b")))
        == expected(drawn)
    )


@pytest.mark.parametrize("kind", [ImageFolder, ImageZip])
def test_accents_in_either_form_are_one_class(tmp_path, pictures, kind):
    drawn = pictures.draw(("cafe\u0301", "th\u00e9"), train=2, test=0)
    drawn |= pictures.draw(("caf\u00e9", "the\u0301"), train=0, test=1)
    names = ("caf\u00e9", "th\u00e9")
    if kind is ImageFolder:
        source = ImageFolder(pictures.folder(tmp_path / "drinks", drawn))
        assert source.class_names() == names
    else:
        source = ImageZip(pictures.zip(tmp_path / "drinks.zip", drawn))
    arrays = source.source(names, (8, 8)).arrays(names, (8, 8), lambda doing, share: None)
    assert (arrays.train.classes.tolist(), arrays.test.classes.tolist()) == ([0, 0, 1, 1], [0, 1])


def test_a_class_folder_that_is_not_utf8_is_one_line(tmp_path, pictures, drawn):
    folder = ImageFolder(pictures.folder(tmp_path, drawn))
    (tmp_path / "train" / os.fsdecode(b"na\xefve")).mkdir()
    with pytest.raises(InputError, match=r"train has the class folder 'na\\udcefve', which is not UTF-8; rename it"):
        folder.class_names()


@pytest.mark.parametrize("hidden", ["train/.net", "train/cat/.0.png"])
@pytest.mark.parametrize("kind", [ImageFolder, ImageZip])
def test_what_a_dot_hides_is_not_dropped_without_a_word(tmp_path, pictures, drawn, kind, hidden):
    drawn[f"{hidden}/0" if hidden == "train/.net" else hidden.removesuffix(".png")] = drawn["train/cat/0"]
    if kind is ImageFolder:
        source = ImageFolder(pictures.folder(tmp_path / "images", drawn))
    else:
        source = ImageZip(pictures.zip(tmp_path / "images.zip", drawn))
    name = hidden.rpartition("/")[2]
    with pytest.raises(InputError, match=rf"holds '{re.escape(name)}', which its dot hides; rename it if it belongs"):
        read(source)


def test_members_with_backslashes_and_names_in_unmarked_utf8_are_read(tmp_path, pictures):
    drawn = pictures.draw(("caf\u00e9", "tea"))
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for name, pixels in drawn.items():
            archive.writestr(zipfile.ZipInfo(f"photos\\{name}.png".replace("/", "\\")), pictures.encode(pixels, ".png"))
    data = (tmp_path / "images.zip").read_bytes()
    # The flag that says UTF-8, in both headers of every member: some programs write UTF-8 without it.
    for header in (rb"(PK\x03\x04..)\x00\x08", rb"(PK\x01\x02....)\x00\x08"):
        data = re.sub(header, lambda found: found[1] + b"\0\0", data, flags=re.DOTALL)
    (tmp_path / "images.zip").write_bytes(data)
    names = ("caf\u00e9", "tea")
    arrays = ImageZip(tmp_path / "images.zip").source(names, (8, 8)).arrays(names, (8, 8), lambda doing, share: None)
    assert np.bincount(arrays.train.classes).tolist() == [3, 3]


def test_val_is_read_where_there_is_no_test_and_said_once(tmp_path, pictures, drawn):
    folder = ImageFolder(pictures.folder(tmp_path / "images", drawn))
    assert folder.source(NAMES, (8, 8)).notes == ()
    (tmp_path / "images/test").rename(tmp_path / "images/val")
    assert content(read(folder)) == expected(drawn)
    assert folder.source(NAMES, (8, 8)).notes == ("images/val is measured, since there is no test",)


def test_train_alone_is_divided_by_pixels_and_seed(tmp_path, pictures):
    drawn = pictures.draw(FOLDERS, train=10, test=0)
    renamed = {f"{name}x": pixels for name, pixels in reversed(drawn.items())}
    one = read(ImageFolder(pictures.folder(tmp_path / "one", drawn), test=0.2))
    two = read(ImageFolder(pictures.folder(tmp_path / "two", renamed), test=0.2))
    other = read(ImageFolder(tmp_path / "one", test=0.2, seed=1))
    assert np.bincount(one.test.classes).tolist() == [2, 2, 2] and np.bincount(one.train.classes).tolist() == [8, 8, 8]
    assert sorted(chain(*content(one))) == sorted(expected(drawn)[0])
    assert content(one) == content(two) != content(other)
    assert ImageFolder(tmp_path / "one", test=0.2).source(NAMES, (8, 8)).notes == (
        "20 % of one/train are measured and not trained on, by seed 0",
    )
    with pytest.raises(InputError, match=r"there is no folder .*/one/test \(nor val\); expected .* as in test=0\.2$"):
        read(ImageFolder(tmp_path / "one"))
    with pytest.raises(InputError, match=r"one holds test/; leave out test=0\.2, or remove it"):
        (tmp_path / "one/test").mkdir()
        read(ImageFolder(tmp_path / "one", test=0.2))


def test_more_than_memory_holds_is_refused_before_anything_is_decoded(tmp_path, pictures, drawn, monkeypatch):
    monkeypatch.setattr("labelbench.images.memory.free_memory", lambda: 15 * 8 * 8 * 3 - 1)
    for path in pictures.folder(tmp_path, drawn).rglob("*.png"):
        path.write_bytes(b"never looked at")
    message = r"decoding the 15 images of 8x8 pixels in .* needs 0\.0 GiB of memory, and 0\.0 GiB are free; make them"
    with pytest.raises(MachineError, match=message):
        read(ImageFolder(tmp_path))


def test_many_images_are_decoded_by_several_processes(tmp_path, pictures, drawn, monkeypatch):
    monkeypatch.setattr("labelbench.images.decoding._MANY", 1)
    monkeypatch.setattr("labelbench.images.decoding._TASK", 4)
    assert content(read(ImageFolder(pictures.folder(tmp_path, drawn)))) == expected(drawn)


def test_progress_ends_with_all(tmp_path, pictures, drawn):
    seen: list[tuple[str, float]] = []
    folder = ImageFolder(pictures.folder(tmp_path / "images", drawn))
    folder.source(NAMES, (8, 8)).read(lambda doing, share: seen.append((doing, share)))
    assert seen[0] == ("decoding images", 0.0)
    assert seen[-1] == ("decoding images", 1.0)


@pytest.mark.parametrize(
    "member", ["/train/cat/x.png", "../x.png", "train/../../x.png", "C:\\x.png", "train\\..\\x.png"]
)
def test_a_zip_with_a_member_that_points_outside_is_refused_by_name(tmp_path, pictures, drawn, member):
    path = pictures.zip(tmp_path / "images.zip", drawn)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member, b"")
    with pytest.raises(InputError) as error:
        read(ImageZip(path))
    assert f"has the member {member!r}, which points outside" in str(error.value)


def test_a_zip_that_names_an_image_twice_is_refused(tmp_path, pictures, drawn):
    path = pictures.zip(tmp_path / "images.zip", drawn)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("train/cat/0.png", b"")
    with pytest.raises(InputError, match=r"the member 'train/cat/0\.png' 2 times"):
        read(ImageZip(path))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def other_bytes(path: Path) -> None:
    path.write_bytes(b"no zip at all")


def no_bytes(path: Path) -> None:
    path.write_bytes(b"")


def change_an_image(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 30] ^= 255
    path.write_bytes(data)


def encrypt(path: Path) -> None:
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\x01\x02")
    data[start + 8 : start + 10] = struct.pack("<H", 1)
    data[6:8] = struct.pack("<H", 1)
    path.write_bytes(data)


def unknown_compression(path: Path) -> None:
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\x01\x02")
    data[start + 10 : start + 12] = struct.pack("<H", 99)
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [cut, other_bytes, no_bytes, change_an_image, encrypt, unknown_compression])
def test_a_broken_zip_is_one_line_with_its_name(tmp_path, pictures, drawn, damage):
    path = pictures.zip(tmp_path / "images.zip", drawn)
    damage(path)
    with pytest.raises(InputError, match=r"images\.zip cannot be read as a zip \(.+\); replace it by an intact copy$"):
        read(ImageZip(path))


def wrong_size(root: Path) -> None:
    Image.new("RGB", (9, 8)).save(root / "test/ship/1.png")


def no_image(root: Path) -> None:
    (root / "test/ship/1.png").write_text("no image")


def truncated(root: Path) -> None:
    path = root / "test/ship/1.png"
    path.write_bytes(path.read_bytes()[:-40])


def other_format(root: Path) -> None:
    Image.new("RGB", (8, 8)).save(root / "test/ship/1.png", "BMP")


def other_name(root: Path) -> None:
    (root / "test/ship/1.png").rename(root / "test/ship/1.txt")


def class_without_test(root: Path) -> None:
    for number in range(2):
        (root / f"test/ship/{number}.png").unlink()


def unknown_class(root: Path) -> None:
    (root / "test/ship").rename(root / "test/shp")


def class_twice(root: Path) -> None:
    (root / "train/maple tree").mkdir()
    (root / "train/maple tree/9.png").write_bytes((root / "train/maple_tree/0.png").read_bytes())


FAULTS = [
    (wrong_size, r"test/ship/1\.png is 9x8 pixels; expected 8x8"),
    (no_image, r"test/ship/1\.png is no PNG, WebP or JPEG image; replace or remove it$"),
    (truncated, r"test/ship/1\.png cannot be decoded \(.+\); replace or remove it$"),
    (other_format, r"test/ship/1\.png is no PNG, WebP or JPEG image"),
    (other_name, r"test/ship/1\.txt is not named as a PNG, WebP or JPEG; convert or remove it$"),
    (class_without_test, r"test holds no image of the class 'ship'; expected"),
    (unknown_class, r"test has the folder 'shp', which is no class; did you mean 'ship'\?$"),
    (class_twice, r"train has two folders for the class 'maple tree'; expected one per class$"),
]


@pytest.mark.parametrize(("fault", "message"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
@pytest.mark.parametrize("kind", [ImageFolder, ImageZip])
def test_a_fault_is_one_line_that_names_the_file(tmp_path, pictures, drawn, kind, fault, message):
    path = pictures.folder(tmp_path / "images", drawn)
    fault(path)
    if kind is ImageZip:
        path = tmp_path / "images.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted((tmp_path / "images").rglob("*.*")):
                archive.write(file, file.relative_to(tmp_path / "images"))
    with pytest.raises(InputError, match=message) as error:
        read(kind(path))
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_folders_that_are_missing_empty_or_too_deep_are_named(tmp_path, pictures, drawn):
    with pytest.raises(InputError, match=r"there is no folder .*nowhere; expected .*nowhere/.*<class>/<image>"):
        read(ImageFolder(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"there is no folder .*/train; expected"):
        read(ImageFolder(tmp_path))
    pictures.folder(tmp_path, drawn)
    (tmp_path / "train/cat/more").mkdir()
    with pytest.raises(InputError, match="train/cat/more is a folder; expected"):
        read(ImageFolder(tmp_path))
    (tmp_path / "train/cat/more").rmdir()
    (tmp_path / "train/readme.png").write_text("")
    with pytest.raises(InputError, match=r"train/readme\.png is not a class folder; expected"):
        read(ImageFolder(tmp_path))


def test_a_zip_of_other_depth_is_refused(tmp_path, pictures):
    path = pictures.zip(tmp_path / "images.zip", pictures.draw(("animals/cat",), 1, 1))
    with pytest.raises(InputError, match=r"has the member 'train/animals/cat/0\.png'; expected"):
        read(ImageZip(path))


def test_a_source_is_known_by_the_content_of_its_files_and_nothing_else(tmp_path, pictures, drawn):
    def states() -> list[object]:
        archive = pictures.zip(tmp_path / "images.zip", drawn)
        return [source.source(NAMES, (8, 8)).state for source in (ImageFolder(tmp_path / "images"), ImageZip(archive))]

    pictures.folder(tmp_path / "images", drawn)
    before = states()
    for path in sorted((tmp_path / "images").rglob("*.png")):
        os.utime(path, (1, 1))
    (tmp_path / "images/train/.DS_Store").write_text("clutter")
    assert states() == before
    path = tmp_path / "images/train/cat/0.png"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    os.utime(path, (1, 1))
    drawn["train/cat/0"] = 255 - drawn["train/cat/0"]
    assert all(now != then for now, then in zip(states(), before, strict=True))
