"""Find installed plugins, and keep the broken ones apart with their reasons."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache, lru_cache, partial
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path
from types import MappingProxyType

import pluggy

from labelbench.errors import InputError, PluginError, one_line
from labelbench.interrupts import is_the_users
from labelbench.machine.process_state import kept_state
from labelbench.plugins import hookspecs
from labelbench.plugins.entries import CORE, HOOKS, Broken, Entry, Origin, Plugins
from labelbench.plugins.signatures import Signature
from labelbench.settings import current_settings

GROUP = "labelbench"


def plugins() -> Plugins:
    """The installed plugins that ``LABELBENCH_PLUGINS`` admits, found once per process.

    ``LABELBENCH_PLUGINS`` lists entry-point names of third parties to use, separated by commas; empty means
    built-ins only; unset means all. Labels that a script gave as arrays are among them.

    Raises:
        InputError: an array has the name of a label that is installed.
    """
    selection, arrays = os.environ.get("LABELBENCH_PLUGINS"), current_settings().arrays
    return _with_arrays(selection, arrays) if arrays else _load(selection)


@lru_cache(maxsize=16)
def _with_arrays(selection: str | None, arrays: tuple[tuple[str, Path], ...]) -> Plugins:
    from labelbench.plugins.arrays import ArrayLabel

    found = _load(selection)
    for name, _ in arrays:
        if name in found.labels:
            raise InputError(f"label {name!r} is installed; give the array another name")
    mine = {name: Entry(name, ArrayLabel(path), Origin(name, CORE, "array")) for name, path in arrays}
    return replace(found, labels=MappingProxyType(dict(sorted({**found.labels, **mine}.items()))))


@cache
def _load(selection: str | None) -> Plugins:
    wanted = None if selection is None else {name.strip() for name in selection.split(",") if name.strip()}
    installed, damaged = _entry_points()
    points = [
        (origin, point) for origin, point in installed if wanted is None or origin.built_in or point.name in wanted
    ]
    broken: list[Broken] = damaged if wanted is None else []
    if wanted is not None:
        missing = wanted - {point.name for _, point in points}
        broken += [
            Broken(Origin(name, "-", "-"), "named in LABELBENCH_PLUGINS, not installed") for name in sorted(missing)
        ]
    registered: dict[str, list[Entry]] = defaultdict(list)
    loaded: list[Origin] = []
    disturbing: list[Broken] = []
    for origin, point in points:
        try:
            with kept_state(partial(_note, disturbing, origin)):
                found = list(_register(origin, point))
        except BaseException as error:  # a plugin can fail in any way; none may stop the others
            if is_the_users(error):
                raise
            broken.append(Broken(origin, one_line(error)))
        else:
            loaded.append(origin)
            for kind, entry in found:
                registered[kind].append(entry)
    tables = {kind: _without_duplicates(kind, registered[kind], broken) for kind, _ in HOOKS.values()}
    return Plugins(
        **{f"{kind}s": table for kind, table in tables.items()},
        broken=tuple(broken),
        loaded=tuple(loaded),
        disturbing=tuple(disturbing),
    )


def _note(disturbing: list[Broken], origin: Origin, changed: list[str]) -> None:
    if not origin.built_in:
        disturbing.append(Broken(origin, f"changed {', '.join(changed)} when it was loaded; that was put back"))


def _entry_points() -> tuple[list[tuple[Origin, EntryPoint]], list[Broken]]:
    """Entry points of our group, each with its distribution, built-ins first, then by name; and what is damaged."""
    found: dict[tuple[str, str], tuple[Origin, EntryPoint]] = {}
    damaged: list[Broken] = []
    for distribution in distributions():
        try:
            ours = [point for point in distribution.entry_points if point.group == GROUP]
        except Exception as error:  # any installation may be damaged, also one that is no plugin
            reason = f"the entry_points.txt of this installation cannot be read ({one_line(error)}); install it again"
            damaged.append(Broken(Origin("-", *_name_and_version(distribution)), reason))
            continue
        # Read once: the file may be long, as it holds a description.
        name, version = _name_and_version(distribution) if ours else ("", "")
        for point in ours:
            origin = Origin(point.name, name, version)
            # The first one on the path is the one that Python imports; old metadata may spell its name otherwise.
            found.setdefault((re.sub(r"[-_.]+", "-", origin.distribution).lower(), point.name), (origin, point))
    order = sorted(found.values(), key=lambda pair: (not pair[0].built_in, pair[0].distribution, pair[0].plugin))
    return order, damaged


def _name_and_version(distribution: Distribution) -> tuple[str, str]:
    try:
        found = distribution.metadata
        return found["Name"] or "unknown", found["Version"] or "unknown"
    except Exception:  # a damaged installation says neither
        return "unknown", "unknown"


def _register(origin: Origin, point: EntryPoint) -> Iterator[tuple[str, Entry]]:
    """Load one plugin by itself and yield what it registers.

    A manager of its own keeps each plugin's mistakes apart; pluggy checks its hooks against the specifications.
    """
    if not point.pattern.match(point.value):
        raise PluginError(f"its entry point is {point.value!r}; expected a module, or module:object")
    module = point.load()
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(hookspecs)
    manager.register(module, name=origin.plugin)
    manager.check_pending()
    if not manager.get_hookcallers(module):
        raise PluginError(
            f"{point.value} has no hook implementation; decorate one of {', '.join(HOOKS)} with @labelbench.hookimpl"
        )
    for hook, (kind, given) in HOOKS.items():
        caller = getattr(manager.hook, hook)
        results = caller()
        if len(results) < len(caller.get_hookimpls()):
            raise PluginError(f"{hook}() returned nothing; expected a dict of names and functions")
        for result in results:
            if not isinstance(result, Mapping):
                raise PluginError(f"{hook}() returned {type(result).__name__}; expected a dict of names and functions")
            first: dict[int, str] = {}
            for name, function in result.items():
                signature = _signature(hook, _valid_name(hook, name), function, given)
                alias_of = first.setdefault(id(function), name)
                yield kind, Entry(name, function, origin, signature, "" if alias_of == name else alias_of)


def _valid_name(hook: str, name: object) -> str:
    if (
        not isinstance(name, str)
        or not name
        or name != name.strip()
        or ":" in name
        or "," in name
        or not name.isprintable()
    ):
        raise PluginError(
            f"{hook}() returned the name {name!r}; expected printable text without colon, comma or spaces around it"
        )
    return name


def _signature(hook: str, name: str, function: object, given: tuple[str, ...]) -> Signature:
    call = f"{name}({', '.join([*given, '*, key: type = default'])})"
    if not callable(function):
        raise PluginError(f"{hook}() returned {type(function).__name__} for {name!r}; expected a function {call}")
    try:
        return Signature.of(function, given)
    except (PluginError, TypeError) as error:
        raise PluginError(f"{hook}(): {name!r} cannot be called as {call}: {error}") from error


def _without_duplicates(kind: str, entries: list[Entry], broken: list[Broken]) -> Mapping[str, Entry]:
    """Entries by name; a name of the core stays the core's, a name of two third parties is refused to both."""
    by_name: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_name[entry.name].append(entry)
    table = {}
    for name, same in sorted(by_name.items()):
        core = [entry for entry in same if entry.origin.built_in]
        owner = core[0] if core else same[0] if len(same) == 1 else None
        if owner:
            table[name] = owner
        for entry in same:
            if entry is owner:
                continue
            others = " and ".join(
                f"{other.origin.plugin} ({other.origin})" for other in (core or same) if other is not entry
            )
            why = "built in" if core else "registered twice and refused to both"
            broken.append(Broken(entry.origin, f"{kind} {name!r} is {why}: also in {others}"))
    return MappingProxyType(table)
