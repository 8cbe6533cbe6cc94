"""How a network is trained: recipes as frozen values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from labelbench.errors import InputError, UnknownName
from labelbench.optimizers import OPTIMIZERS, SGD, Muon
from labelbench.values import refuse_unless, settle


@dataclass(frozen=True)
class Recipe:
    """How a network is trained (paper, section 4.1; the defaults are the paper's).

    Attributes:
        name: name shown beside results.
        epochs: how often the network is validated and may be kept; each is one pass over the training images, or
            more where ``minimum_steps`` asks for more.
        batch_size: images per step.
        optimizer: what updates the weights, with its settings.
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
        drop_last: whether each pass leaves out the images, others in every pass, that would fill only a part of a last
            batch: batch norm estimates badly from a few images, and they weigh as much as any batch in its averages.
        tuned: names of settings that were chosen for each label by itself, by the same grid for all.
        tuning: grid and budget in words, as :attr:`labelbench.tunings.Tuning.words` has them.

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
    optimizer: SGD = SGD()
    schedule: str = "step"
    milestones: tuple[int, ...] = (299, 449)
    decay: float = 0.1
    warmup: float = 0.0
    crop_padding: int = 4
    flip: bool = True
    minimum_steps: int = 0
    drop_last: bool = False
    tuned: tuple[str, ...] = ()
    tuning: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "milestones", tuple(self.milestones))
        object.__setattr__(self, "tuned", tuple(self.tuned))
        settle(self)
        checks = {
            "epochs": (self.epochs >= 1, "1 or more"),
            "batch_size": (self.batch_size >= 2, "2 or more"),
            "schedule": (self.schedule in ("step", "one-cycle"), "'step' or 'one-cycle'"),
            "warmup": (0 <= self.warmup <= 1, "0 to 1"),
            "milestones": (self._milestones_rise, "whole numbers of 1 or more that do not fall"),
            "crop_padding": (self.crop_padding >= 0, "0 or more"),
            "minimum_steps": (self.minimum_steps >= 0, "0 or more"),
        }
        refuse_unless(f"recipe {self.name!r}", self, checks)

    @property
    def _milestones_rise(self) -> bool:
        plain = all(isinstance(one, int) and not isinstance(one, bool) and one >= 1 for one in self.milestones)
        return plain and list(self.milestones) == sorted(self.milestones)

    @property
    def learning_rate(self) -> float:
        """Peak learning rate of the optimiser."""
        return self.optimizer.learning_rate

    @property
    def settings(self) -> dict[str, Any]:
        """All settings by name, those of the optimiser among them: what a record says, and :func:`recipe_from` reads.

        >>> Recipe().settings["optimizer"], Recipe().settings["learning_rate"]
        ('sgd', 0.1)
        """
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        kind = next(name for name, kind in OPTIMIZERS.items() if kind is type(self.optimizer))
        return {**own, "optimizer": kind, **asdict(self.optimizer)}

    @property
    def comparable(self) -> Recipe:
        """The recipe without what was tuned: equal for all labels that may be compared.

        What was tuned has its default, so that two choices of one grid are alike; another grid is another recipe.
        """
        usual = Recipe(optimizer=type(self.optimizer)()).settings
        return recipe_from({**self.settings, **{name: usual[name] for name in self.tuned}}) if self.tuned else self

    @property
    def untuned(self) -> Recipe:
        """The same, not called tuned: equal for all labels of one grid."""
        return replace(self.comparable, tuned=(), tuning="")

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

_NESTEROV = SGD(nesterov=True, weight_decay=5e-4)
_ONE_CYCLE = Recipe(optimizer=_NESTEROV, schedule="one-cycle", milestones=(), warmup=0.2, drop_last=True)

RECIPES: Mapping[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(),
        replace(
            _ONE_CYCLE,
            name="paper-fast",
            epochs=30,
            optimizer=replace(_NESTEROV, learning_rate=0.2),
            minimum_steps=_STEPS_OF_20_PERCENT_OF_CIFAR,
        ),
        # Tuned on category labels and five epochs, in which small batches and Muon gain accuracy and crops cost it.
        replace(
            _ONE_CYCLE,
            name="short",
            epochs=5,
            batch_size=32,
            crop_padding=0,
            minimum_steps=_STEPS_OF_20_PERCENT_OF_CIFAR_IN_FIVE_EPOCHS,
            optimizer=Muon(nesterov=True, weight_decay=5e-4),
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


def is_shipped(recipe: Recipe) -> bool:
    """Whether the recipe's name and epochs say all of it."""
    base = RECIPES.get(recipe.name)
    return base is not None and base.with_epochs(recipe.epochs) == recipe


def recipe_from(settings: Mapping[str, Any]) -> Recipe:
    """The recipe of which :attr:`Recipe.settings` are these.

    Raises:
        KeyError: the optimiser is missing or unknown.
        TypeError: a setting that neither the recipe nor its optimiser has.
    """
    kind = OPTIMIZERS[settings["optimizer"]]
    names = {field.name for field in fields(kind)}
    optimizer = kind(**{name: value for name, value in settings.items() if name in names})
    return Recipe(**{name: value for name, value in settings.items() if name not in names} | {"optimizer": optimizer})


def recipe_of(source: str, table: Mapping[str, Any]) -> Recipe:
    """A recipe from a table of settings; ``base`` names the recipe it changes.

    Its keys are the fields of :class:`Recipe` and of its optimiser, which ``optimizer`` names. With other epochs than
    the base has, its milestones and minimum of steps scale, as in :meth:`Recipe.with_epochs`, unless the table gives
    them.

    Args:
        source: where the table stands, in words.
        table: settings by name, written with hyphens.

    Raises:
        UnknownName: a key that a recipe does not have.
        InputError: a value of the wrong type or out of range.
    """
    base = find_recipe(str(table.get("base", "paper")))
    return changed_recipe(
        f"the recipe of {source}", replace(base, name="custom"), {k: v for k, v in table.items() if k != "base"}
    )


def changed_recipe(source: str, base: Recipe, table: Mapping[str, Any]) -> Recipe:
    """``base`` with other settings, as :func:`recipe_of` reads them."""
    kind = table.get("optimizer", base.settings["optimizer"])
    if not isinstance(kind, str) or kind not in OPTIMIZERS:
        raise UnknownName(f"optimizer in {source}:", str(kind), OPTIMIZERS)
    # What both kinds have goes on from one to the other.
    defaults = Recipe(optimizer=OPTIMIZERS[kind]()).settings
    known = defaults | {key: value for key, value in base.settings.items() if key in defaults} | {"optimizer": kind}
    changes: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in known:
            raise UnknownName(f"key in {source}:", key, ["base", *(name.replace("_", "-") for name in known)])
        expected = type(known[name])
        allowed = (int, float) if expected is float else (list, tuple) if expected is tuple else (expected,)
        if not isinstance(value, allowed) or (isinstance(value, bool) and expected is not bool):
            raise InputError(f"{source}: {key} is {value!r}; expected {expected.__name__}")
        changes[name] = value
    scaled = base.with_epochs(changes.pop("epochs")) if "epochs" in changes else base
    return recipe_from({**known, **{key: scaled.settings[key] for key in _SCALED}, **changes})


# What other epochs change.
_SCALED = ("epochs", "milestones", "minimum_steps")
