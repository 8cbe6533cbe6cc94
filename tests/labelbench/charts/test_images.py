"""A contact sheet shows images of every class, as they are."""

from __future__ import annotations

import numpy as np

from labelbench.charts.images import contact_sheet
from labelbench.datasets import Images, Split

RED, GREEN, BLUE = (200, 0, 0), (0, 200, 0), (0, 0, 200)


def split(*colours: tuple[int, int, int]) -> Split:
    classes = np.array([(RED, GREEN, BLUE).index(colour) for colour in colours])
    return Split(np.array(colours, np.uint8)[:, None, None].repeat(16, 1).repeat(16, 2), classes)


def test_rows_are_classes_with_training_images_before_test_images_and_the_number_of_each() -> None:
    grey = (0.5,) * 3
    images = Images(split(RED, RED, RED, GREEN, BLUE), split(RED, GREEN, BLUE), "", grey, grey, "made up")
    figure = contact_sheet(images, ("red $x$", "green", "blue"), train=2, test=1)
    (axes,) = figure.axes
    sheet = np.asarray(axes.images[0].get_array())
    assert sheet.shape[1] == 2 * 18 + 6 + 18
    rows = [sheet[top : top + 16] for top in (0, 18, 36)]
    for row, colour in zip(rows, (RED, GREEN, BLUE), strict=True):
        assert np.all(row[:, :16] == colour) and np.all(row[:, 42:58] == colour)
    assert np.all(rows[0][:, 18:34] == RED) and np.all(rows[1][:, 18:34] == 255)
    assert [text.get_text() for text in axes.get_yticklabels()] == ["red $x$", "green", "blue"]
    (counts,) = axes.child_axes
    assert [text.get_text() for text in counts.get_yticklabels()] == ["3 + 1", "1 + 1", "1 + 1"]
