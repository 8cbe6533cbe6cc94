"""Small pictures of arrays as ``data:`` addresses, which stand in a page by themselves."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

import numpy as np

COLOURS = "magma"
# Pixels: a vector is drawn as bars of this height, each at least as wide as the second number.
_HEIGHT, _BAR = 64, 4


def pictures_of_targets(targets: np.ndarray, count: int) -> Iterator[str]:
    """The first targets of a label on one scale of colours: matrices as they are, vectors as bars.

    Args:
        targets: ``(classes, length)`` or ``(classes, side, side)``, not all equal.
        count: how many at most.
    """
    import matplotlib as mpl

    low, high = float(targets.min()), float(targets.max())
    colours = mpl.colormaps[COLOURS]
    for target in targets[:count]:
        share = (target - low) / (high - low)
        if target.ndim == 2:
            yield png_address(colours(share, bytes=True))
            continue
        width = max(1, -(-_BAR * 16 // len(target)))
        # The ground shows through where there is no bar.
        pixels = np.zeros((_HEIGHT, len(target) * width, 4), np.uint8)
        # From 0, so that what is below it hangs down.
        zero, span = min(low, 0.0), max(high, 0.0) - min(low, 0.0)
        ends = np.rint((np.stack([np.zeros_like(target), target]) - zero) / span * (_HEIGHT - 1)).astype(int)
        # Within magma, so that neither end is lost on a white or a black ground.
        shades = colours(0.2 + 0.6 * share, bytes=True)
        for index, (start, end) in enumerate(ends.T):
            first, last = sorted((_HEIGHT - 1 - start, _HEIGHT - 1 - end))
            pixels[first : last + 1, index * width : (index + 1) * width] = shades[index]
        yield png_address(pixels)


def png_address(pixels: Any) -> str:
    """An image ``(height, width, 3 or 4)`` uint8 as the address of a PNG."""
    from PIL import Image

    opaque = pixels.shape[2] == 4 and (pixels[..., 3] == 255).all()
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., :3] if opaque else pixels).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
