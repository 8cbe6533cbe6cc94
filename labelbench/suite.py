"""Which cells a benchmark has: suites, shipped with the package or read from TOML files."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from labelbench.errors import InputError, UnknownName
from labelbench.recipes import Recipe, changed_recipe, find_recipe, recipe_of
from labelbench.runs import NUMERICS_MODES
from labelbench.tunings import Tuning, tuned_recipe, tuning_of

ENGINES = ("local", "ray")


@dataclass(frozen=True)
class Suite:
    """Which cells a benchmark has: every combination of the four axes and the seeds.

    Attributes:
        name: names the results folder.
        description: one line that says what it is for.
        datasets, labels, backbones, evaluators: names on each axis.
        seeds: seeds of the runs.
        recipe: how every network is trained.
        recipes: labels that have a recipe of their own, each with it.
        tuning: how those recipes were chosen, None if they were not.
        train_fraction: share of the training images, 0 to 1.
        test_images: how many test images are measured, drawn evenly over classes; None for all.
        numerics: ``"exact"``, ``"portable"`` or ``"fast"``.
        engine: where jobs run: ``"local"``, or ``"ray"`` for a cluster; it changes no result.
        headline: columns of the first table, each ``evaluator/score``.
    """

    name: str
    datasets: tuple[str, ...]
    labels: tuple[str, ...]
    backbones: tuple[str, ...]
    evaluators: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    recipe: Recipe = Recipe()
    recipes: tuple[tuple[str, Recipe], ...] = ()
    tuning: Tuning | None = None
    train_fraction: float = 1.0
    test_images: int | None = None
    numerics: str = "exact"
    engine: str = "local"
    headline: tuple[str, ...] = ()
    description: str = ""

    def __post_init__(self) -> None:
        for axis in ("datasets", "labels", "backbones", "evaluators", "seeds"):
            given = getattr(self, axis)
            if not given:
                raise InputError(f"suite {self.name!r} names no {axis}; give at least one with --{_OPTIONS[axis]}")
            object.__setattr__(self, axis, tuple(dict.fromkeys(given)))
        if not 0 < self.train_fraction <= 1:
            raise InputError(f"train-fraction is {self.train_fraction!r}; expected a share above 0, at most 1")
        if self.test_images is not None and self.test_images < 1:
            raise InputError(f"test-images is {self.test_images!r}; expected 1 or more")
        if self.numerics not in NUMERICS_MODES:
            raise UnknownName("numerics", self.numerics, NUMERICS_MODES)
        if self.engine not in ENGINES:
            raise UnknownName("engine", self.engine, ENGINES)
        seen = set(self.seeds) & set(self.tuning.seeds if self.tuning else ())
        if seen:
            raise InputError(
                f"suite {self.name!r}: seed {min(seen)} chose the recipes, so that its results would flatter them; "
                "name other seeds with --seeds"
            )

    def recipe_of(self, label: str) -> Recipe:
        """How networks of a label are trained."""
        return dict(self.recipes).get(label, self.recipe)

    @property
    def untuned(self) -> tuple[str, ...]:
        """Labels without a recipe of their own where others have one that was tuned."""
        return tuple(label for label in self.labels if label not in dict(self.recipes)) if self.tuning else ()

    def changed(
        self,
        *,
        datasets: str | Sequence[str] | None = None,
        labels: str | Sequence[str] | None = None,
        backbones: str | Sequence[str] | None = None,
        evaluators: str | Sequence[str] | None = None,
        seeds: int | str | Sequence[int] | None = None,
        recipe: str | Recipe | None = None,
        epochs: int | None = None,
        train_fraction: float | None = None,
        test_images: int | str | None = None,
        numerics: str | None = None,
        engine: str | None = None,
    ) -> Suite:
        """The suite with other values; None leaves a value as it is, and ``test_images="all"`` measures all of them.

        Raises:
            UnknownName: no such recipe or numerics.
            InputError: a value of the wrong type or out of range.

        >>> Suite.load("quick").changed(labels="speech", seeds=2, epochs=1).seeds
        (0, 1)
        """
        changes: dict[str, Any] = {}
        axes = {"datasets": datasets, "labels": labels, "backbones": backbones, "evaluators": evaluators}
        for axis, names in axes.items():
            if names is not None:
                changes[axis] = _names(axis, names)
        if seeds is not None:
            changes["seeds"] = _seeds_given(seeds)
        for name, value, kind in (
            ("epochs", epochs, int),
            ("train-fraction", train_fraction, int | float),
            ("test-images", None if test_images == "all" else test_images, int),
        ):
            if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
                raise InputError(f"{name} is {value!r}; expected a number")
        values = {"train_fraction": train_fraction, "test_images": test_images, "numerics": numerics}
        values |= {"engine": engine}
        changes |= {name: None if value == "all" else value for name, value in values.items() if value is not None}
        if recipe is not None:
            # It is meant for all labels.
            how = find_recipe(recipe) if isinstance(recipe, str) else recipe
            changes |= {"recipe": how, "recipes": (), "tuning": None}
        changed = replace(self, **changes)
        return changed if epochs is None else changed.with_epochs(epochs)

    def with_epochs(self, epochs: int) -> Suite:
        """The suite with all recipes stretched or shortened, as :meth:`Recipe.with_epochs` does."""
        recipes = tuple((label, recipe.with_epochs(epochs)) for label, recipe in self.recipes)
        return replace(self, recipe=self.recipe.with_epochs(epochs), recipes=recipes)

    @staticmethod
    def load(name: str) -> Suite:
        """Read a suite shipped with the package (``"quick"``) or a TOML file (anything ending in ``.toml``).

        Raises:
            UnknownName: no shipped suite has the name, or the file has a key that a suite does not have.
            InputError: the file cannot be read, is no TOML, or a value has the wrong type.
        """
        table = _table_of(name)
        return _suite_of(name, Path(name).name.removesuffix(".toml"), table)


def suite_names() -> list[str]:
    """Names of the suites shipped with the package."""
    entries = resources.files("labelbench").joinpath("suites").iterdir()
    return sorted(entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml"))


# A count beyond this is a seed that was meant as one of a list.
_MOST_SEEDS = 1_000_000


def parse_seeds(text: str | int) -> tuple[int, ...]:
    """Seeds as written: ``N`` means 0 to N-1; ``3,7`` means those (``3,`` the single seed 3).

    >>> parse_seeds("2"), parse_seeds("3,7"), parse_seeds("3,")
    ((0, 1), (3, 7), (3,))
    """
    wrong = InputError(f"seeds {text!r}; expected a count such as 3, or a list such as 3,7 (a single seed: 3,)")
    try:
        numbers = [int(part) for part in str(text).split(",") if part.strip()]
    except ValueError:
        raise wrong from None
    if not numbers or min(numbers) < 0:
        raise wrong
    if "," in str(text):
        return tuple(dict.fromkeys(numbers))
    if not 1 <= numbers[0] <= _MOST_SEEDS:
        raise wrong
    return tuple(range(numbers[0]))


# The option that gives each axis on the command line.
_OPTIONS = {
    "datasets": "dataset",
    "labels": "label",
    "backbones": "backbone",
    "evaluators": "evaluator",
    "seeds": "seeds",
}
_NAMES = (list, str)
_SUITE_KEYS: Mapping[str, tuple[str, tuple[type, ...]]] = {
    # key of the file -> (field of Suite, types allowed)
    "dataset": ("datasets", _NAMES),
    "label": ("labels", _NAMES),
    "backbone": ("backbones", _NAMES),
    "evaluator": ("evaluators", _NAMES),
    "seeds": ("seeds", (int, str, list)),
    "recipe": ("recipe", (str, dict)),
    "recipes": ("recipes", (dict,)),
    "tuning": ("tuning", (dict,)),
    "epochs": ("epochs", (int,)),
    "train-fraction": ("train_fraction", (int, float)),
    "test-images": ("test_images", (int,)),
    "numerics": ("numerics", (str,)),
    "engine": ("engine", (str,)),
    "headline": ("headline", _NAMES),
    "description": ("description", (str,)),
}


def _table_of(name: str, bases: tuple[str, ...] = ()) -> dict[str, Any]:
    """The keys of a suite: its own, and those of its base that it does not give."""
    if name in bases:
        raise InputError(f"suite file {name} is its own base; name another with `base`, or leave it out")
    if not name.endswith(".toml"):
        if name not in suite_names():
            raise UnknownName("suite", name, suite_names(), "or the path of a .toml file")
        text = resources.files("labelbench").joinpath("suites", f"{name}.toml").read_text(encoding="utf-8")
    else:
        try:
            text = Path(name).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"suite file {name}: {getattr(error, 'strerror', None) or error}; expected a TOML file, or one of the "
                f"suites {', '.join(suite_names())}"
            ) from error
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"suite file {name} is not valid TOML: {error}") from error
    base = table.pop("base", None)
    if base is None:
        return table
    if not isinstance(base, str):
        raise InputError(f"suite file {name}: base is {base!r}; expected the name of a suite")
    # A description is of one suite, and what was tuned of one recipe.
    not_taken = {"description", *(("epochs", "recipes", "tuning") if "recipe" in table else ())}
    return {key: value for key, value in _table_of(base, (*bases, name)).items() if key not in not_taken} | table


def _suite_of(source: str, name: str, table: Mapping[str, Any]) -> Suite:
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in _SUITE_KEYS:
            raise UnknownName(f"key in suite file {source}:", key, ["base", *_SUITE_KEYS])
        attribute, types = _SUITE_KEYS[key]
        if not isinstance(value, types) or isinstance(value, bool):
            expected = " or ".join(kind.__name__ for kind in types)
            raise InputError(f"suite file {source}: {key} is {value!r}; expected {expected}")
        values[attribute] = _names(f"suite file {source}: {key}", value) if types is _NAMES else value
    for axis in ("datasets", "labels", "backbones", "evaluators"):
        values.setdefault(axis, ())
    values["seeds"] = _seeds_given(values.get("seeds", 1))
    recipe = values.get("recipe", "paper")
    values["recipe"] = recipe_of(source, recipe) if isinstance(recipe, dict) else find_recipe(recipe)
    epochs = values.pop("epochs", None)
    if "tuning" in values:
        values["tuning"] = tuning_of(source, values["tuning"])
    values["recipes"] = _recipes(source, values["recipe"], values.get("recipes", {}), values.get("tuning"))
    suite = Suite(name=name, **values)
    return suite if epochs is None else suite.with_epochs(epochs)


def _recipes(
    source: str, recipe: Recipe, tables: Mapping[str, Any], tuning: Tuning | None
) -> tuple[tuple[str, Recipe], ...]:
    """The recipes that labels have for themselves: each changes that of the suite."""
    found = []
    for label, table in tables.items():
        if not isinstance(table, dict):
            raise InputError(f"suite file {source}: the recipe of {label} is {table!r}; expected a table")
        own = changed_recipe(f"the recipe of {label} in {source}", recipe, table)
        found.append((label, tuned_recipe(own, tuning) if tuning else own))
    return tuple(found)


def _seeds_given(seeds: int | str | Sequence[int]) -> tuple[int, ...]:
    """Seeds as a count, as text, or one by one."""
    if isinstance(seeds, Iterable) and not isinstance(seeds, str):
        return parse_seeds(",".join(map(str, seeds)) + ",")
    return parse_seeds(str(seeds))


def _names(what: str, names: Any) -> tuple[str, ...]:
    given = (names,) if isinstance(names, str) else tuple(names)
    for name in given:
        if not isinstance(name, str):
            raise InputError(f"{what} {names!r}: {name!r} is no name; expected text, or a list of texts")
    return given
