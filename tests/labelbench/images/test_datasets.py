from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelbench.datasets import DATASET_NAMES, Dataset, Split, find_dataset
from labelbench.errors import InputError, MachineError, UnknownName
from labelbench.images.arrays import channel_statistics
from labelbench.settings import use_settings

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def test_describing_a_data_set_needs_no_file_and_loads_no_heavy_library():
    code = (
        "import sys; from labelbench.datasets import find_dataset; "
        "[find_dataset(name).num_classes for name in ('digits', 'cifar10', 'cifar100')]; "
        "print([name for name in ('torch', 'torchvision', 'sklearn', 'scipy', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


def test_cifar_is_described_as_in_the_paper():
    for name, classes in (("cifar10", 10), ("cifar100", 100)):
        dataset = find_dataset(name)
        assert (dataset.name, dataset.num_classes, dataset.image_size) == (name, classes, (32, 32))
        assert (dataset.mean, dataset.std) == ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
        assert dataset.flip
        assert dataset.validation_share == 0.1
    assert find_dataset("cifar10").class_names == CIFAR10


def test_the_class_names_of_cifar100_are_alphabetical_and_in_words():
    names = find_dataset("cifar100").class_names
    assert list(names) == sorted(set(names))
    assert {"aquarium fish", "maple tree", "sweet pepper", "train", "lawn mower"} < set(names)
    assert not any("_" in name for name in names)


def test_equal_names_give_equal_descriptions():
    assert find_dataset("cifar10") == find_dataset("cifar10") != find_dataset("cifar100")
    assert hash(find_dataset("cifar10")) == hash(find_dataset("cifar10"))


def test_an_unknown_name_is_answered_with_near_ones():
    with pytest.raises(UnknownName, match="unknown data set 'cifar11'; did you mean cifar10"):
        find_dataset("cifar11")
    assert set(DATASET_NAMES) == {"digits", "cifar10", "cifar100", "folder:PATH"}


def test_images_of_a_data_set_nobody_knows_are_refused():
    with pytest.raises(UnknownName, match="unknown data set 'toys'"):
        Dataset("toys", ("a", "b"), (8, 8)).load()


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


# -- digits ------------------------------------------------------------------------------------------------------------


def test_digits_are_embedded_and_split_within_each_class():
    images = find_dataset("digits").load()
    train, test = np.bincount(images.train.classes), np.bincount(images.test.classes)
    assert (train + test).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert test.tolist() == ((train + test) // 5).tolist()
    assert images.train.images.shape == (len(images.train), 32, 32, 3)


def test_digits_are_enlarged_exactly():
    images = find_dataset("digits").load().train.images
    assert set(np.unique(images)) == {round(value * 255 / 16) for value in range(17)}
    for row in range(4):
        for column in range(4):
            assert np.array_equal(images[:, row::4, column::4], images[:, ::4, ::4])
    assert np.array_equal(images[..., 0], images[..., 1])
    assert np.array_equal(images[..., 0], images[..., 2])


def test_digits_have_the_mean_and_std_of_their_training_images():
    dataset = find_dataset("digits")
    assert dataset.mean is not None
    assert dataset.std is not None
    mean, std = channel_statistics(dataset.load().train.images)
    assert dataset.mean == pytest.approx(mean, abs=5e-5)
    assert dataset.std == pytest.approx(std, abs=5e-5)
    assert not dataset.flip
    assert dataset.class_names[7] == "seven"


def test_digits_have_the_fingerprint_that_results_are_made_with():
    fingerprint = "4f8567441cd393967219733819c0a1dcb28242175baa371382f0f3f5db802bf6"
    assert find_dataset("digits").load().fingerprint == fingerprint


# -- folders -----------------------------------------------------------------------------------------------------------


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
    with pytest.raises(InputError, match="expected folder:PATH"):
        find_dataset(f"folder:{photos},flip=maybe")
    with pytest.raises(InputError, match="expected folder:PATH"):
        find_dataset("folder:")


def test_mean_and_std_of_a_folder_are_measured_on_its_training_images(photos, settings):
    with use_settings(settings):
        images = find_dataset(f"folder:{photos}").load()
        again = find_dataset(f"folder:{photos}").load()
    mean, std = channel_statistics(images.train.images)
    assert (images.mean, images.std) == (again.mean, again.std) == (mean, std)
    assert images.source == "folder photos"
    assert (len(images.train), len(images.test)) == (9, 6)


def test_names_and_order_of_files_change_nothing(tmp_path, pictures, settings):
    drawn = pictures.draw(("cat", "dog"))
    renamed = {re.sub(r"\d", lambda digit: str(9 - int(digit[0])), name): drawn[name] for name in reversed(drawn)}
    with use_settings(settings):
        one = find_dataset(f"folder:{pictures.folder(tmp_path / 'one', drawn)}").load()
        two = find_dataset(f"folder:{pictures.folder(tmp_path / 'two', renamed, '.webp')}").load()
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
        (lambda root: shutil.rmtree(root / "test"), "there is no folder .*photos/test; expected"),
        (lambda root: shutil.rmtree(root / "test/dog"), "photos/test holds no image of the class 'dog'"),
        (lambda root: [item.unlink() for item in (root / "train/dog").iterdir()], "photos/train holds no image of the"),
    ],
)
def test_a_folder_that_cannot_be_loaded_is_one_line(photos, spoil, message, settings):
    spoil(photos)
    with use_settings(settings), pytest.raises(InputError, match=message):
        find_dataset(f"folder:{photos}").load()


