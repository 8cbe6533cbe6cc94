"""One argument of a registered function: its type, read off the function, and its value, read from a text."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, SimpleNamespace, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from labelbench.errors import PluginError

_LARGEST_SEED = 2**32 - 1
_YES_OR_NO = {"yes": True, "no": False}
_TYPES = "int, float, bool, str, Path, Literal[...] or tuple[float, ...]"


@dataclass(frozen=True)
class Between:
    """Beside the type of an argument that is a number: the lowest and the highest that it may be, both included.

    >>> def provide(dataset, dimension: Annotated[int, Between(1, 100)]): ...
    >>> from labelbench.plugins.signatures import Signature
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
    >>> from labelbench.plugins.signatures import Signature
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


def argument_of(
    function: Callable[..., Any], parameter: inspect.Parameter, own: list[inspect.Parameter]
) -> Argument | None:
    """The argument that a parameter of a function is, None if it takes whatever is left.

    Args:
        function: as registered.
        parameter: of it.
        own: its parameters beside what its hook gives it.

    Raises:
        PluginError: a second positional argument, or of no type that can be read from a text.
    """
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
