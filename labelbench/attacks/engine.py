"""The attack engine: perturb images within an L-infinity ball so that the decoder reads another class.

One loop serves every attack; what tells them apart is data. FGSM is ``steps=1``, a targeted attack is a sign and
a class. All epsilons of a grid run in one pass, on whole batches, through any :class:`labelbench.LabelSet`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from labelbench.attacks.attack import Attack, AttackResult
from labelbench.attacks.freezing import frozen
from labelbench.attacks.images import Images
from labelbench.attacks.loop import AttackLoop, Followed, GradientSource
from labelbench.attacks.pace import Pace, pace_on
from labelbench.errors import InputError
from labelbench.labels import LabelSet
from labelbench.networks import Network


def run_attack(
    attack: Attack,
    network: Network,
    labels: LabelSet,
    images: Tensor | np.ndarray,
    classes: Tensor | np.ndarray,
    targets: Tensor | np.ndarray | None = None,
    *,
    source: GradientSource | None = None,
    asked: np.ndarray | None = None,
    keep_images: bool = False,
    rows: int | None = None,
    pace: Pace | None = None,
    report: Callable[[float], None] = lambda share: None,
) -> AttackResult:
    """Attack every image at every epsilon.

    The network is in eval mode meanwhile, its parameters get no gradient, and no global random state is used.

    Args:
        attack: what to do.
        network: attacked through ``labels``, on its own device.
        labels: decoder and training loss.
        images: ``(n, 3, height, width)`` float32 pixels in [0, 1], or ``(n, height, width, 3)`` uint8.
        classes: ``(n,)`` true classes.
        targets: ``(n,)`` classes that a targeted attack aims at; ``target_rank`` chooses if None.
        source: where gradients come from, if not from ``network``: a faster copy of it, or another network and its
            labels (a transfer attack). What counts is always what ``network`` reads.
        asked: ``(epsilons, n)`` bool: which images to attack at which epsilon; None for all.
        keep_images: return the perturbed images as well.
        rows: perturbed images in one batch; None for a number that suits the device.
        pace: how it goes; None for what suits the device.
        report: told the share done, 0 to 1.

    Raises:
        InputError: arguments that do not fit each other or the label.

    An image of two pixels' colours, a network that outputs their mean, and labels 0 and 1; 0.4 decodes to class 0
    until an attack may add more than 0.1:

    >>> import torch
    >>> class Mean(torch.nn.Module):
    ...     num_features = 1
    ...     def forward(self, images):
    ...         return images.flatten(1).mean(dim=1, keepdim=True)
    >>> network = Network(Mean(), (1,), mean=(0, 0, 0), std=(1, 1, 1))
    >>> network.head.layers = torch.nn.Identity()
    >>> images = torch.full((1, 3, 1, 2), 0.4)
    >>> result = run_attack(Attack(epsilons=(0, 0.05, 0.2)), network, LabelSet([[0], [1]]), images, torch.tensor([0]))
    >>> result.predictions.tolist()
    [[0], [0], [1]]
    """
    asked = np.ones((len(attack.epsilons), len(images)), dtype=bool) if asked is None else asked
    if asked.shape != (len(attack.epsilons), len(images)) or len(classes) != len(images):
        raise InputError(
            f"attack on {len(images)} images, {len(classes)} classes, mask {asked.shape}; expected as many classes, "
            f"and a mask of {len(attack.epsilons)} epsilons x images"
        )
    with frozen(network) as own, frozen(source.network if source else network) as followed:
        given = Images(images, network.mean.device)
        pace = pace or pace_on(followed, given.pixels(np.arange(min(2, len(images)))), rows)
        gradients = Followed(followed, source.labels, source.is_copy) if source else Followed(own, labels)
        run = AttackLoop(attack, own, labels, gradients, given, classes, targets, pace, keep_images=keep_images)
        pending = asked.copy()
        for restart in range(attack.restarts):
            for chosen in pace.chunks(pending):
                run.attack(chosen, pending[:, chosen], restart)
                report((restart + (chosen[-1] + 1) / len(images)) / attack.restarts)
            pending &= run.survived()
        return run.result()
