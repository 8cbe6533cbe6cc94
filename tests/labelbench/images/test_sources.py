from __future__ import annotations

from dataclasses import replace

import pytest

from labelbench.datasets import find_dataset
from labelbench.errors import InputError
from labelbench.images.sources import find_source
from labelbench.settings import Settings, use_settings


def found(settings: Settings, name: str = "cifar10") -> str:
    return find_source(name, settings, lambda doing, share: None).description


def test_sources_are_looked_for_in_a_fixed_order(settings, pictures):
    data = settings.data_dir
    (settings.cache_dir / "downloads").mkdir(parents=True)
    (settings.cache_dir / "downloads" / "cifar-10-python.tar.gz").touch()
    assert found(settings) == "cifar-10-python.tar.gz"
    data.mkdir()
    (data / "cifar-10-python.tar.gz").touch()
    assert find_source("cifar10", settings, lambda doing, share: None).path.parent == data  # type: ignore[attr-defined]
    (data / "cifar-10-batches-py").mkdir()
    assert found(settings) == "folder cifar-10-batches-py"
    (data / "cifar10").mkdir()
    assert found(settings) == "folder cifar10"
    (data / "cifar10.zip").touch()
    assert found(settings) == "cifar10.zip"


def test_zip_folder_and_leading_folder_have_one_fingerprint(tmp_path, settings, pictures):
    drawn = pictures.draw(find_dataset("cifar100").class_names, train=1, test=1, size=(32, 32))
    underscored = {name.replace(" ", "_"): pixels for name, pixels in drawn.items()}
    pictures.zip(tmp_path / "a" / "cifar100.zip", drawn)
    pictures.zip(tmp_path / "b" / "cifar100.zip", underscored, ".webp", prefix="cifar100/")
    pictures.folder(tmp_path / "c" / "cifar100", underscored, ".webp")
    fingerprints = set()
    for name in "abc":
        with use_settings(replace(settings, data_dir=tmp_path / name)):
            fingerprints.add(find_dataset("cifar100").load().fingerprint)
    assert len(fingerprints) == 1


@pytest.mark.parametrize(("name", "archive"), [("cifar10", "cifar-10-python"), ("cifar100", "cifar-100-python")])
def test_offline_one_line_says_which_files_to_put_where(settings, name, archive):
    with use_settings(settings), pytest.raises(InputError) as error:
        find_dataset(name).load()
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
        find_dataset("cifar10").load()
