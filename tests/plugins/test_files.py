"""Labels from a .npy file: anything but a fitting array of finite numbers is refused in one line."""

from __future__ import annotations

import hashlib
import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from labelbench import InputError, LabelSet, label
from labelbench.datasets import Dataset
from labelbench.plugins.lookup import find_dataset

DIGITS = find_dataset("digits")


def npy(dataset: Dataset, path: str) -> LabelSet:
    return label(f"npy:{path}", dataset)


def saved(folder: Path, array: object) -> str:
    path = folder / "mine.npy"
    np.save(path, array)  # type: ignore[arg-type]
    return str(path)


def header(shape: tuple[int, ...]) -> bytes:
    """A valid header that promises ``shape``, and nothing after it."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return stream.getvalue()


@pytest.mark.parametrize("shape", [(10, 1), (10, 7), (10, 16, 16), (10, 48, 48)])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "float16", "int32", "uint8"])
def test_any_array_of_numbers_of_a_fitting_shape_is_a_label(tmp_path: Path, shape: tuple[int, ...], dtype: str) -> None:
    array = np.arange(10).reshape(10, *[1] * (len(shape) - 1)) + np.zeros(shape)
    labels = npy(DIGITS, saved(tmp_path, array.astype(dtype)))
    assert labels.shape == shape[1:]
    assert np.array_equal(labels.targets, array.astype(np.float32))
    assert labels.loss == "smooth-l1"


def test_the_order_of_axes_in_the_file_does_not_matter(tmp_path: Path) -> None:
    array = np.random.RandomState(0).uniform(size=(10, 16, 16))
    assert np.array_equal(npy(DIGITS, saved(tmp_path, np.asfortranarray(array))).targets, array.astype(np.float32))


def test_the_record_names_the_file_by_name_and_hash_and_no_folder(tmp_path: Path) -> None:
    path = saved(tmp_path, np.eye(10))
    provenance = npy(DIGITS, path).provenance
    assert provenance["file"] == "mine.npy"
    assert provenance["sha256"] == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert str(tmp_path) not in str(provenance)


def test_the_home_folder_may_be_written_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    saved(tmp_path, np.eye(10))
    assert npy(DIGITS, "~/mine.npy").shape == (10,)


def with_nan() -> np.ndarray:
    array = np.eye(10)
    array[3, 4] = np.nan
    return array


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.eye(9), r"has shape \(9, 9\); expected \(10, length\) or \(10, side, side\) for the 10 classes of digits"),
        (np.eye(100), r"has shape \(100, 100\); expected \(10, length\)"),
        (np.float32(3), r"has shape \(\); expected \(10, length\)"),
        (np.arange(10.0), r"has shape \(10,\); expected"),
        (np.zeros((10, 3, 16, 16)), r"has shape \(10, 3, 16, 16\); expected"),
        (np.zeros((10, 16, 32)), r"have shape \(10, 16, 32\); expected .* side a multiple of 16"),
        (np.zeros((10, 20, 20)), r"have shape \(10, 20, 20\); expected .* side a multiple of 16"),
        (with_nan(), r"1 value\(s\) that are not finite"),
        (np.where(np.eye(10) > 0, np.inf, 0), r"10 value\(s\) that are not finite"),
        (np.eye(10) * 1e300, r"10 value\(s\) that are not finite"),
        (np.zeros((10, 4)), r"classes 0 and 1 are equal"),
        (np.eye(10) * 1j, r"must be numbers; got dtype complex128"),
        (np.full((10, 3), "a"), r"must be numbers; got dtype <U1"),
        (np.zeros(10, dtype=[("a", "f4")]), r"has shape \(10,\)"),
        (np.array([{}] * 10, dtype=object), r"holds Python objects, which are not read; expected an array of numbers"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, array: object, message: str) -> None:
    path = saved(tmp_path, array)
    with pytest.raises(InputError, match=message) as caught:
        npy(DIGITS, path)
    assert path in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no array file; expected one written by numpy.save"),
        (b"0.1,0.2", "is no array file"),
        (b"\x93NUMPY", "is damaged"),
        (b"\x93NUMPY\x01\x00\xff\xff{", "is damaged"),
        (b"\x93NUMPY\x09\x00" + b"\0" * 64, "is damaged"),
        (header((10, 4)), "is damaged"),
        (header((10, 1 << 50)), "is damaged"),
        (header((10, 1 << 70)), "is damaged"),
        (pickle.dumps(np.eye(10)), "is no array file"),
    ],
    ids=["empty", "text", "cut-magic", "cut-header", "version", "no-data", "huge", "huger", "pickle"],
)
def test_other_files_are_refused_without_reading_what_they_promise(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "mine.npy"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        npy(DIGITS, str(path))
    assert str(path) in str(caught.value)


def test_an_archive_of_arrays_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.npy"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", b"")
    with pytest.raises(InputError, match="is no array file"):
        npy(DIGITS, str(path))


def test_a_pickle_is_never_executed(tmp_path: Path) -> None:
    trap = tmp_path / "executed"

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (trap,))  # type: ignore[return-value]

    path = tmp_path / "mine.npy"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InputError):
        npy(DIGITS, str(path))
    np.save(path, np.array([Trap()] * 10, dtype=object))
    with pytest.raises(InputError):
        npy(DIGITS, str(path))
    assert not trap.exists()


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.npy does not exist"):
        npy(DIGITS, str(tmp_path / "nowhere.npy"))
    with pytest.raises(InputError, match="is a folder"):
        npy(DIGITS, str(tmp_path))
    with pytest.raises(InputError, match="needs its path: npy:PATH"):
        npy(DIGITS, "")
