"""Claims files: the paper's, shipped with the package, and one's own."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from labelbench.claims.claim import ATTACKS, KINDS, Claim, Claims, Comparison, Correlate
from labelbench.claims.correlations import LEAST_LABELS
from labelbench.errors import InputError, UnknownName
from labelbench.results.spread import LEAST_SEEDS

_NAMES, _TEXT, _NUMBER, _COUNT, _SWITCH = (
    "names as a list of text",
    "text",
    "a number",
    "a whole number",
    "true or false",
)
_TOP = {"reference": _TEXT, "labels": "a table", "claim": "[[claim]] tables", "correlation": "[[correlation]] tables"}
_CLAIM = {"id": _TEXT, "text": _TEXT, "comparison": "[[claim.comparison]] tables"}
_CORRELATION = {"statistics": _NAMES, "outcomes": _NAMES}
_COMPARISON = {
    "kind": _TEXT,
    "left": _NAMES,
    "right": _NAMES,
    "evaluators": _NAMES,
    "scores": _NAMES,
    "at": _NAMES,
    "attack": _TEXT,
    "margin": _NUMBER,
    "minimum-n": _COUNT,
    "floor": _NUMBER,
    "keeps": "two numbers, the lower first",
    "keeps-scores": _NAMES,
    "statistic": _TEXT,
    "minimum-steps": _SWITCH,
}


@cache
def paper_claims() -> Claims:
    """The claims of the paper."""
    text = resources.files("labelbench.claims").joinpath("paper-claims.toml").read_text(encoding="utf-8")
    return _claims_of("paper-claims.toml", text, {})


def load_claims(path: Path) -> Claims:
    """A claims file of one's own; names of groups mean what the paper's file says unless it defines them itself.

    Raises:
        InputError: the file cannot be read, is no TOML, has no claim, or a value is of the wrong type.
        UnknownName: a key, kind or attack that a claims file does not have.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"claims file {path}: {getattr(error, 'strerror', None) or error}; "
            "expected a TOML file with [[claim]] tables"
        ) from error
    found = _claims_of(str(path), text, paper_claims().groups)
    if not found.claims:
        raise InputError(f"claims file {path} has no claim; expected one [[claim]] table or more")
    return found


def _claims_of(source: str, text: str, groups: Mapping[str, tuple[str, ...]]) -> Claims:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"claims file {source} is not valid TOML: {error}") from error
    _check(source, "", table, _TOP)
    own = _read(source, "labels", table.get("labels", {}), dict.fromkeys(table.get("labels", {}), _NAMES))
    claims = tuple(_claim(source, claim) for claim in table.get("claim", []))
    ids = [claim.id for claim in claims]
    twice = next((name for name in ids if ids.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"claims file {source} has claim {twice!r} twice; give each an id of its own")
    correlate = tuple(
        Correlate(**_read(source, "correlation", each, _CORRELATION, needed=("statistics",)))
        for each in table.get("correlation", [])
    )
    return Claims(claims, {**groups, **own}, table.get("reference", "category"), correlate)


def _claim(source: str, table: Mapping[str, Any]) -> Claim:
    where = f"claim {table.get('id', '')}".strip()
    values = _read(source, where, table, _CLAIM, needed=("id", "text", "comparison"))
    return Claim(values["id"], values["text"], tuple(_comparison(source, where, each) for each in table["comparison"]))


def _comparison(source: str, where: str, table: Mapping[str, Any]) -> Comparison:
    kind = table.get("kind")
    needed = ["kind", "left", "evaluators", "scores"]
    needed += ["right"] if kind != "correlation" else []
    needed += ["statistic"] if kind in ("best", "correlation") else ["margin"] if kind == "equivalent" else []
    values = _read(source, where, table, _COMPARISON, needed=needed)
    for key, known in (("kind", KINDS), ("attack", ATTACKS)):
        if key in values and values[key] not in known:
            raise UnknownName(f"{key} in {where} of {source}:", values[key], [name for name in known if name])
    at = values.pop("at", None)
    for key in ("scores", "keeps_scores"):
        if at and key in values:
            values[key] = tuple(score.replace("{}", each) for score in values[key] for each in at)
    if ("keeps" in values) != ("keeps_scores" in values):
        raise InputError(f"claims file {source}: {where} needs both of keeps and keeps-scores, or neither")
    if "keeps" in values and len(values["keeps_scores"]) != len(values["scores"]):
        raise InputError(f"claims file {source}: {where} needs one of keeps-scores for each of scores")
    least = LEAST_LABELS if kind == "correlation" else LEAST_SEEDS
    if values.get("minimum_n", least) < least:
        raise InputError(f"claims file {source}: {where} has minimum-n {values['minimum_n']}; expected {least} or more")
    if kind == "correlation":
        values.setdefault("minimum_n", least)
    margin = values.get("margin", 0)
    highest = 1 if kind == "correlation" else math.inf
    if not 0 <= margin < highest or (kind == "equivalent" and margin == 0):
        expected = "0 or more and below 1" if kind == "correlation" else "a finite number above 0"
        raise InputError(f"claims file {source}: {where} has margin {margin}; expected {expected}")
    return Comparison(**{"right": (), **values})


def _read(
    source: str, where: str, table: Mapping[str, Any], kinds: Mapping[str, str], needed: Any = ()
) -> dict[str, Any]:
    """The values of a table under the names of fields, checked."""
    _check(source, where, table, kinds)
    for key in needed:
        if key not in table:
            raise InputError(f"claims file {source}: {where} has no {key!r}; expected {kinds[key]}")
    return {key.replace("-", "_") if kinds is _COMPARISON else key: _value(value) for key, value in table.items()}


def _check(source: str, where: str, table: Mapping[str, Any], kinds: Mapping[str, str]) -> None:
    if not isinstance(table, dict):
        raise InputError(f"claims file {source}: {where} is {table!r}; expected a table")
    for key, value in table.items():
        if key not in kinds:
            raise UnknownName(f"key in {where or 'claims file'}{' of' if where else ''} {source}:", key, kinds)
        if not _fits(value, kinds[key]):
            inside = f"{where}: " if where else ""
            raise InputError(f"claims file {source}: {inside}{key} is {value!r}; expected {kinds[key]}")


def _fits(value: Any, kind: str) -> bool:
    if kind == _NAMES:
        return isinstance(value, list) and bool(value) and all(isinstance(name, str) and name for name in value)
    if kind == _TEXT:
        return isinstance(value, str)
    if kind == _NUMBER:
        return isinstance(value, int | float) and not isinstance(value, bool) and value == value
    if kind == _COUNT:
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == _SWITCH:
        return isinstance(value, bool)
    if kind == _COMPARISON["keeps"]:
        return (
            isinstance(value, list)
            and len(value) == 2
            and all(_fits(end, _NUMBER) for end in value)
            and (value[0] <= value[1])
        )
    if kind == "a table":
        return isinstance(value, dict)
    return isinstance(value, list) and all(isinstance(each, dict) for each in value) and bool(value)


def _value(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
