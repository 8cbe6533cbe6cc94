"""Values as lines of TOML."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def toml_lines(table: Mapping[str, Any]) -> Iterator[str]:
    """Lines of TOML, whose texts, lists, numbers and truth values are those of JSON but for one mark.

    >>> list(toml_lines({"label": ["category", "npy:é.npy"], "two words": 1.5}))
    ['label = ["category", "npy:é.npy"]', '"two words" = 1.5']
    """
    for key, value in table.items():
        yield f"{toml_key(key)} = {_text(value)}"


def toml_key(key: str) -> str:
    """A key as TOML reads it, in quotes where it must be."""
    return key if key and key.replace("-", "").replace("_", "").isalnum() and key.isascii() else _text(key)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
