from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelbench.errors import InputError, UnknownName
from labelbench.recipes import RECIPES, Recipe, find_recipe, recipe_of


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
    recipe = Recipe(schedule="one-cycle", warmup=0.2, epochs=10, learning_rate=0.4)
    rates = [recipe.rate_at(epoch, step, 50) for epoch in range(10) for step in range(50)]
    peak = rates.index(max(rates))
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert peak == pytest.approx(100, abs=1)
    assert max(rates) == pytest.approx(0.4, rel=0.01)
    assert rates[-1] < 0.001


def test_small_shares_of_the_data_get_their_minimum_of_steps() -> None:
    recipe = Recipe(epochs=4, minimum_steps=100)
    assert recipe.for_steps_per_epoch(10).epochs == 10
    assert recipe.for_steps_per_epoch(1000).epochs == 4


def test_a_table_changes_a_base_recipe() -> None:
    recipe = recipe_of("my.toml", {"base": "quick", "learning-rate": 1, "milestones": [3]})
    assert (recipe.learning_rate, recipe.milestones, recipe.name) == (1.0, (3,), "custom")
    assert recipe.batch_size == RECIPES["quick"].batch_size


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"learning-rat": 1}, "unknown key in the recipe of my.toml: 'learning-rat'; did you mean"),
        ({"epochs": "many"}, "recipe of my.toml: epochs is 'many'; expected int"),
        ({"epochs": 0}, "epochs is 0; expected 1 or more"),
        ({"schedule": "cosine"}, "expected 'step' or 'one-cycle'"),
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
