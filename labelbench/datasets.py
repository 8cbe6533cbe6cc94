"""Data sets: class names that need no file, and images that are decoded once and memory-mapped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from labelbench.errors import InputError, MachineError, UnknownName, one_line
from labelbench.images.arrays import Report
from labelbench.images.cache import ImageCache
from labelbench.images.decoding import LAYOUT, class_name_of
from labelbench.images.files import ImageFolder
from labelbench.images.sources import find_source, folder_argument
from labelbench.settings import current_settings


@dataclass(frozen=True, eq=False)
class Split:
    """Images of one part of a data set, with their classes.

    Attributes:
        images: ``(n, height, width, 3)`` uint8 RGB, read-only (a memory map when it comes from :meth:`Dataset.load`).
        classes: ``(n,)`` int64 class indices.
    """

    images: np.ndarray
    classes: np.ndarray

    def __len__(self) -> int:
        return len(self.classes)

    def evenly(self, count: int | None) -> Split:
        """``count`` of the images, drawn evenly over classes.

        The first images of every class are taken in stored order, the first ``count // classes`` or one more of each,
        classes with a lower index first; where a class has too few, the others fill up. What is taken for a count is
        part of what is taken for any larger one.

        Args:
            count: how many, 1 or more; None, or as many as there are, gives the split itself.

        Returns:
            A split of ``min(count, n)`` images in stored order.

        Raises:
            InputError: ``count`` is below 1.

        >>> split = Split(np.zeros((5, 8, 8, 3), dtype=np.uint8), np.array([0, 0, 0, 1, 1]))
        >>> split.evenly(3).classes.tolist()
        [0, 0, 1]
        """
        if count is None or count >= len(self):
            return self
        if count < 1:
            raise InputError(f"{count} images asked for; expected 1 or more")
        by_class = np.argsort(self.classes, kind="stable")
        ordered = self.classes[by_class]
        rank = np.empty_like(by_class)
        rank[by_class] = np.arange(len(ordered)) - np.searchsorted(ordered, ordered, side="left")
        chosen = np.sort(np.lexsort((self.classes, rank))[:count])
        images, classes = np.asarray(self.images[chosen]), self.classes[chosen]
        images.setflags(write=False)
        classes.setflags(write=False)
        return Split(images, classes)


@dataclass(frozen=True, eq=False)
class Images:
    """The images of a data set.

    Attributes:
        train, test: its two parts, each ordered by class, then by the SHA-256 of the pixels.
        fingerprint: SHA-256 over class names, shapes and pixels of both parts; equal for every source of equal images.
        mean, std: of each channel (red, green, blue) of pixels in [0, 1], for normalisation; std is at least 1/255
            where it is measured.
        source: what was read, in words.
    """

    train: Split
    test: Split
    fingerprint: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    source: str


@dataclass(frozen=True)
class Dataset:
    """What a data set is, without its images.

    Attributes:
        name: as a user writes it.
        class_names: in words; the class of index i is the i-th.
        image_size: ``(height, width)`` in pixels.
        flip: whether mirrored images still show their class, so that training may flip them.
        validation_share: share of the training images kept for validation, 0 to 1 (paper: 5,000 of 50,000).
        mean, std: of each channel of pixels in [0, 1], for normalisation; None to measure them on the training images.
    """

    name: str
    class_names: tuple[str, ...]
    image_size: tuple[int, int]
    flip: bool = True
    validation_share: float = 0.1
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    def load(self, report: Report | None = None) -> Images:
        """Find the images by the settings in force, decode them unless the cache holds them, and map them.

        Args:
            report: called with what is being done (downloading, decoding) and how much of it is done, 0 to 1.

        Raises:
            InputError: the images cannot be found, or are not what this description says; the message names the file.
            MachineError: the images cannot be read, the cache cannot be written, or a download failed.
        """
        settings = current_settings()
        report = report or (lambda doing, share: None)
        kind = self.name.partition(":")[0]
        with _reading_errors(self.name):
            source = find_source(self.name, settings, report)
            stored = ImageCache(settings.cache_dir).load(kind, source, self.class_names, self.image_size, report)
        return Images(
            train=Split(*stored.arrays.train),
            test=Split(*stored.arrays.test),
            fingerprint=stored.fingerprint,
            mean=self.mean or stored.mean,
            std=self.std or stored.std,
            source=source.description,
        )


# The paper's values, for both CIFAR sets. Over all pixels of CIFAR-10 the std is (0.2470, 0.2435, 0.2616); these are
# about the mean over images of each image's own std.
_CIFAR_MEAN = (0.4914, 0.4822, 0.4465)
_CIFAR_STD = (0.2023, 0.1994, 0.2010)

_DIGITS = Dataset(
    name="digits",
    class_names=("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    image_size=(32, 32),
    flip=False,
    # Measured on its training images.
    mean=(0.3055, 0.3055, 0.3055),
    std=(0.3761, 0.3761, 0.3761),
)
_CIFAR10 = Dataset(
    name="cifar10",
    class_names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    image_size=(32, 32),
    mean=_CIFAR_MEAN,
    std=_CIFAR_STD,
)
# fmt: off
_CIFAR100_CLASSES = (
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
_CIFAR100 = Dataset(
    name="cifar100",
    class_names=_CIFAR100_CLASSES,
    image_size=(32, 32),
    mean=_CIFAR_MEAN,
    std=_CIFAR_STD,
)
_NAMED = {dataset.name: dataset for dataset in (_DIGITS, _CIFAR10, _CIFAR100)}

# Names as a user may write them, each with a line that says what it is.
DATASET_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "digits": "1,797 handwritten digits that come with scikit-learn, as 32x32 RGB; nothing to download",
        "cifar10": "60,000 photographs, 32x32, ten classes; from --data-dir, else downloaded",
        "cifar100": "60,000 photographs, 32x32, a hundred classes; from --data-dir, else downloaded",
        "folder:PATH": f"your own images of one size: PATH/{LAYOUT}; folder:PATH,flip=no if they must not be mirrored",
    }
)


def find_dataset(name: str) -> Dataset:
    """The data set of that name: one of :data:`DATASET_NAMES`.

    For a folder, class names are those of the folders in ``PATH/train`` (``maple_tree`` is "maple tree") and the image
    size is that of one image; the other names need no file.

    Raises:
        UnknownName: there is none of that name.
        InputError: the folder is not there, or is not laid out as expected.
        MachineError: it cannot be read.
    """
    if name.startswith("folder:"):
        return _folder_dataset(name)
    if name not in _NAMED:
        raise UnknownName("data set", name, DATASET_NAMES)
    return _NAMED[name]


def _folder_dataset(name: str) -> Dataset:
    path, flip = folder_argument(name)
    folder = ImageFolder(path)
    with _reading_errors(name):
        class_names, image_size = tuple(map(class_name_of, folder.class_folders())), folder.image_size()
    return Dataset(name, class_names, image_size, flip)


@contextmanager
def _reading_errors(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}" if error.filename else one_line(error)
        raise MachineError(
            f"cannot read the images of {name} ({reason}); allow or repair that, and run again"
        ) from error
