"""Every extra, and all of them together, agree with each other and with gTTS, which wants an old click."""

from __future__ import annotations

import importlib.metadata
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
version = cache(importlib.metadata.version)


@cache
def below(name: str) -> list[Requirement]:
    return [Requirement(text) for text in importlib.metadata.requires(name) or []]


def asked_for(texts: list[str], by: str) -> Iterator[tuple[Requirement, str]]:
    """Every requirement that these lead to, as it stands in what is installed, and who asks for it."""
    todo = [(Requirement(text), by, frozenset[str]()) for text in texts]
    seen: set[tuple[str, frozenset[str]]] = set()
    while todo:
        wanted, asking, extras = todo.pop()
        if wanted.marker and not any(wanted.marker.evaluate({"extra": extra}) for extra in extras or {""}):
            continue
        if canonicalize_name(wanted.name) == "labelbench":
            todo += [(Requirement(text), by, frozenset()) for extra in wanted.extras for text in EXTRAS[extra]]
            continue
        if wanted.name == "setuptools":  # comes with an environment
            continue
        yield wanted, asking
        key = canonicalize_name(wanted.name), frozenset(wanted.extras)
        if key not in seen:
            seen.add(key)
            todo += [(each, wanted.name, frozenset({"", *wanted.extras})) for each in below(wanted.name)]


@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_what_is_installed_of_an_extra_is_what_everything_else_asks_for(extra: str) -> None:
    found: list[tuple[Requirement, str]] = []
    try:
        found += asked_for([*PROJECT["dependencies"], *EXTRAS.get(extra, [])], "labelbench")
        versions = {wanted.name: version(wanted.name) for wanted, _ in found}
    except importlib.metadata.PackageNotFoundError as error:
        pytest.skip(f"{error.name} is not installed; pip install 'labelbench[{extra}]'")
    clashes = [
        f"{asking} asks for {wanted}, {versions[wanted.name]} is installed"
        for wanted, asking in found
        if not wanted.specifier.contains(versions[wanted.name], prereleases=True)
    ]
    assert clashes == []
    assert ("gTTS", "click") in {(asking, wanted.name) for wanted, asking in found}
