"""Image files, wherever their bytes come from, decoded to arrays of one size and known classes."""

from __future__ import annotations

import difflib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from labelbench.errors import InputError, LabelbenchError, one_line
from labelbench.images.arrays import ImageArrays, Report, SplitArrays

if TYPE_CHECKING:
    from PIL import Image

PARTS = ("train", "test")
LAYOUT = "{train,test}/<class>/<image>, each image a PNG, WebP or JPEG"
_SUFFIXES = (".png", ".webp", ".jpg", ".jpeg")
_FORMATS = ("PNG", "WEBP", "JPEG")
# Images decoded by one task of a thread.
_TASK = 256


class ImageFile(NamedTuple):
    """One image file.

    Attributes:
        part: ``"train"`` or ``"test"``.
        folder: name of its class folder, as it is.
        path: where it lies, relative to the folder or in the archive.
    """

    part: str
    folder: str
    path: str


def class_name_of(folder: str) -> str:
    """The class that a folder is named after, in words: ``maple_tree`` is ``maple tree``."""
    return folder.replace("_", " ")


def decode(
    origin: Path,
    files: Sequence[ImageFile],
    read: Callable[[str], bytes],
    class_names: Sequence[str],
    image_size: tuple[int, int],
    report: Report,
) -> ImageArrays:
    """Decode image files by several threads.

    Args:
        origin: the folder or archive, for messages.
        files: what to decode.
        read: gives the bytes of a path.
        class_names: in words; each must have images in both parts, and no folder may be of another class.
        image_size: ``(height, width)`` that every image must have.
        report: called with what is being done and how much of it is done, 0 to 1.

    Raises:
        InputError: a file is no such image, or a class is missing; the message names it.
    """
    # Training images first, so that both parts are views of one array.
    files = sorted(files, key=lambda file: PARTS.index(file.part))
    size_of_train = sum(file.part == "train" for file in files)
    classes = _classes(origin, files, class_names)
    images = np.empty((len(files), *image_size, 3), dtype=np.uint8)

    def decode_task(start: int) -> None:
        for number in range(start, min(start + _TASK, len(files))):
            path = files[number].path
            images[number] = _pixels(origin / path, read(path), image_size)

    pool = ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1))
    try:
        starts = range(0, len(files), _TASK)
        for start, task in zip(starts, [pool.submit(decode_task, start) for start in starts], strict=True):
            report(f"decoding {origin.name}", start / len(files))
            task.result()
    finally:
        pool.shutdown(cancel_futures=True)
    report(f"decoding {origin.name}", 1.0)
    return ImageArrays(
        train=SplitArrays(images[:size_of_train], classes[:size_of_train]),
        test=SplitArrays(images[size_of_train:], classes[size_of_train:]),
    )


def _classes(origin: Path, files: Sequence[ImageFile], class_names: Sequence[str]) -> np.ndarray:
    """``(n,)`` int64 class of each file, from its folder; every class must occur in both parts."""
    index = {name: number for number, name in enumerate(class_names)}
    folders: dict[tuple[str, str], str] = {}
    for file in files:
        name = class_name_of(file.folder)
        if name not in index:
            near = difflib.get_close_matches(name, class_names, n=1)
            advice = f"did you mean {near[0]!r}?" if near else "expected folders named after the classes"
            raise InputError(f"{origin / file.part} has the folder {file.folder!r}, which is no class; {advice}")
        if folders.setdefault((file.part, name), file.folder) != file.folder:
            raise InputError(f"{origin / file.part} has two folders for the class {name!r}; expected one per class")
        if not file.path.lower().endswith(_SUFFIXES):
            raise InputError(f"{origin / file.path} is not named as a PNG, WebP or JPEG; convert or remove it")
    for part in PARTS:
        missing = [name for name in class_names if (part, name) not in folders]
        if missing:
            more = f" (nor of {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise InputError(f"{origin / part} holds no image of the class {missing[0]!r}{more}; expected {LAYOUT}")
    return np.array([index[class_name_of(file.folder)] for file in files], dtype=np.int64)


def _pixels(path: Path, data: bytes, image_size: tuple[int, int]) -> np.ndarray:
    """``(height, width, 3)`` uint8 RGB; transparency is ignored."""
    with opened(path, data) as image:
        if (image.height, image.width) != image_size:
            height, width = image_size
            raise InputError(
                f"{path} is {image.width}x{image.height} pixels; expected {width}x{height}, as all of this data set: "
                "resize it"
            )
        if image.mode[0] in "IF":
            raise InputError(f"{path} has more than 8 bits for each pixel; convert it to 8-bit grey or colour")
        if image.mode == "P" and "transparency" in image.info:
            image = image.convert("RGBA")
        return np.asarray(image.convert("RGB"))


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
    except LabelbenchError:
        raise
    except UnidentifiedImageError as error:
        raise InputError(f"{path} is no PNG, WebP or JPEG image; replace or remove it") from error
    except Exception as error:  # Pillow's decoders raise whatever they meet in damaged data.
        raise InputError(f"{path} cannot be decoded ({one_line(error)}); replace or remove it") from error
