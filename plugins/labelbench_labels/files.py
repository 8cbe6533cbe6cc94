"""Labels from anyone's own array file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np

from labelbench import InputError, LabelSet, PluginError, Rest, hookimpl
from labelbench_labels.fetching import sha256_of

if TYPE_CHECKING:
    from labelbench import Dataset


class ArrayFile:
    """Targets from a .npy file of shape (classes, length) or (classes, side, side).

    Row i is class i of the data set; any real numbers, finite as float32, no two rows equal, side a multiple of 16. The
    loss is smooth L1.

    Raises:
        InputError: no such file, or one that holds anything else; the message says what came and what was expected.
    """

    def __call__(self, dataset: Dataset, path: Annotated[Path, Rest]) -> LabelSet:
        """The label set of one file."""
        array = self.check(dataset, path)
        provenance = {"recipe": "array file", "file": path.name, "sha256": sha256_of(path), "dtype": str(array.dtype)}
        try:
            with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite and is refused as that
                return LabelSet(array, provenance=provenance)
        except PluginError as error:
            raise InputError(f"label file {path}: {error}") from error

    @staticmethod
    def check(dataset: Dataset, path: Path) -> np.ndarray:
        """The array, mapped, if its shape is right."""
        array = read_array(path)
        if array.shape[:1] != (dataset.num_classes,) or array.ndim not in (2, 3):
            raise InputError(
                f"label file {path} has shape {array.shape}; expected ({dataset.num_classes}, length) or "
                f"({dataset.num_classes}, side, side) for the {dataset.num_classes} classes of {dataset.name}"
            )
        return array


@hookimpl
def register_labels() -> Mapping[str, Callable[..., LabelSet]]:
    """Labels read from files."""
    return {"npy": ArrayFile()}


def read_array(path: Path) -> np.ndarray:
    """The array of a ``.npy`` file, mapped and not yet read: a header that lies about its size costs no memory.

    Raises:
        InputError: no file, no array, or an array of Python objects, which only unpickling could read.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(f"label file {path} {what}; expected an array file written by numpy.save")
    try:
        with path.open("rb") as file:
            if file.read(6) != b"\x93NUMPY":
                raise InputError(f"label file {path} is no array file; expected one written by numpy.save")
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except PermissionError as error:
        raise InputError(f"label file {path} may not be read; allow it") from error
    except (ValueError, OverflowError, EOFError, OSError) as error:
        if "objects" in str(error).lower():
            raise InputError(
                f"label file {path} holds Python objects, which are not read; expected an array of numbers"
            ) from error
        raise InputError(f"label file {path} is damaged ({error}); write it again with numpy.save") from error
    return np.asarray(array)
