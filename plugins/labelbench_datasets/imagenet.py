"""ImageNet and Tiny-ImageNet as they are published: class folders named by WordNet numbers, class names in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from labelbench import (
    Between,
    Dataset,
    ImageFit,
    ImageFolder,
    ImageSource,
    InputError,
    Rest,
    Unavailable,
    content_hash,
    current_settings,
    hookimpl,
)
from labelbench_datasets.published import download
from labelbench_datasets.reading import Part, Report, read_all

_TINY = "tiny-imagenet-200"
_URL, _MD5 = f"http://cs231n.stanford.edu/{_TINY}.zip", "90528d7ca1a48142e341f4ef8d21d0de"
_TINY_SIZE = (64, 64)


def imagenet_folder(
    path: Annotated[Path, Rest],
    *,
    size: Annotated[int, Between(1, 4096)] = 64,
    resize: Literal["crop", "squash", "pad"] = "crop",
    flip: bool = True,
) -> Dataset:
    """ImageNet, or some of its classes: PATH/{train,val}/n01440764/*.JPEG, with class names in words."""
    fit = ImageFit((size, size), resize)
    folders = ImageFolder(path, fit).class_names()
    names = tuple(_words(folders).values())
    images = ImageFolder(path, fit, words=_words(folders))
    source = lambda report: images.source(names, fit.size)  # noqa: E731
    return Dataset(f"imagenet-folder:{path}", names, fit.size, flip=flip, by_pixels=True, source=source)


def tiny_imagenet() -> Dataset:
    """Tiny-ImageNet: 200 classes, 64x64; from the folder tiny-imagenet-200 in --data-dir, else downloaded."""
    numbers = (_tiny_root() / "wnids.txt").read_text(encoding="ascii").split()
    words = _words(sorted(numbers))
    return Dataset("tiny-imagenet", tuple(words.values()), _TINY_SIZE, source=lambda report: _tiny(list(words), report))


def _words(numbers: Sequence[str]) -> dict[str, str]:
    """The first word of each class; all of them where two classes share it, and the number where they share all.

    Raises:
        InputError: one is no WordNet number of ImageNet.
    """
    lemmas = _lemmas()
    unknown = [number for number in numbers if number not in lemmas]
    if unknown:
        raise InputError(
            f"the class folder {unknown[0]!r} is no WordNet number; expected such as n01440764, or folder:PATH"
        )
    first = Counter(lemmas[number].split(", ")[0] for number in numbers)
    every = Counter(lemmas[number] for number in numbers)
    found = {}
    for number in numbers:
        whole = lemmas[number]
        short = whole.split(", ")[0]
        found[number] = short if first[short] == 1 else whole if every[whole] == 1 else f"{short} {number}"
    return found


@lru_cache(maxsize=1)
def _lemmas() -> Mapping[str, str]:
    """Words of each WordNet number, from the table that comes with timm; timm itself is not imported."""
    places = getattr(find_spec("timm"), "submodule_search_locations", None) or [""]
    text = Path(places[0], "data", "_info", "imagenet_synset_to_lemma.txt").read_text(encoding="utf-8")
    return dict(line.split("\t", 1) for line in text.splitlines())


def _tiny_root() -> Path:
    """Where it is unpacked: the data folder, else the downloads in the cache folder.

    Raises:
        Unavailable: in neither, and it may not or could not be fetched.
    """
    settings = current_settings()
    downloads = settings.cache_dir / "downloads"
    for folder in (settings.data_dir, downloads):
        if (folder / _TINY / "wnids.txt").is_file():
            return folder / _TINY
    advice = f"put the folder {_TINY} into {settings.data_dir}, or name another folder with --data-dir"
    if settings.offline:
        raise Unavailable(f"tiny-imagenet is not in {settings.data_dir}, and offline nothing is downloaded; {advice}")
    from pooch import Unzip

    download(_URL, _MD5, downloads / f"{_TINY}.zip", advice, lambda doing, share: None, Unzip(extract_dir="."))
    return downloads / _TINY


def _tiny(numbers: list[str], report: Report) -> ImageSource:
    root = _tiny_root()
    index = {number: place for place, number in enumerate(numbers)}
    train = [(file, index[number]) for number in numbers for file in sorted((root / "train" / number).rglob("*.JPEG"))]
    lines = (root / "val" / "val_annotations.txt").read_text(encoding="ascii").splitlines()
    measured = [(root / "val" / "images" / line.split("\t")[0], index[line.split("\t")[1]]) for line in lines]
    state = [[file.relative_to(root).as_posix(), label, content_hash(file)] for file, label in (*train, *measured)]

    def read(report: Report) -> tuple[Part, Part]:
        return _pixels(train, report), _pixels(measured, report)

    notes = ("its validation images are measured, since its test images have no classes",)
    return ImageSource(f"folder {_TINY}", state, read, notes)


def _pixels(files: list[tuple[Path, int]], report: Report) -> Part:
    fit = ImageFit(_TINY_SIZE)

    def read(number: int) -> np.ndarray:
        file = files[number][0]
        return fit.of_bytes(file, file.read_bytes())

    images = read_all(len(files), read, fit.size, f"decoding {_TINY}", report)
    return images, np.array([label for _, label in files], np.int64)


@hookimpl
def register_datasets() -> Mapping[str, Callable[..., Dataset]]:
    """The hook of this module."""
    return {"imagenet-folder": imagenet_folder, "tiny-imagenet": tiny_imagenet}
