"""Which GPUs of this machine are used. A run's identity does not say it, its record does."""

from __future__ import annotations

from labelbench.errors import MachineError
from labelbench.machine.hardware import cuda_count

_named: int | None = None


def use_cards(device: str) -> None:
    """From now on use the GPUs that a device names: ``cuda:1`` one, anything else all that are visible.

    Raises:
        MachineError: there is none of that number.
    """
    global _named
    _, _, number = device.partition(":")
    if number and (not number.isdigit() or int(number) >= cuda_count()):
        there = ", ".join(f"cuda:{card}" for card in range(cuda_count())) or "no GPU"
        raise MachineError(f"device {device!r} is not on this machine; name one that is: {there}")
    _named = int(number) if number else None


def cards_in_use() -> tuple[int, ...]:
    """Indices of the GPUs in use; empty where there is none."""
    return tuple(range(cuda_count())) if _named is None else (_named,)
