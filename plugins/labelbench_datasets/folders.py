"""One's own images, in one folder per class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal

from labelbench import Between, Dataset, ImageFit, ImageFolder, InputError, Rest, hookimpl


def folder(
    path: Annotated[Path, Rest],
    *,
    size: Annotated[int, Between(1, 4096)] | None = None,
    resize: Literal["crop", "squash", "pad"] = "crop",
    ground: Literal["white", "black"] = "white",
    test: Annotated[float, Between(0, 1)] | None = None,
    seed: int = 0,
    flip: bool = True,
) -> Dataset:
    """Your own images: PATH/{train,test}/<class>/<image>, of one size, or size=64 for images of any size."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise InputError(f"the path {str(path)!a} is not UTF-8; name it by a link, since results carry it") from None
    fit = ImageFit((size, size), resize, ground) if size else None
    images = ImageFolder(path, fit, test, seed)
    names, shape = images.class_names(), images.image_size()
    if fit is None:
        images = ImageFolder(path, ImageFit(shape, None, ground), test, seed)
    return Dataset(
        f"folder:{path}", names, shape, flip=flip, by_pixels=True, source=lambda report: images.source(names, shape)
    )


@hookimpl
def register_datasets() -> Mapping[str, Callable[..., Dataset]]:
    """The hook of this module."""
    return {"folder": folder}
