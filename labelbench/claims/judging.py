"""Claims judged on what was measured: reproduced, contradicted, or not decided and why.

A comparison is made in cells, one for each score and pair of labels, from differences paired by seed. A claim is

* *reproduced* if every cell holds: "greater" if the 95 % t-interval of the difference lies above the margin;
  "equivalent" if two one-sided t-tests at 5 % place it within the margin. Since every one must hold, no correction for
  their number is needed (intersection-union test).
* *contradicted* if the cells together show that one is false: Simes' test at 2.5 % over the one-sided p-values against
  each, so that a claim of many cells is not contradicted by the chance of one.
* *not decided* otherwise. Cells in which both sides are at the floor count for nothing; cells that are missing, or have
  too few seeds, keep a claim from being reproduced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labelbench.claims.claim import Claim, Claims, Verdict
from labelbench.claims.evidence import Found, Measured, asked
from labelbench.claims.label_comparisons import judge_best, judge_correlation
from labelbench.claims.pair_comparisons import judge_pairs
from labelbench.recipes import Recipe
from labelbench.results.tables import Table


def judge(claims: Claims, tables: Sequence[Table], recipes: Mapping[str, Recipe]) -> tuple[Verdict, ...]:
    """Every claim on every data set and backbone, and under every setting in which a part of it was measured.

    Args:
        claims: what is claimed.
        tables: the evaluators' tables, rows in any order.
        recipes: recipe of each letter of the legend.
    """
    measured = Measured(tables)
    return tuple(
        _verdict(claims, measured, recipes, claim, attack, (dataset, backbone, settings))
        for dataset, backbone in measured.places
        for claim in claims.claims
        for attack in claim.attacks
        for settings in measured.settings_of(claim, attack, dataset, backbone)
    )


def _verdict(
    claims: Claims,
    measured: Measured,
    recipes: Mapping[str, Recipe],
    claim: Claim,
    attack: str,
    place: tuple[str, str, str],
) -> Verdict:
    found = Found()
    for comparison in claim.comparisons:
        if comparison.attack != attack:
            continue
        recipe = recipes.get(place[2])
        if not any((name, *place) in measured.rows for name in measured.evaluators(comparison)):
            found.missing["not measured"].append(asked(comparison))
        elif comparison.minimum_steps and recipe and not _states_steps(recipe):
            found.missing["needs a recipe that states a minimum of steps, else small shares test their number"].append(
                f"{recipe.name}, {recipe.epochs} epochs"
            )
        elif comparison.kind == "best":
            judge_best(claims, measured, comparison, place, found)
        elif comparison.kind == "correlation":
            judge_correlation(claims, measured, comparison, place, found)
        else:
            judge_pairs(claims, measured, comparison, place, found)
    return Verdict(claim.id, claim.text, *place, attack, *found.verdict())


def _states_steps(recipe: Recipe) -> bool:
    return recipe.minimum_steps > 0 or recipe.epochs >= Recipe().epochs
