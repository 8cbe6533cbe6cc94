"""The arrays that the paper's authors published, as they are and with their rows in the right order."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from labelbench import InputError, LabelSet, MachineError, UnknownName, current_settings, hookimpl
from labelbench_labels.fetching import fetch, readable_size

if TYPE_CHECKING:
    from labelbench import Dataset

_SUPERCLASS = "superclass"


@hookimpl
def register_labels() -> Mapping[str, Callable[..., LabelSet]]:
    """The published arrays, corrected and as released."""
    return {"official": official, "official-as-released": official_as_released}


class Official:
    """The authors' own array, rows in class order: official:speech, shuffled-speech, bert, glove and others.

    For cifar10 and cifar100; read from the labels folder (``--labels-dir``) or the cache, else fetched from the
    authors' repository, and checked against its SHA-256. The published CIFAR-100 ``bert`` and ``glove`` have their rows
    grouped by superclass; here row i is class i. The loss is smooth L1, as in the paper.
    """

    name = "official"
    in_class_order = True

    def __call__(self, dataset: Dataset, array: str) -> LabelSet:
        """The label set of one array.

        Raises:
            InputError: another data set, no such array, or a file with another checksum.
            Unavailable: the array is not here and cannot be fetched.
        """
        return _label_set(dataset, self._array(dataset, array), correct=self.in_class_order)

    def check(self, dataset: Dataset, array: str) -> None:
        """Refuse a data set or an array that the authors did not publish."""
        self._array(dataset, array)

    def _array(self, dataset: Dataset, array: str) -> str:
        """The name of an array as the table has it."""
        table, label = published(), self.name
        arrays = table["files"].get(dataset.name)
        if arrays is None:
            raise InputError(
                f"label {label}:{array}: the authors published arrays for {' and '.join(table['files'])}, none for "
                f"{dataset.name}; use the label without '{label}:'"
            )
        name: str = table["aliases"].get(array, array)
        if name not in arrays:
            if any(name in others for others in table["files"].values()):
                raise InputError(f"label {label}:{array}: the authors published none for {dataset.name}; use {name}")
            raise UnknownName(f"array of label {label}", array, {*arrays, *table["aliases"]})
        return name

    def fetch(self, array: str = "") -> str:
        """Fetch one array of both data sets, or all of them (a few MB), unless they are here; says which are.

        Raises:
            UnknownName: no such array.
            Unavailable: offline, or the network refuses.
        """
        table = published()
        wanted = table["aliases"].get(array, array)
        found = [
            (dataset, name) for dataset, arrays in table["files"].items() for name in arrays if wanted in ("", name)
        ]
        if not found:
            names = {name for arrays in table["files"].values() for name in arrays}
            raise UnknownName(f"array of label {self.name}", array, {*names, *table["aliases"]})
        for dataset, name in found:
            official_array(dataset, name)
        return f"{self.name}: {', '.join(table['files'][dataset][name]['file'] for dataset, name in found)} are here"


class OfficialAsReleased(Official):
    """The authors' own array with rows as stored, which is what their code trains on: official-as-released:NAME.

    Differs from ``official`` for CIFAR-100 ``bert`` and ``glove``, where all classes but one get another class's row.
    """

    name = "official-as-released"
    in_class_order = False


official = Official()
official_as_released = OfficialAsReleased()


def superclass_order() -> dict[str, tuple[str, ...]]:
    """The 20 superclasses of CIFAR-100 with their classes, in the order in which ``cifar100_text.txt`` lists them."""
    return {group: tuple(names) for group, names in published()["superclass_order"].items()}


@cache
def published() -> dict[str, Any]:
    """What the authors published: source, address, and file, size, SHA-256 and known defects of each array."""
    table: dict[str, Any] = json.loads((files(__package__) / "data" / "official.json").read_text(encoding="utf-8"))
    return table


def official_array(dataset: str, name: str) -> np.ndarray:
    """One published array with rows as stored.

    Args:
        dataset: ``"cifar10"`` or ``"cifar100"``.
        name: a key of ``published()["files"][dataset]``.

    Returns:
        ``(classes, length)`` or ``(classes, side, side)`` float32.

    Raises:
        InputError: the file in the labels folder has another checksum.
        Unavailable: the array is not here and cannot be fetched.
    """
    entry = published()["files"][dataset][name]
    settings = current_settings()
    path = settings.labels_dir / entry["file"] if settings.labels_dir else None
    if path is None or not path.is_file():
        path = fetch(
            published()["url"] + entry["file"],
            settings.cache_dir / "labels" / entry["file"],
            entry["sha256"],
            entry["size"],
            hint="name the folder that holds it with --labels-dir",
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MachineError(f"cannot read {path}: {error.strerror or error}") from error
    found = sha256(content).hexdigest()
    if found != entry["sha256"]:
        raise InputError(
            f"{path} ({readable_size(len(content))}) has SHA-256 {found}; the published file "
            f"({readable_size(entry['size'])}) has {entry['sha256']}: put that one there, or remove this one"
        )
    array: np.ndarray = np.load(io.BytesIO(content), allow_pickle=False)
    return array


def _label_set(dataset: Dataset, name: str, *, correct: bool) -> LabelSet:
    table = published()
    entry = table["files"][dataset.name][name]
    targets = official_array(dataset.name, name)
    provenance: dict[str, Any] = {
        "recipe": "official array",
        "source": f"{table['source']}, commit {table['commit']}",
        "file": entry["file"],
        "sha256": entry["sha256"],
        "row_order": "as stored, in class order",
    }
    notes = list(entry.get("notes", []))
    if entry.get("row_order") == _SUPERCLASS:
        if correct:
            rows = [name for names in superclass_order().values() for name in names]
            targets = targets[[rows.index(name) for name in dataset.class_names]]
            provenance["row_order"] = "put into class order; stored in the superclass order of cifar100_text.txt"
            notes.append("rows put into class order; the released file has them in superclass order")
        else:
            provenance["row_order"] = "as stored: in the superclass order of cifar100_text.txt, read as class order"
            notes.append("rows in superclass order are read as class order: 99 of 100 classes get another class's row")
    if notes:
        provenance["notes"] = notes
    return LabelSet(targets, provenance=provenance)
