"""Data sets of the Hugging Face hub, or in its formats on this machine, through the package ``datasets``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np

from labelbench import (
    Between,
    Dataset,
    ImageFit,
    ImageSource,
    InputError,
    Rest,
    Settings,
    Unavailable,
    content_hash,
    current_settings,
    divided,
    hookimpl,
)
from labelbench_datasets.reading import Part, Report, read_all

_TESTS = ("test", "validation", "valid", "val")


def hub(
    name: Annotated[str, Rest],
    *,
    split: str | None = None,
    image: str | None = None,
    label: str | None = None,
    config: str | None = None,
    size: Annotated[int, Between(1, 4096)] | None = None,
    resize: Literal["crop", "squash", "pad"] = "crop",
    test: Annotated[float, Between(0, 1)] | None = None,
    seed: int = 0,
    flip: bool = True,
) -> Dataset:
    """A data set of the Hugging Face hub, hf:NAME or hf:FOLDER; split=train/test, and columns image= and label=."""
    parts, class_names, columns = _described(name, split, image, label, config, test is not None, _place(name))
    if test is not None and len(parts) > 1:
        raise InputError(f"hf:{name} is measured on its split {parts[1]!r}; leave out test={test:g}")
    loaded = _loaded(name, config, _place(name))
    first = loaded[parts[0]][0][columns[0]]
    shape = (size, size) if size else (first.height, first.width)
    fit = ImageFit(shape, resize if size else None)

    def find(report: Report) -> ImageSource:
        loaded = _loaded(name, config, _place(name))
        state = [list(parts), *columns, fit.size, fit.resize, test, seed if test else None]
        state += [content_hash(Path(file["filename"])) for part in parts for file in loaded[part].cache_files]

        def read(report: Report) -> tuple[Part, Part]:
            read = [_read(name, part, loaded[part], columns, class_names, fit, report) for part in parts]
            if test is not None:
                return divided(*read[0], test, seed)
            return read[0], read[1]

        notes = [f"the split {parts[1]!r} of {name} is measured"] if parts[1:] and parts[1] != "test" else []
        if test is not None:
            notes.append(f"{100 * test:g} % of the split {parts[0]!r} are measured and not trained on, by seed {seed}")
        return ImageSource(f"{name} by datasets", state, read, tuple(notes))

    return Dataset(f"hf:{name}", class_names, shape, flip=flip, by_pixels=Path(name).exists(), source=find)


def _place(name: str) -> tuple[Settings, str]:
    """What a name is looked up by: the settings in force, and what a folder on this machine holds."""
    folder = Path(name)
    files = sorted(file for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else []
    content = "".join(f"{file.relative_to(folder).as_posix()} {content_hash(file)}\n" for file in files)
    return current_settings(), hashlib.sha256(content.encode()).hexdigest()[:16] if files else ""


@contextmanager
def _hub(settings: Settings) -> Iterator[Any]:
    """The package ``datasets``, quiet, and offline where nothing may be fetched."""
    try:
        import datasets
        from huggingface_hub import constants
    except ImportError as error:
        raise Unavailable("hf: needs the package datasets; pip install 'labelbench[hub]'") from error
    switches = [(datasets.config, "HF_HUB_OFFLINE"), (constants, "HF_HUB_OFFLINE")]
    before = [getattr(*switch) for switch in switches]
    shown = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        for place, switch in switches:
            setattr(place, switch, settings.offline or getattr(place, switch))
        yield datasets
    finally:
        for (place, switch), value in zip(switches, before, strict=True):
            setattr(place, switch, value)
        if not shown:
            datasets.enable_progress_bars()


@lru_cache(maxsize=8)
def _loaded(name: str, config: str | None, place: tuple[Settings, str]) -> Any:
    """Its splits, as ``datasets`` keeps them. What a folder holds is part of where they are kept: never stale.

    Raises:
        Unavailable: it is not here, and may not or could not be fetched.
    """
    settings, content = place
    options = {"cache_dir": str(settings.cache_dir / "downloads" / "hub" / content)} if content else {}
    with _hub(settings) as datasets:
        try:
            return datasets.load_dataset(name, config, **options)
        except Exception as error:  # the package raises whatever its many readers meet
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            why = ", and offline nothing is downloaded" if settings.offline and not content else ""
            raise Unavailable(
                f"hf:{name} cannot be loaded{why} ({reason}); look at the name, or fetch it once with a network"
            ) from error


@lru_cache(maxsize=64)
def _described(
    name: str,
    split: str | None,
    image: str | None,
    label: str | None,
    config: str | None,
    alone: bool,
    place: tuple[Settings, str],
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, str]]:
    """The splits (training, and test unless it is taken from that), the classes in words, and the two columns."""
    loaded = _loaded(name, config, place)
    wanted = tuple(split.split("/")) if split else ("train",)
    if len(wanted) == 1 and not alone:
        wanted += tuple(part for part in _TESTS if part in loaded)[:1]
    if not 1 <= len(wanted) <= 2 or any(part not in loaded for part in wanted):
        raise InputError(
            f"hf:{name} has the splits {', '.join(loaded)}; expected split=TRAIN/TEST of these, got {'/'.join(wanted)}"
        )
    if len(wanted) == 1 and not alone:
        raise InputError(f"hf:{name} has the split {wanted[0]} alone; add a share of it to measure, as in test=0.2")
    features = loaded[wanted[0]].features
    image = _column(name, "image", image, features, "Image")
    label = _column(name, "label", label, features, "ClassLabel")
    names = getattr(features[label], "names", None)
    if names is None:
        names = sorted({str(value) for part in wanted for value in loaded[part].unique(label)})
    return wanted, tuple(map(_in_words, names)), (image, label)


def _column(name: str, what: str, given: str | None, features: Mapping[str, Any], kind: str) -> str:
    if given is not None and given not in features:
        raise InputError(
            f"hf:{name} has the columns {', '.join(features)}; expected one of these as the {what}, got {given!r}"
        )
    fitting = [column for column, feature in features.items() if type(feature).__name__ == kind]
    if given is None and not fitting:
        raise InputError(
            f"hf:{name} has the columns {', '.join(features)}, and none is known to be the {what}; name it, as in "
            f"{what}=COLUMN"
        )
    return given or fitting[0]


def _read(
    name: str,
    part: str,
    rows: Any,
    columns: tuple[str, str],
    class_names: tuple[str, ...],
    fit: ImageFit,
    report: Report,
) -> Part:
    image, label = columns
    index = {text: number for number, text in enumerate(class_names)}
    values = rows[label]
    classes = values if hasattr(rows.features[label], "names") else [index[_in_words(value)] for value in values]

    def read(number: int) -> np.ndarray:
        return fit.of_image(f"image {number} of the split {part!r} of {name}", rows[number][image])

    images = read_all(len(rows), read, fit.size, f"reading {name}", report)
    return images, np.array(classes, np.int64)


def _in_words(value: object) -> str:
    return str(value).replace("_", " ")


@hookimpl
def register_datasets() -> Mapping[str, Callable[..., Dataset]]:
    """The hook of this module."""
    return {"hf": hub}
