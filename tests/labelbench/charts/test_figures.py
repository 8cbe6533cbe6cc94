from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from itertools import product
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from labelbench.charts.data import Chart, Panel, Series
from labelbench.charts.figures import COLUMN, PAGE, chart_figure
from labelbench.charts.labels import picture
from labelbench.charts.styles import styles_of
from labelbench.cli import cli
from labelbench.errors import InputError, UnknownName
from labelbench.results.store import Results


def lines(panels: int = 1, names: tuple[str, ...] = ("category", "speech"), **rest: object) -> Chart:
    x = (0.25, 0.5, 1.0)
    series = tuple(
        Series(name, x, (0.8, None, 0.4 - index / 100), (0.7, None, 0.2), (0.9, None, 0.6))
        for index, name in enumerate(names)
    )
    shown = tuple(Panel(f"panel {index}", series) for index in range(panels))
    return Chart(**{"figure": "c", "dataset": "digits", "backbone": "resnet8", "title": "C",
                    "kind": "line", "x_title": "epsilon, 1/255", "y_title": "accuracy, %",
                    "panels": shown, "percent": True, **rest})  # type: ignore[arg-type]  # fmt: skip


def clouds(rows: int = 2, columns: int = 5) -> Chart:
    random = np.random.RandomState(0)
    panels = []
    for row in range(rows):
        for column in range(columns):
            x, y = (tuple(map(float, random.normal(size=30))) for _ in range(2))
            cloud = Series("speech", x, y, classes=tuple(range(10)) * 3)
            panels.append(Panel(f"gaussian-composition {row}, {column}0%: k-NN 64.2%", (cloud,)))
    return Chart("f", "digits", "resnet8", "F", "scatter", "", "", tuple(panels), columns=columns)


