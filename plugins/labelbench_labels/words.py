"""What labels made of words have in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labelbench import InputError


def refuse_equal(
    label: str, targets: np.ndarray, names: Sequence[str], read_as: Sequence[Sequence[str]], advice: str
) -> None:
    """Refuse labels that no output could tell apart.

    Args:
        label: its name, for the message.
        targets: ``(C, ...)`` floating point.
        names: of the classes.
        read_as: the words or tokens that each name was read as.
        advice: what to do next.

    Raises:
        InputError: two rows are equal; the message names both classes.
    """
    seen: dict[bytes, int] = {}
    for index, row in enumerate(targets):
        first = seen.setdefault((row + 0.0).tobytes(), index)
        if first != index:
            one, other = (f"{names[which]!r} (read as {' '.join(read_as[which])})" for which in (first, index))
            raise InputError(f"{label}: classes {one} and {other} get equal labels; {advice}")
