"""A few random cases of every kind; ``fuzzing.py`` beside this file tries as many as one likes."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

_spec = importlib.util.spec_from_file_location("fuzzing", Path(__file__).with_name("fuzzing.py"))
assert _spec and _spec.loader
fuzzing: Any = importlib.util.module_from_spec(_spec)
sys.modules["fuzzing"] = fuzzing  # which dataclasses look up
_spec.loader.exec_module(fuzzing)


def test_whatever_a_command_is_given_it_ends_as_it_should(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number, case in enumerate(fuzzing.cases(11, 60, tmp_path)):
        problem = fuzzing.wrong(case, fuzzing.answer(case))
        assert not problem, f"case {number}, {case}: {problem}"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (fuzzing.Answer(1, ""), "exit code 1"),
        (fuzzing.Answer(0, "", "Traceback ..."), "Traceback"),
        (fuzzing.Answer(0, "Traceback (most recent call last)"), "Traceback"),
        (fuzzing.Answer(2, ""), "without one line"),
        (fuzzing.Answer(2, "labelbench: no\n"), ""),
        (fuzzing.Answer(3, "failed: x\n"), ""),
    ],
)
def test_what_is_wrong_is_seen(answer: object, words: str) -> None:
    found = fuzzing.wrong(fuzzing.Case("x", []), answer)
    assert words in found and bool(words) == bool(found)
