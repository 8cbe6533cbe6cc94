"""A suite as the text of a suite file."""

from __future__ import annotations

from collections.abc import Iterator

from labelbench.recipes import is_shipped
from labelbench.suite import Suite
from labelbench.toml import toml_key, toml_lines


def suite_text(suite: Suite, remark: str) -> str:
    """TOML that :meth:`Suite.load` reads as this suite.

    Args:
        suite: what to write.
        remark: a line for the reader, above all else.
    """
    return "\n".join(_lines(suite, remark)) + "\n"


def _lines(suite: Suite, remark: str) -> Iterator[str]:
    yield f"# {remark}"
    yield from toml_lines(
        {
            "description": suite.description,
            "dataset": list(suite.datasets),
            "backbone": list(suite.backbones),
            "label": list(suite.labels),
            "evaluator": list(suite.evaluators),
            "seeds": list(suite.seeds),
            "train-fraction": suite.train_fraction,
            **({} if suite.test_images is None else {"test-images": suite.test_images}),
            "numerics": suite.numerics,
            "headline": list(suite.headline),
        }
    )
    own = suite.recipe.settings
    if is_shipped(suite.recipe):
        yield from toml_lines({"recipe": suite.recipe.name, "epochs": suite.recipe.epochs})
    else:
        yield from ("", "[recipe]")
        yield from toml_lines({key.replace("_", "-"): value for key, value in own.items()})
    for label, recipe in suite.recipes:
        yield from ("", f"[recipes.{toml_key(label)}]")
        changed = {key: value for key, value in recipe.settings.items() if value != own.get(key)}
        yield from toml_lines(
            {key.replace("_", "-"): value for key, value in changed.items() if key not in ("tuned", "tuning")}
        )
    if suite.tuning:
        facts = suite.tuning.facts
        grid, accuracy = facts.pop("grid"), facts.pop("accuracy")
        yield from ("", "[tuning]")
        yield from toml_lines(facts)
        yield from ("", "[tuning.grid]")
        yield from toml_lines(grid)
        yield from (
            "",
            "# Validation accuracy at each point of the grid, -1 where a training diverged.",
            "[tuning.accuracy]",
        )
        yield from toml_lines(accuracy)
