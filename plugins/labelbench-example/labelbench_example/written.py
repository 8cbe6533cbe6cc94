"""The label ``written``: the printed class name as a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from labelbench import InputError, LabelSet, hookimpl

if TYPE_CHECKING:
    from labelbench import Dataset

SIDE = 64
RANGE = 80.0
_MARGIN = 2
_LARGEST_LETTERS = 40


def written(dataset: Dataset) -> LabelSet:
    """Picture of the printed class name, a word on each line, 0 to 80.

    The speech label tells a network how a class sounds; this one tells it how the class is spelt. Targets are
    ``(classes, 64, 64)``: 80 where there is ink, 0 where there is none, in the largest letters for which every name
    fits.
    """
    lines = [name.split() for name in dataset.class_names]
    letters = next((size for size in range(_LARGEST_LETTERS, 4, -1) if all(_fits(words, size) for words in lines)), 0)
    if not letters:
        longest = max(dataset.class_names, key=len)
        raise InputError(f"label written: {longest!r} does not fit into {SIDE}x{SIDE}; use a data set of shorter names")
    targets = np.stack([_drawn(words, letters) for words in lines])
    recipe = {"recipe": "printed class name", "letters": letters, "font": "Pillow's own", "pillow": version("pillow")}
    return LabelSet(targets, provenance=recipe)


def _fits(words: list[str], letters: int) -> bool:
    from PIL import ImageFont

    room = SIDE - 2 * _MARGIN
    font = ImageFont.load_default(letters)
    return len(words) * _line(letters) <= room and all(font.getlength(word) <= room for word in words)


def _line(letters: int) -> int:
    """Height of a line of letters of this size, in pixels."""
    return letters + letters // 4


def _drawn(words: list[str], letters: int) -> np.ndarray:
    """``(SIDE, SIDE)`` float32: the words below each other, centred."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("L", (SIDE, SIDE))
    draw = ImageDraw.Draw(picture)
    for place, word in enumerate(words):
        middle = SIDE / 2 + (place - (len(words) - 1) / 2) * _line(letters)
        draw.text((SIDE / 2, middle), word, fill=255, font=ImageFont.load_default(letters), anchor="mm")
    return np.asarray(picture, dtype=np.float32) / 255 * RANGE


@hookimpl
def register_labels() -> Mapping[str, Callable[..., LabelSet]]:
    """The written class name."""
    return {"written": written}
