"""Words spoken by espeak-ng, from the package espeakng-loader (extra ``tts``)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from labelbench import InputError, MachineError, UnknownName
from labelbench_labels.recordings import Recording, in_words

VOICE = "en-us"
SPEED = 175  # words per minute: what espeak-ng does by default
# espeak-ng keeps the path of its data in a buffer of 160 bytes and looks elsewhere if it does not fit.
_LONGEST_PATH = 159
_SECONDS = 60.0
_MOST_PROCESSES = 4


def spoken(class_names: Sequence[str], voice: str = VOICE) -> list[Recording]:
    """Speak each class name in a fresh process: equal words give equal samples.

    Args:
        class_names: in words.
        voice: as espeak-ng names it, e.g. ``"en-us"``, ``"de"`` or ``"en-us+f3"`` (a variant).

    Returns:
        Recordings in the order of ``class_names``.

    Raises:
        InputError: the package is not installed, or a name that gives no sound.
        UnknownName: a voice that espeak-ng does not have.
        MachineError: espeak-ng does not run on this machine.
    """
    try:
        loader = import_module("espeakng_loader")
    except ImportError as error:
        raise InputError("speech:tts=espeak needs espeak-ng; install it: pip install 'labelbench[tts]'") from error
    library, data = Path(loader.get_library_path()), Path(loader.get_data_path())
    _check_variant(voice, data)
    with _short(data) as short_data, ThreadPoolExecutor(min(_MOST_PROCESSES, os.cpu_count() or 1)) as pool:
        return list(pool.map(lambda name: _speak(name, voice, library, short_data), class_names))


def _check_variant(voice: str, data: Path) -> None:
    """Refuse an unknown variant, which espeak-ng would leave out without a word."""
    _, plus, variant = voice.partition("+")
    if plus:
        known = [path.name for path in (data / "voices" / "!v").iterdir()]
        if variant not in known:
            raise UnknownName("variant of an espeak-ng voice", variant, known)


@contextmanager
def _short(data: Path) -> Iterator[Path]:
    """The folder ``data`` under a path that espeak-ng can hold."""
    if len(os.fsencode(data)) <= _LONGEST_PATH:
        yield data
        return
    with tempfile.TemporaryDirectory(prefix="espeak-") as folder:
        short = Path(folder) / data.name
        if len(os.fsencode(short)) > _LONGEST_PATH:
            raise MachineError(
                f"espeak-ng needs its data at a path of {_LONGEST_PATH} bytes or less; both {data} and {short} are "
                "longer; set TMPDIR to a short path"
            )
        try:
            short.symlink_to(data, target_is_directory=True)
        except OSError:  # where links are not allowed
            shutil.copytree(data, short)
        yield short


def _speak(name: str, voice: str, library: Path, data: Path) -> Recording:
    # Isolated: neither the user's environment nor a module of the same name beside the script is imported.
    command = [sys.executable, "-I", str(Path(__file__).with_name("espeak_process.py"))]
    command += [str(library), str(data), voice, str(SPEED)]
    word = in_words(name)
    try:
        done = subprocess.run(command, input=word.encode(), capture_output=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MachineError(
            f"espeak-ng did not speak {word!r} ({error}); give a recording: speech:wav=FOLDER"
        ) from error
    line, _, sound = done.stdout.partition(b"\n")
    if done.returncode != 0 or not line:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        reason = said[-1] if said else f"exit status {done.returncode}"
        raise MachineError(
            f"espeak-ng does not run on this machine: {reason}; try installing it again: labelbench[tts]"
        )
    answer: dict[str, Any] = json.loads(line)
    if answer.get("error") == "voice":
        raise UnknownName("espeak-ng voice", voice, answer["voices"])
    if "error" in answer:
        raise MachineError(
            f"espeak-ng failed to speak {word!r} ({answer['error']}; its data is at {data}); "
            "give a recording: speech:wav=FOLDER"
        )
    samples = np.frombuffer(sound, dtype="<i2").astype(np.int16)
    if not samples.any():
        raise InputError(f"espeak-ng gives no sound for the class name {name!r}; give a recording: speech:wav=FOLDER")
    source = {
        "engine": "espeak-ng",
        "engine_version": answer["version"],
        "language": answer["language"],
        "voice": voice,
        "words_per_minute": SPEED,
    }
    return Recording(name, samples, int(answer["rate"]), source)
