"""One's own images, in one folder per class."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from labelbench import Dataset, ImageFolder, InputError, hookimpl


def folder(argument: str) -> Dataset:
    """Your own images of one size, folder:PATH with PATH/{train,test}/<class>/<image>; ,flip=no rules out mirroring."""
    path, _, flip = re.fullmatch(r"(.*?)(,flip=(.*))?", argument, re.DOTALL).groups("yes")  # type: ignore[union-attr]
    if not path or flip not in ("yes", "no"):
        raise InputError(
            f"data set {f'folder:{argument}'!r}; expected folder:PATH, folder:PATH,flip=yes or folder:PATH,flip=no"
        )
    images = ImageFolder(Path(path).expanduser())
    names, size = images.class_names(), images.image_size()
    return Dataset(
        f"folder:{argument}", names, size, flip=flip == "yes", source=lambda report: images.source(names, size)
    )


@hookimpl
def register_datasets() -> Mapping[str, Callable[[str], Dataset]]:
    """The hook of this module."""
    return {"folder": folder}
