"""Random suites, arguments, files and surroundings for the command, and what must come of each.

Whatever it is given, a command ends with 0, 3 (some cells failed), 2 or 4 and one line, or 130; where it ends with 0
its numbers are those of a clean run. ``python tests/labelbench/fuzzing.py --cases 1000`` tries many, ``--seed N`` the
same ones again.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import numpy as np

ENDS = {0, 2, 3, 4, 130}
_ODD = ["", " ", "x", "-1", "1e999", "nan", "\N{SNOWMAN}", "a,b", "a=b", ":", "::", ",", "=", "run", "../..", "~"]
_ODD += ["0" * 400]
_LETTERS = "ab:,=+.-/ 01\xe9\N{SNOWMAN}\x7f\u202e"
_NAMES = {
    "--label": ["category", "random", "npy", "speech", "glove", "bert", "scaled", "normal-dim", "official", "nothing"],
    "--backbone": ["resnet8", "timm", "vgg19", "nothing"],
    "--evaluator": ["accuracy", "attacks-adaptive", "attacks-paper", "label-statistics", "nothing"],
    "--dataset": ["digits", "cifar10", "folder", "nothing"],
}
_KEYS = ["seed", "wav", "tts", "words", "size", "pretrained", "eps", "autoattack", "flip", "dimension", "name", "sed"]
_SUITE = {
    "dataset": "digits", "label": ["category", "constant"], "backbone": "resnet8", "evaluator": "accuracy", "seeds": 2,
    "recipe": "quick", "epochs": 1, "train-fraction": 0.5, "test-images": 10, "headline": ["accuracy/nearest"],
}  # fmt: skip
_LABELS_ALONE = ["--backbone", "resnet8", "--evaluator", "label-statistics", "--device", "cpu", "--threads", "1"]
_TINY = ["run", "--dataset", "digits:size=8", "--label", "category", "--label", "low-dim", "--backbone", "resnet8",
         "--evaluator", "accuracy", "--evaluator", "label-statistics", "--epochs", "1", "--train-fraction", "0.02",
         "--test-images", "20", "--seeds", "1", "--device", "cpu", "--threads", "1"]  # fmt: skip


@dataclass
class Case:
    """One thing that is tried.

    Attributes:
        what: its kind.
        command: arguments of the command.
        environment: variables; None takes one away.
        encoding: of standard output.
        closed: whether standard output is closed.
        largest_file: bytes that a file may have, as on a disk that is full; 0 for no limit.
        clean: results folder of a clean run; numbers of ``results`` are compared with it after a success.
        results: results folder of the command.
        memory: bytes that a process of its own may have; 0 for no limit, and this process.
    """

    what: str
    command: list[str]
    environment: dict[str, str | None] = field(default_factory=dict)
    encoding: str = "utf-8"
    closed: bool = False
    largest_file: int = 0
    clean: Path | None = None
    results: Path | None = None
    memory: int = 0


@dataclass
class Answer:
    """How a command ended: its exit code, standard error, and the traceback of what escaped."""

    code: int
    errors: str
    escaped: str = ""


def answer(case: Case) -> Answer:
    """Run the command in this process, or in one that may have little memory."""
    from labelbench.cli import main

    if case.memory:
        limited = [
            "sh",
            "-c",
            f'ulimit -v {case.memory // 1024} && exec "$@"',
            "sh",
            sys.executable,
            "-m",
            "labelbench",
        ]
        done = subprocess.run([*limited, *case.command], capture_output=True, text=True, encoding="utf-8", check=False)
        return Answer(done.returncode, done.stderr)
    errors = io.StringIO()
    out = None if case.closed else io.TextIOWrapper(io.BytesIO(), case.encoding)
    given = {name: value for name, value in case.environment.items() if value is not None}
    with mock.patch.dict(os.environ, given), mock.patch.object(sys, "argv", ["labelbench", *case.command]):
        for name in case.environment.keys() - given.keys():
            os.environ.pop(name, None)
        before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = out, errors  # type: ignore[assignment]
        try:
            with _largest_file(case.largest_file):
                main()
        except SystemExit as end:
            return Answer(int(end.code or 0), errors.getvalue())
        except BaseException:
            return Answer(1, errors.getvalue(), traceback.format_exc())
        finally:
            sys.stdout, sys.stderr = before
    return Answer(1, errors.getvalue(), "it did not end")


def wrong(case: Case, found: Answer) -> str:
    """What is wrong with how a command ended; empty if nothing is."""
    if found.escaped:
        return found.escaped
    if found.code not in ENDS:
        return f"exit code {found.code}: {found.errors}"
    if "Traceback" in found.errors:
        return found.errors
    if found.code in (2, 4) and not case.closed:
        last = found.errors.rstrip("\n").rpartition("\n")[2]
        if not last.startswith(("labelbench: ", "Error: ")) or len(last) > 4000:
            return f"exit code {found.code} without one line that says why: {found.errors!r}"
    if case.clean and case.results and found.code == 0:
        clean, now = _numbers(case.clean), _numbers(case.results)
        differ = [name for name, value in now.items() if name in clean and clean[name] != value]
        if differ:
            return f"other numbers than a clean run: {differ[:3]}"
    return ""


def cases(seed: int, count: int, folder: Path) -> Iterator[Case]:
    """``count`` cases drawn by a seed; files that they need are written below ``folder``."""
    chance = random.Random(seed)
    clean = folder / "clean"
    first = answer(Case("a clean run", [*_TINY, "--results", str(clean)]))
    assert first.code == 0, first
    kinds: list[tuple[int, Callable[[random.Random, Path, Path], Case]]] = [
        (25, _arguments), (20, _suite_file), (15, _results_folder), (10, _array), (8, _vectors), (8, _images),
        (3, _recordings), (10, _surroundings), (1, _little_memory),
    ]  # fmt: skip
    makers = chance.choices([maker for _, maker in kinds], [weight for weight, _ in kinds], k=count)
    for number, maker in enumerate(makers):
        place = folder / f"case-{number}"
        place.mkdir()
        yield maker(chance, place, clean)
        shutil.rmtree(place, ignore_errors=True)


def _text(chance: random.Random) -> str:
    if chance.random() < 0.5:
        return chance.choice(_ODD)
    return "".join(chance.choice(_LETTERS) for _ in range(chance.randrange(12)))


def _arguments(chance: random.Random, place: Path, clean: Path) -> Case:
    command = ["plan", "--results", str(place / "r")]
    for option in chance.sample(sorted(_NAMES), chance.randrange(1, 4)):
        parts = [
            _text(chance) if chance.random() < 0.5 else f"{chance.choice(_KEYS)}={_text(chance)}" for _ in range(2)
        ]
        command += [option, ":".join([chance.choice(_NAMES[option]), ",".join(parts[: chance.randrange(3)])])]
    for option in chance.sample(["--seeds", "--epochs", "--train-fraction", "--test-images", "--threads", "--recipe",
                                 "--numerics", "--device", "--overwrite"], chance.randrange(3)):  # fmt: skip
        command += [option, _text(chance)]
    return Case("arguments", command)


def _suite_file(chance: random.Random, place: Path, clean: Path) -> Case:
    table = dict(_SUITE)
    odd = [None, 0, -1, 1.5, 1e300, True, [], [1], ["x", 2], {}, {"a": 1}, "\N{SNOWMAN}", "quick", 10**30]
    for key in chance.sample(sorted(table), chance.randrange(3)):
        table[key] = chance.choice(odd)
    if chance.random() < 0.3:
        table[_text(chance)] = 1
    lines = [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in table.items() if value is not None]
    chance.shuffle(lines)
    data = bytearray("\n".join(lines).encode())
    for _ in range(chance.choice([0, 0, 1, 3])):
        data[chance.randrange(len(data))] = chance.randrange(256)
    path = place / "mine.toml"
    path.write_bytes((b"\xef\xbb\xbf" if chance.random() < 0.2 else b"") + bytes(data))
    return Case("suite file", ["plan", "--suite", str(path), "--results", str(place / "r")])


def _labels_alone(what: str, label: str, place: Path) -> Case:
    command = ["run", "--dataset", "digits:size=8", "--label", label, *_LABELS_ALONE, "--results", str(place / "r")]
    return Case(what, command)


def _array(chance: random.Random, place: Path, clean: Path) -> Case:
    shape = chance.choice([(10, 4), (10,), (9, 4), (10, 16, 16), (10, 16, 32), (0, 4), (10, 0), (), (10, 2, 2, 2)])
    dtype = chance.choice(["f4", "f8", "i4", "u1", "?", "c8", "f2", "U3", "M8[D]", ">f8"])
    values = np.random.RandomState(chance.randrange(99)).randint(0, 100, shape).astype(dtype)
    if values.size and dtype.endswith(("f4", "f8")) and chance.random() < 0.3:
        values.flat[0] = chance.choice([np.nan, np.inf, 1e30])
    path = place / chance.choice(["a.npy", "a,b.npy", "a b:c.npy", "é.npy"])
    file = io.BytesIO()
    np.save(file, values)
    path.write_bytes(_spoilt(chance, file.getvalue()))
    return _labels_alone("array", f"npy:{path}", place)


def _vectors(chance: random.Random, place: Path, clean: Path) -> Case:
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    width = chance.randrange(1, 4)
    lines = [" ".join([word, *(str(round(chance.uniform(-9, 9), 3)) for _ in range(width))]) for word in words]
    if chance.random() < 0.5:
        place_of = chance.randrange(10)
        lines[place_of] = chance.choice(["", "x", "zero nan nan", lines[0], f"{lines[place_of]} 1", "9 9"])
    path = place / "vectors.txt"
    path.write_bytes(_spoilt(chance, "\n".join(lines).encode()))
    return _labels_alone("vectors", f"glove:{path}", place)


def _images(chance: random.Random, place: Path, clean: Path) -> Case:
    from PIL import Image

    names = chance.sample(["cat", "ox", "emu", "dog", "a_b", ".hidden", "é", "e\u0301", "train", "CON", "x" * 200], 3)
    random_state = np.random.RandomState(chance.randrange(99))
    for part in ("train", "test"):
        for name in names:
            folder = place / "images" / part / name
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(3 if chance.random() < 0.95 else chance.choice([0, 1])):
                side = 8 if chance.random() < 0.997 else 9
                mode = chance.choice(["RGB", "L", "RGBA", "P", "1", "I;16", "LA"])
                pixels = random_state.randint(0, 256, (side, side, 3)).astype(np.uint8)
                image = Image.fromarray(pixels).convert("L" if mode == "I;16" else mode)
                file = io.BytesIO()
                (image.convert("I").convert("I;16") if mode == "I;16" else image).save(file, "PNG")
                (folder / f"{number}.png").write_bytes(_spoilt(chance, file.getvalue(), 0.01))
    if chance.random() < 0.2:
        (place / "images" / "train" / "Thumbs.db").write_bytes(b"x")
    command = ["run", "--dataset", f"folder:{place / 'images'}", "--label", "category", *_LABELS_ALONE]
    return Case("images", [*command, "--results", str(place / "r"), "--cache-dir", str(place / "cache")])


def _recordings(chance: random.Random, place: Path, clean: Path) -> Case:
    import soundfile

    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    (place / "words").mkdir()
    for number, word in enumerate(words):
        tone = np.sin(np.arange(9000) * (0.05 + 0.01 * number)) * chance.choice([1, 1, 1, 0, 3, 1e-9])
        file = io.BytesIO()
        soundfile.write(file, tone, 22_050, chance.choice(["FLOAT", "PCM_16"]), format="WAV")
        name = word if chance.random() < 0.98 else "other"
        (place / "words" / f"{name}.wav").write_bytes(_spoilt(chance, file.getvalue(), 0.02))
    label = f"speech:wav={place / 'words'}"
    return _labels_alone("recordings", label, place)


def _results_folder(chance: random.Random, place: Path, clean: Path) -> Case:
    results = place / "r"
    shutil.copytree(clean, results)
    files = sorted(path for path in results.rglob("*") if path.is_file())
    for path in chance.sample(files, chance.choice([1, 1, 2, 4])):
        data = path.read_bytes()
        match chance.randrange(6):
            case 0:
                path.write_bytes(data[: chance.randrange(len(data) + 1)])
            case 1:
                path.write_bytes(bytes(len(data)))
            case 2:
                other = chance.choice(files)
                if other.exists():
                    path.write_bytes(other.read_bytes())
            case 3:
                shutil.copy(path, path.with_name(f"{path.stem} (1){path.suffix}"))
            case 4:
                path.write_bytes(data.replace(b'"schema": 1', b'"schema": 9').replace(b"labelbench", b"labelbanch"))
            case _:
                path.unlink()
    commands = [
        ["leaderboard", str(results)], ["leaderboard", str(results), "--format", "json"], ["claims", str(results)],
        ["merge", str(results), "--into", str(place / "into")], ["report", str(results)],
        [*_TINY, "--results", str(results)], ["plot", str(results)],
    ]  # fmt: skip
    command = chance.choice(commands)
    return Case("results folder", command, clean=clean, results=results if command[0] == "run" else None)


def _surroundings(chance: random.Random, place: Path, clean: Path) -> Case:
    results = place / "r"
    shutil.copytree(clean, results)
    command = chance.choice([["leaderboard", str(results)], ["claims", str(results)], ["list"], ["plan"],
                             ["plan", "--results", str(results / "suite.json")],
                             [*_TINY, "--results", str(results), "--overwrite", "always"]])  # fmt: skip
    possible: list[tuple[str, str | None]] = [
        ("HOME", None), ("HOME", "/nowhere"), ("LC_ALL", "C"), ("COLUMNS", "40"), ("TERM", None), ("NO_COLOR", "1"),
        ("LABELBENCH_CACHE", str(place / "cache")), ("LABELBENCH_PLUGINS", "no,such"), ("LABELBENCH_DATA", "/dev/null"),
    ]  # fmt: skip
    environment = {name: value for name, value in possible if chance.random() < 0.3}
    encoding = chance.choice(["utf-8", "ascii", "latin-1", "cp1252"])
    small = chance.choice([0, 0, 100, 5000, 200_000])
    return Case("surroundings", command, environment, encoding, chance.random() < 0.2, small, clean,
                results if command[0] == "run" else None)  # fmt: skip


def _little_memory(chance: random.Random, place: Path, clean: Path) -> Case:
    """More than Python needs, less than torch does: what comes short later may be anything in native code."""
    command = chance.choice([["list"], ["leaderboard", str(clean)], [*_TINY, "--results", str(place / "r")]])
    return Case("little memory", command, memory=int(chance.uniform(0.3e9, 2.5e9)))


def _spoilt(chance: random.Random, data: bytes, share: float = 0.3) -> bytes:
    """The data, or a part of it, or with other bytes in it."""
    if chance.random() > share or not data:
        return data
    if chance.random() < 0.5:
        return data[: chance.randrange(len(data))]
    spoilt = bytearray(data)
    for _ in range(chance.randrange(1, 9)):
        spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
    return bytes(spoilt)


def _numbers(results: Path) -> dict[str, object]:
    """Scores by evaluator and run, as the records say."""
    found: dict[str, object] = {}
    for path in sorted(results.rglob("*.json")):
        facts = json.loads(path.read_bytes())
        if facts.get("kind") == "measurement":
            run = facts["run"]
            found[f"{run['dataset']} {run['label']} {facts['evaluator']['name']}"] = facts["scores"]
    return found


@contextmanager
def _largest_file(size: int) -> Iterator[None]:
    if not size:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def main() -> int:
    """Try many cases, and print how each kind ended and every defect."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    ends: Counter[tuple[str, int]] = Counter()
    defects = 0
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ.update(LABELBENCH_CACHE=f"{folder}/cache", LABELBENCH_OFFLINE="1")
        for number, case in enumerate(cases(options.seed, options.cases, Path(folder))):
            found = answer(case)
            ends[case.what, found.code] += 1
            problem = wrong(case, found)
            if problem:
                defects += 1
                print(f"case {number}, {case}: {problem}", flush=True)
    for (what, code), count in sorted(ends.items()):
        print(f"{what}: exit {code}: {count}")
    print(f"{options.cases} cases, {defects} defects")
    return bool(defects)


if __name__ == "__main__":
    sys.exit(main())
