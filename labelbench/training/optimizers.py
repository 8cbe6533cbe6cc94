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
    """

    optimizer: torch.optim.Optimizer
    parameters: Mapping[str, nn.Parameter]


class Optimizers:
    """The optimisers of one training, which together update every parameter once; iterating gives them.

    Args:
        network: on its device, channels last.
        settings: of the recipe.
        rate: the learning rate of the next step, a scalar that the update reads: float32 on the network's device on
            CUDA, else float64 on the CPU. Optimisers with a rate of their own keep its ratio to the recipe's.
    """

    def __init__(self, network: Network, settings: SGD, rate: Tensor) -> None:
        self._parts = tuple(_PARTS[type(settings)](network, settings, rate))

    def __iter__(self) -> Iterator[torch.optim.Optimizer]:
        return (part.optimizer for part in self._parts)

    def step(self, scaler: torch.amp.GradScaler) -> None:
        """Update every parameter that has a gradient.

        Args:
            scaler: of the gradients, which leaves out a step whose gradients overflow.
        """
        for part in self._parts:
            scaler.step(part.optimizer)
        scaler.update()

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


def _sgd(network: Network, settings: SGD, rate: Tensor, left_out: Iterable[str] = ()) -> Iterator[Part]:
    others = set(left_out)
    parameters = {name: parameter for name, parameter in network.named_parameters() if name not in others}
    optimizer = torch.optim.SGD(
        parameters.values(),
        lr=rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        nesterov=settings.nesterov,
        fused=network.mean.device.type in ("cpu", "cuda"),
    )
    yield Part(optimizer, parameters)


def _muon(network: Network, settings: Muon, rate: Tensor) -> Iterator[Part]:
    kernels = {
        name: _as_matrix(parameter)
        for name, parameter in network.named_parameters()
        if parameter.ndim == 4 and parameter.requires_grad
    }
    yield from _sgd(network, settings, rate, left_out=kernels)
    if kernels:
        share = settings.kernel_learning_rate / settings.learning_rate
        yield Part(_MuonAtRate(kernels.values(), settings.kernel_momentum, rate, share), kernels)


_PARTS: Mapping[type[SGD], Callable[..., Iterator[Part]]] = {SGD: _sgd, Muon: _muon}


class _MuonAtRate(torch.optim.Muon):
    """Muon without weight decay at ``share`` times a rate that is a tensor; one on a GPU is not read by the host."""

    def __init__(self, matrices: Iterable[nn.Parameter], momentum: float, rate: Tensor, share: float) -> None:
        super().__init__(matrices, lr=1.0, weight_decay=0.0, momentum=momentum)
        self._rate = rate
        self._share = share

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update the matrices."""
        if self._rate.device.type == "cpu":
            self.param_groups[0]["lr"] = float(self._rate) * self._share
            super().step()  # type: ignore[no-untyped-call]
            return
        # The optimiser wants a number: a step of rate 1, and of what it changed the share that the tensor says.
        matrices = [matrix for matrix in self.param_groups[0]["params"] if matrix.grad is not None]
        before = [matrix.detach().clone() for matrix in matrices]
        super().step()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for matrix, old in zip(matrices, before, strict=True):
                matrix.sub_(old).mul_(self._rate * self._share).add_(old)


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
