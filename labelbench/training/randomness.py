"""The random numbers of one training's layers, whatever else in the process draws some."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from labelbench.machine.process_state import PROCESS_STATE


class RandomNumbers:
    """What layers that draw random numbers, such as dropout, draw from: the run's own, whatever else is drawn.

    Attributes:
        states: of torch's generators by the kind of their device.
        drawn: whether anything was ever drawn; looked at on CUDA only.
    """

    def __init__(self, device: torch.device) -> None:
        self._devices = [device] if device.type == "cuda" else []
        self.states: dict[str, Tensor] = {}
        self.drawn = False

    def seed(self, seed: int) -> None:
        """Begin anew."""
        devices = [torch.device("cpu"), *self._devices]
        self.states = {one.type: torch.Generator(one).manual_seed(seed).get_state() for one in devices}

    @contextmanager
    def own(self) -> Iterator[None]:
        """The block draws from where the last one ended; the process's generators are as before after it."""
        with PROCESS_STATE, torch.random.fork_rng(devices=self._devices):
            torch.set_rng_state(self.states["cpu"])
            for device in self._devices:
                torch.cuda.set_rng_state(self.states["cuda"], device)
            yield
            states = {"cpu": torch.get_rng_state()}
            for device in self._devices:
                states["cuda"] = torch.cuda.get_rng_state(device)
                self.drawn |= not all(torch.equal(state, self.states[kind]) for kind, state in states.items())
            self.states = states
