"""Plugins that do what none should, installed together: numbers of others are as without them, to the bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from safetensors.torch import load_file

import bad_plugins

RUN = ["run", "--device", "cpu", "--threads", "1", "--dataset", "digits:size=8", "--backbone", "resnet8",
       "--seeds", "1", "--epochs", "2", "--train-fraction", "0.1", "--label", "category", "--label", "low-dim",
       "--evaluator", "accuracy", "--evaluator", "label-statistics", "--results", "out"]  # fmt: skip
LABELS = ("category", "low-dim")


def numbers(results: Path) -> dict[str, Any]:
    """Records of the good labels and evaluators without times, and their weights."""
    found: dict[str, Any] = {}
    for path in sorted(file for label in LABELS for file in results.rglob(f"{label}/**/*") if file.is_file()):
        name = path.relative_to(results).as_posix()
        if path.suffix == ".json" and not path.name.startswith("ev-"):
            facts = json.loads(path.read_bytes())
            facts.get("history", {}).pop("seconds", None)
            found[name] = {key: value for key, value in facts.items() if key not in ("wall_seconds", "finished")}
        elif path.suffix == ".npz" and not path.name.startswith("ev-"):
            found[name] = path.read_bytes()
        elif path.suffix == ".safetensors":
            found[name] = {key: tensor.numpy().tobytes() for key, tensor in load_file(path).items()}
    return found


def test_others_keep_their_numbers_to_the_bit(
    command: Callable[..., CompletedProcess[str]], install: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    (tmp_path / "alone").mkdir()
    (tmp_path / "beside").mkdir()
    alone = command(*RUN, cwd=tmp_path / "alone")
    assert alone.returncode == 0, alone.stderr

    environment: dict[str, str] = {}
    for name, source in bad_plugins.HOSTILE.items():
        environment |= install(name, source)
    asked = [part for name in bad_plugins.HOSTILE_LABELS for part in ("--label", name)]
    asked += [part for name in bad_plugins.HOSTILE_EVALUATORS for part in ("--evaluator", name)]
    beside = command(*RUN, *asked, cwd=tmp_path / "beside", env=environment)

    assert beside.returncode == 3, beside.stderr
    assert "Traceback" not in beside.stderr
    assert "loud" not in beside.stdout and "low-dim" in beside.stdout
    for name in bad_plugins.HOSTILE_LABELS[:-1]:
        assert f"label '{name}' ({name} 1.0) failed" in beside.stderr or f"{name!r} ({name} 1.0)" in beside.stderr, name
    for told in (
        "plugin changes-folder (changes-folder 1.0) changed the current folder when it was loaded; that was put back",
        "plugin no-onednn (no-onednn 1.0) changed torch's use of oneDNN",
        "evaluator 'ev-doubles' (ev-doubles 1.0) changed the current folder, torch's random state, torch's default",
    ):
        assert told in beside.stderr
    expected = numbers(tmp_path / "alone" / "out")
    found = numbers(tmp_path / "beside" / "out")
    assert len(expected) >= 10
    assert {name: found.get(name) for name in expected} == expected
