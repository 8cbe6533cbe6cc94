"""Fetching against a real HTTP server on the loopback address."""

from __future__ import annotations

import hashlib
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from labelbench import InputError, MachineError, Unavailable
from labelbench_labels import fetching
from labelbench_labels.fetching import fetch

CONTENT = bytes(range(256)) * 1200
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves CONTENT at /file; what it was asked and how it misbehaves are attributes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges: list[str | None] = []
        self.cut_after: int | None = None
        self.knows_ranges = True
        self.says_length = True
        self.content = CONTENT

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        if self.path != "/file":
            self.send_error(404)
            return
        asked = self.headers["Range"]
        self.server.ranges.append(asked)
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and self.server.knows_ranges else 0
        if start >= len(self.server.content):
            self.send_error(416)
            return
        body = self.server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header(
                "Content-Range", f"bytes {start}-{len(self.server.content) - 1}/{len(self.server.content)}"
            )
        if self.server.says_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.cut_after])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.delenv("LABELBENCH_OFFLINE")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


def leftovers(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.glob("[!.]*")) if target.parent.is_dir() else []


@pytest.mark.parametrize("size", [None, len(CONTENT)])
@pytest.mark.parametrize("sha256", [None, SHA256])
def test_a_file_arrives_whole_and_alone(server: Server, tmp_path: Path, sha256: str | None, size: int | None) -> None:
    target = tmp_path / "new" / "file.npy"
    assert fetch(server.url, target, sha256, size) == target
    assert target.read_bytes() == CONTENT
    assert leftovers(target) == ["file.npy"]


def test_a_file_that_is_there_is_not_asked_for_again(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "file.npy"
    for _ in range(2):
        fetch(server.url, target, SHA256, len(CONTENT))
    assert len(server.ranges) == 1


def test_a_damaged_file_is_replaced(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "file.npy"
    target.write_bytes(b"damaged")
    fetch(server.url, target, SHA256, None)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("size", [None, len(CONTENT)])
def test_an_interrupted_download_goes_on_where_it_stopped(server: Server, tmp_path: Path, size: int | None) -> None:
    target = tmp_path / "file.npy"
    server.cut_after = 131_072
    with pytest.raises(Unavailable, match=r"ended after 131\.1 kB of 307\.2 kB; run again, or place .* at .*file\.npy"):
        fetch(server.url, target, SHA256, size)
    assert leftovers(target) == ["file.npy.part"]
    server.cut_after = None
    fetch(server.url, target, SHA256, size)
    assert server.ranges == [None, "bytes=131072-"]
    assert target.read_bytes() == CONTENT
    assert leftovers(target) == ["file.npy"]


def test_without_a_checksum_an_interrupted_download_starts_anew(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "file.npy"
    server.cut_after = 131_072
    with pytest.raises(Unavailable, match="ended after"):
        fetch(server.url, target, None, None)
    server.cut_after = None
    fetch(server.url, target, None, None)
    assert server.ranges == [None, None]
    assert target.read_bytes() == CONTENT


def test_a_server_without_ranges_sends_everything_again(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "file.npy"
    target.with_name("file.npy.part").write_bytes(CONTENT[:5000])
    server.knows_ranges = False
    fetch(server.url, target, SHA256, None)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("size", [None, len(CONTENT)])
def test_a_part_longer_than_the_file_is_dropped(server: Server, tmp_path: Path, size: int | None) -> None:
    target = tmp_path / "file.npy"
    target.with_name("file.npy.part").write_bytes(CONTENT + b"more")
    fetch(server.url, target, SHA256, size)
    assert target.read_bytes() == CONTENT


def test_a_complete_part_is_taken_without_asking(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "file.npy"
    target.with_name("file.npy.part").write_bytes(CONTENT)
    fetch(server.url, target, SHA256, len(CONTENT))
    assert target.read_bytes() == CONTENT
    assert server.ranges == []


def test_another_checksum_is_refused_and_nothing_stays(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "file.npy"
    wrong = "0" * 64
    with pytest.raises(
        Unavailable, match=f"what came has SHA-256 {SHA256}, expected {wrong}; it was removed"
    ) as caught:
        fetch(server.url, target, wrong, len(CONTENT))
    assert "\n" not in str(caught.value)
    assert leftovers(target) == []


def test_more_bytes_than_expected_are_refused(server: Server, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"sends more than the expected 1\.0 kB"):
        fetch(server.url, tmp_path / "file.npy", SHA256, 1000)
    assert leftovers(tmp_path / "file.npy") == []


def test_a_missing_page_is_told_with_the_servers_answer(server: Server, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"file\.npy: the server answers 404 Not Found; run again, or place"):
        fetch(server.url + "-not-there", tmp_path / "file.npy", SHA256, None)


def test_a_refused_connection_is_one_line_that_says_what_to_place_where(server: Server, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/file"
        with pytest.raises(Unavailable, match=r"no connection \(.*refused\); run again, or place the file of http"):
            fetch(url, tmp_path / "file.npy", SHA256, None)
    assert leftovers(tmp_path / "file.npy") == []


def test_a_silent_server_is_given_up(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Unavailable, match="timed out"):
        fetch(f"http://127.0.0.1:{silent.getsockname()[1]}/file", tmp_path / "file.npy", SHA256, None)


def test_offline_nothing_is_asked_and_the_place_is_told(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABELBENCH_OFFLINE", "1")
    target = tmp_path / "deep" / "file.npy"
    with pytest.raises(Unavailable, match=r"missing and may not be fetched offline; place the file of http.* at .*"):
        fetch(server.url, target, SHA256, None)
    assert server.ranges == []
    assert leftovers(target) == []


def test_only_http_is_fetched(server: Server, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(CONTENT)
    with pytest.raises(InputError, match="expected an http or https address"):
        fetch((tmp_path / "secret").as_uri(), tmp_path / "file.npy", SHA256, None)


def test_a_folder_that_cannot_be_made_is_told(server: Server, tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(MachineError, match=r"cannot write .*file\.npy"):
        fetch(server.url, tmp_path / "taken" / "file.npy", SHA256, None)


def test_without_a_terminal_one_line_is_printed(
    server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fetch(server.url, tmp_path / "file.npy", SHA256, None)
    out, err = capfd.readouterr()
    assert out == ""
    assert err.strip() == f"fetching file.npy (307.2 kB) from 127.0.0.1:{server.server_port}"


def test_a_length_that_is_not_told_is_no_obstacle(server: Server, tmp_path: Path) -> None:
    server.says_length = False
    fetch(server.url, tmp_path / "file.npy", SHA256, None)
    assert (tmp_path / "file.npy").read_bytes() == CONTENT


def test_several_that_ask_at_once_share_one_download(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "file.npy"
    threads = [threading.Thread(target=fetch, args=(server.url, target, SHA256, len(CONTENT))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() == CONTENT
    assert leftovers(target) == ["file.npy"]
    assert len(server.ranges) == 1