def test_a_folder_that_cannot_be_read_is_the_machine_refusing(photos):
    shutil.rmtree(photos / "train")
    (photos / "train").symlink_to("train")
    with pytest.raises(MachineError, match=r"cannot read the images of folder:.*train: .*\); allow or repair"):
        find_dataset(f"folder:{photos}")


# -- CIFAR -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "train", "test"), [("cifar10", 100, 20), ("cifar100", 20, 5)], ids=["cifar10", "cifar100"]
)
def test_real_images_load_from_a_zip(shared, settings, name, train, test):
    settings.data_dir.mkdir()
    (settings.data_dir / f"{name}.zip").symlink_to(shared / "data" / f"{name}-mini.zip")
    dataset = find_dataset(name)
    with use_settings(settings):
        images = dataset.load()
    assert np.bincount(images.train.classes).tolist() == [train] * dataset.num_classes
    assert np.bincount(images.test.classes).tolist() == [test] * dataset.num_classes
    assert images.train.images.shape == (train * dataset.num_classes, 32, 32, 3)
    assert (images.mean, images.std) == (dataset.mean, dataset.std)
    assert images.source == f"{name}.zip"


def test_real_images_have_the_published_mean_and_std(shared, settings):
    settings.data_dir.mkdir()
    (settings.data_dir / "cifar10.zip").symlink_to(shared / "data" / "cifar10-mini.zip")
    with use_settings(settings):
        mean, std = channel_statistics(find_dataset("cifar10").load().train.images)
    assert mean == pytest.approx((0.4924, 0.4855, 0.4558), abs=5e-5)
    assert std == pytest.approx((0.2354, 0.2353, 0.2545), abs=5e-5)


def test_a_zip_and_the_same_files_unpacked_have_one_fingerprint(shared, settings):
    settings.data_dir.mkdir()
    with zipfile.ZipFile(shared / "data" / "cifar10-mini.zip") as archive:
        archive.extractall(settings.data_dir / "cifar10")
    with use_settings(settings):
        folder = find_dataset("cifar10").load()
        (settings.data_dir / "cifar10.zip").symlink_to(shared / "data" / "cifar10-mini.zip")
        archived = find_dataset("cifar10").load()
    assert (folder.source, archived.source) == ("folder cifar10", "cifar10.zip")
    assert folder.fingerprint == archived.fingerprint
