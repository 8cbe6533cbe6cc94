"""What updates the weights: stochastic gradient descent, and Muon for convolutions where a recipe asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from labelbench.networks import Network
from labelbench.recipes import Recipe

_MUON_MOMENTUM = 0.95


class Optimizers:
    """The optimisers of one training, which together update every parameter once; iterating gives them.

    Args:
        network: on its device, channels last.
        recipe: rates, momentum and weight decay.
    """

    def __init__(self, network: Network, recipe: Recipe) -> None:
        parameters = dict(network.named_parameters())
        matrices = {
            name: _as_matrix(parameter)
            for name, parameter in parameters.items()
            if recipe.muon_learning_rate and parameter.ndim == 4 and parameter.requires_grad
        }
        sgd = torch.optim.SGD(
            [parameter for name, parameter in parameters.items() if name not in matrices],
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=recipe.nesterov,
            fused=network.mean.device.type in ("cpu", "cuda"),
        )
        # Each optimiser's rate as a multiple of the recipe's.
        self._shares: dict[torch.optim.Optimizer, float] = {sgd: 1.0}
        # Who updates the parameter of a name, and under which parameter it knows it.
        self._owners: dict[str, tuple[torch.optim.Optimizer, Tensor]] = {
            name: (sgd, parameter) for name, parameter in parameters.items()
        }
        if matrices:
            muon = torch.optim.Muon(matrices.values(), weight_decay=0.0, momentum=_MUON_MOMENTUM)
            self._shares[muon] = recipe.muon_learning_rate / recipe.learning_rate
            self._owners |= {name: (muon, matrix) for name, matrix in matrices.items()}

    def __iter__(self) -> Iterator[torch.optim.Optimizer]:
        return iter(self._shares)

    def set_rate(self, rate: float) -> None:
        """The learning rate of the next steps, as :meth:`Recipe.rate_at` gives it; Muon's keeps its ratio to it."""
        for optimizer, share in self._shares.items():
            for group in optimizer.param_groups:
                group["lr"] = rate * share

    @property
    def momentum(self) -> dict[str, Tensor]:
        """Momentum by parameter name; a parameter that never had a gradient has none."""
        return {
            name: owner.state[known]["momentum_buffer"]
            for name, (owner, known) in self._owners.items()
            if known in owner.state
        }

    def resume(self, momentum: Mapping[str, Tensor]) -> None:
        """Go on with what :attr:`momentum` was."""
        for name, stored in momentum.items():
            owner, known = self._owners[name]
            owner.state[known]["momentum_buffer"] = torch.empty_like(known).copy_(stored)


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
