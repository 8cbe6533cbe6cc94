"""What is odd about a data set is counted exactly, and what makes results meaningless is said."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelbench.images.arrays import ImageArrays, SplitArrays
from labelbench.images.look import Look

NAMES = ("cat", "dog", "ship")


def part(images: np.ndarray, classes: list[int]) -> SplitArrays:
    return SplitArrays(images, np.array(classes, dtype=np.int64))


def drawn(count: int, seed: int = 0, size: tuple[int, int] = (5, 7)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *size, 3), dtype=np.uint8)


@given(st.integers(0, 10_000))
def test_counts_are_those_of_comparing_every_two_images(seed: int) -> None:
    random = np.random.default_rng(seed)
    # Few images of few grey levels: equal and constant ones occur.
    train, test = (
        part(random.integers(0, 2, (count, 1, 2, 3), dtype=np.uint8), random.integers(0, 3, count).tolist())
        for count in random.integers(3, 12, 2)
    )
    look = Look.at(NAMES, ImageArrays(train, test))
    everything = [(image.tobytes(), int(label)) for one in (train, test) for image, label in zip(*one, strict=True)]
    training, testing = everything[: len(train.classes)], everything[len(train.classes) :]
    equal = [(a, b) for (x, a), (y, b) in combinations(everything, 2) if x == y]
    assert (look.pairs, look.pairs_relabelled) == (len(equal), sum(a != b for a, b in equal))
    assert look.repeated == len(training) - len({image for image, _ in training})
    shared = [(image, label) for image, label in testing if image in {image for image, _ in training}]
    assert look.shared == len(shared)
    assert look.shared_relabelled == sum((image, label) not in training for image, label in shared)
    assert look.constant == sum(image[:3] == image[3:] for image, _ in everything)
    assert look.train == tuple(np.bincount(train.classes, minlength=3))
    assert Look.of_json(json.loads(json.dumps(asdict(look)))) == look


def test_a_sound_data_set_has_no_note() -> None:
    look = Look.at(NAMES, ImageArrays(part(drawn(30), [0, 1, 2] * 10), part(drawn(6, 1), [0, 1, 2] * 2)))
    assert list(look.notes(NAMES)) == [] and look.meaningless() is None


def test_what_is_odd_is_a_sentence_each() -> None:
    train, test = drawn(40), drawn(4, 1)
    train[1], test[0], test[1], test[2] = train[0], train[5], train[6], 7
    look = Look.at(NAMES, ImageArrays(part(train, [0] * 31 + [1] * 9), part(test, [0, 1, 1, 2])))
    assert list(look.notes(NAMES)) == [
        "2 of 4 test images (50 %) are in the training part too, pixel for pixel, 1 of them under another class",
        "1 training image is the same as another, pixel for pixel",
        "1 of 3 pairs of equal images are under different classes",
        "1 image is of one colour",
        "no training image shows ship",
        "a class has 9 training images, others up to 31",
    ]


def test_classes_of_very_different_size_are_told() -> None:
    look = Look(train=(100, 31), test=(5, 5))
    assert list(look.notes(NAMES[:2])) == ["classes have 31 to 100 training images: accuracy favours the common ones"]
    assert not list(Look(train=(90, 31), test=(5, 5)).notes(NAMES[:2]))


def test_what_makes_results_meaningless_is_said() -> None:
    images = drawn(6)
    seen = Look.at(NAMES, ImageArrays(part(images, [0, 0, 1, 1, 2, 2]), part(images[1:4], [0, 1, 1])))
    assert str(seen.meaningless()).startswith("all 3 test images among the training images, pixel for pixel; expected")
    alone = Look.at(NAMES, ImageArrays(part(images, [1] * 6), part(drawn(3, 1), [0, 1, 2])))
    assert str(alone.meaningless()).startswith("training images of one class alone; expected two classes or more")


@pytest.mark.parametrize("count", [2047, 2048, 2049])
def test_an_equal_image_is_found_wherever_it_lies(count: int) -> None:
    images = drawn(count, size=(2, 2))
    images[-1] = images[0]
    look = Look.at(NAMES, ImageArrays(part(images, [0] * (count - 1) + [1]), part(drawn(2, 1, (2, 2)), [0, 1])))
    assert (look.repeated, look.pairs, look.pairs_relabelled) == (1, 1, 1)


def test_as_much_as_a_sixth_of_cifar_is_looked_at_in_a_blink() -> None:
    arrays = ImageArrays(
        part(drawn(9_000, 0, (32, 32)), [0, 1, 2] * 3_000), part(drawn(1_000, 1, (32, 32)), [0] * 1_000)
    )
    started = time.process_time()
    Look.at(NAMES, arrays)
    assert time.process_time() - started < 2.0
