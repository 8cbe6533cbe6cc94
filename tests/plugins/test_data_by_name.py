"""Data sets by name: small local copies through the libraries' own loaders, and folders of images of any size."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import labelbench
from labelbench import InputError, Settings, Unavailable, UnknownName, find_dataset
from labelbench.settings import use_settings
from labelbench_datasets.torchvision_sets import KNOWN

COLOURS = {"red": (220, 40, 40), "green": (40, 220, 40), "blue": (40, 40, 220), "grey": (120, 120, 120)}
RANDOM = np.random.default_rng(0)


def drawn(colour: str, size: tuple[int, int]) -> np.ndarray:
    return np.clip(np.array(COLOURS[colour]) + RANDOM.integers(-40, 40, (*size, 3)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def fashion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty training and ten test images in the files that torchvision's FashionMNIST reads."""
    raw = tmp_path_factory.mktemp("data") / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for part, each in (("train", 3), ("t10k", 1)):
        classes = np.repeat(np.arange(10, dtype=np.uint8), each)
        images = (classes[:, None, None] * 20 + RANDOM.integers(0, 40, (len(classes), 28, 28))).astype(np.uint8)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 2051, *images.shape) + images.tobytes())
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 2049, len(classes)) + classes.tobytes())
    return raw.parents[1]


@pytest.fixture(scope="session")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the format of the Hugging Face hub: parquet files of two splits with images and class labels."""
    datasets = pytest.importorskip("datasets", reason="datasets is not installed; pip install 'labelbench[hub]'")
    folder = tmp_path_factory.mktemp("hub") / "colours"
    (folder / "data").mkdir(parents=True)
    features = datasets.Features(
        {"picture": datasets.Image(), "colour": datasets.ClassLabel(names=["dark_red", "green", "blue"])}
    )
    for part, each in (("train", 6), ("validation", 2)):
        rows: dict[str, list[object]] = {"picture": [], "colour": []}
        for number, colour in enumerate(["red", "green", "blue"]):
            for _ in range(each):
                rows["picture"].append(Image.fromarray(drawn(colour, (20, 24))))
                rows["colour"].append(number)
        made = datasets.Dataset.from_dict(rows, features=features)
        made.to_parquet(str(folder / "data" / f"{part}-00000-of-00001.parquet"))
    return folder


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 images of 50 sizes in three formats, grey, with a palette, with alpha, turned, and of 16 bits."""
    import png

    root = tmp_path_factory.mktemp("photos") / "any size"
    exif = Image.Exif()
    exif[0x0112] = 6
    for number in range(200):
        colour = list(COLOURS)[number % 4]
        part = "val" if number >= 160 else "train"
        pixels = drawn(colour, (24 + number % 50, 30 + 7 * (number % 50) % 41))
        path = root / part / colour / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        kind = number % 20
        image = Image.fromarray(pixels)
        if kind == 0:
            with path.open("wb") as file:
                rows = (pixels.astype(np.uint16) * 257).reshape(len(pixels), -1)
                png.Writer(pixels.shape[1], pixels.shape[0], greyscale=False, bitdepth=16).write(file, rows)
        elif kind == 1:
            image.quantize(16).save(path)
        elif kind == 2:
            image.convert("LA").save(path)
        elif kind == 3:
            image.putalpha(200)
            image.save(path.with_suffix(".webp"), lossless=True)
        elif kind < 12:
            image.save(path.with_suffix(".jpg"), exif=exif)
        else:
            image.save(path)
    return root


def test_each_ends_on_a_leaderboard(fashion: Path, parquet: Path, photos: Path, tmp_path: Path) -> None:
    settings = replace(labelbench.current_settings(), data_dir=fashion, cache_dir=tmp_path / "cache", offline=True)
    names = [f"folder:{photos},size=24", "torchvision:FashionMNIST", f"hf:{parquet}"]
    table = labelbench.run(
        datasets=names, labels="category", backbones="resnet8", evaluators="accuracy", epochs=1, seeds=1,
        device="cpu", threads=1, results=tmp_path / "results", settings=settings,
    )  # fmt: skip
    assert {record.dataset for record in table} == set(names)
    board = (tmp_path / "results" / "leaderboard.md").read_text()
    assert "any size/val is measured, since there is no test" in board
    assert "the split 'validation' of" in board


def test_images_of_any_size_are_decoded_as_they_are_meant(photos: Path, settings: Settings) -> None:
    dataset = find_dataset(f"folder:{photos},size=24,resize=squash")
    with use_settings(settings):
        images = dataset.images()
    assert dataset.class_names == ("blue", "green", "grey", "red")
    assert images.train.images.shape == (160, 24, 24, 3) and len(images.test) == 40
    for part in (images.train, images.test):
        for number, name in enumerate(dataset.class_names):
            mean = part.images[part.classes == number].mean(axis=(0, 1, 2))
            assert np.abs(mean - COLOURS[name]).max() < 45


