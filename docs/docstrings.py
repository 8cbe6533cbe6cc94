"""Docstrings as Markdown: the marks that plain-text readers know become links, code and examples."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

import labelbench

_ROLE = re.compile(r":(?:class|func|meth|attr|data|mod):`~?([\w.]+)`")
_EXAMPLE = re.compile(r"(?:^[ ]*>>>.*\n?(?:^[ ]*(?!>>>)\S.*\n?)*)+", re.MULTILINE)


class Docstrings(Extension):
    """Turns each docstring into Markdown before it is parsed."""

    def __init__(self) -> None:
        self.public = set(labelbench.__all__)

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite the docstring of one object."""
        if obj.docstring:
            obj.docstring.value = self.markdown(obj.docstring.value)

    def markdown(self, text: str) -> str:
        """References become links where the page has a target for them, and examples become code."""
        text = re.sub(r"::\n(?=\n)", ":\n", text)
        return _EXAMPLE.sub(_fenced, _ROLE.sub(self._reference, text))

    def _reference(self, role: re.Match[str]) -> str:
        name = role[1]
        public = name.rpartition(".")[2]
        if public in self.public and name in (public, f"labelbench.{public}"):
            return f"[`{name}`][labelbench.{public}]"
        return f"`{name}`"


def _fenced(example: re.Match[str]) -> str:
    lines = example[0].rstrip("\n").split("\n")
    indent = " " * (len(lines[0]) - len(lines[0].lstrip()))
    return "\n".join([f"{indent}```pycon", *lines, f"{indent}```", ""])
