from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labelbench.charts.collection import charts_of, only_labels
from labelbench.charts.data import Chart, Series
from labelbench.charts.labels import picture
from labelbench.charts.strips import strip_figure, strip_of_labels, strip_views
from labelbench.charts.styles import styles_of
from labelbench.errors import InputError
from labelbench.evaluation.scores import Measurement, Score
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.recipes import Recipe
from labelbench.results.reading import read
from labelbench.results.records import Cell
from labelbench.results.spread import t_interval
from labelbench.results.store import Results
from labelbench.runs import Numerics, RunSpec
from labelbench.tunings import Grid, Tuning

LABELS = ("speech", "category", "constant")


def place_of(name: str) -> float | None:
    """Where on its axis a score of this name was measured: evaluators say the number, and name scores by it."""
    number = name.split("/")[1] if "/" in name else name
    return float(number[:-1]) / 100 if number.endswith("%") else float(number) if "/" in name else None


def charts_in(results: Results) -> tuple[Chart, ...]:
    contents = read(results)
    return charts_of(contents, Leaderboard.of(contents))


class Folder:
    """A results folder filled by hand, through the same methods as a real one."""

    def __init__(self, folder: Path) -> None:
        self.results = Results(folder)

    def run(self, label: str, seed: int = 0, **rest: Any) -> RunSpec:
        return RunSpec("cifar10", label, "resnet8", seed, **{"numerics": Numerics(), **rest})

    def facts(self, run: RunSpec) -> dict[str, Any]:
        return {
            "evaluator": {"settings": {}},
            "label": {"sha256": run.label, "identity": run.label, "shape": [10], "loss": "mse", "notes": []},
            "images": {"fingerprint": "fedcba9876543210", "train": 50000, "test": 10000},
            "environment": {"labelbench": "0.1.0", "torch": "2.15.0"},
        }

    def measure(self, run: RunSpec, evaluator: str, values: dict[str, float], /, **arrays: np.ndarray) -> None:
        scores = tuple(Score.share(name, round(200 * value), 200, at=place_of(name)) for name, value in values.items())
        self.results.save_measurement(Cell(run, evaluator, 1), Measurement(scores, arrays), self.facts(run))

    def train(self, run: RunSpec, accuracy: list[float], status: str = "done") -> None:
        facts = {key: value for key, value in self.facts(run).items() if key != "evaluator"}
        history = {"epoch": list(range(1, len(accuracy) + 1)), "validation_accuracy": accuracy}
        self.results.save_training(run, {"status": status, **facts, "history": history})

    @property
    def charts(self) -> dict[str, Chart]:
        return {chart.name: chart for chart in charts_in(self.results)}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "results")


def series_of(chart: Chart, panel: str) -> dict[str, Series]:
    (found,) = (each for each in chart.panels if each.title == panel)
    return {series.name: series for series in found.series}


def test_an_empty_folder_has_no_charts(folder: Folder) -> None:
    assert folder.charts == {}


def test_units_of_epsilon_never_share_an_axis(folder: Folder) -> None:
    run = folder.run("category")
    folder.measure(run, "attacks-paper", {"fgsm-untargeted/0": 0.8, "fgsm-untargeted/0.05": 0.5})
    folder.measure(
        run,
        "attacks-adaptive:quick",
        {"adaptive/0.25": 0.7, "adaptive/2": 0.1, "paper/0.25": 0.75, "at-paper-epsilon/0.05": 0.2},
    )
    charts = folder.charts
    assert set(charts) == {"accuracy-epsilon-cifar10-resnet8", "accuracy-epsilon-pixels-cifar10-resnet8"}
    normalised, pixels = charts.values()
    assert "normalised" in normalised.x_title and "1/255" in pixels.x_title
    assert [panel.title for panel in normalised.panels] == ["FGSM, untargeted", "adaptive (quick)"]
    assert [panel.title for panel in pixels.panels] == ["strongest of the paper's attacks (quick)", "adaptive (quick)"]
    assert series_of(pixels, "adaptive (quick)")["category"].x == (0.25, 2.0) and pixels.log_x and not normalised.log_x
    assert series_of(normalised, "FGSM, untargeted")["category"].y == (0.8, 0.5)
    # Epsilon 0 of the adaptive attack is what the same images read without one.
    assert series_of(normalised, "adaptive (quick)")["category"].x == (0.0, 0.05)
    assert series_of(normalised, "adaptive (quick)")["category"].y == (0.8, 0.2)


