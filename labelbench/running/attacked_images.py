"""A strip of adversarial images: the same test images under the paper's attack and an adaptive one, label by label.

Everything is computed again from the weights that a results folder keeps; nothing is stored in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labelbench.errors import InputError
from labelbench.labels import LabelSet
from labelbench.machine.numerics import numerics_in_force
from labelbench.results.records import TrainingRecord
from labelbench.results.store import Results
from labelbench.running.materials import Materials
from labelbench.runs import RunSpec, slug

if TYPE_CHECKING:
    from labelbench.attacks.attack import Attack
    from labelbench.networks import Network

NAME = "adversarial-examples"
# Which all labels are compared with, and which stands above them.
REFERENCE = "category"


@dataclass(frozen=True, eq=False)
class Attacked:
    """One attack on some images.

    Attributes:
        images: ``(n, height, width, 3)`` float32 pixels; the paper's iterative attack may leave [0, 1].
        read: ``(n,)`` classes that the network reads in them.
    """

    images: np.ndarray
    read: np.ndarray


@dataclass(frozen=True, eq=False)
class Row:
    """One network and what became of the images.

    Attributes:
        run: that trained it.
        read: ``(n,)`` classes read in the clean images.
        attacks: by name, in the order drawn.
    """

    run: RunSpec
    read: np.ndarray
    attacks: Mapping[str, Attacked]


@dataclass(frozen=True, eq=False)
class Strip:
    """Attacked test images of one data set and backbone.

    Attributes:
        dataset, backbone: names.
        class_names: of the data set.
        epsilon: radius of the ball, in 1/255 of the range of pixels, the same for all attacks.
        indices: ``(n,)`` which test images.
        images: ``(n, height, width, 3)`` float32 pixels in [0, 1], clean.
        classes: ``(n,)`` true classes.
        rows: one for each label, category first.
    """

    dataset: str
    backbone: str
    class_names: tuple[str, ...]
    epsilon: float
    indices: np.ndarray
    images: np.ndarray
    classes: np.ndarray
    rows: tuple[Row, ...]

    @property
    def name(self) -> str:
        """Fit for a file name."""
        return f"{NAME}-{slug(self.dataset)}-{slug(self.backbone)}"

    @property
    def gain(self) -> float:
        """What changes are multiplied by to be seen: epsilon becomes half of the range of pixels."""
        return 0.5 * 255 / self.epsilon

    @property
    def note(self) -> str:
        """What must be known to read it."""
        runs = ", ".join(f"{row.run.label} seed {row.run.seed}" for row in self.rows)
        indices = ", ".join(map(str, self.indices))
        return (
            f"Within {self.epsilon:g}/255 of the pixel range: the paper's iterative attack (five steps on the training "
            f"loss) and an adaptive one (40 steps on the margin of the decoder). Changes are shown {self.gain:.0f} "
            f"times as large, about grey. Under each image: the class read in it, bold where the attack changed it. "
            f"Test images {indices}: those first that every network reads right, of different classes first. {runs}."
        )


def attacks_at(epsilon: float) -> dict[str, Attack]:
    """The attacks of a strip by name, in one unit of epsilon: 1/255 of the range of pixels.

    The first is the official code's iterative attack, with its accumulated gradients and without a clamp to the range
    of pixels; the second follows the decoder with shrinking steps until the image is read as another class.
    """
    from labelbench.attacks.attack import Attack

    paper = Attack((epsilon / 255,), loss="training", steps=5, step=1 / 5, clamp="none", gradient="accumulated")
    adaptive = Attack(
        (epsilon / 255,), loss="margin", steps=40, step=2.0, schedule="cosine", momentum=0.25, success="any"
    )
    return {"paper's attack": paper, "adaptive attack": adaptive}


def strips_of(
    results: Results,
    trainings: Iterable[TrainingRecord],
    *,
    labels: Sequence[str] = (),
    epsilon: float = 2.0,
    count: int = 2,
    report: Callable[[str], None] = lambda doing: None,
) -> tuple[Strip, ...]:
    """A strip for every data set and backbone of a results folder.

    Args:
        results: holds the weights.
        trainings: of that folder; for each label the one with most data, then most epochs, then the lowest seed.
        labels: which labels, in this order; none for all, category first.
        epsilon: in 1/255 of the range of pixels, above 0 to 255.
        count: images, 1 or more.
        report: told what is being done.

    Raises:
        InputError: no such trainings, or one without weights; or settings out of range.
        ConflictError: weights that belong to other labels or images.
        LabelbenchError: images or labels are not at hand.
    """
    if not 0 < epsilon <= 255:
        raise InputError(f"epsilon is {epsilon:g}; expected above 0 to 255, in 1/255 of the range of pixels")
    if count < 1:
        raise InputError(f"{count} images asked for; expected 1 or more")
    places: dict[tuple[str, str], dict[str, RunSpec]] = defaultdict(dict)
    for training in sorted(trainings, key=_preference):
        if not labels or training.run.label in labels:
            places[training.run.dataset, training.run.backbone].setdefault(training.run.label, training.run)
    if not places:
        named = f" of {', '.join(labels)}" if labels else ""
        raise InputError(
            f"{results.folder} holds no training{named} that could be attacked; `labelbench run` makes some"
        )
    chosen = {place: _in_order(runs, labels) for place, runs in sorted(places.items())}
    for runs in chosen.values():
        for run in runs:
            _refuse_without_weights(results, run)
    return tuple(_strip(results, runs, epsilon, count, report) for runs in chosen.values())


def _strip(
    results: Results, runs: Sequence[RunSpec], epsilon: float, count: int, report: Callable[[str], None]
) -> Strip:
    import torch

    from labelbench.training.checkpoint import load_trained
    from labelbench.training.inference import outputs_of

    materials = Materials(report=lambda doing, share: report(doing))
    images = materials.images(runs[0])
    # More than are shown: images that some network reads wrong without an attack show nothing.
    pool = _evenly(images.test.classes, 40 * count)
    pixels, classes = np.asarray(images.test.images[pool]), np.asarray(images.test.classes[pool])
    loaded: list[tuple[RunSpec, Network, LabelSet, np.ndarray]] = []
    for run in runs:
        report(f"reading {run}")
        labels = materials.labels(run)
        file = results.network_file(run)
        with numerics_in_force(run.numerics):
            network = load_trained(run, materials.network(run), labels, images, file).network
            read = torch.cat([labels.nearest(outputs) for outputs in outputs_of(network, pixels)]).cpu().numpy()
        loaded.append((run, network, labels, read))
    right = np.all([read == classes for *_, read in loaded], axis=0)
    picked = _of_different_classes(classes, right, count)
    rows = []
    for run, network, labels, read in loaded:
        report(f"attacking {run}")
        with numerics_in_force(run.numerics):
            found = {
                name: _attacked(attack, network, labels, pixels[picked], classes[picked])
                for name, attack in attacks_at(epsilon).items()
            }
        rows.append(Row(run, read[picked], found))
    return Strip(
        runs[0].dataset,
        runs[0].backbone,
        materials.dataset(runs[0]).class_names,
        epsilon,
        pool[picked],
        pixels[picked].astype(np.float32) / 255,
        classes[picked],
        tuple(rows),
    )


def _attacked(attack: Attack, network: Network, labels: LabelSet, pixels: np.ndarray, classes: np.ndarray) -> Attacked:
    from labelbench.attacks.engine import run_attack

    found = run_attack(attack, network, labels, pixels, classes, keep_images=True)
    assert found.images is not None
    return Attacked(found.images[0].permute(0, 2, 3, 1).numpy(), found.predictions[0])


def _preference(training: TrainingRecord) -> tuple[float, int, int, str]:
    run = training.run
    return -run.train_fraction, -run.recipe.epochs, run.seed, run.id


def _in_order(runs: Mapping[str, RunSpec], labels: Sequence[str]) -> list[RunSpec]:
    """The runs in the order asked for, else category first and the others by name."""
    names = [name for name in labels if name in runs] or sorted(runs, key=lambda name: (name != REFERENCE, name))
    return [runs[name] for name in dict.fromkeys(names)]


def _refuse_without_weights(results: Results, run: RunSpec) -> None:
    file = results.network_file(run)
    if not file.exists():
        raise InputError(
            f"the weights of {run} are not here ({file}); repeat the run into {results.folder}, or choose labels whose "
            f"weights are there with --label"
        )


def _evenly(classes: np.ndarray, count: int) -> np.ndarray:
    """``count`` indices, or all, spread evenly over images that are ordered by class."""
    return np.asarray(np.unique(np.linspace(0, len(classes) - 1, min(count, len(classes))).round().astype(int)))


def _of_different_classes(classes: np.ndarray, right: np.ndarray, count: int) -> np.ndarray:
    """Indices of ``count`` images: those read right first, and of them one of each class before a second of any."""
    turn = np.zeros(len(classes), dtype=int)
    seen: dict[tuple[int, bool], int] = defaultdict(int)
    for index, key in enumerate(zip(classes.tolist(), right.tolist(), strict=True)):
        turn[index] = seen[key]
        seen[key] += 1
    best = np.lexsort((np.arange(len(classes)), turn, ~right))
    # Of the first of each class, evenly chosen ones: neighbours in the order of classes are often alike.
    first = [index for index in best if right[index] and turn[index] == 0]
    if len(first) >= count:
        best = np.asarray(first)[np.linspace(0, len(first) - 1, count).round().astype(int)]
    return np.asarray(np.sort(best[:count]))
