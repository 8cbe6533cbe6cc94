"""Fixtures for all tests."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from forking import Forks
from labelbench.settings import Settings

# Tests run in several processes: one thread each is faster than all of them waiting for each other's.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with data and reference arrays beside the repository; tests that read it are skipped without it."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("the folder 'shared' with data and reference arrays is not beside this repository")
    return folder


def pytest_configure(config: pytest.Config) -> None:
    """Before workers are started, which share it: a Python whose processes are forked."""
    if "FORKED_PYTHON" not in os.environ:
        folder = tempfile.mkdtemp(prefix="forks-")
        forks = Forks(Path(folder))
        os.environ["FORKED_PYTHON"] = str(forks.python)
        config.add_cleanup(forks.close)
        config.add_cleanup(partial(shutil.rmtree, folder))
        config.add_cleanup(partial(os.environ.pop, "FORKED_PYTHON"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long tests are begun first, some by each worker: at first each is given as many tests, in this order."""
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    total = len(items)
    long = [item for item in items if item.get_closest_marker("long")]
    others = [item for item in items if not item.get_closest_marker("long")]
    items.clear()
    for worker in range(workers):
        items += long[worker::workers]
        share = max(0, total * (worker + 1) // workers - len(items))
        items += others[:share]
        del others[:share]
    items += others


@pytest.fixture(scope="session")
def forked_python() -> Path:
    """A Python for commands that need not be started afresh, see ``helpers/forking.py``."""
    return Path(os.environ["FORKED_PYTHON"])


@pytest.fixture(autouse=True)
def _own_settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's cache, and none uses the network unless it says so."""
    monkeypatch.setenv("LABELBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("LABELBENCH_OFFLINE", "1")
    # Workers of xdist are told 80 columns.
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("LABELBENCH_DATA", raising=False)
    monkeypatch.delenv("LABELBENCH_LABELS", raising=False)
    monkeypatch.delenv("LABELBENCH_PLUGINS", raising=False)


class FolderServer(ThreadingHTTPServer):
    """A folder behind a free port of the loopback address.

    Attributes:
        url: of the folder, with a slash at the end.
        asked: paths of all requests so far.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(_NotingHandler, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self.server_port}/"
        self.asked: list[str] = []


class _NotingHandler(SimpleHTTPRequestHandler):
    server: FolderServer

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        super().do_GET()

    def end_headers(self) -> None:
        _, found, rest = self.path.partition("/resolve/")
        if found:
            # What a server of models says of a file: its revision, and a name for its content.
            self.send_header("X-Repo-Commit", rest.partition("/")[0])
            self.send_header("ETag", f'"{rest.partition("/")[2]}"')
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], FolderServer]]:
    """Serves folders until the test ends, ``serve(folder).url``; asking for it lifts the ban on the network."""
    monkeypatch.delenv("LABELBENCH_OFFLINE")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ExitStack() as stack:

        def start(folder: Path) -> FolderServer:
            server = stack.enter_context(FolderServer(folder))
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
            stack.callback(server.shutdown)
            return server

        yield start


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