def test_accuracy_of_other_test_images_is_no_start_of_a_curve(folder: Folder) -> None:
    run = folder.run("category")
    scores = (Score.share("nearest", 90, 100),)
    folder.results.save_measurement(Cell(run, "accuracy", 1, 100), Measurement(scores), folder.facts(run))
    folder.measure(run, "attacks-adaptive", {"at-paper-epsilon/0.05": 0.2})
    (chart,) = folder.charts.values()
    assert series_of(chart, "adaptive")["category"].x == (0.05,)


def test_scores_over_other_denominators_are_not_drawn(folder: Folder) -> None:
    shares = {"adaptive/1": 0.5, "adaptive/1/of-correct": 0.9, "overstated": 0.3}
    folder.measure(folder.run("category"), "attacks-adaptive", shares)
    (chart,) = folder.charts.values()
    assert [len(panel.series) for panel in chart.panels] == [1]
    assert series_of(chart, "adaptive")["category"].y == (0.5,)


def test_intervals_are_over_test_images_with_one_seed_and_over_seeds_with_more(folder: Folder) -> None:
    for label, seeds in (("category", 1), ("speech", 3)):
        for seed in range(seeds):
            folder.measure(folder.run(label, seed), "data-efficiency", {"1%": 0.3 + seed / 10, "100%": 0.9})
    (chart,) = folder.charts.values()
    found = series_of(chart, "")
    assert list(found) == ["category", "speech"]
    assert found["speech"].x == (1.0, 100.0) and found["speech"].y == pytest.approx((0.4, 0.9))
    expected = t_interval([0.3, 0.4, 0.5])
    assert expected is not None
    assert (found["speech"].low[0], found["speech"].high[0]) == pytest.approx((max(0, expected[0]), expected[1]))
    wilson = Score.share("1%", 60, 200).interval
    assert wilson is not None and (found["category"].low[0], found["category"].high[0]) == pytest.approx(wilson)
    assert chart.spread == (
        "Mean over n = 1 to 3 seeds; thin lines: single seeds; bands where n = 1: 95 % intervals over test images."
    )
    # Three seeds are drawn one by one: a band over so few would span everything.
    assert [line[0] for line in found["speech"].seeds] == pytest.approx([0.3, 0.4, 0.5]) and not found["category"].seeds


def test_accuracy_stands_against_what_was_measured_of_robustness(folder: Folder) -> None:
    for label, accuracy, robust in (("category", 0.9, 0.1), ("speech", 0.8, 0.3)):
        folder.measure(folder.run(label), "accuracy", {"nearest": accuracy})
        folder.measure(folder.run(label), "attacks-adaptive", {"adaptive/1": robust})
    folder.measure(folder.run("constant"), "accuracy", {"nearest": 0.2})
    chart = folder.charts["accuracy-against-robustness-cifar10-resnet8"]
    assert (chart.kind, chart.x_title, chart.y_title) == ("points", "accuracy, %", "robustness, %")
    found = series_of(chart, "adaptive 1/255")
    assert {name: (one.x, one.y) for name, one in found.items()} == {
        "category": ((90.0,), (0.1,)),
        "speech": ((80.0,), (0.3,)),
    }
    assert found["speech"].low[0] < 0.3 < found["speech"].high[0] and "over test images" in chart.spread


def test_a_tuning_is_drawn_label_by_label(folder: Folder) -> None:
    tuning = Tuning(
        Grid.of({"learning-rate": (0.1, 1.0), "weight-decay": (0.0, 1e-4)}),
        (100,),
        3,
        (("cifar10", "resnet8"),),
        "0123456789",
        {"category": (0.5, 0.6, 0.8, None), "speech": (0.2, 0.3, 0.4, 0.5)},
    )
    folder.results.save_suite({"name": "mine", "headline": [], "tuning": tuning.facts})
    (chart,) = folder.charts.values()
    assert [panel.title for panel in chart.panels] == ["weight decay 0", "weight decay 0.0001"]
    first = series_of(chart, "weight decay 0")["category"]
    assert (first.x, first.y) == ((0.1, 1.0), (0.5, 0.8)) and chart.log_x and chart.x_title == "learning rate"
    assert series_of(chart, "weight decay 0.0001")["category"].y == (0.6, None)


def test_what_was_not_measured_is_a_gap(folder: Folder) -> None:
    run = folder.run("constant")
    diverged = Score("2%", None, "share", note="the training diverged", at=0.02)
    scores = (Score.share("1%", 20, 200, at=0.01), diverged)
    folder.results.save_measurement(Cell(run, "data-efficiency", 1), Measurement(scores), folder.facts(run))
    (chart,) = folder.charts.values()
    assert series_of(chart, "")["constant"].y == (0.1, None)
    assert series_of(chart, "")["constant"].low[1] is None


