"""Results of several machines or people in one folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from labelbench.errors import ConflictError, InputError
from labelbench.files import disk_errors, read_json, write_atomic, write_json
from labelbench.results.arrays import unpacked_arrays
from labelbench.results.reading import read
from labelbench.results.store import FAILED, results_in
from labelbench.runs import slug

_SUITE = "suite.json"
_NAMED = 3
# When and where a result was made does not make it another result.
_CIRCUMSTANCES = frozenset({"finished", "started", "wall_seconds", "seconds", "environment", "plugins", "machine"})


@dataclass(frozen=True)
class Merged:
    """What a merge did.

    Attributes:
        copied: files that were not there yet.
        same: files that were there with the same content, or the same scores.
        apart: runs that two processors computed otherwise from the same settings; both are kept.
    """

    copied: int
    same: int
    apart: tuple[str, ...] = ()


def merge(sources: Sequence[Path], into: Path) -> Merged:
    """Bring the records of several results folders, and the arrays beside them, together in one.

    Weights and other large files (``.work``) stay where they are; what is trained is not trained again, but an
    evaluator added later trains anew. Nothing is written before everything has been compared, and an interrupted merge
    is completed by the same command. ``suite.json`` is made anew: columns of all headlines, in order.

    Args:
        sources: results folders, two or more counting ``into`` if it exists.
        into: made if it is not there; results that it holds take part.

    Raises:
        InputError: a source is no results folder, or a file of it is damaged or no record; it is named.
        ConflictError: two folders have different results under one name; it is named, and nothing is written.
    """
    for folder in sources:
        # Damage is named where it is, and carried nowhere.
        _ = read(results_in(folder)).trainings
    if into.exists() and not into.is_dir():
        raise InputError(f"--into {into} is a file; expected a folder")
    found = [(folder, _files_of(folder)) for folder in (*([into] if into.is_dir() else []), *sources)]
    if not any(files for _, files in found):
        raise InputError(f"{' and '.join(map(str, sources))} hold no results; expected folders of `labelbench run`")
    chosen, same, apart = _without_conflicts(found)
    copies = [(name, source) for name, source in chosen.items() if source.resolve() != (into / name).resolve()]
    # Arrays before the records that name them: a record that is there is complete.
    for name, source in sorted(copies, key=lambda pair: (pair[0].endswith(".json"), pair[0])):
        with disk_errors("cannot read", source):
            data = source.read_bytes()
        write_atomic(into / name, data)
    _drop_old_failures(into)
    _write_suite([folder for folder, _ in found], into)
    return Merged(len(copies), same, apart)


def _files_of(folder: Path) -> list[str]:
    """Records and arrays, relative to the folder, in order; no hidden file, and nothing that a run makes anew."""
    found = []
    with disk_errors("cannot read", folder):
        for path, folders, files in os.walk(folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            inside = Path(path).relative_to(folder)
            if len(inside.parts) == 4:
                found += [(inside / name).as_posix() for name in sorted(files) if name.endswith((".json", ".npz"))]
    return found


def _without_conflicts(found: Sequence[tuple[Path, list[str]]]) -> tuple[dict[str, Path], int, tuple[str, ...]]:
    """The file that each name is taken from, the first that has it; how many were there twice; and runs kept apart."""
    chosen: dict[str, Path] = {}
    conflicts = []
    apart = []
    same = 0
    for folder, names in found:
        for run, files in groupby(names, lambda name: name.rpartition("/")[0]):
            sources = {name: folder / name for name in files}
            taken = {name: chosen[name] for name in sources if name in chosen}
            if not all(_agree(taken[name], sources[name]) for name in taken):
                here, there = _arithmetic(sources.values()), _arithmetic(taken.values())
                if here and there and here != there:
                    # Equal settings on another processor: its own folder beside the first, which reading tells apart.
                    sources = {f"{run}@{slug(here)}/{Path(name).name}": file for name, file in sources.items()}
                    apart.append(f"{run}: {there} and {here}")
            for name, file in sources.items():
                first = chosen.setdefault(name, file)
                if first.resolve() == file.resolve():
                    continue
                if _agree(first, file):
                    same += 1
                else:
                    conflicts.append(f"{name} of {first.parents[4]} and {file.parents[4]}")
    if conflicts:
        more = f" and {len(conflicts) - _NAMED} more" if len(conflicts) > _NAMED else ""
        raise ConflictError(
            f"other results under the same name: {', '.join(conflicts[:_NAMED])}{more}; nothing is written, "
            "remove those that are wrong"
        )
    return chosen, same, tuple(apart)


def _arithmetic(files: Iterable[Path]) -> str:
    """What rounded the sums of these records, as the first of them that knows says."""
    for file in files:
        if file.suffix == ".json" and not file.name.endswith(FAILED):
            facts = read_json(file)
            environment = facts.get("environment") if isinstance(facts, dict) else None
            if isinstance(environment, dict) and environment.get("arithmetic"):
                return str(environment["arithmetic"])
    return ""


def _agree(first: Path, second: Path) -> bool:
    """Whether two files hold the same results."""
    with disk_errors("cannot read", second):
        left, right = first.read_bytes(), second.read_bytes()
    if left == right:
        return True
    if first.name.endswith(FAILED):
        # Two machines may fail in their own words; either tells that something is to be done again.
        return True
    if first.suffix == ".json":
        return bool(_content_of(first) == _content_of(second))
    return _arrays_equal(first, second)


def _content_of(file: Path) -> Any:
    facts = read_json(file)
    if not isinstance(facts, dict):
        return facts
    kept = {key: value for key, value in facts.items() if key not in _CIRCUMSTANCES}
    if isinstance(kept.get("history"), dict):
        kept["history"] = {key: value for key, value in kept["history"].items() if key not in _CIRCUMSTANCES}
    return kept


def _arrays_equal(first: Path, second: Path) -> bool:
    """Compressed files may differ in their bytes with the version of a library."""
    try:
        left, right = unpacked_arrays(first), unpacked_arrays(second)
    except InputError:
        return False
    return list(left) == list(right) and all(
        np.array_equal(array, right[name], equal_nan=array.dtype.kind == "f") for name, array in left.items()
    )


def _drop_old_failures(into: Path) -> None:
    """Remove records of failures of what has succeeded elsewhere."""
    for name in _files_of(into):
        succeeded = into / f"{name.removesuffix(FAILED)}.json"
        if name.endswith(FAILED) and succeeded.exists():
            with disk_errors("cannot remove", into / name):
                (into / name).unlink(missing_ok=True)


def _write_suite(folders: Sequence[Path], into: Path) -> None:
    """What was asked for: the first folder's words, and the columns of all headlines."""
    asked = [dict(read_json(folder / _SUITE)) for folder in folders if (folder / _SUITE).exists()]
    if not asked:
        return
    columns = dict.fromkeys(column for facts in asked for column in facts.get("headline", ()))
    names = list(dict.fromkeys(str(facts["name"]) for facts in asked if facts.get("name")))
    write_json(into / _SUITE, {**asked[0], "name": " and ".join(names), "headline": list(columns)})
