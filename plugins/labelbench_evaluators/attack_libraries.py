"""Attacks of other libraries, which want a classifier: network and decoder wrapped as one and left unchanged."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from labelbench import LabelSet, Network, Unavailable, frozen, loss_named
from labelbench_evaluators.attack_presets import Library

BATCH = 128


class Classifier(nn.Module):
    """Pixels in [0, 1] to decoded logits ``(batch, classes)``; counts what it is asked for.

    Args:
        network, labels: wrapped.
        outputs: gives those for normalised images while the network is frozen, in less time.

    Attributes:
        gradients: images passed with a gradient wanted.
        queries: images passed without.
    """

    def __init__(self, network: Network, labels: LabelSet, outputs: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.network = network
        self.labels = labels
        self.outputs = outputs
        self.gradients = 0
        self.queries = 0

    def forward(self, pixels: Tensor) -> Tensor:
        """Decoded logits, :meth:`labelbench.LabelSet.logits`."""
        if pixels.requires_grad and torch.is_grad_enabled():
            self.gradients += len(pixels)
            return self.labels.logits(self.network(pixels))
        self.queries += len(pixels)
        if not self.outputs or not pixels.is_cuda:
            return self.labels.logits(self.network(pixels))
        # Filled up, since passes of one shape are recorded and replayed; these libraries ask for ever fewer images.
        filled = functional.pad(pixels, (0, 0) * (pixels.ndim - 1) + (0, max(0, BATCH - len(pixels))))
        return self.labels.logits(self.outputs(self.network.normalise(filled))[: len(pixels)])


@dataclass(frozen=True)
class LibraryResult:
    """What a library's attack did.

    Attributes:
        predictions: ``(n,)`` int64: class read by :meth:`labelbench.LabelSet.nearest` after the attack.
        gradients, queries: images passed with and without gradient.
    """

    predictions: np.ndarray
    gradients: int
    queries: int


def why_not(library: Library, num_classes: int) -> str:
    """Why the library's attack cannot be used on a label with this many classes, or "" if it can."""
    untargeted, targeted = loss_named("dlr").min_classes
    needed = {"apgd-dlr": untargeted, "autoattack": targeted}.get(library.name, 2)
    return f"needs {needed} classes" if num_classes < needed else ""


def require_autoattack() -> None:
    """Make sure that AutoAttack can be used.

    Raises:
        Unavailable: it cannot be imported.
    """
    try:
        # The copy that some versions of torchattacks bring can be found, but not loaded.
        import_module("autoattack.fab_pt")
    except ImportError as error:
        raise Unavailable(
            f"AutoAttack cannot be imported here ({error}); install it, or leave ',autoattack' out"
        ) from error


def run_library(
    library: Library, network: Network, labels: LabelSet, pixels: Tensor, classes: Tensor, epsilon: float, seed: int
) -> LibraryResult:
    """Run one attack of another library on all images.

    These attacks seed torch's generator, and torchattacks objects keep state after an exception: the global random
    state is put back, and every batch gets an object of its own.

    Args:
        library: which attack, and how much of it.
        network, labels: attacked through the decoder.
        pixels: ``(n, 3, height, width)`` float32 in [0, 1] on the network's device.
        classes: ``(n,)`` int64 true classes there.
        epsilon: radius of the L-infinity ball in pixels.
        seed: of the attack, 0 to 2**32 - 1.
    """
    read = []
    with frozen(network) as passes, _random_state_kept(pixels.device), torch.enable_grad(), warnings.catch_warnings():
        # Deprecated calls within these libraries are nothing that a reader here could change.
        warnings.simplefilter("ignore")
        classifier = Classifier(network, labels, passes.outputs).eval()
        for start in range(0, len(pixels), BATCH):
            batch = slice(start, start + BATCH)
            attack = _MAKERS[library.name](classifier, epsilon, library.amount, seed)
            # Contiguous: these libraries view images as rows.
            found = attack(pixels[batch].contiguous().clone(), classes[batch].clone()).detach()
            # Whatever the library did, what counts stays in the ball and in the range of pixels.
            found = found.clamp(pixels[batch] - epsilon, pixels[batch] + epsilon).clamp(0, 1)
            with torch.no_grad():
                read.append(labels.nearest(network(found)))
    return LibraryResult(torch.cat(read).cpu().numpy(), classifier.gradients, classifier.queries + len(pixels))


_Attack = Callable[[Tensor, Tensor], Tensor]


def _apgd(loss: str) -> Callable[[Classifier, float, int, int], _Attack]:
    def make(classifier: Classifier, epsilon: float, amount: int, seed: int) -> _Attack:
        import torchattacks

        attack: _Attack = torchattacks.APGD(classifier, eps=epsilon, steps=amount, seed=seed, loss=loss)
        return attack

    return make


def _square(classifier: Classifier, epsilon: float, amount: int, seed: int) -> _Attack:
    import torchattacks

    attack: _Attack = torchattacks.Square(classifier, eps=epsilon, n_queries=amount, seed=seed)
    return attack


def _autoattack(classifier: Classifier, epsilon: float, amount: int, seed: int) -> _Attack:
    """AutoAttack's three gradient attacks; its fourth is Square, which runs on its own."""
    make = import_module("autoattack").AutoAttack

    def attack(pixels: Tensor, classes: Tensor) -> Tensor:
        adversary = make(
            classifier, norm="Linf", eps=epsilon, seed=seed, verbose=False, version="custom", device=pixels.device
        )
        adversary.attacks_to_run = ["apgd-ce", "apgd-t", "fab-t"]
        targets = min(9, classifier.labels.num_classes - 1)
        for part in (adversary.apgd, adversary.apgd_targeted, adversary.fab):
            part.n_iter, part.n_restarts, part.n_target_classes = amount, 1, targets
        found: Tensor = adversary.run_standard_evaluation(pixels, classes, bs=BATCH)
        return found

    return attack


_MAKERS: dict[str, Callable[[Classifier, float, int, int], _Attack]] = {
    "apgd-ce": _apgd("ce"),
    "apgd-dlr": _apgd("dlr"),
    "square": _square,
    "autoattack": _autoattack,
}


@contextmanager
def _random_state_kept(device: torch.device) -> Iterator[None]:
    numbers, legacy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        random.setstate(numbers)
        np.random.set_state(legacy)