def test_settings_are_told_apart_and_explained(folder: Folder) -> None:
    for recipe in (Recipe(), Recipe(name="short", epochs=3)):
        folder.measure(folder.run("speech", recipe=recipe), "data-efficiency", {"1%": 0.3})
    (chart,) = folder.charts.values()
    assert [series.name for series in chart.panels[0].series] == ["speech (a)", "speech (b)"]
    assert "a: recipe paper" in chart.note and "b: recipe short" in chart.note


def test_learning_curves_are_means_over_seeds(folder: Folder) -> None:
    folder.train(folder.run("speech", 0), [0.1, 0.5, 0.9])
    folder.train(folder.run("speech", 1), [0.3, 0.5], status="diverged")
    folder.train(folder.run("category", 0), [0.2, 0.8, 0.9])
    (chart,) = folder.charts.values()
    found = series_of(chart, "")
    assert list(found) == ["category", "speech"]
    assert found["category"].x == (1.0, 2.0, 3.0) and found["category"].low == ()
    # Epochs that some seed did not reach would be means of other networks.
    assert found["speech"].x == (1.0, 2.0) and found["speech"].y == pytest.approx((0.2, 0.5))
    assert found["speech"].low[1] == found["speech"].high[1] == 0.5
    assert found["speech"].seeds == ((0.1, 0.5), (0.3, 0.5))
    assert "speech seed 1 diverged after epoch 2." in chart.note


def test_learning_curves_of_small_shares_are_left_out_where_all_data_was_used(folder: Folder) -> None:
    folder.train(folder.run("speech"), [0.1, 0.9])
    folder.train(folder.run("speech", train_fraction=0.01), [0.1, 0.2])
    (chart,) = folder.charts.values()
    assert [series.y for series in chart.panels[0].series] == [(0.1, 0.9)]


def test_learning_curves_under_other_recipes_have_a_panel_of_their_own(folder: Folder) -> None:
    folder.train(folder.run("speech"), [0.1, 0.9])
    folder.train(folder.run("speech", recipe=Recipe(name="short", epochs=3)), [0.1, 0.2])
    (chart,) = folder.charts.values()
    assert [panel.title.partition(",")[0] for panel in chart.panels] == ["recipe paper", "recipe short"]


