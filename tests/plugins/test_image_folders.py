from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from labelbench import InputError, MachineError, find_dataset
from labelbench.images.arrays import channel_statistics
from labelbench.settings import use_settings


@pytest.fixture
def photos(tmp_path, pictures):
    return pictures.folder(tmp_path / "photos", pictures.draw(("maple_tree", "Cat", "dog"), size=(6, 10)))


def test_a_folder_is_described_by_its_folders_and_one_image(photos):
    dataset = find_dataset(f"folder:{photos}")
    assert dataset.class_names == ("Cat", "dog", "maple tree")
    assert dataset.image_size == (6, 10)
    assert dataset.flip
    assert dataset.validation_share == 0.1
    assert find_dataset(f"folder:{photos}") == dataset


def test_flipping_can_be_ruled_out(photos):
    dataset = find_dataset(f"folder:{photos}")
    assert find_dataset(f"folder:{photos},flip=no") == replace(dataset, name=f"folder:{photos},flip=no", flip=False)
    with pytest.raises(InputError, match="flip is 'maybe'; expected yes or no"):
        find_dataset(f"folder:{photos},flip=maybe")
    with pytest.raises(InputError, match="data set folder needs its path"):
        find_dataset("folder:")


def test_mean_and_std_of_a_folder_are_measured_on_its_training_images(photos, settings):
    with use_settings(settings):
        images = find_dataset(f"folder:{photos}").images()
        again = find_dataset(f"folder:{photos}").images()
    mean, std = channel_statistics(images.train.images)
    assert (images.mean, images.std) == (again.mean, again.std) == (mean, std)
    assert images.source == "folder photos"
    assert (len(images.train), len(images.test)) == (9, 6)


def test_equal_sizes_and_times_of_other_files_are_never_taken_for_the_same_images(photos, settings):
    files = sorted(photos.rglob("*.png"))
    for file in files:
        # Uncompressed, so that all have one size.
        with Image.open(file) as image:
            image.save(file, compress_level=0)
        os.utime(file, (1, 1))
    assert len({file.stat().st_size for file in files}) == 1
    with use_settings(settings):
        before = find_dataset(f"folder:{photos}").images()
        (photos / "test/Cat").rename(photos / "test/kept")
        (photos / "test/dog").rename(photos / "test/Cat")
        (photos / "test/kept").rename(photos / "test/dog")
        after = find_dataset(f"folder:{photos}").images()
    assert before.fingerprint != after.fingerprint
    of = [split.images[split.classes == number] for split in (before.test, after.test) for number in (0, 1)]
    assert np.array_equal(of[0], of[3]) and np.array_equal(of[1], of[2])


def test_names_and_order_of_files_change_nothing(tmp_path, pictures, settings):
    drawn = pictures.draw(("cat", "dog"))
    renamed = {re.sub(r"\d", lambda digit: str(9 - int(digit[0])), name): drawn[name] for name in reversed(drawn)}
    with use_settings(settings):
        one = find_dataset(f"folder:{pictures.folder(tmp_path / 'one', drawn)}").images()
        two = find_dataset(f"folder:{pictures.folder(tmp_path / 'two', renamed, '.webp')}").images()
    assert one.fingerprint == two.fingerprint
    assert np.array_equal(one.train.images, two.train.images)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: shutil.rmtree(root), "there is no folder .*photos; expected"),
        (lambda root: shutil.rmtree(root / "train"), "there is no folder .*photos/train; expected"),
        (lambda root: [shutil.rmtree(item) for item in (root / "train").iterdir()], "train holds no class folders"),
        (lambda root: [item.unlink() for item in (root / "train/Cat").iterdir()], "train/Cat holds no image"),
        (lambda root: (root / "train/maple tree").mkdir(), "two folders for the class 'maple tree'"),
        (lambda root: (root / "train/Cat/0.png").write_text("no"), r"train/Cat/0\.png is no PNG, WebP or JPEG"),
    ],
)
def test_a_folder_that_cannot_be_described_is_one_line(photos, spoil, message):
    spoil(photos)
    with pytest.raises(InputError, match=message) as error:
        find_dataset(f"folder:{photos}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda root: shutil.rmtree(root / "test"),
            r"there is no folder .*photos/test \(nor val\); expected .*, or a share of train to",
        ),
        (lambda root: shutil.rmtree(root / "test/dog"), "photos/test holds no image of the class 'dog'"),
        (lambda root: [item.unlink() for item in (root / "train/dog").iterdir()], "photos/train holds no image of the"),
    ],
)
def test_a_folder_that_cannot_be_loaded_is_one_line(photos, spoil, message, settings):
    spoil(photos)
    with use_settings(settings), pytest.raises(InputError, match=message):
        find_dataset(f"folder:{photos}").images()


def test_a_folder_that_cannot_be_read_is_the_machine_refusing(photos):
    shutil.rmtree(photos / "train")
    (photos / "train").symlink_to("train")
    with pytest.raises(MachineError, match=r"cannot read the images of .*photos \(.*train: .*\); allow or repair"):
        find_dataset(f"folder:{photos}")
