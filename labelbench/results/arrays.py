"""Arrays in files: equal arrays give equal bytes."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np

from labelbench.errors import one_line
from labelbench.evaluation.scores import Arrays
from labelbench.files import damaged, disk_errors


def packed_arrays(arrays: Arrays) -> bytes:
    """Arrays as the bytes of a compressed ``.npz`` file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{name: np.asarray(array) for name, array in arrays.items()})  # type: ignore[arg-type]
    return buffer.getvalue()


def unpacked_arrays(file: Path) -> Arrays:
    """The arrays of an ``.npz`` file; nothing in it is run.

    Raises:
        InputError: the file is damaged; it is named.
        MachineError: it cannot be read.
    """
    with disk_errors("cannot read", file):
        data = file.read_bytes()
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (ValueError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise damaged(file, one_line(error)) from error
