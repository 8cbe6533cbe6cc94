from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelbench.datasets import Dataset, Split
from labelbench.errors import InputError, PluginError, UnknownName
from labelbench.images.source import ImageSource
from labelbench.plugins.lookup import find_dataset
from labelbench.settings import use_settings

NAMES = ("cat", "dog")
PIXELS = np.arange(4 * 48, dtype=np.uint8).reshape(4, 4, 4, 3)
CLASSES = np.array([0, 1, 0, 1])


def described(read) -> Dataset:
    return Dataset("toys", NAMES, (4, 4), source=lambda report: ImageSource("a box of toys", 1, lambda report: read))


def test_describing_a_data_set_needs_no_file_and_loads_no_heavy_library():
    code = (
        "import sys; from labelbench import find_dataset; "
        "[find_dataset(name).num_classes for name in ('digits', 'cifar10', 'cifar100')]; "
        "print([name for name in ('torch', 'torchvision', 'sklearn', 'scipy', 'PIL', 'pooch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


def test_equal_names_give_equal_descriptions():
    assert find_dataset("cifar10") == find_dataset("cifar10") != find_dataset("cifar100")
    assert hash(find_dataset("cifar10")) == hash(find_dataset("cifar10"))


def test_an_unknown_name_is_answered_with_near_ones():
    with pytest.raises(UnknownName, match="unknown data set 'cifar11'; did you mean cifar10"):
        find_dataset("cifar11")


def test_a_description_alone_has_no_images():
    with pytest.raises(InputError, match="data set 'toys' is a description without images"):
        Dataset("toys", NAMES, (8, 8)).images()


def test_images_come_from_the_source_and_have_one_fingerprint(settings):
    dataset = described(((PIXELS, CLASSES), (255 - PIXELS[:2], [1, 0])))
    with use_settings(settings):
        images = dataset.images()
        assert dataset.fingerprint == images.fingerprint
    assert (len(images.train), len(images.test), images.source) == (4, 2, "a box of toys")
    assert images.test.classes.tolist() == [0, 1]
    assert np.array_equal(images.test.images, 255 - PIXELS[[1, 0]])


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (
            ((PIXELS, CLASSES),),
            r"gave no training and test part, each \(\(n, 4, 4, 3\) uint8, .*: not enough",
        ),
        (None, "gave no training and test part"),
        (((PIXELS, CLASSES), (PIXELS / 255, CLASSES)), r"gave \(\(4, 4, 4, 3\) float64, .* as its test part; expected"),
        (((PIXELS[:, 0], CLASSES), (PIXELS, CLASSES)), r"gave \(\(4, 4, 3\) uint8, .* as its training part; expected"),
        (((PIXELS, CLASSES[:3]), (PIXELS, CLASSES)), r"gave .* \(3,\) int64\) as its training part; expected"),
        (((PIXELS, CLASSES / 2), (PIXELS, CLASSES)), r"gave .* \(4,\) float64\) as its training part; expected"),
        (((PIXELS, CLASSES), (PIXELS[:0], CLASSES[:0])), "gave no test images; expected one or more"),
        (((PIXELS, CLASSES), (PIXELS, CLASSES + 1)), "gave the classes 1 to 2 in its test part; expected 0 to 1"),
    ],
)
def test_a_source_that_gives_something_else_is_its_plugins_fault(read, message, settings):
    with use_settings(settings), pytest.raises(PluginError, match=f"a box of toys {message}"):
        described(read).images()


# -- even samples ------------------------------------------------------------------------------------------------------

class_counts = st.lists(st.integers(0, 9), min_size=1, max_size=6).filter(any)


def numbered(counts: list[int]) -> Split:
    """Image i of the split is the number i everywhere."""
    classes = np.repeat(np.arange(len(counts)), counts)
    images = np.arange(len(classes), dtype=np.uint8).repeat(12).reshape(-1, 2, 2, 3)
    return Split(images, classes)


@given(counts=class_counts, count=st.integers(1, 60))
def test_as_many_images_come_as_asked_for_or_as_there_are(counts, count):
    assert len(numbered(counts).evenly(count)) == min(count, sum(counts))


@given(counts=class_counts, count=st.integers(1, 60))
def test_no_class_has_two_images_fewer_than_another_unless_it_has_no_more(counts, count):
    taken = np.bincount(numbered(counts).evenly(count).classes, minlength=len(counts))
    for one, all_of_one in zip(taken, counts, strict=True):
        assert one == all_of_one or one >= max(taken) - 1
    full = [number for number, all_of_one in zip(taken, counts, strict=True) if number < all_of_one]
    assert full == sorted(full, reverse=True), "classes with a lower index get the extra image"


@given(counts=class_counts, count=st.integers(1, 60))
def test_the_first_images_of_each_class_come_in_stored_order(counts, count):
    split = numbered(counts)
    sample = split.evenly(count)
    for label in range(len(counts)):
        taken = sample.images[sample.classes == label]
        assert np.array_equal(taken, split.images[split.classes == label][: len(taken)])
    assert np.array_equal(sample.images, np.sort(sample.images, axis=0))


@given(counts=class_counts, small=st.integers(1, 30), more=st.integers(0, 30))
def test_a_smaller_sample_is_part_of_a_larger_one(counts, small, more):
    split = numbered(counts)
    numbers = [set(split.evenly(count).images[:, 0, 0, 0].tolist()) for count in (small, small + more)]
    assert numbers[0] <= numbers[1]


def test_all_images_are_the_split_itself_and_none_are_refused():
    split = numbered([2, 3])
    assert split.evenly(None) is split
    assert split.evenly(5) is split
    with pytest.raises(InputError, match="0 images asked for; expected 1 or more"):
        split.evenly(0)
    assert not split.evenly(2).images.flags.writeable
