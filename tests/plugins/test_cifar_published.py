from __future__ import annotations

import hashlib
import pickle
import socket
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labelbench.errors import InputError, Unavailable
from labelbench.plugins.lookup import find_dataset
from labelbench.settings import Settings, use_settings

ARCHIVE = "cifar-10-python.tar.gz"


class OldType:
    """Is pickled so that numpy 2.4 warns when it is read, as its first releases do for the published files."""

    def __reduce__(self):
        return (np.dtype, ("u1", 0, True))


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def drawn(pictures) -> dict[str, np.ndarray]:
    drawn: dict[str, np.ndarray] = pictures.draw(find_dataset("cifar10").class_names, 2, 1, (32, 32))
    return drawn


@pytest.fixture
def published(tmp_path, monkeypatch, drawn) -> Path:
    """Small files of the published format, which torchvision takes for the published ones by their MD5 sums."""
    from torchvision.datasets import CIFAR10

    folder = tmp_path / "published" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    names = find_dataset("cifar10").class_names
    files = {"data_batch_1": ("train", 0), "data_batch_2": ("train", 1), "test_batch": ("test", 0)}
    for file, (part, number) in files.items():
        images = [drawn[f"{part}/{name}/{number}"].transpose(2, 0, 1).reshape(-1) for name in reversed(names)]
        batch = {"data": np.array(images), "labels": list(reversed(range(10))), "type": OldType()}
        (folder / file).write_bytes(pickle.dumps(batch))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list(names)}))
    sums = {file.name: md5(file) for file in folder.iterdir()}
    with tarfile.open(tmp_path / "published" / ARCHIVE, "w:gz") as archive:
        archive.add(folder, "cifar-10-batches-py")
    monkeypatch.setattr(CIFAR10, "train_list", [[name, sums[name]] for name in ("data_batch_1", "data_batch_2")])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": sums["batches.meta"]})
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(tmp_path / "published" / ARCHIVE))
    return tmp_path / "published"


@pytest.fixture
def served(published, serve, monkeypatch) -> Path:
    """The published files behind the address that torchvision knows."""
    from torchvision.datasets import CIFAR10

    monkeypatch.setattr(CIFAR10, "url", f"{serve(published).url}{ARCHIVE}")
    return published


def fingerprint(settings: Settings) -> str:
    with use_settings(settings):
        return find_dataset("cifar10").images().fingerprint


def test_published_files_and_a_zip_of_the_same_images_have_one_fingerprint(published, settings, pictures, drawn):
    pictures.zip(settings.data_dir / "cifar10.zip", drawn)
    assert fingerprint(replace(settings, data_dir=published)) == fingerprint(settings)


def test_the_published_archive_is_read_as_its_files_are(published, settings, tmp_path):
    unpacked = fingerprint(replace(settings, data_dir=published))
    (tmp_path / "archive").mkdir()
    (published / ARCHIVE).rename(tmp_path / "archive" / ARCHIVE)
    assert fingerprint(replace(settings, data_dir=tmp_path / "archive", cache_dir=tmp_path / "other")) == unpacked
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["datasets"]


def test_files_with_another_md5_sum_are_never_unpickled(settings, tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    folder = settings.data_dir / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta"):
        (folder / name).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InputError, match="cifar-10-batches-py is not as published"):
        fingerprint(settings)
    assert not (tmp_path / "sprung").exists()


def test_an_archive_with_another_md5_sum_is_not_unpacked(settings):
    settings.data_dir.mkdir()
    (settings.data_dir / ARCHIVE).write_bytes(b"other")
    with pytest.raises(InputError, match=rf"{ARCHIVE} is not as published \(expected the MD5 sum c58f30108f718f92721"):
        fingerprint(settings)


def test_what_is_not_there_is_downloaded_once_and_kept(served, settings):
    online = replace(settings, offline=False)
    seen: list[tuple[str, float]] = []
    with use_settings(online):
        first = find_dataset("cifar10").images(lambda doing, share: seen.append((doing, share)))
    assert (f"downloading {ARCHIVE}", 1.0) in seen
    assert first.source == ARCHIVE
    assert fingerprint(settings) == first.fingerprint, "offline, from the cache"
    assert [path.name for path in (settings.cache_dir / "downloads").iterdir()] == [ARCHIVE]
    assert fingerprint(replace(settings, data_dir=served, cache_dir=settings.data_dir)) == first.fingerprint


def test_a_download_with_another_md5_sum_is_not_kept(served, settings):
    (served / ARCHIVE).write_bytes(b"something else")
    with pytest.raises(Unavailable, match=r"sent something else than was published; try again, or put cifar10\.zip"):
        fingerprint(replace(settings, offline=False))
    assert list((settings.cache_dir / "downloads").iterdir()) == []


def test_a_download_that_is_not_there_is_one_line(served, settings):
    (served / ARCHIVE).unlink()
    with pytest.raises(Unavailable, match=r"cannot download http://127.* \(HTTPError: .*404.*\); put cifar10\.zip"):
        fingerprint(replace(settings, offline=False))


def test_a_failing_network_is_one_line_that_says_which_files_to_put_where(settings, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{closed.getsockname()[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        with pytest.raises(Unavailable) as error:
            fingerprint(replace(settings, offline=False))
    message = str(error.value)
    assert message.startswith("cannot download https://")
    assert f"{ARCHIVE} or its folder cifar-10-batches-py into {settings.data_dir}" in message
    assert "\n" not in message
    assert list((settings.cache_dir / "downloads").iterdir()) == []
