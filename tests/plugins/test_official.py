"""The authors' arrays: found, checked, put into class order, and fetched only when that is allowed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labelbench import InputError, Unavailable, UnknownName
from labelbench.datasets import Dataset
from labelbench.plugins.lookup import find_dataset
from labelbench_labels.official import official, official_as_released, published, superclass_order

CIFAR10 = find_dataset("cifar10")
CIFAR100 = find_dataset("cifar100")
ALL = [(dataset, name) for dataset in (CIFAR10, CIFAR100) for name in published()["files"][dataset.name]]
MOVED = ["bert", "glove"]


@pytest.fixture
def arrays(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the official arrays, named as ``--labels-dir`` does."""
    folder = shared / "labels" / "official"
    monkeypatch.setenv("LABELBENCH_LABELS", str(folder))
    return folder


def word(line: str) -> str:
    """A name of cifar100_text.txt as a class name: singular, with its tree."""
    name = line.strip().replace("-", " ")
    singular = {"poppies": "poppy", "computer keyboard": "keyboard"}
    singular |= {tree: f"{tree} tree" for tree in ("maple", "oak", "palm", "pine", "willow")}
    if name in singular:
        return singular[name]
    return name[:-1] if name not in CIFAR100.class_names and name.endswith("s") else name


def neighbours_in_superclass(rows: np.ndarray) -> float:
    """Share of classes whose nearest other class, by the cosine of their rows, belongs to the same superclass."""
    superclass = {name: group for group, names in superclass_order().items() for name in names}
    groups = np.array([superclass[name] for name in CIFAR100.class_names])
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -np.inf)
    return float((groups[similarity.argmax(axis=1)] == groups).mean())


def as_compared(name: str, targets: np.ndarray) -> np.ndarray:
    """Rows as the published figures compare them: of bert the word's token without the mean of all classes."""
    rows = targets.reshape(len(targets), -1).astype(float)
    return rows[:, 768:1536] - rows[:, 768:1536].mean(axis=0) if name == "bert" else rows


@pytest.mark.parametrize(("dataset", "name"), ALL, ids=[f"{dataset.name}-{name}" for dataset, name in ALL])
def test_as_released_every_array_is_the_file_itself(arrays: Path, dataset: Dataset, name: str) -> None:
    entry = published()["files"][dataset.name][name]
    labels = official_as_released(dataset, name)
    assert labels.targets.tobytes() == np.load(arrays / entry["file"]).tobytes()
    assert labels.loss == "smooth-l1"
    assert labels.provenance["sha256"] == entry["sha256"]
    assert str(arrays) not in str(labels.provenance)


@pytest.mark.parametrize(("dataset", "name"), ALL, ids=[f"{dataset.name}-{name}" for dataset, name in ALL])
def test_official_differs_from_as_released_for_two_arrays_only(arrays: Path, dataset: Dataset, name: str) -> None:
    same = official(dataset, name).sha256 == official_as_released(dataset, name).sha256
    assert same == (dataset is CIFAR10 or name not in MOVED)


@pytest.mark.parametrize("name", MOVED)
def test_the_two_differ_exactly_by_the_order_of_the_text_file(arrays: Path, name: str) -> None:
    listed = [word(line) for line in re.split(r",\s*", (arrays / "cifar100_text.txt").read_text()) if line.strip()]
    assert sorted(listed) == sorted(CIFAR100.class_names)
    stored = official_as_released(CIFAR100, name).targets
    ordered = official(CIFAR100, name).targets
    for row, class_name in enumerate(listed):
        assert np.array_equal(ordered[CIFAR100.class_names.index(class_name)], stored[row])
    unmoved = [name for row, name in enumerate(CIFAR100.class_names) if np.array_equal(ordered[row], stored[row])]
    assert unmoved == ["snake"]


def test_the_superclass_order_is_that_of_the_text_file_in_groups_of_five(arrays: Path) -> None:
    listed = [word(line) for line in re.split(r",\s*", (arrays / "cifar100_text.txt").read_text()) if line.strip()]
    groups = list(superclass_order().values())
    assert [len(names) for names in groups] == [5] * 20
    assert [name for names in groups for name in names] == listed


@pytest.mark.parametrize(("name", "right", "wrong"), [("bert", 0.48, 0.01), ("glove", 0.54, 0.03)])
def test_nearest_neighbours_lie_within_superclasses_in_the_right_order_only(
    arrays: Path, name: str, right: float, wrong: float
) -> None:
    assert round(neighbours_in_superclass(as_compared(name, official(CIFAR100, name).targets)), 2) == right
    assert round(neighbours_in_superclass(as_compared(name, official_as_released(CIFAR100, name).targets)), 2) == wrong