def test_fashion_is_read_by_torchvision_with_class_names_in_words(fashion: Path, settings: Settings) -> None:
    dataset = find_dataset("torchvision:FashionMNIST")
    assert (dataset.class_names[1], dataset.class_names[9], dataset.image_size) == ("trousers", "ankle boot", (28, 28))
    with use_settings(replace(settings, data_dir=fashion)):
        images = dataset.images()
        small = find_dataset("torchvision:FashionMNIST,size=14").images()
    raw = np.frombuffer((fashion / "FashionMNIST/raw/t10k-images-idx3-ubyte").read_bytes()[16:], np.uint8)
    assert np.array_equal(images.test.images[..., 0], raw.reshape(10, 28, 28))
    assert np.bincount(images.train.classes).tolist() == [3] * 10
    assert small.train.images.shape == (30, 14, 14, 3)


def test_names_sizes_and_counts_of_what_torchvision_reads_need_no_file() -> None:
    from torchvision import datasets

    counts = {name: len(find_dataset(f"torchvision:{name}").class_names) for name in KNOWN}
    assert counts == {
        **dict.fromkeys(("EuroSAT", "FashionMNIST", "KMNIST", "MNIST", "STL10", "SVHN", "USPS"), 10),
        **{"DTD": 47, "Flowers102": 102, "Food101": 101, "GTSRB": 43, "OxfordIIITPet": 37},
    }
    assert all(len(set(known.class_names)) == len(known.class_names) for known in KNOWN.values())
    assert list(KNOWN["Flowers102"].class_names) == list(datasets.Flowers102.classes)
    with pytest.raises(UnknownName, match="unknown data set of torchvision 'FashonMNIST'; did you mean FashionMNIST"):
        find_dataset("torchvision:FashonMNIST")
    with pytest.raises(InputError, match=r"torchvision:SVHN has test images of its own; leave out test=0\.2"):
        find_dataset("torchvision:SVHN,test=0.2")


def test_class_names_are_those_that_torchvision_states_in_the_order_of_its_indices() -> None:
    from torchvision import datasets

    stated = {name: found for name in KNOWN if (found := getattr(getattr(datasets, name), "classes", None))}
    assert {"FashionMNIST", "Flowers102", "KMNIST", "MNIST"} <= set(stated)
    for name, theirs in stated.items():
        for ours, words in zip(KNOWN[name].class_names, theirs, strict=True):
            assert ours.lower().rstrip("s") in words.lower(), name
    # Of these the classes are the folders of the archive, sorted.
    for name in ("DTD", "EuroSAT", "Food101"):
        folders = [words.replace(" ", "_") for words in KNOWN[name].class_names]
        assert folders == sorted(folders), name


def test_what_is_not_here_says_where_to_put_it(settings: Settings) -> None:
    with (
        use_settings(settings),
        pytest.raises(Unavailable, match="SVHN is not in "),
    ):
        find_dataset("torchvision:SVHN").images()


def test_files_that_torchvision_cannot_read_are_one_line(settings: Settings, fashion: Path) -> None:
    raw = settings.data_dir / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "train-images-idx3-ubyte").write_bytes(b"")
    with (
        use_settings(settings),
        pytest.raises(InputError, match=r"the files of FashionMNIST in .* are not as torchvision"),
    ):
        find_dataset("torchvision:FashionMNIST").images()


