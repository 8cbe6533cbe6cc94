"""One's own images, in one folder per class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

from labelbench import Dataset, ImageFolder, Rest, hookimpl


def folder(path: Annotated[Path, Rest], *, flip: bool = True) -> Dataset:
    """Your own images of one size, folder:PATH with PATH/{train,test}/<class>/<image>; flip=no rules out mirroring."""
    images = ImageFolder(path)
    names, size = images.class_names(), images.image_size()
    return Dataset(f"folder:{path}", names, size, flip=flip, source=lambda report: images.source(names, size))


@hookimpl
def register_datasets() -> Mapping[str, Callable[..., Dataset]]:
    """The hook of this module."""
    return {"folder": folder}