@pytest.mark.parametrize("name", MOVED)
def test_both_say_what_was_done_to_the_rows(arrays: Path, name: str) -> None:
    ordered, stored = official(CIFAR100, name).provenance, official_as_released(CIFAR100, name).provenance
    assert ordered["row_order"].startswith("put into class order")
    assert stored["row_order"].startswith("as stored: in the superclass order")
    assert any("put into class order" in note for note in ordered["notes"])
    assert any("99 of 100 classes" in note for note in stored["notes"])


def test_known_defects_are_told(arrays: Path) -> None:
    bert = official(CIFAR10, "bert")
    assert (round(float(bert.targets.min()), 2), round(float(bert.targets.max()), 2)) == (-1.03, 1.03)
    assert "-1.03 to 1.03" in bert.provenance["notes"][0]
    assert "-80 to 0" in official(CIFAR10, "speech").provenance["notes"][0]


@pytest.mark.parametrize(
    ("official_name", "name"),
    [("shuffle", "shuffled-speech"), ("uniform", "constant"), ("random", "uniform-random"), ("lowdim", "low-dim")],
)
def test_the_papers_names_are_aliases(arrays: Path, official_name: str, name: str) -> None:
    assert official(CIFAR10, official_name).sha256 == official(CIFAR10, name).sha256


def test_what_was_never_published_is_told(arrays: Path) -> None:
    with pytest.raises(InputError, match="official:lowdim: the authors published none for cifar100; use low-dim"):
        official(CIFAR100, "lowdim")
    with pytest.raises(InputError, match="arrays for cifar10 and cifar100, none for digits; use the label without"):
        official(find_dataset("digits"), "speech")
    with pytest.raises(UnknownName, match="unknown array of label official 'speach'; did you mean speech"):
        official(CIFAR10, "speach")
    with pytest.raises(UnknownName, match="known: bert, composite"):
        official(CIFAR10, "")


def test_a_changed_file_is_refused_with_both_hashes(
    arrays: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = tmp_path / "cifar10_glove.npy"
    content = bytearray((arrays / changed.name).read_bytes())
    content[-1] ^= 1
    changed.write_bytes(content)
    monkeypatch.setenv("LABELBENCH_LABELS", str(tmp_path))
    expected = published()["files"]["cifar10"]["glove"]["sha256"]
    with pytest.raises(InputError, match=rf"cifar10_glove\.npy \(2\.1 kB\) has SHA-256 [0-9a-f]+; .* has {expected}"):
        official(CIFAR10, "glove")


def test_offline_it_says_what_to_place_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELBENCH_CACHE", str(tmp_path))
    expected = (
        r"cifar10_bert\.npy is missing and may not be fetched offline; place the file of https://.*/cifar10_bert\.npy "
        rf"at {re.escape(str(tmp_path))}/labels/cifar10_bert\.npy, or name the folder that holds it with --labels-dir"
    )
    with pytest.raises(Unavailable, match=expected):
        official(CIFAR10, "bert")


@pytest.fixture
def server(shared: Path, tmp_path: Path, serve: Callable[[Path], Any], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The authors' address stands for a server on this machine; gives the folder that it serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    shutil.copy(shared / "labels" / "official" / "cifar10_glove.npy", folder)
    monkeypatch.setenv("LABELBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(published(), "url", serve(folder).url)
    return folder


def test_a_missing_array_is_fetched_once_and_kept_in_the_cache(
    server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = official(CIFAR10, "glove")
    assert labels.shape == (50,)
    assert (tmp_path / "cache" / "labels" / "cifar10_glove.npy").is_file()
    monkeypatch.setenv("LABELBENCH_OFFLINE", "1")
    assert official(CIFAR10, "glove").sha256 == labels.sha256


def test_a_damaged_array_in_the_cache_is_fetched_again(server: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "cache" / "labels" / "cifar10_glove.npy"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"damaged")
    assert official(CIFAR10, "glove").shape == (50,)


def test_a_folder_of_labels_without_this_one_is_no_obstacle(
    server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABELBENCH_LABELS", str(tmp_path))
    assert official(CIFAR10, "glove").shape == (50,)


def test_another_file_at_the_address_is_refused_and_not_kept(server: Path, tmp_path: Path) -> None:
    content = bytearray((server / "cifar10_glove.npy").read_bytes())
    content[-1] ^= 1
    (server / "cifar10_glove.npy").write_bytes(content)
    with pytest.raises(Unavailable, match=r"cannot fetch cifar10_glove\.npy: what came has SHA-256"):
        official(CIFAR10, "glove")
    assert list((tmp_path / "cache" / "labels").glob("[!.]*")) == []


def test_all_arrays_can_be_fetched_beforehand(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELBENCH_LABELS", str(shared / "labels" / "official"))
    assert official.fetch("bert") == "official: cifar10_bert.npy, cifar100_bert.npy are here"
    assert official.fetch().count(".npy") == 15
    with pytest.raises(UnknownName, match="did you mean bert"):
        official.fetch("brt")