def features(folder: Folder, label: str, seed: int = 0, count: int = 900) -> None:
    random = np.random.RandomState(seed)
    arrays = {
        "shares": np.array([0.1, 1.0]),
        "tsne": random.normal(size=(2, count, 2)).astype(np.float32),
        "classes": (np.arange(count) * 10 // count).astype(np.int32),
    }
    folder.measure(folder.run(label, seed), "feature-views", {"knn/10%": 0.25, "knn/100%": 0.75}, **arrays)


def test_features_have_a_row_for_each_label_and_a_panel_for_each_moment(folder: Folder) -> None:
    for label in LABELS:
        features(folder, label)
    features(folder, "speech", seed=1)
    (chart,) = folder.charts.values()
    assert chart.kind == "scatter" and chart.columns == 2
    assert [panel.title.partition(":")[0] for panel in chart.panels[:3]] == [
        "category, 10%",
        "category, 100%",
        "constant, 10%",
    ]
    assert len(chart.panels) == 6 and chart.panels[0].title == "category, 10%: k-NN 25.0%"
    (series,) = chart.panels[0].series
    assert len(series.x) == len(series.y) == len(series.classes) == 400
    assert set(series.classes) == set(range(10)), "thinned evenly over classes"
    assert "Seed 0" in chart.note


def test_equal_folders_give_equal_charts_in_any_order_of_work(tmp_path: Path) -> None:
    both = []
    for name, labels in (("one", LABELS), ("two", LABELS[::-1])):
        folder = Folder(tmp_path / name)
        for label in labels:
            folder.measure(folder.run(label), "data-efficiency", {"1%": 0.3, "2%": 0.4})
            folder.train(folder.run(label), [0.1, 0.2])
            features(folder, label, count=30)
        both.append(charts_in(folder.results))
    assert both[0] == both[1] and len(both[0]) == 3


BUILT_IN = (
    *("category", "category-dense", "category-huber", "category-smoothed", "speech", "shuffled-speech", "constant"),
    *("gaussian-composition", "uniform-random", "low-dim", "bert", "glove", "hadamard", "simplex", "orthogonal-random"),
    *("scaled:speech", "official:speech", "official:shuffled-speech", "official-as-released:bert"),
)


def test_a_label_looks_the_same_in_every_folder(tmp_path: Path) -> None:
    mine = "waves:seed=3"
    seen = []
    for name, labels in (("one", [mine]), ("two", [*BUILT_IN, mine]), ("three", ["another", mine, "speech"])):
        folder = Folder(tmp_path / name)
        for label in labels:
            folder.train(folder.run(label), [0.1, 0.2])
        seen.append(styles_of(charts_in(folder.results)))
    # A dash tells it from another label that the hash gives the same look.
    assert len({(styles[mine].colour, styles[mine].marker) for styles in seen}) == 1
    assert seen[1]["speech"] == seen[2]["speech"]
    assert seen[1]["category"].colour == "#000000" and [name for name in seen[1] if seen[1][name].bold] == ["category"]
    assert len({(style.colour, style.marker) for name, style in seen[1].items() if name != mine}) == len(BUILT_IN)


def test_settings_and_labels_of_one_look_differ_in_their_dashes(folder: Folder) -> None:
    labels = [f"label{index}" for index in range(20)]
    for label in labels:
        folder.measure(folder.run(label), "data-efficiency", {"1%": 0.3})
    folder.measure(folder.run("label3", recipe=Recipe(name="short", epochs=3)), "data-efficiency", {"1%": 0.3})
    styles = styles_of(charts_in(folder.results))
    assert styles["label3 (a)"].colour == styles["label3 (b)"].colour
    assert styles["label3 (a)"].marker == styles["label3 (b)"].marker
    looks = [(style.colour, style.dash, style.marker) for style in styles.values()]
    assert len(set(looks)) == len(looks) == 21


def test_charts_of_some_labels_alone(folder: Folder) -> None:
    for label in LABELS:
        folder.train(folder.run(label), [0.1, 0.2])
    features(folder, "constant")
    left = only_labels(charts_in(folder.results), ["speech", "category"])
    assert [[series.name for panel in chart.panels for series in panel.series] for chart in left] == [
        ["category", "speech"]
    ]


def test_series_refuse_lengths_that_differ() -> None:
    with pytest.raises(ValueError, match="other lengths"):
        Series("speech", (1.0, 2.0), (0.1,))
    with pytest.raises(ValueError, match="other lengths"):
        Series("speech", (1.0,), (0.1,), low=(0.0,))
    with pytest.raises(ValueError, match="not finite"):
        Series("speech", (float("nan"),), (0.1,))


def test_charts_of_a_damaged_folder_name_the_file(folder: Folder) -> None:
    folder.train(folder.run("speech"), [0.1])
    file = folder.results.training_file(folder.run("speech"))
    file.write_text(json.dumps({"kind": "training"})[:-3])
    with pytest.raises(InputError, match="is damaged"):
        charts_in(folder.results)


def test_adversarial_images_are_drawn_from_what_the_evaluator_kept(folder: Folder) -> None:
    images = np.zeros((8, 2, 4, 4, 3), np.uint8)
    images[:, 1] = 2
    images[:, 1, 0, 0] = 4
    classes = np.array([[0, 1]] * 8)
    for label in ("speech", "category"):
        arrays = {"example_images": images, "example_read": classes, "example_epsilon": np.full(8, 1 / 255)}
        folder.measure(folder.run(label), "attacks-adaptive:quick", {"adaptive/1": 0.5}, **arrays)
    folder.measure(folder.run("constant"), "attacks-adaptive:quick", {"adaptive/1": 0.5})
    (strip,) = strip_views(read(folder.results), {"cifar10": ("airplane", "automobile")})
    assert strip.name == "adversarial-images-cifar10-resnet8"
    assert [row.label for row in strip.rows] == ["category", "speech"]
    assert strip.rows[0].read == (("airplane", "automobile"),) * 4 and strip.rows[0].at == (1.0,) * 4
    assert next(strip.rows[0].pairs)[2] == "airplane → automobile at 1"
    figure = strip_figure(strip_of_labels(strip, ["speech"]))
    assert len(figure.axes) == 12
    before, after, change = figure.axes[:3]
    assert (after.get_xlabel(), after.xaxis.label.get_fontweight()) == ("automobile", "bold")
    assert before.xaxis.label.get_fontweight() == "normal"
    shown = np.asarray(change.images[0].get_array())
    assert shown[0, 0].tolist() == [255] * 3 and shown[1, 1].tolist() == [191] * 3, "about grey, the largest as white"
    assert picture(figure, "png") == picture(strip_figure(strip_of_labels(strip, ["speech"])), "png")
