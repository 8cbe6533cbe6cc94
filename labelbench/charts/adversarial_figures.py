"""Adversarial images as a picture of a page's width."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from labelbench.charts.data import REFERENCE
from labelbench.running.attacked_images import Row, Strip

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Inches of a page's text width, and points.
_PAGE, _SMALL = 7.0, 7.0
_TIMES = "\N{MULTIPLICATION SIGN}"


def strip_figure(strip: Strip) -> Figure:
    """A strip as a picture of a page's width: a row for each label, two images side by side.

    Under each image stands the class read in it, in bold and red where the attack changed it.
    """
    from matplotlib.figure import Figure

    names = list(strip.rows[0].attacks)
    width = 1 + 2 * len(names)
    side_by_side = min(2, len(strip.indices))
    blocks = -(-len(strip.indices) // side_by_side)
    gap, left = 0.12, 0.95
    cell = (_PAGE - left - gap * (side_by_side - 1)) / (width * 2)
    across = left + cell * width * side_by_side + gap * (side_by_side - 1)
    tall = cell + 0.17
    height = 0.36 + blocks * len(strip.rows) * tall + 0.08 * (blocks - 1)
    figure = Figure(figsize=(across, height))
    for block in range(blocks):
        for line, row in enumerate(strip.rows):
            top = height - 0.33 - (block * len(strip.rows) + line) * tall - 0.08 * block
            figure.text(
                (left - 0.08) / across,
                (top - cell / 2) / height,
                _broken(row.run.label),
                ha="right",
                va="center",
                fontsize=_SMALL,
                fontweight="bold" if row.run.label == REFERENCE else "normal",
            )
            for place in range(side_by_side):
                index = block * side_by_side + place
                if index >= len(strip.indices):
                    continue
                start = left + place * (cell * width + gap)
                for column, (pixels, caption, changed) in enumerate(_cells(strip, row, index)):
                    box = (
                        (start + cell * column) / across,
                        (top - cell) / height,
                        0.94 * cell / across,
                        0.94 * cell / height,
                    )
                    axes = figure.add_axes(box)
                    _draw(axes, pixels, caption, changed=changed)
                    if not block and not line:
                        axes.set_title(_headings(strip, names)[column], fontsize=_SMALL, pad=4)
    return figure


def _headings(strip: Strip, names: Sequence[str]) -> list[str]:
    changes = [text for name in names for text in (name.replace(" ", "\n"), f"change\n{_TIMES}{strip.gain:.0f}")]
    return ["clean\nimage", *changes]


def _cells(strip: Strip, row: Row, index: int) -> list[tuple[np.ndarray, str, bool]]:
    """``(pixels, caption, whether the attack changed what is read)`` of each picture of one image."""
    clean = strip.images[index]
    before = int(row.read[index])
    cells = [(clean, _short(strip.class_names[before]), False)]
    for attack in row.attacks.values():
        after = int(attack.read[index])
        cells.append((attack.images[index], _short(strip.class_names[after]), after != before))
        cells.append((0.5 + strip.gain * (attack.images[index] - clean), "", False))
    return cells


def _draw(axes: Axes, pixels: np.ndarray, caption: str, *, changed: bool) -> None:
    axes.imshow(pixels.clip(0, 1), interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_linewidth(0.3)
    colour, weight = ("#B00020", "bold") if changed else ("#222222", "normal")
    axes.set_xlabel(caption, fontsize=_SMALL - 1, labelpad=1.5, color=colour, fontweight=weight)


def _short(name: str) -> str:
    return name if len(name) <= 12 else name[:11] + "…"


def _broken(label: str) -> str:
    """A label in lines that fit beside a row of images."""
    return "\n".join(textwrap.wrap(label, 14))
