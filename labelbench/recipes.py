"""How a network is trained: recipes as frozen values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from labelbench.errors import InputError, UnknownName

# Left out of a recipe's identity where they are not used.
_OPTIONS = ("muon_learning_rate", "drop_last")


@dataclass(frozen=True)
class Recipe:
    """How a network is trained (paper, section 4.1; the defaults are the paper's).

    Attributes:
        name: name shown beside results.
        epochs: how often the network is validated and may be kept; each is one pass over the training images, or
            more where ``minimum_steps`` asks for more.
        batch_size: images per step.
        learning_rate: peak learning rate of stochastic gradient descent.
        momentum: of stochastic gradient descent.
        nesterov: whether momentum looks ahead.
        weight_decay: added to every gradient, times the weight.
        schedule: ``"step"`` multiplies the rate by ``decay`` once each of ``milestones`` epochs are done;
            ``"one-cycle"`` rises linearly over the first ``warmup`` share of all steps and falls linearly to 0.
        milestones: epochs done at which the ``step`` schedule decays.
        decay: factor of the ``step`` schedule.
        warmup: share of all steps in which the rate of ``one-cycle`` rises, 0 to 1.
        crop_padding: zero pixels added around an image before a random crop of its size; 0 for no crop.
        flip: whether images are mirrored left to right at random, where the data set allows it.
        minimum_steps: every epoch passes over the training images as often as it takes to reach this many steps in
            all, so that small shares of the data are not also short trainings. Epochs are not added: the network is
            validated as often as with all images, and the best of as many epochs is kept. 0 keeps one pass.
        muon_learning_rate: peak learning rate of the kernels of convolutions if Muon trains them (Jordan 2024: steps
            along the orthogonalised momentum, which is 0.95; no weight decay; orthogonalised in bfloat16 whatever the
            numerics). It follows the same schedule. 0 trains them as all other weights are.
        drop_last: whether each pass leaves out the images, others in every pass, that would fill only a part of a last
            batch: batch norm estimates badly from a few images, and they weigh as much as any batch in its averages.

    >>> Recipe().with_epochs(4).milestones
    (2, 3)
    >>> Recipe(batch_size=100).steps_per_pass(250), Recipe(batch_size=100, drop_last=True).steps_per_pass(250)
    (3, 2)
    >>> Recipe(epochs=10, batch_size=100, minimum_steps=100).passes_per_epoch(250)
    4
    """

    name: str = "paper"
    epochs: int = 600
    batch_size: int = 128
    learning_rate: float = 0.1
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 1e-4
    schedule: str = "step"
    milestones: tuple[int, ...] = (299, 449)
    decay: float = 0.1
    warmup: float = 0.0
    crop_padding: int = 4
    flip: bool = True
    minimum_steps: int = 0
    muon_learning_rate: float = 0.0
    drop_last: bool = False

    def __post_init__(self) -> None:
        # Equal recipes have equal settings as JSON, which tells 1 from 1.0.
        object.__setattr__(self, "milestones", tuple(self.milestones))
        for field in fields(self):
            if isinstance(field.default, float):
                object.__setattr__(self, field.name, float(getattr(self, field.name)))
        checks = {
            "epochs": (self.epochs >= 1, "1 or more"),
            "batch_size": (self.batch_size >= 2, "2 or more"),
            "learning_rate": (0 < self.learning_rate < math.inf, "above 0"),
            "momentum": (0 <= self.momentum < 1, "0 or more, below 1"),
            "weight_decay": (0 <= self.weight_decay < math.inf, "0 or more"),
            "schedule": (self.schedule in ("step", "one-cycle"), "'step' or 'one-cycle'"),
            "warmup": (0 <= self.warmup <= 1, "0 to 1"),
            "milestones": (self._milestones_rise, "whole numbers of 1 or more that do not fall"),
            "crop_padding": (self.crop_padding >= 0, "0 or more"),
            "minimum_steps": (self.minimum_steps >= 0, "0 or more"),
            "muon_learning_rate": (0 <= self.muon_learning_rate < math.inf, "0 or more"),
        }
        for key, (fine, expected) in checks.items():
            if not fine:
                raise InputError(f"recipe {self.name!r}: {key} is {getattr(self, key)!r}; expected {expected}")

    @property
    def _milestones_rise(self) -> bool:
        plain = all(isinstance(one, int) and not isinstance(one, bool) and one >= 1 for one in self.milestones)
        return plain and list(self.milestones) == sorted(self.milestones)

    @property
    def settings(self) -> dict[str, Any]:
        """All fields by name but options that are not used: what makes two recipes the same."""
        return {key: value for key, value in asdict(self).items() if value or key not in _OPTIONS}

    def with_epochs(self, epochs: int) -> Recipe:
        """The recipe stretched or shortened to ``epochs``, its milestones and minimum of steps scaled with it."""
        scaled = tuple(max(1, round(milestone * epochs / self.epochs)) for milestone in self.milestones)
        minimum = round(self.minimum_steps * epochs / self.epochs)
        return replace(self, epochs=epochs, milestones=scaled, minimum_steps=minimum)

    def steps_per_pass(self, images: int) -> int:
        """Steps of one pass over ``images`` training images, 1 or more.

        A last batch of a single image is always left out: batch norm cannot train on it.
        """
        full, rest = divmod(images, self.batch_size)
        return max(1, full + (rest > 1 and not self.drop_last))

    def images_per_pass(self, images: int) -> int:
        """How many of ``images`` training images one pass sees: less than all where a last batch is left out."""
        return min(images, self.steps_per_pass(images) * self.batch_size)

    def images_of_step(self, step: int, images: int) -> int:
        """Images of a step, counted from 0, with ``images`` training images: the last of a pass may have fewer."""
        steps = self.steps_per_pass(images)
        done = step % steps
        return self.batch_size if done < steps - 1 else self.images_per_pass(images) - done * self.batch_size

    def passes_per_epoch(self, images: int) -> int:
        """Passes over ``images`` training images in each epoch, 1 or more."""
        return max(1, math.ceil(self.minimum_steps / (self.epochs * self.steps_per_pass(images))))

    def steps_per_epoch(self, images: int) -> int:
        """Steps of each epoch with ``images`` training images."""
        return self.passes_per_epoch(images) * self.steps_per_pass(images)

    def rate_at(self, epoch: int, step: int, steps_per_epoch: int) -> float:
        """Learning rate of one step.

        Args:
            epoch: epochs done before, from 0.
            step: steps done before within the epoch, from 0.
            steps_per_epoch: steps in each epoch.
        """
        if self.schedule == "step":
            return self.learning_rate * self.decay ** sum(epoch >= milestone for milestone in self.milestones)
        total = self.epochs * steps_per_epoch
        done = epoch * steps_per_epoch + step + 0.5
        peak = self.warmup * total
        factor = done / peak if done < peak else (total - done) / (total - peak)
        return self.learning_rate * factor


# The short recipes' minimum of steps. The paper's 600 epochs give 1 % of CIFAR 2,400 steps, 30 epochs would give it
# 90; in 30 epochs 20 % takes 2,340 steps, and no smaller share takes fewer. Digits is so small that each of its shares
# takes as many steps as all of its images do in 12 epochs. Trainings on all images of these data sets are as without.
_STEPS_OF_20_PERCENT_OF_CIFAR = 2340
_STEPS_OF_20_PERCENT_OF_CIFAR_IN_FIVE_EPOCHS = 1560
_STEPS_OF_DIGITS = 240

_ONE_CYCLE = Recipe(nesterov=True, weight_decay=5e-4, schedule="one-cycle", milestones=(), warmup=0.2, drop_last=True)

RECIPES: Mapping[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(),
        replace(
            _ONE_CYCLE, name="paper-fast", epochs=30, learning_rate=0.2, minimum_steps=_STEPS_OF_20_PERCENT_OF_CIFAR
        ),
        # Tuned on category labels and five epochs, in which small batches and Muon gain accuracy and crops cost it.
        replace(
            _ONE_CYCLE,
            name="short",
            epochs=5,
            batch_size=32,
            crop_padding=0,
            minimum_steps=_STEPS_OF_20_PERCENT_OF_CIFAR_IN_FIVE_EPOCHS,
            muon_learning_rate=0.1,
        ),
        replace(_ONE_CYCLE, name="quick", epochs=12, batch_size=64, crop_padding=2, minimum_steps=_STEPS_OF_DIGITS),
    )
}


def find_recipe(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        UnknownName: there is none.
    """
    if name not in RECIPES:
        raise UnknownName("recipe", name, RECIPES)
    return RECIPES[name]


def recipe_of(source: str, table: Mapping[str, Any]) -> Recipe:
    """A recipe from a table whose keys are the fields of :class:`Recipe`; ``base`` names the recipe it changes.

    With other epochs than the base has, its milestones and minimum of steps scale, as in :meth:`Recipe.with_epochs`,
    unless the table gives them.

    Raises:
        UnknownName: a key that a recipe does not have.
        InputError: a value of the wrong type or out of range.
    """
    base = find_recipe(str(table.get("base", "paper")))
    kinds = {field.name: type(getattr(base, field.name)) for field in fields(Recipe)}
    changes: dict[str, Any] = {"name": "custom"}
    for key, value in table.items():
        if key == "base":
            continue
        attribute = key.replace("-", "_")
        if attribute not in kinds:
            known = ["base", *(name.replace("_", "-") for name in kinds)]
            raise UnknownName(f"key in the recipe of {source}:", key, known)
        kind = kinds[attribute]
        allowed = (int, float) if kind is float else (list, tuple) if kind is tuple else (kind,)
        if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool):
            raise InputError(f"recipe of {source}: {key} is {value!r}; expected {kind.__name__}")
        changes[attribute] = value
    scaled = base.with_epochs(changes.pop("epochs")) if "epochs" in changes else base
    return replace(scaled, **changes)
