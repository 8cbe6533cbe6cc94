"""What users write after the colon of a name, read by the keywords of the function that the name stands for.

A registered function takes what its hook gives first, and then its arguments: ``def hadamard(dataset, *, seed: int =
48)`` is ``hadamard`` or ``hadamard:seed=3``. One argument may be positional (``def timm(size, name: str, *,
pretrained: bool = False)``): its value is written first, without its name (``timm:resnet18,pretrained``).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from labelbench.errors import InputError, PluginError, UnknownName
from labelbench.plugins.arguments import Argument, argument_of


@dataclass(frozen=True)
class Signature:
    """The arguments of a registered function, in order."""

    arguments: tuple[Argument, ...] = ()

    @staticmethod
    def of(function: Callable[..., Any], given: tuple[str, ...]) -> Signature:
        """Read the arguments off a function.

        Args:
            function: as registered.
            given: names of what its hook gives it first.

        Raises:
            PluginError: it cannot take what is given, or an argument is of no type that can be read from a text.
        """
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except ValueError:  # some built-in callables have no signature to read
            return Signature()
        room = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
        if len(room) < len(given) and not any(one.kind is one.VAR_POSITIONAL for one in parameters):
            raise PluginError(f"too many of {', '.join(given)} for ({', '.join(map(str, parameters))})")
        own = [one for one in parameters if one not in room[: len(given)]]
        return Signature(tuple(filter(None, (argument_of(function, one, own) for one in own))))

    @cached_property
    def by_name(self) -> Mapping[str, Argument]:
        """The arguments by their keys."""
        return {argument.name: argument for argument in self.arguments}

    @property
    def first(self) -> Argument | None:
        """The argument whose value may stand first without its key."""
        return next((argument for argument in self.arguments if argument.positional), None)

    def usage(self, name: str) -> str:
        """How the name is written with all of its arguments, at their defaults: ``uniform-random:seed=48``.

        What has no default and need not be given stands in brackets: ``timm:NAME[,pretrained,size=N]``.
        """
        text, separator, closing = name, ":", ""
        for one in self.arguments:
            optional = one.default is None or one.default is False or one.default == ()
            value = one.placeholder if one.required or optional else one.write(one.default)
            if optional and not closing:
                text, closing = f"{text}[", "]"
            text += separator + (
                value if one.positional else one.name if one.default is False else f"{one.name}={value}"
            )
            separator = ","
        return text + closing

    def read(self, what: str, name: str, text: str) -> dict[str, Any]:
        """The values that a text gives to arguments, by their keys, in the order of the function.

        Args:
            what: what has the arguments, for messages: ``"label hadamard"``.
            name: as it is written before the colon.
            text: what is written after the colon; empty if nothing.

        Raises:
            UnknownName: a key, or a value out of a few, that does not exist; the message tells near ones.
            InputError: anything else that cannot be read; the message says what was expected.
        """
        if text and not self.arguments:
            raise InputError(f"{what} takes no argument; got {name}:{text}, write {name} alone")
        values: dict[str, Any] = {}
        for key, value in self._parts(what, name, text):
            if key not in self.by_name:
                raise UnknownName(f"argument of {what}", key, self.by_name)
            if key in values:
                raise InputError(f"{what}:{text}: {key} is given twice; give it once")
            values[key] = self._value(f"{what}:{text}", self.by_name[key], value)
        for one in self.arguments:
            if one.required and one.name not in values:
                raise InputError(f"{what} needs its {one.name}: {self.usage(name)}; expected {one.expected}")
        return {one.name: values[one.name] for one in self.arguments if one.name in values}

    def write(self, values: Mapping[str, Any]) -> str:
        """The shortest text that gives these values: defaults are left out, keys are in the order of the function."""
        parts = []
        for one in self.arguments:
            if one.name not in values or _same(values[one.name], one.default):
                continue
            value = one.write(values[one.name])
            if one.positional and not (not one.rest and self._is_key(value)):
                parts.append(value)
            else:
                parts.append(one.name if values[one.name] is True else f"{one.name}={value}")
        return ",".join(parts)

    def _parts(self, what: str, name: str, text: str) -> list[tuple[str, str]]:
        """The keys and texts of the values that are written."""
        if not text:
            return []
        parts = text.split(",")
        found: list[tuple[str, str]] = []
        first = self.first
        if first and first.rest:
            count = len(parts)
            while count and self._is_key(parts[count - 1]) and not parts[count - 1].startswith(f"{first.name}="):
                count -= 1
            if count:
                found.append((first.name, ",".join(parts[:count]).removeprefix(f"{first.name}=")))
            parts = parts[count:]
        elif first and not self._is_key(parts[0]):
            found.append((first.name, parts.pop(0).strip()))
        for part in parts:
            key, equals, value = (piece.strip() for piece in part.partition("="))
            if not equals and key in self.by_name and self.by_name[key].kind is bool:
                value = "yes"
            elif not equals:
                if key and key not in self.by_name:
                    raise UnknownName(f"argument of {what}", key, self.by_name, f"expected {self.usage(name)}")
                raise InputError(f"{what}:{text}: {part!r} is no key=value; expected {self.usage(name)}")
            found.append((key, value))
        return found

    def _is_key(self, part: str) -> bool:
        """Whether a part of the text begins with the key of an argument."""
        key, equals, _ = (piece.strip() for piece in part.partition("="))
        return key in self.by_name and (bool(equals) or self.by_name[key].kind is bool)

    @staticmethod
    def _value(where: str, argument: Argument, text: str) -> Any:
        try:
            return argument.read(text)
        except ValueError as error:
            if get_origin(argument.kind) is Literal:
                raise UnknownName(f"{argument.name} of {where}:", text, map(str, get_args(argument.kind))) from error
            raise InputError(f"{where}: {argument.name} is {text!r}; expected {error}") from error


def expanded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as functions are given them: ``~`` of a path is the home folder.

    Raises:
        InputError: there is none.
    """
    try:
        return {key: value.expanduser() if isinstance(value, Path) else value for key, value in values.items()}
    except RuntimeError as error:
        raise InputError(f"a path begins with ~, and there is no such home folder ({error}); write it out") from error


def _same(value: Any, default: Any) -> bool:
    """Whether a value is the default; ``seed=run`` is not ``seed=0``."""
    return type(value) is type(default) and bool(value == default)
