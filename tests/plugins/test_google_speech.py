"""What speech:tts=gtts does with a service that answers, hesitates, refuses, lies or is not there.

The service is a stand-in on the loopback address: a proxy that ends the encrypted connection itself, which works
because gTTS does not verify certificates.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
import pytest
import soundfile
import trustme

from labelbench import Dataset, InputError, MachineError, Unavailable, UnknownName, label
from labelbench_labels.google_speech import spoken


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Little patience with the service, and less if asked for: ``quick(timeout=0.3)``."""

    def be(**patience: float) -> None:
        for name, value in patience.items():
            monkeypatch.setattr(f"labelbench_labels.google_speech._{name.upper()}", value)

    be(timeout=5.0, tries=3, first_wait=0.01, longest_wait=2.0)
    return be


def spoken_mp3(hertz: float = 300.0) -> bytes:
    seconds = np.arange(12_000) / 24_000
    tone = 0.5 * np.sin(2 * np.pi * hertz * seconds)
    content = io.BytesIO()
    soundfile.write(content, tone, 24_000, format="MP3", bitrate_mode="CONSTANT", compression_level=0.9)
    return content.getvalue()


MP3 = spoken_mp3()


@dataclass
class Answer:
    """One answer of the service."""

    audio: bytes | None = MP3
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    text: str | None = None
    hangs: bool = False

    @property
    def body(self) -> bytes:
        if self.text is not None:
            return self.text.encode()
        if self.audio is None:
            return b'[["wrb.fr","jQ1olc",null,null,null,[3],"generic"]]'
        inner = json.dumps([base64.b64encode(self.audio).decode()])
        return b")]}'\n\n" + json.dumps([["wrb.fr", "jQ1olc", inner, None]], separators=(",", ":")).encode()


@dataclass
class Service:
    """The stand-in: answers in the order of ``answers``, the last one for ever."""

    answers: list[Answer] = field(default_factory=lambda: [Answer()])
    words: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    closing: threading.Event = field(default_factory=threading.Event)

    def next(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def handler(service: Service, certificate: ssl.SSLContext) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_CONNECT(self) -> None:
            service.hosts.add(self.path)
            self.send_response(200)
            self.end_headers()
            self.connection = certificate.wrap_socket(self.connection, server_side=True)
            self.rfile = self.connection.makefile("rb")
            self.wfile = self.connection.makefile("wb", buffering=0)
            self.close_connection = False  # some clients connect with HTTP/1.0

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            service.words.append(json.loads(json.loads(form["f.req"][0])[0][0][1])[0])
            answer = service.next()
            if answer.hangs:
                service.closing.wait(20)
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)
            self.close_connection = True

        def finish(self) -> None:
            super().finish()
            self.connection.close()

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture(scope="module")
def certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("translate.google.com").configure_cert(context)
    return context


