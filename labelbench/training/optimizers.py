"""Torch's optimisers of a recipe's optimiser, and their state by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from labelbench.networks import Network
from labelbench.optimizers import SGD, Muon


class Part(NamedTuple):
    """One of torch's optimisers and what it updates.

    Attributes:
        optimizer: of torch.
        parameters: what it updates, by the name that the network has for it.
        rate: its peak learning rate.
    """

    optimizer: torch.optim.Optimizer
    parameters: Mapping[str, nn.Parameter]
    rate: float


class Optimizers:
    """The optimisers of one training, which together update every parameter once; iterating gives them.

    Args:
        network: on its device, channels last.
        settings: of the recipe.
    """

    def __init__(self, network: Network, settings: SGD) -> None:
        self._rate = settings.learning_rate
        self._parts = tuple(_PARTS[type(settings)](network, settings))

    def __iter__(self) -> Iterator[torch.optim.Optimizer]:
        return (part.optimizer for part in self._parts)

    def set_rate(self, rate: float) -> None:
        """The learning rate of the next steps, as :meth:`Recipe.rate_at` gives it; others keep their ratio."""
        for part in self._parts:
            for group in part.optimizer.param_groups:
                group["lr"] = rate * (part.rate / self._rate)

    @property
    def state(self) -> dict[str, Tensor]:
        """Every tensor of the state as ``parameter/name``; a parameter that never had a gradient has none."""
        return {
            f"{name}/{key}": value
            for part in self._parts
            for name, parameter in part.parameters.items()
            for key, value in part.optimizer.state.get(parameter, {}).items()
            if isinstance(value, Tensor)
        }

    def resume(self, state: Mapping[str, Tensor]) -> None:
        """Go on with what :attr:`state` was."""
        owners = {name: (part.optimizer, known) for part in self._parts for name, known in part.parameters.items()}
        for path, stored in state.items():
            name, _, key = path.rpartition("/")
            optimizer, parameter = owners[name]
            # What is as large as the parameter lies in memory as it does; a count of steps, say, stays as it is.
            alike = stored.shape == parameter.shape
            value = torch.empty_like(parameter, requires_grad=False).copy_(stored) if alike else stored.clone()
            optimizer.state[parameter][key] = value


def _sgd(network: Network, settings: SGD, left_out: Iterable[str] = ()) -> Iterator[Part]:
    others = set(left_out)
    parameters = {name: parameter for name, parameter in network.named_parameters() if name not in others}
    optimizer = torch.optim.SGD(
        parameters.values(),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        nesterov=settings.nesterov,
        fused=network.mean.device.type in ("cpu", "cuda"),
    )
    yield Part(optimizer, parameters, settings.learning_rate)


def _muon(network: Network, settings: Muon) -> Iterator[Part]:
    kernels = {
        name: _as_matrix(parameter)
        for name, parameter in network.named_parameters()
        if parameter.ndim == 4 and parameter.requires_grad
    }
    yield from _sgd(network, settings, left_out=kernels)
    if kernels:
        optimizer = torch.optim.Muon(kernels.values(), weight_decay=0.0, momentum=settings.kernel_momentum)
        yield Part(optimizer, kernels, settings.kernel_learning_rate)


_PARTS: Mapping[type[SGD], Callable[..., Iterator[Part]]] = {SGD: _sgd, Muon: _muon}


def _as_matrix(kernel: nn.Parameter) -> nn.Parameter:
    """The same memory as ``(channels, everything else)``, and in every backward pass the same gradient."""
    matrix = nn.Parameter(_rows_of(kernel.detach()))

    def share_gradient(updated: Tensor) -> None:
        matrix.grad = None if updated.grad is None else _rows_of(updated.grad)

    kernel.register_post_accumulate_grad_hook(share_gradient)  # type: ignore[no-untyped-call]
    return matrix


def _rows_of(kernel: Tensor) -> Tensor:
    # A view, or an error: rows of a copy would be updated in vain.
    return kernel.permute(0, 2, 3, 1).view(len(kernel), -1)