def test_a_data_set_without_test_images_is_divided_by_seed(settings: Settings) -> None:
    for number, name in enumerate(("AnnualCrop", "Forest", *map(str, range(8)))):
        folder = settings.data_dir / "eurosat" / "2750" / name
        folder.mkdir(parents=True)
        for place in range(5):
            pixels = RANDOM.integers(0, 256, (64, 64, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{name}_{place}.jpg")
        assert number < 10
    with use_settings(settings):
        images = find_dataset("torchvision:EuroSAT").images()
    assert np.bincount(images.test.classes).tolist() == [1] * 10 and len(images.train) == 40
    assert "20 % of EuroSAT are measured and not trained on, by seed 0" in images.notes


def test_a_folder_of_the_hubs_format_is_read_by_datasets(parquet: Path, settings: Settings) -> None:
    with use_settings(settings):
        dataset = find_dataset(f"hf:{parquet}")
        images = dataset.images()
        assert dataset.class_names == ("dark red", "green", "blue") and dataset.image_size == (20, 24)
        assert (len(images.train), len(images.test)) == (18, 6)
        assert images.notes == (f"the split 'validation' of {parquet} is measured",)
        assert images.test.images[images.test.classes == 2].mean(axis=(0, 1, 2)).argmax() == 2
        named = find_dataset(f"hf:{parquet},split=train/validation,image=picture,label=colour,size=8").images()
        assert named.train.images.shape == (18, 8, 8, 3)
        divided = find_dataset(f"hf:{parquet},split=train,test=0.5").images()
        assert (len(divided.train), len(divided.test)) == (9, 9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("split=train/test", "has the splits train, validation; expected split=TRAIN/TEST of these, got train/test"),
        ("split=train", None),
        ("image=photo", "has the columns picture, colour; expected one of these as the image, got 'photo'"),
        ("test=0.2,split=train/validation", "is measured on its split 'validation'; leave out test=0.2"),
    ],
)
def test_splits_and_columns_that_are_not_there_are_one_line(
    parquet: Path, settings: Settings, arguments: str, message: str | None
) -> None:
    with use_settings(settings):
        if message is None:
            assert len(find_dataset(f"hf:{parquet},{arguments}").images().test) == 6
            return
        with pytest.raises(InputError, match=message):
            find_dataset(f"hf:{parquet},{arguments}")


def test_a_name_of_the_hub_that_is_not_here_is_unavailable_offline(settings: Settings) -> None:
    pytest.importorskip("datasets")
    with use_settings(settings), pytest.raises(Unavailable, match="hf:nobody/nothing cannot be loaded, and offline"):
        find_dataset("hf:nobody/nothing")


# Two classes of ImageNet are called crane: the bird and the machine.
NUMBERS = {"n01440764": "tench", "n02012849": "crane n02012849", "n03126707": "crane n03126707"}


def test_imagenet_has_class_names_in_words_that_are_all_different(tmp_path: Path, settings: Settings, pictures) -> None:
    for part, each in (("train", 3), ("val", 2)):
        drawn = pictures.draw(tuple(NUMBERS), train=each, test=0, size=(20, 30), seed=each)
        pictures.folder(tmp_path / "imagenet", {name.replace("train", part, 1): image for name, image in drawn.items()})
    dataset = find_dataset(f"imagenet-folder:{tmp_path / 'imagenet'},size=16")
    assert dataset.class_names == tuple(NUMBERS.values()) and dataset.image_size == (16, 16)
    with use_settings(settings):
        images = dataset.images()
    assert images.train.classes.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2] and len(images.test) == 6
    assert images.notes == ("imagenet/val is measured, since there is no test",)
    (tmp_path / "imagenet/train/cat").mkdir()
    with pytest.raises(InputError, match="the class folder 'cat' is no WordNet number; expected such as n01440764"):
        find_dataset(f"imagenet-folder:{tmp_path / 'imagenet'}")


def test_every_class_of_imagenet_has_a_name_of_its_own() -> None:
    from timm.data import ImageNetInfo

    from labelbench_datasets.imagenet import _words

    numbers = ImageNetInfo("imagenet-1k").label_names()
    words = _words(numbers)
    assert len(set(words.values())) == len(numbers) == 1000
    assert (words["n01440764"], words["n03710721"]) == ("tench", "maillot, tank suit")


def test_tiny_imagenet_is_read_as_it_is_published(settings: Settings, pictures) -> None:
    with use_settings(settings), pytest.raises(Unavailable, match="tiny-imagenet is not in "):
        find_dataset("tiny-imagenet")
    root = settings.data_dir / "tiny-imagenet-200"
    numbers = list(NUMBERS)
    drawn = pictures.draw(numbers, train=3, test=2, size=(64, 64))
    annotations = []
    for name, pixels in drawn.items():
        part, number, place = name.split("/")
        file = root / (f"train/{number}/images/{number}_{place}.JPEG" if part == "train" else
                       f"val/images/val_{len(annotations)}.JPEG")  # fmt: skip
        if part == "test":
            annotations.append(f"{file.name}\t{number}\t0\t0\t62\t62")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(pictures.encode(pixels, ".jpg"))
    (root / "val" / "val_annotations.txt").write_text("\n".join(annotations) + "\n")
    # In the published file they are in no order.
    (root / "wnids.txt").write_text("\n".join(reversed(numbers)) + "\n")
    with use_settings(settings):
        dataset = find_dataset("tiny-imagenet")
        images = dataset.images()
    assert dataset.class_names == tuple(NUMBERS.values())
    assert (
        np.bincount(images.train.classes).tolist() == [3, 3, 3] and np.bincount(images.test.classes).tolist() == [2] * 3
    )
    expected = np.asarray(Image.open(root / "train/n02012849/images/n02012849_0.JPEG"))
    assert any(np.array_equal(image, expected) for image in images.train.images[images.train.classes == 1])
