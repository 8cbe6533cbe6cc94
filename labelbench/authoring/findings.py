"""What checks of a plugin found: one sentence for each, written line by line as they are made."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, TextIO

FINE, NOTED, FAILED = "fine", "noted", "failed"


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: what was looked at, in a word or two (``"random state"``).
        state: ``"fine"``, ``"noted"`` (allowed, and worth knowing) or ``"failed"``.
        text: a sentence: what was seen; of a failure what was expected, what came, and why it matters.
    """

    check: str
    state: str
    text: str

    def __str__(self) -> str:
        return f"{self.check}: {self.text}"


def failures(findings: Iterable[Finding]) -> list[Finding]:
    """Those that failed, in their order."""
    return [finding for finding in findings if finding.state == FAILED]


def in_words(names: Iterable[object]) -> str:
    """Names in a sentence.

    >>> in_words(["2", "10", "100"]), in_words([])
    ('2, 10 and 100', 'nothing')
    """
    *most, last = list(map(str, names)) or ["nothing"]
    return f"{', '.join(most)} and {last}" if most else last


class Report:
    """Where the checks of a process write what they find and what they are about to do.

    Every line is a JSON value of its own and complete when the next step begins, so that whoever reads them knows
    how far a process came that did not end.

    Args:
        file: open for writing text.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.facts: dict[str, Any] = {}

    def doing(self, what: str) -> None:
        """Say what is done next (``"building targets for 10 classes"``)."""
        self._write({"doing": what})

    def fine(self, check: str, text: str) -> None:
        """A check that passed, and what was seen."""
        self._write(asdict(Finding(check, FINE, text)))

    def noted(self, check: str, text: str) -> None:
        """Something that is allowed and worth knowing."""
        self._write(asdict(Finding(check, NOTED, text)))

    def failed(self, check: str, text: str) -> None:
        """A check that failed: what was expected, what came, and why it matters."""
        self._write(asdict(Finding(check, FAILED, text)))

    def check(self, name: str, problems: Iterable[str], seen: str) -> None:
        """A failure for each problem, or fine with what was seen if there is none."""
        problems = list(problems)
        for problem in problems:
            self.failed(name, problem)
        if not problems:
            self.fine(name, seen)

    def error(self, kind: str, text: str) -> None:
        """The check cannot be made: what was named, or the machine, is the reason."""
        self._write({"error": [kind, text]})

    def finish(self) -> None:
        """All is done: the facts that must be equal in every process."""
        self._write({"facts": self.facts})

    def _write(self, value: object) -> None:
        self._file.write(json.dumps(value) + "\n")
        self._file.flush()
