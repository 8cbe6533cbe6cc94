"""Fixtures for all tests."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

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


@pytest.fixture(autouse=True)
def _own_settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's cache, and none uses the network unless it says so."""
    monkeypatch.setenv("LABELBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("LABELBENCH_OFFLINE", "1")
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
