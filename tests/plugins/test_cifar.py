from __future__ import annotations

import zipfile
from dataclasses import replace

import numpy as np
import pytest

from labelbench import InputError, Unavailable, find_dataset
from labelbench.images.arrays import channel_statistics
from labelbench.settings import use_settings

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


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


def test_sources_are_looked_for_in_a_fixed_order(settings, pictures):
    def found() -> str:
        """What is read, or the line that refuses it."""
        source = find_dataset("cifar10").source
        assert source is not None
        with use_settings(settings):
            try:
                return source(lambda doing, share: None).description
            except InputError as error:
                return str(error)

    data, downloads = settings.data_dir, settings.cache_dir / "downloads"
    downloads.mkdir(parents=True)
    (downloads / "cifar-10-python.tar.gz").touch()
    assert found().startswith(f"{downloads}/cifar-10-python.tar.gz is not as published")
    data.mkdir()
    (data / "cifar-10-python.tar.gz").touch()
    assert found().startswith(f"{data}/cifar-10-python.tar.gz is not as published")
    (data / "cifar-10-batches-py").mkdir()
    assert found() == "folder cifar-10-batches-py"
    pictures.folder(data / "cifar10", pictures.draw(CIFAR10, 1, 1, (32, 32)))
    assert found() == "folder cifar10"
    (data / "cifar10.zip").touch()
    assert found() == "cifar10.zip"


def test_zip_folder_and_leading_folder_have_one_fingerprint(tmp_path, settings, pictures):
    drawn = pictures.draw(find_dataset("cifar100").class_names, train=1, test=1, size=(32, 32))
    underscored = {name.replace(" ", "_"): pixels for name, pixels in drawn.items()}
    pictures.zip(tmp_path / "a" / "cifar100.zip", drawn)
    pictures.zip(tmp_path / "b" / "cifar100.zip", underscored, ".webp", prefix="cifar100/")
    pictures.folder(tmp_path / "c" / "cifar100", underscored, ".webp")
    fingerprints = set()
    for name in "abc":
        with use_settings(replace(settings, data_dir=tmp_path / name)):
            fingerprints.add(find_dataset("cifar100").images().fingerprint)
    assert len(fingerprints) == 1


@pytest.mark.parametrize(("name", "archive"), [("cifar10", "cifar-10-python"), ("cifar100", "cifar-100-python")])
def test_offline_one_line_says_which_files_to_put_where(settings, name, archive):
    with use_settings(settings), pytest.raises(Unavailable) as error:
        find_dataset(name).images()
    message = str(error.value)
    assert message.startswith(
        f"{name} is not in {settings.data_dir}, and offline nothing is downloaded; put {name}.zip"
    )
    for part in (f"folder {name} ", f"{archive}.tar.gz", str(settings.data_dir), "--data-dir"):
        assert part in message
    assert "\n" not in message
    assert not settings.cache_dir.exists()


def test_an_empty_folder_of_a_data_set_is_named_and_not_passed_over(settings):
    (settings.data_dir / "cifar10").mkdir(parents=True)
    with use_settings(settings), pytest.raises(InputError, match=r"there is no folder .*cifar10/train; expected"):
        find_dataset("cifar10").images()


@pytest.mark.parametrize(
    ("name", "train", "test"), [("cifar10", 100, 20), ("cifar100", 20, 5)], ids=["cifar10", "cifar100"]
)
def test_real_images_load_from_a_zip(shared, settings, name, train, test):
    settings.data_dir.mkdir()
    (settings.data_dir / f"{name}.zip").symlink_to(shared / "data" / f"{name}-mini.zip")
    dataset = find_dataset(name)
    with use_settings(settings):
        images = dataset.images()
    assert np.bincount(images.train.classes).tolist() == [train] * dataset.num_classes
    assert np.bincount(images.test.classes).tolist() == [test] * dataset.num_classes
    assert images.train.images.shape == (train * dataset.num_classes, 32, 32, 3)
    assert (images.mean, images.std) == (dataset.mean, dataset.std)
    assert images.source == f"{name}.zip"


def test_real_images_have_the_published_mean_and_std(shared, settings):
    settings.data_dir.mkdir()
    (settings.data_dir / "cifar10.zip").symlink_to(shared / "data" / "cifar10-mini.zip")
    with use_settings(settings):
        mean, std = channel_statistics(find_dataset("cifar10").images().train.images)
    assert mean == pytest.approx((0.4924, 0.4855, 0.4558), abs=5e-5)
    assert std == pytest.approx((0.2354, 0.2353, 0.2545), abs=5e-5)


def test_a_zip_and_the_same_files_unpacked_have_one_fingerprint(shared, settings):
    settings.data_dir.mkdir()
    with zipfile.ZipFile(shared / "data" / "cifar10-mini.zip") as archive:
        archive.extractall(settings.data_dir / "cifar10")
    with use_settings(settings):
        folder = find_dataset("cifar10").images()
        (settings.data_dir / "cifar10.zip").symlink_to(shared / "data" / "cifar10-mini.zip")
        archived = find_dataset("cifar10").images()
    assert (folder.source, archived.source) == ("folder cifar10", "cifar10.zip")
    assert folder.fingerprint == archived.fingerprint
