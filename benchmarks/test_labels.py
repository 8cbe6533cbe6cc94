"""How long labels of 100 classes take to make, against the same formulas written down plainly."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from labelbench.datasets import Dataset
from labelbench.plugins.lookup import find_dataset, label
from labelbench_labels.matrices import composition
from labelbench_labels.recordings import shipped


def plain_speech(dataset: Dataset) -> np.ndarray:
    """Recording to decibels to square, class by class, as the paper's notebook does it."""
    import librosa

    squares = []
    for recording in shipped(dataset.class_names):
        samples = librosa.resample(recording.samples / 32768, orig_sr=recording.rate, target_sr=22_050)
        samples, _ = librosa.effects.trim(samples, top_db=60)
        power = librosa.feature.melspectrogram(
            y=samples, sr=22_050, n_fft=2048, hop_length=256, n_mels=64, fmax=8000, pad_mode="reflect"
        )
        decibels = librosa.power_to_db(power, ref=np.max, top_db=80.0)
        factors = np.array(decibels.shape) / 64
        smooth = ndimage.gaussian_filter(decibels, sigma=np.maximum(0, (factors - 1) / 2), mode="mirror")
        squares.append(ndimage.zoom(smooth, 1 / factors, order=1, mode="mirror", grid_mode=True))
    return np.stack(squares)


def plain_composition(dataset: Dataset) -> np.ndarray:
    """Ten Gaussians on a grid of 256 x 256, image by image."""
    across = (np.arange(256) + 0.5) / 256 - 0.5
    u, v = np.meshgrid(across, -across)
    streams = [[random.Random(k + first) for k in range(10)] for first in (1, 2, 3)]
    images = []
    for _ in dataset.class_names:
        total = np.zeros((256, 256))
        for one, other, turn in zip(*streams, strict=True):
            x = one.random() - 0.5
            other.random()
            one.random()
            y = other.random() - 0.5
            t = math.pi * turn.random()
            px = np.sin(t) * (v - y) + np.cos(t) * (u - x)
            py = np.cos(t) * (v - y) - np.sin(t) * (u - x)
            total += np.exp(-(px**2) / (2 * (0.075 / 0.31) ** 2) - py**2 / (2 * 0.075**2))
        images.append(((total - total.min()) / (total.max() - total.min()) * 80)[2::4, 2::4])
    return np.stack(images)


def plain_noise(dataset: Dataset) -> np.ndarray:
    return np.random.RandomState(48).uniform(0, 80, (dataset.num_classes, 64, 64))


PLAIN = {
    "speech": (plain_speech, 0.05),
    "gaussian-composition": (plain_composition, 1e-3),
    "uniform-random": (plain_noise, 1e-3),
}


@pytest.mark.parametrize("name", PLAIN)
def test_making_a_label(benchmark: Any, name: str, best_of: Callable[..., float]) -> None:
    dataset = find_dataset("cifar100")
    plain, tolerance = PLAIN[name]

    def ours() -> np.ndarray:
        composition.cache_clear()
        return label(name, dataset).targets

    assert np.abs(ours() - plain(dataset)).max() < tolerance
    reference = best_of(partial(plain, dataset), rounds=3)
    benchmark.pedantic(ours, rounds=3, iterations=1)
    ratio = benchmark.stats.stats.min / reference
    benchmark.extra_info["times the plain form"] = round(ratio, 2)
    print(f"\n{name}, 100 classes: {benchmark.stats.stats.min * 1000:,.0f} ms, {ratio:.2f} of the plain form")
