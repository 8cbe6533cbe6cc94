"""Make the recordings that come with the package: ``python -m labelbench_labels.make_recordings [WORD ...]``.

Needs the extra ``tts``. Speaks the words of the manifest and those given, writes one FLAC file per word and the
manifest. With ``--check`` it writes nothing and compares what it speaks with the manifest. The sound of espeak-ng is
not covered by its licence.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labelbench import LabelbenchError
from labelbench_labels import espeak, recordings
from labelbench_labels.recordings import Recording


def make(folder: Path, words: Sequence[str]) -> None:
    """Speak ``words`` and write their files and ``manifest.json`` to ``folder``.

    Args:
        folder: made if it is missing; files of the same names are replaced.
        words: in lower case, in words.
    """
    folder.mkdir(parents=True, exist_ok=True)
    spoken = espeak.spoken(words)
    entries = {recording.word: _write(recording, folder) for recording in spoken}
    content = {"engine": dict(spoken[0].source), "words": entries}
    temporary = folder / ".manifest.json.tmp"
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    temporary.replace(folder / "manifest.json")


def differences(words: Sequence[str]) -> list[str]:
    """Speak ``words`` again: those whose sound, or whose engine, is not that of the manifest."""
    held = recordings.manifest()
    return [
        spoken.word
        for spoken in espeak.spoken(words)
        if (spoken.sha256, spoken.rate) != (held["words"][spoken.word]["sha256"], held["words"][spoken.word]["rate"])
        or dict(spoken.source) != held["engine"]
    ]


def _write(recording: Recording, folder: Path) -> dict[str, Any]:
    import soundfile

    name = f"{recording.word.replace(' ', '_')}.flac"
    temporary = folder / f".{name}.tmp"
    # The level changes the size of the file, not the sound.
    soundfile.write(temporary, recording.samples, recording.rate, "PCM_16", format="FLAC", compression_level=1.0)
    temporary.replace(folder / name)
    return {"file": name, "sha256": recording.sha256, "rate": recording.rate, "seconds": recording.seconds}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m labelbench_labels.make_recordings", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="WORD", help="to be spoken beside those of the manifest")
    parser.add_argument("--check", action="store_true", help="write nothing; compare with the manifest")
    options = parser.parse_args(arguments)
    known: list[str] = list(recordings.manifest()["words"]) if (recordings.SHIPPED / "manifest.json").exists() else []
    if not known and (options.check or not options.words):
        parser.error("there is no manifest yet; give words")
    try:
        if options.check:
            wrong = differences(known)
            print(f"{len(known) - len(wrong)} of {len(known)} recordings made again as they are", *wrong, sep="\n")
            return 1 if wrong else 0
        words = sorted({*known, *(recordings.in_words(word).lower() for word in options.words)})
        make(recordings.SHIPPED, words)
        print(f"{len(words)} recordings in {recordings.SHIPPED}")
    except LabelbenchError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