def overlaps(chart: Chart) -> list[tuple[str, str]]:
    """Texts of the drawn figure whose boxes have area in common, and those that leave the page."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    figure = chart_figure(chart)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
    on_page = [(text, text.get_window_extent(renderer)) for text in texts]
    # Tick labels of inner panels are made but not drawn; they have no size.
    boxes = [(text.get_text(), box) for text, box in on_page if box.width and box.height]
    width, height = canvas.get_width_height()
    found = [
        (text, "page") for text, box in boxes if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1
    ]
    for index, (text, box) in enumerate(boxes):
        for other, other_box in boxes[index + 1 :]:
            across = min(box.x1, other_box.x1) - max(box.x0, other_box.x0)
            along = min(box.y1, other_box.y1) - max(box.y0, other_box.y0)
            if across > 1 and along > 1:
                found.append((text, other))
    return found


NAMES = ("category", *(f"gaussian-composition-{index}" for index in range(17)))


@pytest.mark.parametrize("panels", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("names", [NAMES[:2], NAMES[:9], NAMES], ids=lambda names: f"{len(names)} labels")
def test_no_text_covers_another_or_leaves_the_page(panels: int, names: tuple[str, ...]) -> None:
    assert overlaps(lines(panels, names, log_x=True)) == []


def test_no_text_of_a_scatter_covers_another() -> None:
    assert overlaps(clouds()) == []


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
@pytest.mark.parametrize("chart", [lines(5), clouds()], ids=["line", "scatter"])
def test_equal_charts_give_equal_bytes(chart: Chart, form: str) -> None:
    assert picture(chart_figure(chart), form) == picture(chart_figure(chart), form)


def test_figures_are_as_wide_as_a_column_or_a_page() -> None:
    assert chart_figure(lines(1)).get_size_inches()[0] == COLUMN
    assert chart_figure(lines(5)).get_size_inches()[0] == PAGE
    assert chart_figure(clouds()).get_size_inches()[0] == pytest.approx(PAGE)


def test_shares_are_drawn_from_0_to_100_percent_with_gaps_and_bands() -> None:
    chart = lines(1, log_x=True)
    (axes,) = chart_figure(chart).axes
    low, high = axes.get_ylim()
    assert low <= 0 and high >= 1 and [tick.get_text() for tick in axes.get_yticklabels()][-1] == "100"
    assert axes.get_xscale() == "log" and [tick.get_text() for tick in axes.get_xticklabels()] == ["0.25", "0.5", "1"]
    category, speech = axes.lines
    assert np.isnan(category.get_ydata()[1]) and category.get_linewidth() > speech.get_linewidth()
    assert category.get_color() == "#000000"
    assert len(axes.collections) == 2, "a band for each"


def test_a_series_looks_as_its_style_says_in_every_chart() -> None:
    one, other = lines(1), lines(1, ("category", "constant", "speech"), figure="d")
    styles = styles_of([one, other])
    drawn = [chart_figure(chart, styles).axes[0].lines[-1].get_color() for chart in (one, other)]
    assert drawn == [styles["speech"].colour] * 2


def test_names_are_shown_as_they_are() -> None:
    figure = chart_figure(lines(1, ("_hidden", "a$b$c\\d", "npy:x^2_y.npy")))
    assert picture(figure, "png")
    (legend,) = figure.legends
    assert [text.get_text().strip() for text in legend.get_texts()] == ["_hidden", "a$b$c\\d", "npy:x^2_y.npy"]


def test_drawing_leaves_matplotlib_as_it_was() -> None:
    before = dict(mpl.rcParams)
    picture(chart_figure(lines(1)), "pdf")
    assert dict(mpl.rcParams) == before


def test_captions_say_n_without_intervals_and_names_are_of_what_is_asked_for(
    save: Callable[..., Results], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for label, place in product(("category", "speech"), range(6)):
        save(label, seed=place, value=0.8 + place / 100, score="100%", evaluator="data-efficiency", at=1.0)
        results = save(label, seed=place, value=0.8 - place / 100, score="adaptive/1", evaluator="attacks-adaptive")
        save(label, seed=place, value=0.8 + place / 100)

    def printed(*options: str) -> str:
        cli(["plot", str(results.folder), *options], standalone_mode=False)
        return capsys.readouterr().out

    for figure in ("data-efficiency", "accuracy-against-robustness"):
        asked = ("--figure", figure, "--output", str(tmp_path / "one.svg"))
        assert "n = 6 seeds" in printed(*asked, "--no-intervals") and "95 %" not in (tmp_path / "one.txt").read_text()
        assert "n = 6 seeds; " in printed(*asked)
    assert printed("--figure", "data-efficiency").split() == ["data-efficiency-digits-resnet8"]
    with pytest.raises(UnknownName, match="did you mean speech"):
        printed("--label", "speach")


def test_results_of_which_nothing_can_be_drawn_are_not_called_none(
    save: Callable[..., Results], tmp_path: Path
) -> None:
    results = save("category", backbone="", evaluator="label-statistics", score="effective-rank")
    with pytest.raises(InputError, match="holds nothing that could be drawn"):
        cli(["plot", str(results.folder)], standalone_mode=False)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no results"):
        cli(["plot", str(tmp_path / "empty")], standalone_mode=False)


def test_the_command_names_draws_and_refuses(
    command: Callable[..., subprocess.CompletedProcess[str]], save: Callable[..., object], tmp_path: Path
) -> None:
    save("category", value=0.8, score="100%", evaluator="data-efficiency", at=1.0)
    names = command("plot", "results")
    assert names.stdout.split() == ["data-efficiency-digits-resnet8"]
    done = command("plot", "results", "--figure", "data-efficiency", "--output", "one.png")
    assert done.returncode == 0, done.stderr
    assert "n = 1" in done.stdout
    assert Image.open(io.BytesIO((tmp_path / "one.png").read_bytes())).width == pytest.approx(COLUMN * 300, abs=2)
    assert command("plot", "results", "--output", "all", "--format", "svg").returncode == 0
    written = {file.suffix: file for file in (tmp_path / "all").iterdir()}
    assert set(written) == {".svg", ".txt"} and {file.stem for file in written.values()} == {
        "data-efficiency-digits-resnet8"
    }
    # What a paper says below the figure lies beside it.
    assert written[".txt"].read_text().startswith("Accuracy against training data: digits, resnet8. Accuracy")
    refused = {
        ("nowhere", "--output", "x.png"): "nowhere is no results folder",
        ("results", "--output", "x.gif"): "picture format 'gif'",
        ("results", "--output", "x.png", "--figure", "data-eficiency"): "unknown figure 'data-eficiency'",
        ("results", "--output", "x.png", "--label", "categry"): "unknown label 'categry'; did you mean category?",
    }
    for args, message in refused.items():
        done = command("plot", *args)
        assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr, args
    assert not (tmp_path / "x.png").exists()
