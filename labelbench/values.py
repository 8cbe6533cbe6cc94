"""Frozen values that hold settings: what they differ in from their defaults, and digests of it."""

from __future__ import annotations

import gc
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from labelbench.errors import InputError


def differences(value: Any) -> dict[str, Any]:
    """The fields of a frozen dataclass that differ from their defaults, by name; those without a default always.

    So a new field with a default leaves the digests of all older values as they are. A value within a value is given by
    its own differences, and by the name of its class under ``""`` where that is not the default's.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Steps:
    ...     count: int
    ...     rate: float = 0.1
    >>> differences(Steps(3)), differences(Steps(3, 0.2))
    ({'count': 3}, {'count': 3, 'rate': 0.2})
    """
    found: dict[str, Any] = {}
    for field in fields(value):
        own = getattr(value, field.name)
        if field.default is not MISSING and own == field.default:
            continue
        if is_dataclass(own):
            kind = {} if type(own) is type(field.default) else {"": type(own).__name__}
            found[field.name] = kind | differences(own)
        else:
            found[field.name] = own
    return found


def digest_of(value: Any) -> str:
    """Ten hexadecimal digits of the SHA-256 of a JSON value, independent of key order."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


@contextmanager
def uncollected() -> Iterator[None]:
    """Python's search for cycles rests in the block, which makes many values that all stay: it would take longer."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def settle(value: Any) -> None:
    """Make whole numbers of float fields floats, from ``__post_init__``: JSON and so digests tell 1 from 1.0."""
    for field in fields(value):
        if isinstance(field.default, float):
            object.__setattr__(value, field.name, float(getattr(value, field.name)))


def refuse_unless(what: str, value: Any, checks: Mapping[str, tuple[bool, str]]) -> None:
    """Refuse a value of which a field is out of range.

    Args:
        what: the value in words.
        value: has the fields.
        checks: for each field whether it is fine, and what was expected.

    Raises:
        InputError: the first field that is not fine.
    """
    for key, (fine, expected) in checks.items():
        if not fine:
            raise InputError(f"{what}: {key} is {getattr(value, key)!r}; expected {expected}")
