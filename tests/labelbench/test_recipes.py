from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelbench.errors import InputError, UnknownName
from labelbench.optimizers import OPTIMIZERS, SGD, Muon
from labelbench.recipes import RECIPES, Recipe, find_recipe, recipe_from, recipe_of


def test_the_paper_recipe_decays_after_299_and_449_of_600_epochs() -> None:
    recipe = find_recipe("paper")
    rates = {epoch: recipe.rate_at(epoch, 0, 352) for epoch in (0, 298, 299, 448, 449, 599)}
    assert rates == pytest.approx({0: 0.1, 298: 0.1, 299: 0.01, 448: 0.01, 449: 0.001, 599: 0.001})


@given(st.integers(1, 2000))
def test_milestones_scale_with_epochs(epochs: int) -> None:
    recipe = Recipe().with_epochs(epochs)
    assert recipe.epochs == epochs
    assert all(1 <= milestone <= max(1, epochs) for milestone in recipe.milestones)
    assert list(recipe.milestones) == sorted(recipe.milestones)


def test_one_cycle_rises_to_its_peak_and_falls_to_nothing() -> None:
    recipe = Recipe(schedule="one-cycle", warmup=0.2, epochs=10, optimizer=SGD(0.4))
    rates = [recipe.rate_at(epoch, step, 50) for epoch in range(10) for step in range(50)]
    peak = rates.index(max(rates))
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert peak == pytest.approx(100, abs=1)
    assert max(rates) == pytest.approx(0.4, rel=0.01)
    assert rates[-1] < 0.001


def test_small_shares_of_the_data_get_their_minimum_of_steps() -> None:
    recipe = Recipe(epochs=4, batch_size=10, minimum_steps=100)
    assert [recipe.passes_per_epoch(images) for images in (2, 25, 91, 250, 10_000)] == [25, 9, 3, 1, 1]
    assert recipe.steps_per_epoch(25) == 9 * 3
    assert Recipe(epochs=4, batch_size=10).steps_per_epoch(25) == 3


@given(images=st.integers(1, 1000), batch=st.integers(2, 300))
def test_without_small_last_batches_every_step_has_a_full_batch_or_all_images(images: int, batch: int) -> None:
    recipe = Recipe(batch_size=batch, drop_last=True)
    assert recipe.steps_per_pass(images) == max(1, images // batch)
    assert recipe.steps_per_pass(images) <= replace(recipe, drop_last=False).steps_per_pass(images)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=list(RECIPES))
def test_a_recipe_is_made_again_from_its_settings(recipe: Recipe) -> None:
    assert recipe_from(recipe.settings) == recipe


def test_no_optimizer_has_a_setting_of_the_name_of_a_recipes() -> None:
    names = {field.name for field in fields(Recipe)}
    assert not [kind for kind in OPTIMIZERS.values() if names & {field.name for field in fields(kind)}]


def test_a_table_names_the_optimizer_and_sets_its_settings() -> None:
    recipe = recipe_of("my.toml", {"base": "quick", "optimizer": "muon", "kernel-learning-rate": 0.02})
    assert recipe.optimizer == Muon(0.1, nesterov=True, weight_decay=5e-4, kernel_learning_rate=0.02)
    assert recipe_of("my.toml", {"base": "short", "optimizer": "sgd"}).optimizer == SGD(
        nesterov=True, weight_decay=5e-4
    )


@given(st.integers(2, 3000), st.integers(1, 200), st.integers(0, 5000))
def test_a_minimum_of_steps_is_reached_with_fewest_passes(images: int, epochs: int, minimum: int) -> None:
    recipe = Recipe(epochs=epochs, batch_size=64, minimum_steps=minimum)
    passes, steps = recipe.passes_per_epoch(images), recipe.steps_per_pass(images)
    assert passes * steps * epochs >= minimum
    assert passes == 1 or (passes - 1) * steps * epochs < minimum


