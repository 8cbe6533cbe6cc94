"""What plugins registered, as values, and how names are looked up in it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labelbench.errors import UnknownName
from labelbench.plugins.signatures import Signature

CORE = "labelbench"
# hook -> (kind of thing it registers, what each registered function is given before its arguments)
HOOKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "register_labels": ("label", ("dataset",)),
    "register_backbones": ("backbone", ("size",)),
    "register_evaluators": ("evaluator", ()),
    "register_datasets": ("dataset", ()),
}
KINDS = tuple(kind for kind, _ in HOOKS.values())
IN_WORDS = {"dataset": "data set"}


@dataclass(frozen=True)
class Origin:
    """The distribution that a plugin came with.

    Attributes:
        plugin: name of the entry point.
        distribution: name of the installed distribution.
        version: its version.
    """

    plugin: str
    distribution: str
    version: str

    @property
    def built_in(self) -> bool:
        """Whether it is labelbench itself."""
        return self.distribution == CORE

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


@dataclass(frozen=True)
class Broken:
    """A plugin, or one name of a plugin, that cannot be used, and why."""

    origin: Origin
    reason: str


@dataclass(frozen=True)
class Entry:
    """One registered name.

    Attributes:
        name: what the user writes before the first colon.
        function: provider, builder or maker, as the hook says.
        origin: where it comes from.
        signature: the arguments of the function.
        alias_of: the name under which the same plugin registered the same function before; empty if it did not.
    """

    name: str
    function: Callable[..., Any]
    origin: Origin
    signature: Signature = Signature()
    alias_of: str = ""

    @property
    def built_in(self) -> bool:
        """Whether it comes with labelbench."""
        return self.origin.built_in

    @property
    def summary(self) -> str:
        """First line of the function's docstring."""
        if self.alias_of:
            return f"Another name of {self.alias_of}."
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    @property
    def usage(self) -> str:
        """The name with all of its arguments, at their defaults."""
        return self.signature.usage(self.name)


@dataclass(frozen=True)
class Plugins:
    """Everything that installed plugins registered.

    Attributes:
        labels, backbones, evaluators, datasets: entries by name, in alphabetical order.
        broken: plugins that could not be loaded, and names that were refused.
        loaded: the plugins in use.
        disturbing: those of them that changed the state of the process when they were loaded, and what it was.
    """

    labels: Mapping[str, Entry]
    backbones: Mapping[str, Entry]
    evaluators: Mapping[str, Entry]
    datasets: Mapping[str, Entry]
    broken: tuple[Broken, ...] = ()
    loaded: tuple[Origin, ...] = field(default=())
    disturbing: tuple[Broken, ...] = ()

    def find(self, kind: str, name: str) -> tuple[Entry, str]:
        """Look up ``NAME`` or ``NAME:ARGUMENT``.

        Args:
            kind: ``"label"``, ``"backbone"``, ``"evaluator"`` or ``"dataset"``.
            name: as the user wrote it.

        Returns:
            The entry, and the argument (empty if none was given).

        Raises:
            UnknownName: no plugin registers the part before the colon.
        """
        entries: Mapping[str, Entry] = getattr(self, f"{kind}s")
        base, _, argument = name.partition(":")
        if base not in entries:
            hint = ""
            if self.broken:
                hint = f"({len(self.broken)} broken plugin(s): see `labelbench list plugins`)"
            raise UnknownName(IN_WORDS.get(kind, kind), base, entries, hint)
        return entries[base], argument

    def read(self, kind: str, name: str) -> tuple[Entry, dict[str, Any]]:
        """Look up ``NAME`` or ``NAME:ARGUMENT``, and read its argument.

        Args:
            kind: one of ``KINDS``.
            name: as the user wrote it.

        Returns:
            The entry, and the values of the arguments that are given, by their keys.

        Raises:
            UnknownName: no plugin registers the part before the colon, or the argument has a key that there is not.
            InputError: an argument that cannot be read, or lacks what is required.
        """
        entry, argument = self.find(kind, name)
        return entry, entry.signature.read(f"{IN_WORDS.get(kind, kind)} {entry.name}", entry.name, argument)

    def canonical(self, kind: str, name: str) -> str:
        """The one name of all names that mean the same: no alias, no default written out, arguments in one order.

        Raises:
            UnknownName, InputError: as for :meth:`read`.
        """
        entry, values = self.read(kind, name)
        for one in entry.signature.arguments:
            if one.names_label and one.name in values:
                values[one.name] = self.canonical("label", values[one.name])
        argument = entry.signature.write(values)
        return (entry.alias_of or entry.name) + (f":{argument}" if argument else "")
