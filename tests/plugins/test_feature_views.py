from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from labelbench import Trained
from labelbench.optimizers import SGD
from labelbench.recipes import Recipe
from labelbench.results.store import Results
from labelbench.running.planning import plan
from labelbench.running.progress import Reporter
from labelbench.running.runner import Runner
from labelbench.runs import Numerics
from labelbench.suite import Suite
from labelbench.training.result import Epoch
from labelbench_evaluators.feature_separation import neighbours_agree, separation, silhouettes, tsne
from labelbench_evaluators.feature_views import MOMENTS, FeatureViews, feature_views

NAMES = ["10%", "30%", "50%", "70%", "100%"]


def clusters(distance: float, count: int = 90, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian clouds around the corners of a simplex."""
    random = np.random.RandomState(seed)
    of = np.arange(count) % classes
    return (random.normal(size=(count, 16)) + distance * np.eye(16)[of % 16]).astype(np.float32), of


def test_neighbours_vote_without_the_image_itself() -> None:
    features = np.array([[0.0], [1.0], [2.1], [10.0], [11.0], [12.1], [0.4]])
    classes = np.array([0, 0, 0, 1, 1, 1, 1])
    assert neighbours_agree(features, classes, 1).tolist() == [False, False, True, True, True, True, False]
    # Three votes: the last, alone among the other class, is still wrong; the first two are right now.
    assert neighbours_agree(features, classes, 3).tolist() == [True, True, True, True, True, True, False]


def test_a_tie_goes_to_the_nearest_of_those_with_most_votes() -> None:
    features = np.array([[0.0], [1.0], [-1.5], [50.0], [51.0]])
    assert neighbours_agree(features, np.array([1, 1, 0, 0, 0]), 2)[0]
    assert not neighbours_agree(features, np.array([0, 1, 0, 2, 2]), 2)[0]


def test_separation_is_one_less_within_over_total_scatter() -> None:
    features, classes = clusters(2.0)
    share, (low, high) = separation(features, classes)
    within = sum(((features[classes == c] - features[classes == c].mean(axis=0)) ** 2).sum() for c in range(3))
    total = ((features - features.mean(axis=0)) ** 2).sum()
    assert share == pytest.approx(1 - within / total, rel=1e-5) and low < share < high
    assert separation(np.eye(3)[classes], classes)[0] == pytest.approx(1)


def test_the_interval_of_the_separation_is_the_jackknifes() -> None:
    features, classes = clusters(1.0, count=20)
    left = [separation(np.delete(features, i, 0), np.delete(classes, i))[0] for i in range(20)]
    error = np.sqrt(19 / 20 * np.sum((np.array(left) - np.mean(left)) ** 2))
    share, (low, high) = separation(features, classes)
    assert (high - share) / 1.959964 == pytest.approx(error, rel=1e-6)
    assert (share - low) / 1.959964 == pytest.approx(error, rel=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 10), st.floats(0.01, 100))
def test_numbers_do_not_depend_on_place_scale_or_order(seed: int, distance: float, scale: float) -> None:
    features, classes = clusters(distance, count=45, seed=seed)
    order = np.random.RandomState(seed).permutation(45)
    moved = features.astype(np.float64)[order] * scale + 3
    assert separation(moved, classes[order])[0] == pytest.approx(separation(features, classes)[0], abs=1e-6)
    assert silhouettes(moved, classes[order]).mean() == pytest.approx(silhouettes(features, classes).mean(), abs=1e-6)
    assert neighbours_agree(moved, classes[order], 5).sum() == neighbours_agree(features, classes, 5).sum()


def test_every_number_rises_as_classes_draw_apart() -> None:
    views = [FeatureViews().view(*clusters(distance)) for distance in (0.0, 3.0, 30.0)]
    for name in ("agree", "silhouettes"):
        means = [view[name].mean() for view in views]
        assert means == sorted(means) and means[0] < means[-1] and means[-1] > 0.8
    assert views[0]["separation"][0] < 0.2 < views[1]["separation"][0] < views[2]["separation"][0]


@pytest.mark.parametrize("count", [4, 5, 12])
def test_few_images_have_a_picture(count: int) -> None:
    places = tsne(clusters(3.0, count=count)[0], perplexity=30, seed=0)
    assert places.shape == (count, 2) and places.dtype == np.float32 and np.isfinite(places).all()


@pytest.mark.parametrize(
    "features",
    [np.ones((20, 3)), np.full((20, 3), np.nan), np.arange(6.0).reshape(3, 2)],
    ids=["equal", "not finite", "three"],
)
def test_features_that_say_nothing_have_no_numbers(features: np.ndarray) -> None:
    views = FeatureViews()
    classes = np.arange(len(features)) % 2
    part = views.view(features, classes)
    scores = views._scores(0.10, part, len(classes))
    assert [score.value for score in scores] == [None] * 3 and all(score.note for score in scores)
    assert part["tsne"].shape == (len(features), 2)


@pytest.mark.parametrize("classes", [np.zeros(30, dtype=int), np.arange(30)], ids=["one class", "one image of each"])
def test_classes_without_silhouette_are_said(classes: np.ndarray) -> None:
    views = FeatureViews()
    scores = {score.name: score for score in views._scores(0.10, views.view(clusters(1.0, 30)[0], classes), 30)}
    assert scores["silhouette/10%"].value is None and scores["silhouette/10%"].note
    assert scores["knn/10%"].value is not None and scores["separation/10%"].value is not None


def test_a_hundred_classes_some_without_images() -> None:
    features, classes = clusters(5.0, count=240, classes=16)
    classes = classes * 6 + 3  # 16 of 100 classes have images
    classes[0] = 99  # and one has a single one
    view = FeatureViews().view(features, classes)
    assert view["agree"][1:].mean() > 0.5 and not view["agree"][0]
    assert view["silhouettes"][0] == 0 and np.isfinite(view["silhouettes"]).all()


SCRIPT = """
import numpy as np
from labelbench_evaluators.feature_views import FeatureViews
random = np.random.RandomState(0)
classes = np.arange(150) % 5
view = FeatureViews().view((random.normal(size=(150, 20)) + 2 * np.eye(20)[classes]).astype(np.float32), classes)
import hashlib
print({name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in sorted(view.items())})
"""


def test_two_processes_give_the_same_bits() -> None:
    def once() -> str:
        done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert once() == once()


def snapshots_of(bench: Any, epochs: dict[float, int]) -> list[float]:
    """Let the bench give its network at every moment; returns a list that fills with what is asked for."""
    asked: list[float] = []

    def snapshot(run: Any, share: float) -> Trained:
        asked.append(share)
        history = tuple(Epoch(i + 1, 0.1, 1, 1, 0.5, 1) for i in range(epochs[share]))
        return Trained(run, bench.network, history, 1, False)

    bench.snapshot = snapshot
    return asked


def test_moments_at_one_epoch_are_computed_once(digit_bench: Callable[..., Any]) -> None:
    bench = digit_bench("category", images=60)
    snapshots_of(bench, dict(zip(MOMENTS, (1, 1, 1, 2, 2), strict=True)))
    found = bench.measured_by(feature_views())
    assert set(bench.parts) == {"epoch-1", "epoch-2"}
    assert found.details["epochs"] == dict(zip(NAMES, (1, 1, 1, 2, 2), strict=True))
    assert [score.name for score in found.scores] == [
        f"{kind}/{name}" for kind in ("knn", "silhouette", "separation") for name in NAMES
    ]
    assert found["knn/10%"].value == found["knn/50%"].value and found["knn/10%"].value >= 0.7
    assert found.arrays["tsne"].shape == (5, 60, 2) and found.arrays["tsne"].dtype == np.float32
    assert np.array_equal(found.arrays["tsne"][0], found.arrays["tsne"][2])
    assert found.arrays["classes"].tolist() == bench.test.classes.tolist()
    for score in found.scores:
        assert score.interval and score.interval[0] <= score.value <= score.interval[1] and score.higher_is_better


def test_without_pictures_the_numbers_are_the_same(digit_bench: Callable[..., Any]) -> None:
    bench = digit_bench("category", images=60)
    snapshots_of(bench, dict.fromkeys(MOMENTS, 1))
    whole = bench.measured_by(feature_views())
    bench.parts.clear()
    alone = bench.measured_by(feature_views(tsne=False))
    assert alone.scores == whole.scores
    assert set(whole.arrays) - set(alone.arrays) == {"tsne"} and not feature_views(tsne=False).pictures


def test_finished_moments_are_not_computed_again(digit_bench: Callable[..., Any]) -> None:
    bench = digit_bench("category", images=60)
    snapshots_of(bench, dict(zip(MOMENTS, range(1, 6), strict=True)))
    whole = bench.measured_by(feature_views())
    del bench.parts["epoch-4"]
    bench.network = None  # only the part that is missing looks at it
    snapshots_of(bench, dict(zip(MOMENTS, range(1, 6), strict=True)))
    with pytest.raises(AttributeError):
        bench.measured_by(feature_views())
    assert len(bench.parts) == 4
    bench.network = digit_bench("category").network
    again = bench.measured_by(feature_views())
    assert again.scores == whole.scores and np.array_equal(again.arrays["tsne"], whole.arrays["tsne"])


def test_no_more_images_than_the_setting_says(digit_bench: Callable[..., Any]) -> None:
    bench = digit_bench("category", images=100)
    snapshots_of(bench, dict.fromkeys(MOMENTS, 1))
    found = bench.measured_by(replace(feature_views(), images=40))
    assert found.details["images"] == len(found.arrays["classes"]) == found["knn/10%"].count == 40


def test_a_training_of_one_epoch_has_all_moments(tmp_path: Path) -> None:
    recipe = Recipe(name="test", epochs=1, batch_size=64, optimizer=SGD(0.05), milestones=(1,), crop_padding=2)
    suite = Suite(
        "test", ("digits:size=8",), ("category",), ("resnet8",), ("feature-views", "learning-curve"), recipe=recipe,
        test_images=40, train_fraction=0.2,
    )  # fmt: skip
    planned = plan(suite, Numerics(threads=1), Results(tmp_path))
    (training,) = planned.trainings
    assert planned.snapshots[training] == MOMENTS
    outcome = Runner(planned, Results(tmp_path), Reporter(Console(file=io.StringIO()))).run()
    assert outcome.failures == [] and (outcome.trained, outcome.measured) == (1, 2)
    views, curve = (Results(tmp_path).load_measurement(cell) for cell in planned.cells)
    assert set(views.details["epochs"].values()) == {1}
    assert curve.arrays["epoch"].tolist() == [1]
    again = plan(suite, Numerics(threads=1), Results(tmp_path))
    assert again.todo_trainings == again.todo_cells == ()
