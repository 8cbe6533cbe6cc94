"""CIFAR-10 and CIFAR-100: from files of the data folder, else downloaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from labelbench import Dataset, ImageFolder, ImageSource, ImageZip, Unavailable, current_settings, hookimpl
from labelbench_datasets.published import Published, download

# The paper's values, for both sets. Over all pixels of CIFAR-10 the std is (0.2470, 0.2435, 0.2616); these are about
# the mean over images of each image's own std.
_MEAN = (0.4914, 0.4822, 0.4465)
_STD = (0.2023, 0.1994, 0.2010)
_SIZE = (32, 32)
_CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
# fmt: off
_CIFAR100 = (
    "apple", "aquarium fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl",
    "boy", "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair", "chimpanzee",
    "clock", "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant",
    "flatfish", "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn mower",
    "leopard", "lion", "lizard", "lobster", "man", "maple tree", "motorcycle", "mountain", "mouse", "mushroom",
    "oak tree", "orange", "orchid", "otter", "palm tree", "pear", "pickup truck", "pine tree", "plain", "plate",
    "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal", "shark",
    "shrew", "skunk", "skyscraper", "snail", "snake", "spider", "squirrel", "streetcar", "sunflower",
    "sweet pepper", "table", "tank", "telephone", "television", "tiger", "tractor", "train", "trout", "tulip",
    "turtle", "wardrobe", "whale", "willow tree", "wolf", "woman", "worm",
)
# fmt: on
_FILES = {
    "cifar10": Published("CIFAR10", "cifar-10-batches-py", "cifar-10-python.tar.gz"),
    "cifar100": Published("CIFAR100", "cifar-100-python", "cifar-100-python.tar.gz"),
}


def cifar10() -> Dataset:
    """60,000 photographs, 32x32, ten classes; from --data-dir, else downloaded."""
    return _cifar("cifar10", _CIFAR10)


def cifar100() -> Dataset:
    """60,000 photographs, 32x32, a hundred classes; from --data-dir, else downloaded."""
    return _cifar("cifar100", _CIFAR100)


def _cifar(name: str, class_names: tuple[str, ...]) -> Dataset:
    return Dataset(name, class_names, _SIZE, mean=_MEAN, std=_STD, source=partial(_source, name, class_names))


def _source(name: str, class_names: tuple[str, ...], report: Callable[[str, float], None]) -> ImageSource:
    """The first that is there: ``NAME.zip``, the folder ``NAME``, the published folder and its archive, all in the data
    folder; then that archive among the downloads in the cache folder, where it is fetched to unless offline.

    Raises:
        Unavailable: nothing is there, and nothing may be fetched or the download failed.
    """  # noqa: D205
    settings, published = current_settings(), _FILES[name]
    data = settings.data_dir
    if (data / f"{name}.zip").is_file():
        return ImageZip(data / f"{name}.zip").source(class_names, _SIZE)
    if (data / name).is_dir():
        return ImageFolder(data / name).source(class_names, _SIZE)
    if (data / published.folder).is_dir():
        return published.of_folder(data / published.folder)
    downloaded = settings.cache_dir / "downloads" / published.archive
    if not downloaded.is_file() and not (data / published.archive).is_file():
        _fetch(name, published, downloaded, report)
    archive: Path = next(path for path in (data / published.archive, downloaded) if path.is_file())
    return published.of_archive(archive, settings.cache_dir)


def _fetch(name: str, published: Published, path: Path, report: Callable[[str, float], None]) -> None:
    settings = current_settings()
    advice = (
        f"put {name}.zip or a folder {name} (train/<class>/<image>, test/<class>/<image>), {published.archive} or its "
        f"folder {published.folder} into {settings.data_dir}, or name another folder with --data-dir"
    )
    if settings.offline:
        raise Unavailable(f"{name} is not in {settings.data_dir}, and offline nothing is downloaded; {advice}")
    download(published.reader.url, published.reader.tgz_md5, path, advice, report)


@hookimpl
def register_datasets() -> Mapping[str, Callable[..., Dataset]]:
    """The hook of this module."""
    return {"cifar10": cifar10, "cifar100": cifar100}