@pytest.fixture
def service(certificate: ssl.SSLContext, online: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    service = Service()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(service, certificate)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.server_port}")
        yield service
        service.closing.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LABELBENCH_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def online(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELBENCH_OFFLINE", "0")


@pytest.fixture
def no_network(online: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def cut() -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{unused.getsockname()[1]}")

    return cut


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_word_is_asked_for_by_name_and_sounds_as_the_service_sent_it(service: Service) -> None:
    (recording,) = spoken(["oak_tree"], domain="co.uk")
    expected, rate = soundfile.read(io.BytesIO(MP3), dtype="float64")
    assert (service.words, service.hosts) == (["oak tree"], {"translate.google.co.uk:443"})
    assert recording.rate == rate
    np.testing.assert_array_equal(recording.samples, np.rint(expected * 32768).astype(np.int16))


def test_the_record_says_that_the_audio_is_unauthenticated(service: Service) -> None:
    (recording,) = spoken(["cat"], language="de", domain="de")
    assert "unauthenticated" in recording.source["note"]
    assert (recording.source["engine"], recording.source["language"], recording.source["tld"]) == ("gTTS", "de", "de")


def test_the_label_carries_that_note_and_the_hashes_of_what_came(service: Service) -> None:
    service.answers = [Answer(), Answer(spoken_mp3(500))]
    labels = label("speech:tts=gtts,lang=de,tld=de", Dataset("pets", ("cat", "dog"), (8, 8)))
    assert labels.shape == (16, 16)
    assert "unauthenticated" in labels.provenance["source"]["note"]
    assert labels.provenance["words"]["cat"]["mp3_sha256"] == hashlib.sha256(MP3).hexdigest()


def test_what_was_fetched_is_used_for_ever_without_the_network(
    service: Service, no_network: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    service.answers = [Answer(), Answer(spoken_mp3(500))]
    first = spoken(["cat", "dog"])
    no_network()
    assert [recording.sha256 for recording in spoken(["cat", "dog"])] == [recording.sha256 for recording in first]
    monkeypatch.setenv("LABELBENCH_OFFLINE", "1")
    assert [recording.sha256 for recording in spoken(["dog", "cat"])] == [first[1].sha256, first[0].sha256]
    assert len(service.words) == 2


def test_languages_domains_and_words_are_kept_apart(service: Service) -> None:
    service.answers = [Answer(spoken_mp3(hertz)) for hertz in (200, 300, 400, 500)]
    said = [spoken(["cat"]), spoken(["cat"], language="de"), spoken(["cat"], domain="co.uk"), spoken(["Cat!"])]
    assert len({recording.sha256 for (recording,) in said}) == 4


def test_without_a_network_the_error_says_so_and_a_second_try_works(
    cache: Path, service: Service, no_network: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    reachable = os.environ["https_proxy"]
    no_network()
    with pytest.raises(Unavailable, match=r"'cat': translate\.google\.com cannot be reached"):
        spoken(["cat"])
    assert files(cache) == []
    monkeypatch.setenv("https_proxy", reachable)
    assert len(spoken(["cat"])) == 1


def test_a_service_that_does_not_answer_is_given_up_after_the_time_out(
    cache: Path, service: Service, quick: Callable[..., None]
) -> None:
    quick(timeout=0.3)
    service.answers = [Answer(hangs=True), Answer()]
    start = time.monotonic()
    with pytest.raises(Unavailable, match=r"translate\.google\.com did not answer within 0\.3 s; run again"):
        spoken(["cat"])
    assert time.monotonic() - start < 5
    assert files(cache) == []
    assert len(spoken(["cat"])) == 1


def test_too_many_requests_are_waited_out(service: Service) -> None:
    service.answers = [Answer(None, 429), Answer(None, 429), Answer()]
    assert len(spoken(["cat"])) == 1
    assert service.words == ["cat"] * 3


def test_the_wait_that_the_service_asks_for_is_granted(service: Service) -> None:
    service.answers = [Answer(None, 429, {"Retry-After": "1"}), Answer()]
    start = time.monotonic()
    spoken(["cat"])
    assert time.monotonic() - start >= 1


def test_no_wait_is_longer_than_patience_allows(service: Service, quick: Callable[..., None]) -> None:
    quick(longest_wait=0.05)
    service.answers = [Answer(None, 429, {"Retry-After": "3600"}), Answer()]
    start = time.monotonic()
    spoken(["cat"])
    assert time.monotonic() - start < 5


def test_too_many_requests_for_ever_end_in_an_error_and_what_came_before_is_kept(cache: Path, service: Service) -> None:
    service.answers = [Answer(), Answer(None, 429)]
    with pytest.raises(Unavailable, match=r"'dog'.*'too many requests' 3 times; what came before is kept"):
        spoken(["cat", "dog"])
    assert service.words == ["cat", "dog", "dog", "dog"]
    assert len(files(cache)) == 1
    service.answers = [Answer(spoken_mp3(500))]
    assert len(spoken(["cat", "dog"])) == 2
    assert service.words[4:] == ["dog"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(MP3[:-7]), "what the service sent for 'cat' is no whole MP3 .*cut"),
        (Answer(MP3[: len(MP3) // 2 + 3]), "no whole MP3 .*cut"),
        (Answer(b""), "no whole MP3 .*it holds no sound"),
        (Answer(b"<html>no</html>"), "no whole MP3"),
        (Answer(None), "answered without a recording"),
        (Answer(text="an error page"), "no whole MP3 .*it holds no sound"),
        (Answer(text='[["wrb.fr","jQ1olc","[\\"abc\\"]"]]'), "cannot be decoded"),
        (Answer(text='[["wrb.fr","jQ1olc","[\\"é\\"]"]]'), "cannot be decoded"),
        (Answer(None, 500), "answered 500"),
        (Answer(None, 404), "answered 404"),
        (Answer(text="x", headers={"Content-Length": "100"}), "cannot be reached"),
    ],
    ids=[
        "tail cut",
        "half",
        "empty",
        "no MP3",
        "no audio",
        "no answer",
        "odd text",
        "no text",
        "500",
        "404",
        "broken off",
    ],
)
def test_anything_but_a_whole_recording_is_an_error_that_keeps_nothing_and_a_second_try_works(
    cache: Path, service: Service, answer: Answer, said: str
) -> None:
    service.answers = [answer, Answer()]
    with pytest.raises(Unavailable, match=said) as raised:
        spoken(["cat"])
    assert "\n" not in str(raised.value)
    assert "run again" in str(raised.value)
    assert files(cache) == []
    assert len(spoken(["cat"])) == 1


def test_a_kept_file_that_was_altered_is_refused_by_name(cache: Path, service: Service) -> None:
    spoken(["cat"])
    (kept,) = files(cache)
    kept.write_bytes(spoken_mp3(500))
    with pytest.raises(MachineError, match=f"{kept.name} was altered"):
        spoken(["cat"])


def test_offline_the_missing_words_are_told_and_nothing_is_asked(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABELBENCH_OFFLINE", "1")
    with pytest.raises(Unavailable, match=r"2 missing, the first is 'cat'.*offline"):
        spoken(["cat", "dog"])
    assert service.words == []


def test_a_language_that_does_not_exist_is_refused_before_anything_is_asked(service: Service) -> None:
    with pytest.raises(UnknownName, match="unknown language of speech:tts=gtts 'xx'"):
        spoken(["cat"], language="xx")
    assert service.words == []


@pytest.mark.parametrize("domain", ["", "COM", "com/../x", "com@localhost", "com:1", "c", "co..uk"])
def test_a_domain_that_would_lead_elsewhere_is_refused(service: Service, domain: str) -> None:
    with pytest.raises(InputError, match="no top-level domain"):
        spoken(["cat"], domain=domain)
    assert service.hosts == set()


def test_a_name_without_anything_to_speak_is_refused_by_name(service: Service) -> None:
    with pytest.raises(InputError, match=r"nothing to speak in the class name '\?!'"):
        spoken(["?!"])
