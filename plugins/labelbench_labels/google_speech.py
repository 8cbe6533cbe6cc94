"""Words spoken by the service behind Google Translate, through the package gTTS; kept for ever once fetched."""

from __future__ import annotations

import hashlib
import io
import os
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labelbench import InputError, MachineError, Unavailable, UnknownName, current_settings
from labelbench_labels import mp3
from labelbench_labels.fetching import disk_errors
from labelbench_labels.recordings import Recording, in_words, read_audio

_TOO_MANY_REQUESTS = 429
_NOTE = "gTTS does not verify certificates: the audio is unauthenticated"
# Seconds without an answer after which the service counts as gone.
_TIMEOUT = 20.0
# How often one word is asked for while the answer is "too many requests".
_TRIES = 6
# Seconds before the second try, doubled with each further one (a longer ``Retry-After`` of the service counts instead),
# and seconds that no wait exceeds.
_FIRST_WAIT, _LONGEST_WAIT = 2.0, 60.0


def spoken(class_names: Sequence[str], language: str = "en", domain: str = "com") -> list[Recording]:
    """Have each class name spoken by the service, unless the cache holds it already.

    What came once is used for ever, since a service's voice can change any day: ``<cache>/speech/gtts/<domain>/
    <language>/<word>.<SHA-256>.mp3``.

    Args:
        class_names: in words.
        language: as gTTS lists it, e.g. ``"en"``, ``"pt-PT"``.
        domain: top-level domain of the service, which decides the accent: ``"com"``, ``"co.uk"``.

    Returns:
        Recordings in the order of ``class_names``.

    Raises:
        UnknownName: a language that gTTS does not know.
        InputError: a domain that cannot be one, or a name with nothing to speak.
        Unavailable: offline, no network, a time-out, a refusal, or an answer that is no whole recording; what came
            before is kept.
        MachineError: the cache cannot be read or written, or a file in it was altered.
    """
    from gtts.lang import tts_langs

    if language not in tts_langs():
        raise UnknownName("language of speech:tts=gtts", language, tts_langs())
    if not re.fullmatch(r"[a-z]{2,}(\.[a-z]{2,})*", domain):
        raise InputError(f"speech:tts=gtts,tld={domain} is no top-level domain; expected one such as com or co.uk")
    folder = current_settings().cache_dir / "speech" / "gtts" / domain / language
    names = {name: in_words(name) for name in class_names}
    if current_settings().offline:
        missing = [name for name, word in names.items() if not _kept(folder, word)]
        if missing:
            raise Unavailable(
                f"speech:tts=gtts fetches recordings ({len(missing)} missing, the first is {missing[0]!r}) and "
                "labelbench is offline; run it once without --offline, or use the shipped recordings: speech"
            )
    return [_recording(name, word, folder, language, domain) for name, word in names.items()]


def _recording(name: str, word: str, folder: Path, language: str, domain: str) -> Recording:
    path = _kept(folder, word)
    if path is None:
        data = _fetched(word, language, domain)
        _whole(data, f"what the service sent for {word!r}")
        _keep(folder, _stem(word), data)
        path = _kept(folder, word)
        assert path is not None
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MachineError(f"cannot read {path}: {error.strerror or error}") from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != path.name.split(".")[-2]:
        raise MachineError(f"{path} was altered since it was fetched; remove it and run again to fetch it anew")
    source = {"engine": "gTTS", "language": language, "tld": domain, "note": _NOTE, "mp3_sha256": digest}
    return Recording(name, *read_audio(data, str(path)), source)


def _fetched(word: str, language: str, domain: str) -> bytes:
    """The MP3 as the service sends it."""
    from gtts import gTTS, gTTSError

    host = f"translate.google.{domain}"
    for attempt in range(_TRIES):
        content = io.BytesIO()
        try:
            gTTS(word, lang=language, tld=domain, timeout=_TIMEOUT).write_to_fp(content)
        except gTTSError as error:
            if error.rsp is not None and error.rsp.status_code == _TOO_MANY_REQUESTS:
                if attempt + 1 < _TRIES:
                    time.sleep(_wait(attempt, error.rsp.headers.get("Retry-After", "")))
                continue
            raise Unavailable(f"cannot fetch {word!r}: {_reason(error, host)}; run again later") from error
        except AssertionError as error:  # how gTTS refuses punctuation
            raise InputError(
                f"gTTS finds nothing to speak in the class name {word!r}; name the class in words"
            ) from error
        except ValueError as error:
            raise Unavailable(
                f"cannot fetch {word!r}: {host} sent an answer that cannot be decoded; run again"
            ) from error
        return content.getvalue()
    raise Unavailable(
        f"cannot fetch {word!r}: {host} answered 'too many requests' {_TRIES} times; what came before is kept, "
        "run again in an hour to go on from there"
    )


def _wait(attempt: int, retry_after: str) -> float:
    asked = float(retry_after) if retry_after.isdecimal() else 0.0
    return min(max(_FIRST_WAIT * 2.0**attempt, asked), _LONGEST_WAIT)


def _reason(error: Any, host: str) -> str:
    """Why gTTS failed: it says the same for every way in which a connection can fail, so its cause is asked."""
    if error.rsp is not None:
        if error.rsp.ok:
            return f"{host} answered without a recording"
        return f"{host} answered {error.rsp.status_code} {error.rsp.reason}"
    from requests.exceptions import Timeout

    if isinstance(error.__context__, Timeout):
        return f"{host} did not answer within {_TIMEOUT:g} s"
    return f"{host} cannot be reached ({type(error.__context__).__name__})"


def _whole(data: bytes, what: str) -> None:
    """Refuse what cannot be played to its end."""
    try:
        mp3.count_frames(data)
        read_audio(data, what)
    except (ValueError, InputError) as error:
        raise Unavailable(f"{what} is no whole MP3 ({error}); nothing was kept, run again") from error


def _stem(word: str) -> str:
    """A file name for any word: readable, and unique by a hash."""
    readable = re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-")[:40]
    return f"{readable}-{hashlib.sha256(word.encode()).hexdigest()[:10]}"


def _kept(folder: Path, word: str) -> Path | None:
    """The file of a word; the first by name if two processes fetched it at once."""
    return min(folder.glob(f"{_stem(word)}.*.mp3"), default=None)


def _keep(folder: Path, stem: str, data: bytes) -> None:
    """Put a file in place whole, with its hash in its name."""
    target = folder / f"{stem}.{hashlib.sha256(data).hexdigest()}.mp3"
    with disk_errors(target):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".", suffix=".part", delete=False) as file:
            temporary = Path(file.name)
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                temporary.unlink()
                raise
        temporary.replace(target)
