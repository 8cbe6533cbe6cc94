"""A reader's folder: their own images, and commands that cut long work short."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import shims


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forked_python: Path) -> Path:
    """The folder in which a page is followed."""
    from PIL import Image

    folder = tmp_path / "reader"
    random = np.random.RandomState(0)
    for part, count in (("train", 12), ("test", 4)):
        for name in ("cat", "tabby_cat"):
            images = folder / "my_images" / part / name
            images.mkdir(parents=True)
            for index in range(count):
                Image.fromarray(random.randint(0, 255, (16, 16, 3)).astype(np.uint8)).save(images / f"{index}.png")
    shims.install(tmp_path / "bin")
    (tmp_path / "site").mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PAGE_PYTHON", str(forked_python))
    monkeypatch.setenv("PAGE_BIN", str(tmp_path / "bin"))
    monkeypatch.setenv("PAGE_SITE", str(tmp_path / "site"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return folder
