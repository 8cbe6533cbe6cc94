"""Speak one text with espeak-ng and end: run as a script, in a process of its own.

The second text spoken in one process gets other samples than the first, so each process speaks one. It imports
nothing but the standard library, and labelbench never loads espeak-ng into its own process.

    python -I espeak_process.py LIBRARY DATA VOICE SPEED < text

Standard output is one line of JSON, then the sound as little-endian 16-bit mono. The line holds ``rate`` (samples per
second), ``version`` and ``language``; or ``error``, which is ``"data"``, ``"voice"`` or ``"synthesis"``, and for
``"voice"`` the list ``voices``.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from typing import Any

# Names and values of speak_lib.h.
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_PARAMETER_RATE = 1
_CHARS_UTF8 = 1
_POSITION_CHARACTER = 1


class _Voice(ctypes.Structure):
    """``espeak_VOICE``."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),  # a byte of priority before the name of a language
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("reserved", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


def speak(library_path: str, data_path: str, voice: str, speed: int, text: bytes) -> tuple[dict[str, Any], bytes]:
    """The line to answer, and the sound."""
    library = ctypes.CDLL(library_path)
    library.espeak_Info.restype = ctypes.c_char_p
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
    library.espeak_GetCurrentVoice.restype = ctypes.POINTER(_Voice)
    used = ctypes.c_char_p()
    data = os.fsencode(data_path)
    rate = library.espeak_Initialize(_AUDIO_OUTPUT_SYNCHRONOUS, 0, data, _INITIALIZE_DONT_EXIT)
    version = library.espeak_Info(ctypes.byref(used)).decode()
    # A folder that it cannot use makes it look elsewhere, where another version may lie.
    if rate <= 0 or (used.value or b"").rstrip(b"/") != data:
        return {"error": "data"}, b""
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        return {"error": "voice", "voices": _voices(library)}, b""
    chunks: list[bytes] = []

    def receive(samples: int | None, count: int, events: int | None) -> int:
        if samples and count > 0:
            chunks.append(ctypes.string_at(samples, 2 * count))
        return 0

    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)(receive)
    library.espeak_SetSynthCallback(callback)
    failed = library.espeak_SetParameter(_PARAMETER_RATE, speed, 0)
    failed |= library.espeak_Synth(
        text + b"\0", ctypes.c_size_t(len(text) + 1), 0, _POSITION_CHARACTER, 0, _CHARS_UTF8, None, None
    )
    failed |= library.espeak_Synchronize()
    if failed:
        return {"error": "synthesis"}, b""
    language = (library.espeak_GetCurrentVoice().contents.languages or b"\0")[1:].decode()
    return {"rate": rate, "version": version, "language": language}, _little_endian(b"".join(chunks))


def _voices(library: ctypes.CDLL) -> list[str]:
    """Languages that voices are called by."""
    listed = library.espeak_ListVoices(None)
    names: list[str] = []
    while listed[len(names)]:
        names.append((listed[len(names)].contents.languages or b"\0")[1:].decode())
    return [name for name in names if library.espeak_SetVoiceByName(name.encode()) == 0]


def _little_endian(samples: bytes) -> bytes:
    if sys.byteorder == "little":
        return samples
    swapped = bytearray(samples)
    swapped[0::2], swapped[1::2] = samples[1::2], samples[0::2]
    return bytes(swapped)


if __name__ == "__main__":
    answer, sound = speak(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.stdin.buffer.read())
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + sound)
