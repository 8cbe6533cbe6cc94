"""Small images as files, for the tests of data sets."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labelbench.settings import Settings


class Pictures:
    """Makes random images, and writes them as people keep them."""

    def draw(
        self, classes: Sequence[str], train: int = 3, test: int = 2, size: tuple[int, int] = (8, 8), seed: int = 0
    ) -> dict[str, np.ndarray]:
        """``{"train/cat/0": (height, width, 3) uint8, ...}``."""
        random = np.random.default_rng(seed)
        return {
            f"{part}/{name}/{number}": random.integers(0, 256, (*size, 3), dtype=np.uint8)
            for part, count in (("train", train), ("test", test))
            for name in classes
            for number in range(count)
        }

    def encode(self, pixels: np.ndarray, suffix: str) -> bytes:
        file = io.BytesIO()
        formats = {".png": "PNG", ".webp": "WEBP", ".jpg": "JPEG"}
        Image.fromarray(pixels).save(file, formats[suffix], lossless=True, exact=True)
        return file.getvalue()

    def folder(self, root: Path, pictures: Mapping[str, np.ndarray], suffix: str = ".png") -> Path:
        for name, pixels in pictures.items():
            path = root / (name + suffix)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.encode(pixels, suffix))
        return root

    def zip(self, path: Path, pictures: Mapping[str, np.ndarray], suffix: str = ".png", prefix: str = "") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            for name, pixels in pictures.items():
                archive.writestr(prefix + name + suffix, self.encode(pixels, suffix))
        return path


@pytest.fixture(scope="session")
def pictures() -> Pictures:
    return Pictures()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Data and cache in folders of the test's own, offline."""
    return Settings(data_dir=tmp_path / "data", labels_dir=None, cache_dir=tmp_path / "cache", offline=True)
