from __future__ import annotations

import numpy as np
import pytest

from labelbench import InputError, find_dataset
from labelbench.images.arrays import channel_statistics


def test_they_are_embedded_and_split_within_each_class():
    images = find_dataset("digits").images()
    train, test = np.bincount(images.train.classes), np.bincount(images.test.classes)
    assert (train + test).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert test.tolist() == ((train + test) // 5).tolist()
    assert images.train.images.shape == (len(images.train), 32, 32, 3)


def test_they_are_enlarged_exactly():
    images = find_dataset("digits").images().train.images
    assert set(np.unique(images)) == {round(value * 255 / 16) for value in range(17)}
    for row in range(4):
        for column in range(4):
            assert np.array_equal(images[:, row::4, column::4], images[:, ::4, ::4])
    assert np.array_equal(images[..., 0], images[..., 1])
    assert np.array_equal(images[..., 0], images[..., 2])


def test_they_have_the_mean_and_std_of_their_training_images():
    dataset = find_dataset("digits")
    assert dataset.mean is not None
    assert dataset.std is not None
    mean, std = channel_statistics(dataset.images().train.images)
    assert dataset.mean == pytest.approx(mean, abs=5e-5)
    assert dataset.std == pytest.approx(std, abs=5e-5)
    assert not dataset.flip
    assert dataset.class_names[7] == "seven"


def test_they_have_the_fingerprint_that_results_are_made_with():
    fingerprint = "4f8567441cd393967219733819c0a1dcb28242175baa371382f0f3f5db802bf6"
    assert find_dataset("digits").images().fingerprint == fingerprint


@pytest.mark.parametrize("size", [8, 16])
def test_smaller_ones_are_the_same_images(size):
    usual, small = find_dataset("digits").images(), find_dataset(f"digits:size={size}").images()
    step = 32 // size
    assert small.test.images.shape[1:] == (size, size, 3)
    # Images of a class are put in an order of their own.
    expected, found = (
        sorted(image.tobytes() for image in images)
        for images in (usual.test.images[:, ::step, ::step], small.test.images)
    )
    assert found == expected
    assert np.array_equal(small.train.classes, usual.train.classes)
    assert small.fingerprint != usual.fingerprint


def test_other_arguments_are_refused():
    with pytest.raises(InputError, match="known: few, size"):
        find_dataset("digits:8")


def test_few_are_some_of_them_in_all_classes_alike():
    usual, few = find_dataset("digits:size=8").images(), find_dataset("digits:size=8,few").images()
    assert np.bincount(few.train.classes).tolist() == [45] * 10 and np.bincount(few.test.classes).tolist() == [15] * 10
    for part in ("train", "test"):
        of_all = {image.tobytes() for image in getattr(usual, part).images}
        assert {image.tobytes() for image in getattr(few, part).images} <= of_all
    assert find_dataset("digits:few").validation_share == pytest.approx(1 / 3)
