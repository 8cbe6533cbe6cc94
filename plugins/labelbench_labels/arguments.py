"""What users write after the colon of a label's name: ``key=value,key=value``, read with errors that name the key."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelbench import InputError, UnknownName

if TYPE_CHECKING:
    from labelbench import Dataset, LabelSet

# Turns the text of a value into what it means, or raises ValueError with what was expected.
Reader = Callable[[str], Any]
Provider = Callable[["Dataset", str], "LabelSet"]


@dataclass(frozen=True)
class Seed:
    """The seed of a label that is drawn at random.

    Attributes:
        value: 0 to 2**32 - 1.
        per_run: the user wrote ``seed=run`` and no run has put its own seed there, as when labels are looked at
            outside a run; then ``value`` is 0.
    """

    value: int
    per_run: bool = False

    @property
    def provenance(self) -> dict[str, Any]:
        """The seed as part of a label's provenance."""
        if self.per_run:
            return {
                "seed": self.value,
                "seed_note": "drawn again with the seed of each run; this is the draw of seed 0",
            }
        return {"seed": self.value}


def read_argument(label: str, argument: str, readers: Mapping[str, Reader], first: str | None = None) -> dict[str, Any]:
    """Read ``key=value,key=value``.

    Args:
        label: name of the label, for messages.
        argument: as the user wrote it. Values hold no comma.
        readers: the keys that exist, each with the reader of its value.
        first: the key whose value may stand first without its key (``"dimension"`` for ``normal-dim:50,seed=3``).

    Returns:
        The values that were given, by key.

    Raises:
        UnknownName: a key that does not exist; the message tells near ones.
        InputError: a key given twice, a part without key, or a value that its reader refuses.

    >>> read_argument("normal-dim", "50,seed=3", {"dimension": integer(1), "seed": seed}, first="dimension")
    {'dimension': 50, 'seed': Seed(value=3, per_run=False)}
    """
    if argument and not readers:
        raise InputError(f"label {label} takes no argument; got {label}:{argument}, write {label} alone")
    values: dict[str, Any] = {}
    for index, part in enumerate(argument.split(",") if argument else []):
        key, equals, text = part.partition("=")
        if index == 0 and first is not None and (not equals or key.strip() not in readers):
            key, text, equals = first, part, "="
        key, text = key.strip(), text.strip()
        if not equals:
            keys = ", ".join(f"{known}=..." for known in readers)
            raise InputError(f"label {label}:{argument}: {part!r} is no key=value; expected {keys}")
        if key not in readers:
            raise UnknownName(f"argument of label {label}", key, readers)
        if key in values:
            raise InputError(f"label {label}:{argument}: {key} is given twice; give it once")
        try:
            values[key] = readers[key](text)
        except ValueError as error:
            raise InputError(f"label {label}:{argument}: {key} is {text!r}; expected {error}") from error
    return values


def seed(text: str) -> Seed:
    """Read a seed: 0 to 2**32 - 1, or ``run``."""
    if text == "run":
        return Seed(0, per_run=True)
    if not text.isdecimal() or int(text) >= 2**32:
        raise ValueError("a whole number from 0 to 4294967295, or run")
    return Seed(int(text))


def integer(low: int, high: int | None = None) -> Reader:
    """A reader of whole numbers from ``low`` to ``high``, both included."""
    expected = f"a whole number, {low} or more" if high is None else f"a whole number from {low} to {high}"

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < low or (high is not None and int(text) > high):
            raise ValueError(expected)
        return int(text)

    return read


def number(low: float, high: float, expected: str) -> Reader:
    """A reader of finite numbers from ``low`` to ``high``, both included; ``expected`` says so in words."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and low <= value <= high):
            raise ValueError(expected)
        return value

    return read


def choice(*options: str) -> Reader:
    """A reader that admits a few words."""

    def read(text: str) -> str:
        if text not in options:
            raise ValueError(" or ".join(options))
        return text

    return read


def path(text: str) -> Path:
    """Read a path; ``~`` is the home folder."""
    if not text:
        raise ValueError("a path")
    return Path(text).expanduser()


def alias(provider: Provider, of: str) -> Provider:
    """The same provider under the name that the paper's repository uses."""

    def aliased(dataset: Dataset, argument: str) -> LabelSet:
        return provider(dataset, argument)

    aliased.__doc__ = f"Alias of {of}: its name in the paper's repository."
    return aliased
