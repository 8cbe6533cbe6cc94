from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelbench.images.arrays import ImageArrays, SplitArrays, channel_statistics, fingerprint, pixel_order

NAMES = ("cat", "maple tree", "ship")


def split(seed: int, count: int = 6, classes: int = 3) -> SplitArrays:
    random = np.random.default_rng(seed)
    # Three grey levels in 2x1 pixels: equal images occur.
    images = random.integers(0, 3, (count, 2, 1, 3), dtype=np.uint8)
    return SplitArrays(images, random.integers(0, classes, count))


def in_order(part: SplitArrays) -> SplitArrays:
    order = pixel_order(*part)
    return SplitArrays(part.images[order], part.classes[order])


def fingerprint_of(names: tuple[str, ...], train: SplitArrays, test: SplitArrays) -> str:
    return fingerprint(names, ImageArrays(in_order(train), in_order(test)))


@given(seed=st.integers(0, 1000), count=st.integers(1, 30), order=st.randoms(use_true_random=False))
def test_images_in_any_order_have_one_fingerprint(seed, count, order):
    train, test = split(seed, count), split(seed + 1)
    shuffled = list(range(count))
    order.shuffle(shuffled)
    other = SplitArrays(train.images[shuffled], train.classes[shuffled])
    assert fingerprint_of(NAMES, train, test) == fingerprint_of(NAMES, other, test)


@given(seed=st.integers(0, 1000), pixel=st.integers(0, 35))
def test_one_changed_grey_level_changes_the_fingerprint(seed, pixel):
    train, test = split(seed), split(seed + 1)
    images = train.images.copy()
    images.reshape(-1)[pixel] += 1
    assert fingerprint_of(NAMES, train, test) != fingerprint_of(NAMES, SplitArrays(images, train.classes), test)


def test_the_fingerprint_depends_on_names_classes_shape_and_part():
    train, test = split(0), split(1)
    plain = fingerprint_of(NAMES, train, test)
    wide = SplitArrays(train.images.reshape(6, 1, 2, 3), train.classes)
    relabelled = SplitArrays(train.images, (train.classes + 1) % 3)
    assert plain != fingerprint_of(("dog", *NAMES[1:]), train, test)
    assert plain != fingerprint_of(("cat, maple tree", "ship"), train, test)
    assert plain != fingerprint_of(NAMES, wide, test)
    assert plain != fingerprint_of(NAMES, relabelled, test)
    assert plain != fingerprint_of(NAMES, test, train)


def test_images_are_ordered_by_class_then_by_the_hash_of_their_pixels():
    images = np.array([3, 2, 1, 0], dtype=np.uint8).repeat(3).reshape(4, 1, 1, 3)
    # SHA-256 of the bytes 030303, 020202, 010101 and 000000 begins with 99, 97, 75 and 70.
    assert pixel_order(images, np.array([1, 0, 0, 1])).tolist() == [2, 1, 3, 0]


@given(seed=st.integers(0, 1000), count=st.integers(1, 40))
def test_mean_and_std_are_those_of_all_pixels(seed, count):
    images = np.random.default_rng(seed).integers(0, 256, (count, 3, 2, 3), dtype=np.uint8)
    mean, std = channel_statistics(images)
    pixels = images.reshape(-1, 3) / 255
    assert mean == pytest.approx(pixels.mean(axis=0), abs=1e-12)
    assert std == pytest.approx(pixels.std(axis=0), abs=1e-12)


def test_a_constant_channel_has_the_std_of_one_grey_level():
    images = np.full((2, 2, 2, 3), 9, dtype=np.uint8)
    assert channel_statistics(images) == ((9 / 255,) * 3, (1 / 255,) * 3)
