"""Every kind of image becomes the pixels that are meant, or is refused by its file's name."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labelbench.errors import InputError, UnknownName
from labelbench.images.fitting import ImageFit, opened, upright_size

PATH = Path("photos/cat/0.png")
SIZE = (6, 10)
RANDOM = np.random.default_rng(0)
# A gradient whose quarters have colours of their own, so that each way of turning it shows.
PICTURE = np.zeros((*SIZE, 3), np.uint8)
PICTURE[:3, :5] = (250, 10, 10)
PICTURE[:3, 5:] = (10, 250, 10)
PICTURE[3:, :5] = (10, 10, 250)
PICTURE[3:, 5:] = (90, 90, 10)


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def sixteen_bit_png(values: np.ndarray) -> bytes:
    """``(height, width, channels)`` uint16 as a PNG, which Pillow cannot write."""
    height, width, channels = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def fitted(data: bytes, size: tuple[int, int] = SIZE, **options: str) -> np.ndarray:
    return ImageFit(size, **options).of_bytes(PATH, data)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bits_are_scaled_and_rounded(channels: int) -> None:
    values = RANDOM.integers(0, 65536, (*SIZE, channels)).astype(np.uint16)
    colours = channels - 1 + channels % 2
    values[..., colours:] = 65535
    expected = np.broadcast_to(np.round(values[..., :colours] / 257), (*SIZE, 3))
    assert np.array_equal(fitted(sixteen_bit_png(values)), expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_that_hold_eight_would_be_black_and_are_refused(channels: int) -> None:
    values = RANDOM.integers(1, 256, (*SIZE, channels)).astype(np.uint16)
    with pytest.raises(InputError, match=r"photos/cat/0\.png has 16 bits for each channel and no value above 255"):
        fitted(sixteen_bit_png(values))


@pytest.mark.parametrize(("mode", "grey"), [("L", 200), ("1", 255), ("P", 200), ("LA", 200), ("RGBA", 200)])
def test_grey_palette_and_opaque_images_become_rgb(mode: str, grey: int) -> None:
    data = encoded(Image.new("L", (10, 6), grey).convert(mode))
    assert np.all(fitted(data) == grey)


@pytest.mark.parametrize(("ground", "behind"), [("white", 255), ("black", 0)])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_a_shape_in_the_alpha_channel_alone_is_seen_on_its_ground(mode: str, ground: str, behind: int) -> None:
    opaque = np.zeros(SIZE, np.uint8)
    opaque[2:4, 3:7] = 255
    image = Image.new("L", (10, 6), 128)
    if mode == "P":
        data = encoded(Image.fromarray(opaque // 255).convert("P"), transparency=0)
        expected = np.where(opaque == 255, 1, behind)
    else:
        image.putalpha(Image.fromarray(opaque))
        data = encoded(image.convert(mode))
        expected = np.where(opaque == 255, 128, behind)
    assert np.array_equal(fitted(data, ground=ground), np.broadcast_to(expected[..., None], (*SIZE, 3)))


def test_half_transparent_pixels_are_mixed_with_the_ground() -> None:
    data = encoded(Image.new("RGBA", (10, 6), (0, 0, 0, 51)))
    assert np.all(fitted(data) == 204)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_that_a_camera_noted_is_applied(form: str, orientation: int) -> None:
    stored = {
        1: PICTURE,
        2: PICTURE[:, ::-1],
        3: PICTURE[::-1, ::-1],
        4: PICTURE[::-1],
        5: PICTURE.transpose(1, 0, 2),
        6: PICTURE.transpose(1, 0, 2)[::-1],
        7: PICTURE.transpose(1, 0, 2)[::-1, ::-1],
        8: PICTURE.transpose(1, 0, 2)[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 100, "subsampling": 0} if form == "JPEG" else {"lossless": True} if form == "WEBP" else {}
    data = encoded(Image.fromarray(np.ascontiguousarray(stored)), form, exif=exif, **options)
    assert np.abs(fitted(data).astype(int) - PICTURE).max() <= (40 if form == "JPEG" else 0)
    with opened(PATH, data) as image:
        assert upright_size(image) == SIZE


def test_an_animation_is_refused_by_its_files_name() -> None:
    frames = [Image.new("RGB", (10, 6), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "PNG", save_all=True, append_images=frames[1:])
    with pytest.raises(InputError, match=r"photos/cat/0\.png holds 2 images one after another; expected one"):
        fitted(data)


def test_other_sizes_are_refused_unless_a_way_to_resize_is_named() -> None:
    with pytest.raises(InputError, match=r"photos/cat/0\.png is 10x6 pixels; expected 4x4, as all of this data set"):
        fitted(encoded(Image.fromarray(PICTURE)), (4, 4))
    with pytest.raises(UnknownName, match="unknown way to resize 'crob'; did you mean crop"):
        ImageFit(SIZE, "crob")


def test_cropping_keeps_the_middle_squashing_all_and_padding_adds_ground() -> None:
    wide = np.zeros((8, 24, 3), np.uint8)
    wide[:, :8], wide[:, 8:16], wide[:, 16:] = (200, 0, 0), (0, 200, 0), (0, 0, 200)
    data = encoded(Image.fromarray(wide))
    assert np.array_equal(fitted(data, (8, 8), resize="crop"), wide[:, 8:16])
    squashed = fitted(data, (8, 9), resize="squash")
    assert [squashed[4, column].argmax() for column in (1, 4, 7)] == [0, 1, 2]
    padded = fitted(data, (24, 24), resize="pad")
    assert np.array_equal(padded[8:16], wide) and np.all(padded[:8] == 255) and np.all(padded[16:] == 255)
    assert np.all(fitted(data, (24, 24), resize="pad", ground="black")[:8] == 0)
