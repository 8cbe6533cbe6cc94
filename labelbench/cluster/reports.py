"""Gathers what workers say, in a process of its own that loads nothing heavy."""

from __future__ import annotations

from typing import Any


class Reports:
    """What workers say, until the driver asks for it."""

    def __init__(self) -> None:
        self._said: list[Any] = []

    def tell(self, event: Any) -> None:
        """Keep what a worker says."""
        self._said.append(event)

    def take(self) -> list[Any]:
        """All that was said since the last call."""
        said, self._said = self._said, []
        return said