@pytest.mark.parametrize(
    ("name", "images"), [("quick", 1298), ("paper-fast", 45_000), ("short", 45_000), ("paper", 450)]
)
@pytest.mark.parametrize("epochs", [1, 7, None, 100])
def test_full_trainings_of_the_recipes_are_not_lengthened(name: str, images: int, epochs: int | None) -> None:
    recipe = find_recipe(name)
    recipe = recipe.with_epochs(epochs) if epochs else recipe
    assert recipe.passes_per_epoch(images) == 1


@pytest.mark.parametrize("name", ["paper-fast", "short"])
def test_small_shares_of_cifar_take_about_the_steps_of_a_fifth_with_the_short_recipes(name: str) -> None:
    recipe = find_recipe(name)
    steps = {images: recipe.epochs * recipe.steps_per_epoch(images) for images in (500, 1000, 2000, 4000, 5000, 10_000)}
    assert steps[10_000] == recipe.minimum_steps and max(steps.values()) <= 1.25 * recipe.minimum_steps


def test_the_shares_of_digits_take_the_steps_of_all_of_them_with_the_quick_recipe() -> None:
    recipe = find_recipe("quick")
    for images in (14, 29, 58, 115, 144, 288, 1298):
        assert 240 <= recipe.epochs * recipe.steps_per_epoch(images) <= 1.25 * 240


def test_a_table_changes_a_base_recipe() -> None:
    recipe = recipe_of("my.toml", {"base": "quick", "learning-rate": 1, "milestones": [3]})
    assert (recipe.learning_rate, recipe.milestones, recipe.name) == (1.0, (3,), "custom")
    assert recipe.batch_size == RECIPES["quick"].batch_size


def test_epochs_of_a_table_scale_what_it_does_not_give() -> None:
    assert recipe_of("my.toml", {"base": "paper", "epochs": 60}).milestones == (30, 45)
    assert recipe_of("my.toml", {"base": "paper", "epochs": 60, "milestones": [50]}).milestones == (50,)
    assert recipe_of("my.toml", {"base": "quick", "epochs": 6}).minimum_steps == 120


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"learning-rat": 1}, "unknown key in the recipe of my.toml: 'learning-rat'; did you mean"),
        ({"epochs": "many"}, "recipe of my.toml: epochs is 'many'; expected int"),
        ({"epochs": 0}, "epochs is 0; expected 1 or more"),
        ({"schedule": "cosine"}, "expected 'step' or 'one-cycle'"),
        ({"milestones": ["x"]}, "milestones is ('x',); expected whole numbers of 1 or more"),
        ({"milestones": [5, 3]}, "milestones is (5, 3); expected whole numbers of 1 or more that do not fall"),
        ({"bse": "quick"}, "did you mean base"),
        ({"optimizer": "adam"}, "unknown optimizer in the recipe of my.toml: 'adam'"),
        ({"kernel-learning-rate": 0.1}, "unknown key in the recipe of my.toml: 'kernel-learning-rate'"),
        ({"momentum": 1.0}, "momentum is 1.0; expected 0 or more, below 1"),
        ({"base": "papr"}, "unknown recipe 'papr'; did you mean paper"),
    ],
)
def test_wrong_tables_are_refused_in_words(table: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match="recipe") as caught:
        recipe_of("my.toml", table)
    assert message in str(caught.value)


def test_an_unknown_recipe_is_refused() -> None:
    with pytest.raises(UnknownName):
        find_recipe("paper-slow")


@given(st.integers(2, 500), st.integers(2, 200), st.booleans())
def test_the_images_of_the_steps_of_a_pass_are_those_of_the_pass(images: int, batch: int, drop_last: bool) -> None:
    recipe = Recipe(batch_size=batch, drop_last=drop_last)
    steps = recipe.steps_per_pass(images)
    sizes = [recipe.images_of_step(step, images) for step in range(2 * steps)]
    assert sum(sizes[:steps]) == recipe.images_per_pass(images) and sizes[:steps] == sizes[steps:]
    assert all(1 < size <= batch for size in sizes)
