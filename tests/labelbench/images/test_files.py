from __future__ import annotations

import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labelbench.errors import InputError
from labelbench.images.arrays import ImageArrays
from labelbench.images.files import ImageFolder, ImageZip

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


@pytest.mark.parametrize(
    ("mode", "grey"), [("L", 200), ("1", 255), ("P", 200), ("LA", 200), ("RGBA", 200)], ids=lambda value: str(value)
)
def test_grey_palette_and_transparent_images_become_rgb(tmp_path, pictures, drawn, mode, grey):
    pictures.folder(tmp_path, drawn)
    image = Image.new("L", (8, 8), grey).convert(mode)
    image.save(tmp_path / "train/cat/0.png", **({"transparency": b"\x80" * 256} if mode == "P" else {}))
    images = read(ImageFolder(tmp_path)).train.images
    assert any(np.all(image == grey) for image in images)


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


def sixteen_bits(root: Path) -> None:
    Image.fromarray(np.full((8, 8), 40_000, dtype=np.uint16)).save(root / "test/ship/1.png")


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
    (sixteen_bits, r"test/ship/1\.png has more than 8 bits"),
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
