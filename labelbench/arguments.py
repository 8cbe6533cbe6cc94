"""What users write after the colon of a name, read by the keywords of the function that the name stands for.

A registered function takes what its hook gives first, and then its arguments: ``def hadamard(dataset, *, seed: int =
48)`` is ``hadamard`` or ``hadamard:seed=3``. One argument may be positional (``def timm(size, name: str, *,
pretrained: bool = False)``): its value is written first, without its name (``timm:resnet18,pretrained``).
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import NoneType, SimpleNamespace, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from labelbench.errors import InputError, PluginError, UnknownName

_LARGEST_SEED = 2**32 - 1
_YES_OR_NO = {"yes": True, "no": False}
_TYPES = "int, float, bool, str, Path, Literal[...] or tuple[float, ...]"


@dataclass(frozen=True)
class Between:
    """Beside the type of an argument that is a number: the lowest and the highest that it may be, both included.

    >>> def provide(dataset, dimension: Annotated[int, Between(1, 100)]): ...
    >>> Signature.of(provide, ("dataset",)).read("label normal", "normal", "0")
    Traceback (most recent call last):
    labelbench.errors.InputError: label normal:0: dimension is '0'; expected a whole number from 1 to 100
    """

    low: float
    high: float = math.inf

    def __str__(self) -> str:
        return f", {self.low:.12g} or more" if self.high == math.inf else f" from {self.low:.12g} to {self.high:.12g}"


class Rest:
    """Beside the type of a positional argument: its value may hold commas, up to arguments that follow with their keys.

    >>> def provide(dataset, path: Annotated[Path, Rest], *, flip: bool = True): ...
    >>> Signature.of(provide, ("dataset",)).read("data set folder", "folder", "a,b,flip=no")
    {'path': PosixPath('a,b'), 'flip': False}
    """


class _Label(Rest):
    """Marks the name of another label."""


# The type of a positional argument that is the name of another label, as in scaled:NAME.
LabelName = Annotated[str, _Label]


class SeedOfRun(int):
    """``seed=run``: drawn again with the seed of each run; outside of runs it is 0."""

    def __str__(self) -> str:
        return "run"


@dataclass(frozen=True)
class Argument:
    """One argument of a registered function.

    Attributes:
        name: its key.
        kind: its type, without ``None`` and without what :class:`Between` and :class:`Rest` say.
        default: ``inspect.Parameter.empty`` if it must be given.
        positional: whether its value may stand first, without its key.
        rest: whether its value may hold commas.
        names_label: whether its value is the name of another label.
        between: the numbers that it may be; None for any.
    """

    name: str
    kind: Any
    default: Any
    positional: bool = False
    rest: bool = False
    names_label: bool = False
    between: Between | None = None

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is inspect.Parameter.empty

    @property
    def is_seed(self) -> bool:
        """Whether it is a seed, which may be that of each run."""
        return self.name == "seed" and self.kind is int

    def read(self, text: str) -> Any:
        """The value that a text stands for.

        Raises:
            ValueError: it stands for none; the message says what was expected.
        """
        if self.is_seed and text == "run":
            return SeedOfRun()
        if self._is_numbers:
            return tuple(self._of(get_args(self.kind)[0], part) for part in text.split("+"))
        return self._of(self.kind, text)

    def write(self, value: Any) -> str:
        """The text that stands for a value."""
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, tuple):
            return "+".join(map(self.write, value))
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)

    @property
    def expected(self) -> str:
        """What is expected, in words."""
        if self._is_numbers:
            return f"numbers{self.between or ''} with + between them, such as 1+2"
        if self.kind in (int, float):
            what = f"a {'whole ' if self.kind is int else ''}number{self.between or ''}"
            return what + (", or run" if self.is_seed else "")
        if get_origin(self.kind) is Literal:
            return " or ".join(map(str, get_args(self.kind)))
        return {bool: "yes or no", Path: "a path"}.get(self.kind, "a text")

    @property
    def placeholder(self) -> str:
        """What stands for its value where it has no default, in how a name is written."""
        if self.positional:
            return self.name.upper()
        if get_origin(self.kind) is Literal:
            return "|".join(map(str, get_args(self.kind)))
        return {int: "N", float: "X", bool: "yes|no", Path: "PATH"}.get(self.kind, "X" if self._is_numbers else "TEXT")

    @property
    def _is_numbers(self) -> bool:
        return get_origin(self.kind) is tuple

    def _of(self, kind: Any, text: str) -> Any:
        if kind is bool:
            value: Any = _YES_OR_NO.get(text)
        elif kind in (int, float):
            value = self._number(kind, text)
        elif get_origin(kind) is Literal:
            value = {str(option): option for option in get_args(kind)}.get(text)
        elif kind is Path:
            value = Path(text) if text else None
        else:
            value = text or None
        if value is None:
            raise ValueError(self.expected)
        return value

    def _number(self, kind: type[int] | type[float], text: str) -> float | None:
        form = r"-?[0-9]{1,18}" if kind is int else r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[-+]?[0-9]+)?"
        if not re.fullmatch(form, text, re.ASCII | re.IGNORECASE):
            return None
        value = kind(text)
        low, high = (self.between.low, self.between.high) if self.between else (-math.inf, math.inf)
        return value if math.isfinite(value) and low <= value <= high else None


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
        return Signature(tuple(filter(None, (_argument(function, one, own) for one in own))))

    @cached_property
    def by_name(self) -> Mapping[str, Argument]:
        """The arguments by their keys."""
        return {argument.name: argument for argument in self.arguments}

    @property
    def first(self) -> Argument | None:
        """The argument whose value may stand first without its key."""
        return next((argument for argument in self.arguments if argument.positional), None)

    @property
    def names_labels(self) -> bool:
        """Whether one of the arguments is the name of another label."""
        return any(argument.names_label for argument in self.arguments)

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


def _argument(
    function: Callable[..., Any], parameter: inspect.Parameter, own: list[inspect.Parameter]
) -> Argument | None:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        return None
    positional = parameter.kind is not parameter.KEYWORD_ONLY
    if positional and parameter is not own[0]:
        raise PluginError(
            f"the argument {parameter.name} is the second that can be given without its key; "
            "expected one at most, and then * and keywords"
        )
    annotation, default = parameter.annotation, parameter.default
    if annotation is parameter.empty and default in (parameter.empty, None):
        raise PluginError(
            f"the argument {parameter.name} has no type; expected {_TYPES} or a default that tells it, "
            f"as in {parameter.name}: int, or seed: int = 0"
        )
    annotation = type(default) if annotation is parameter.empty else _evaluated(function, parameter)
    kind, markers = annotation, list[Any]()
    if get_origin(kind) is Annotated:
        kind, *markers = get_args(kind)
    if get_origin(kind) in (Union, UnionType):
        others = [one for one in get_args(kind) if one is not NoneType]
        kind = others[0] if len(others) == 1 else kind
    if get_origin(kind) is Annotated:
        kind, *markers = get_args(kind)
    numbers = get_origin(kind) is tuple and get_args(kind)[0] in (int, float) and get_args(kind)[1:] == (...,)
    if kind not in (int, float, bool, str, Path) and get_origin(kind) is not Literal and not numbers:
        raise PluginError(f"the argument {parameter.name} is of type {annotation}; expected {_TYPES}")
    between = next((marker for marker in markers if isinstance(marker, Between)), None)
    if parameter.name == "seed" and kind is int and between is None:
        between = Between(0, _LARGEST_SEED)
    classes = [marker for marker in markers if isinstance(marker, type)]
    return Argument(
        parameter.name,
        kind,
        float(default) if kind is float and type(default) is int else default,
        positional,
        any(issubclass(marker, Rest) for marker in classes),
        _Label in classes,
        between,
    )


def _evaluated(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """The annotation as a type. Annotations of other parameters are not looked at: they may name what is not loaded."""
    inner = inspect.unwrap(getattr(function, "func", function))
    if not hasattr(inner, "__globals__"):
        inner = getattr(type(inner), "__call__", inner)  # noqa: B004  (the method of the class is wanted)
    holder = SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
    try:
        return get_type_hints(holder, getattr(inner, "__globals__", {}), include_extras=True)[parameter.name]
    except Exception as error:
        raise PluginError(
            f"the type {parameter.annotation!r} of the argument {parameter.name} cannot be read "
            f"({type(error).__name__}: {error}); import what it names at the top of the module"
        ) from error
