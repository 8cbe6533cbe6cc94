"""How a run is made again: the command, with everything that its identity depends on."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labelbench.errors import LabelbenchError
from labelbench.evaluation.evaluator import needs_of
from labelbench.evaluation.needs import Needs
from labelbench.plugins.discovery import plugins
from labelbench.plugins.lookup import evaluator
from labelbench.recipes import is_shipped
from labelbench.results.records import Cell
from labelbench.runs import RunSpec
from labelbench.suite import Suite, suite_names
from labelbench.toml import toml_lines

# Files of a suite that holds what no option can say.
SUITE_FILE = "repeat.toml"
RESULTS = "results/repeat"
# Options without a value: networks are not compiled, or are.
_FLAGS = ("--no-compile", "--compile")


@dataclass(frozen=True)
class Repeat:
    """A command, and the suite file that it reads.

    Attributes:
        args: of ``labelbench``, ``run`` first.
        suite: text of :data:`SUITE_FILE`, to be saved where the command is run; empty if it needs none.
    """

    args: tuple[str, ...]
    suite: str = ""

    @property
    def command(self) -> str:
        """The command as a shell reads it."""
        return " ".join(self.parts)

    def into(self, folder: str) -> Repeat:
        """The command that writes to this results folder."""
        before = self.args.index("--results")
        return replace(self, args=(*self.args[: before + 1], folder, *self.args[before + 2 :]))

    @property
    def parts(self) -> tuple[str, ...]:
        """The command in parts that a line is best broken between: each option with its value."""
        words = iter(self.args[1:])
        options = ((word,) if word in _FLAGS else (word, next(words)) for word in words)
        return tuple(map(shlex.join, (("labelbench", self.args[0]), *options)))


def repeats_of(run: RunSpec, cells: Iterable[Cell]) -> Iterator[Repeat]:
    """The commands that make a run and its measurements again: one for each number of test images measured.

    Args:
        run: what was trained; its backbone is empty where labels alone were measured.
        cells: what was measured of it; none if it was trained for another measurement.
    """
    if run.weights:  # no command trains it
        return
    evaluators: dict[int | None, list[str]] = {}
    for cell in cells:
        evaluators.setdefault(cell.test_images, []).append(cell.evaluator)
    for test_images, names in evaluators.items() or [(None, _least(run))]:
        yield _repeat(run, names, test_images)


def _least(run: RunSpec) -> list[str]:
    """An evaluator that asks for this training and nothing else: nothing is trained for its own sake."""
    for name in plugins().evaluators:
        with contextlib.suppress(LabelbenchError):
            if needs_of(evaluator(name), run) == Needs((run,)):
                return [name]
    return []


def asked_again(
    like: RunSpec,
    labels: Sequence[str],
    evaluators: Iterable[str],
    seeds: int | Sequence[int],
    results: str,
    *,
    suite: str = "",
    test_images: int | None = None,
) -> Repeat:
    """The command that trains some labels as one run was, with so many seeds, and measures them.

    Args:
        like: says where and how.
        labels, evaluators: names.
        seeds: how many, or which.
        results: folder that it writes to.
        suite: name of the one that the run was part of, which holds the recipes of labels that were tuned, each by
            itself: one that is shipped, or that of a file.
        test_images: how many are measured, None for all.
    """
    asked: dict[str, Any] = {
        "dataset": like.dataset,
        "label": list(labels),
        "seeds": seeds if isinstance(seeds, int) else list(seeds),
    }
    if like.recipe.tuned:
        shipped = suite in suite_names()
        asked = {"suite": suite if shipped else f"{suite}.toml", **asked}
        asked |= {"backbone": like.backbone, "evaluator": sorted(set(evaluators)), **_training(like)}
        asked |= _changed(Suite.load(suite) if shipped else None, like, test_images)
        return Repeat(("run", *_options(asked), *_machine(like), "--results", results))
    return _repeat(like, evaluators, test_images, asked=asked, results=results)


def _repeat(
    run: RunSpec,
    evaluators: Iterable[str],
    test_images: int | None,
    *,
    asked: dict[str, Any] | None = None,
    results: str = RESULTS,
) -> Repeat:
    asked = asked or {"dataset": run.dataset, "label": run.label, "seeds": [run.seed]}
    machine: list[str] = []
    named = not run.backbone or is_shipped(run.recipe)
    if run.backbone:
        asked["backbone"] = run.backbone
        if named:
            asked |= {"recipe": run.recipe.name, "epochs": run.recipe.epochs}
        asked |= _training(run)
        machine = _machine(run)
    asked["evaluator"] = sorted(set(evaluators))
    # A suite file measures all unless it says otherwise; suite quick, which is what options change, says so.
    if test_images is not None or (named and run.backbone):
        asked["test-images"] = test_images or "all"
    where = [*machine, "--results", results]
    if named:
        return Repeat(("run", *_options(asked), *where))
    recipe = {key.replace("_", "-"): value for key, value in run.recipe.settings.items()}
    text = "\n".join([*toml_lines(asked), "[recipe]", *toml_lines(recipe), ""])
    return Repeat(("run", "--suite", SUITE_FILE, *where), text)


def _training(run: RunSpec) -> dict[str, Any]:
    """What of a training is said beside its recipe, as a suite says it."""
    return {"train-fraction": run.train_fraction, "numerics": run.numerics.mode}


def _changed(suite: Suite | None, run: RunSpec, test_images: int | None) -> dict[str, Any]:
    """What of a run and its measurement the suite says otherwise, or may say where it is not known."""
    changed: dict[str, Any] = {}
    if suite is None or run.recipe.epochs != suite.recipe_of(run.label).epochs:
        changed["epochs"] = run.recipe.epochs
    if suite is None or test_images != suite.test_images:
        changed["test-images"] = test_images or "all"
    return changed


def _machine(run: RunSpec) -> list[str]:
    """Options that no suite has."""
    numerics = run.numerics
    threads = ["--threads", str(numerics.threads)] if numerics.device == "cpu" else []
    compiled = [_FLAGS[numerics.compiled]] if numerics.mode == "fast" else []
    return ["--device", numerics.device, *threads, *compiled]


def _options(asked: Mapping[str, Any]) -> Iterator[str]:
    """The words of a suite file as options."""
    for key, value in asked.items():
        # The comma makes one seed of what would be a count.
        seeds = key == "seeds" and isinstance(value, list)
        texts = [",".join(map(str, value)) + ","] if seeds else value if isinstance(value, list) else [str(value)]
        for text in texts:
            yield from (f"--{key}", text)
