"""Images of any kind as RGB pixels of one size, with nothing lost in silence."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labelbench.errors import InputError, LabelbenchError, UnknownName, one_line

if TYPE_CHECKING:
    from PIL import Image

RESIZES = ("crop", "squash", "pad")
GROUNDS = {"white": (255, 255, 255), "black": (0, 0, 0)}
_FORMATS = ("PNG", "WEBP", "JPEG")
_ORIENTATION = 0x0112  # of EXIF
_DEPTH_OF_PNG = 24  # the byte that says how many bits a channel has


@dataclass(frozen=True)
class ImageFit:
    """How images become pixels of one size.

    Sixteen bits are scaled to eight, transparency is laid on the ground, and the orientation that a camera noted is
    applied.

    Attributes:
        size: ``(height, width)`` of all.
        resize: None to refuse other sizes; ``"crop"`` (the shorter side to the size, the middle is kept), ``"squash"``
            (both sides to the size) or ``"pad"`` (the longer side to the size, the rest is ground), by Lanczos' filter.
        ground: ``"white"`` or ``"black"``: what lies behind transparent pixels.
    """

    size: tuple[int, int]
    resize: str | None = None
    ground: str = "white"

    def __post_init__(self) -> None:
        if self.resize is not None and self.resize not in RESIZES:
            raise UnknownName("way to resize", self.resize, RESIZES)
        if self.ground not in GROUNDS:
            raise UnknownName("ground", self.ground, GROUNDS)

    def of_bytes(self, path: Path, data: bytes) -> np.ndarray:
        """``(height, width, 3)`` uint8 RGB of an encoded PNG, WebP or JPEG.

        Raises:
            InputError: it is no such image, damaged, of another size, or cannot be read for certain; ``path`` names it.
        """
        with opened(path, data) as image:
            if getattr(image, "is_animated", False) and image.format in ("PNG", "WEBP"):
                raise InputError(f"{path} holds {image.n_frames} images one after another; expected one")  # type: ignore[attr-defined]
            if image.format == "PNG" and data[_DEPTH_OF_PNG] == 16:
                return self.of_image(path, _eight_bits(path, data, image))
            return self.of_image(path, image)

    def of_image(self, path: object, image: Image.Image) -> np.ndarray:
        """``(height, width, 3)`` uint8 RGB of a decoded image.

        Raises:
            InputError: it is of another size, or its mode holds more than 8 bits; ``path`` names it.
        """
        from PIL import Image, ImageOps

        image.load()
        if image.mode[0] in "IF":
            raise InputError(f"{path} has more than 8 bits for each pixel; convert it to 8-bit grey or colour")
        if _orientation(image) != 1:
            image = ImageOps.exif_transpose(image)
        ground = GROUNDS[self.ground]
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, ground), image)
        image = image.convert("RGB")
        height, width = self.size
        if image.size != (width, height):
            image = self._resized(path, image, ground)
        return np.asarray(image)

    def _resized(self, path: object, image: Image.Image, ground: tuple[int, int, int]) -> Image.Image:
        from PIL import Image, ImageOps

        height, width = self.size
        good = Image.Resampling.LANCZOS
        if self.resize == "crop":
            return ImageOps.fit(image, (width, height), good)
        if self.resize == "squash":
            return image.resize((width, height), good)
        if self.resize == "pad":
            return ImageOps.pad(image, (width, height), good, color=ground)
        raise InputError(
            f"{path} is {image.width}x{image.height} pixels; expected {width}x{height}, as all of this data set: "
            "resize it"
        )


def upright_size(image: Image.Image) -> tuple[int, int]:
    """``(height, width)`` of an image once the orientation that its camera noted is applied."""
    turned = _orientation(image) >= 5
    return (image.width, image.height) if turned else (image.height, image.width)


@contextmanager
def opened(path: Path, data: bytes) -> Iterator[Image.Image]:
    """The image that ``data`` encodes; ``path`` names it in messages.

    Raises:
        InputError: it is no image, or it is damaged (found when its pixels are read in the block).
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            yield image
    except (LabelbenchError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise InputError(f"{path} is no PNG, WebP or JPEG image; replace or remove it") from error
    except Exception as error:  # Pillow's decoders raise whatever they meet in damaged data.
        raise InputError(f"{path} cannot be decoded ({one_line(error)}); replace or remove it") from error


def _orientation(image: Image.Image) -> int:
    # Looking for what most images have not takes longer than decoding a small one.
    if not {"exif", "xmp", "Raw profile type exif", "XML:com.adobe.xmp"} & image.info.keys():
        return 1
    return int(image.getexif().get(_ORIENTATION, 1))


def _eight_bits(path: Path, data: bytes, image: Image.Image) -> Image.Image:
    """A PNG of 16 bits for each channel with 8: scaled and rounded, where Pillow cuts off or refuses."""
    import png
    from PIL import Image

    width, height, rows, found = png.Reader(bytes=data).read()
    values = np.array([np.asarray(row, dtype=np.uint32) for row in rows]).reshape(height, width, found["planes"])
    colours = values[..., : found["planes"] - found["alpha"]]
    if 0 < colours.max() < 256:
        raise InputError(
            f"{path} has 16 bits for each channel and no value above 255, so that it is black; expected 0 to 65535: "
            "scale it or save it with 8 bits"
        )
    scaled = ((values * 255 + 32767) // 65535).astype(np.uint8)
    made = Image.fromarray(scaled[..., 0] if found["planes"] == 1 else scaled)
    made.info.update({key: image.info[key] for key in ("exif", "XML:com.adobe.xmp") if key in image.info})
    return made
