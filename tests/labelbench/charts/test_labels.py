from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labelbench.charts.labels import distance_matrices, gallery, picture
from labelbench.errors import InputError
from labelbench.labels import LabelSet

SETS = {
    "category": LabelSet(np.eye(3), loss="cross-entropy"),
    "noise": LabelSet(np.random.RandomState(0).uniform(0, 80, (3, 32, 32))),
}
NAMES = ("one", "two", "three")


def test_the_gallery_has_a_row_per_label_and_a_column_per_class() -> None:
    figure = gallery(SETS, NAMES)
    assert len(figure.axes) == 6
    assert [axes.get_title() for axes in figure.axes[:3]] == list(NAMES)
    assert figure.axes[3].get_ylabel().startswith("noise\n32x32, 0.0")
    scales = {axes.images[0].get_clim() for axes in figure.axes[3:]}
    assert len(scales) == 1, "one colour scale a row"


def test_the_gallery_shows_as_many_classes_as_asked() -> None:
    assert len(gallery(SETS, NAMES, columns=2).axes) == 4


def test_distance_matrices_show_the_rms_difference() -> None:
    figure = distance_matrices(SETS, NAMES)
    shown = np.asarray(figure.axes[0].images[0].get_array())
    assert shown == pytest.approx(np.sqrt(2 / 3) * (1 - np.eye(3)))


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_equal_figures_give_equal_bytes(form: str) -> None:
    assert picture(gallery(SETS, NAMES), form) == picture(gallery(SETS, NAMES), form)


def test_another_format_is_refused() -> None:
    with pytest.raises(InputError, match="picture format 'gif'; expected one of png, svg, pdf"):
        picture(gallery(SETS, NAMES), "gif")


def test_the_command_draws_labels_and_writes_arrays(
    command: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    done = command("labels", "category", "constant", "--dataset", "cifar10", "--output", "labels.png")
    assert done.returncode == 0, done.stderr
    assert Image.open(io.BytesIO((tmp_path / "labels.png").read_bytes())).width > 1000
    assert command("labels", "constant", "--output", "distances.svg", "--distances").returncode == 0
    assert command("labels", "constant", "--format", "npy", "--output", "constant.npy").returncode == 0
    array = np.load(tmp_path / "constant.npy", allow_pickle=False)
    assert array.shape == (10, 64, 64) and array[:, 0, 0].tolist() == pytest.approx([i * 80 / 9 for i in range(10)])


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["labels", "constant", "--output", "x.gif"], "picture format 'gif'"),
        (["labels", "constant", "low-dim", "--format", "npy", "--output", "x.npy"], "writes one label; got 2"),
        (["labels", "cnstant", "--output", "x.png"], "unknown label 'cnstant'; did you mean constant"),
        (["fetch", "category"], "label 'category' needs nothing that could be fetched"),
    ],
    ids=str,
)
def test_mistakes_are_one_line(
    command: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, args: list[str], message: str
) -> None:
    done = command(*args)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_fetching_offline_says_what_to_place_where(command: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = command("fetch", "glove", "--offline")
    assert done.returncode == 4
    assert "glove.6B.50d.txt" in done.stderr and "Traceback" not in done.stderr
