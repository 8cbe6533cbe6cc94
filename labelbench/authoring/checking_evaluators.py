"""Checks of one evaluator on small networks and made-up images, in this process."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from labelbench.authoring.checking_shown import what_is_not_measured
from labelbench.authoring.evaluator_bench import Bench
from labelbench.authoring.findings import Report, in_words
from labelbench.authoring.process_watch import ProcessWatch
from labelbench.errors import InputError, LabelbenchError, MachineError, PluginError, one_line
from labelbench.evaluation.evaluator import Evaluator, evaluated, needs_of
from labelbench.evaluation.needs import Needs
from labelbench.evaluation.scores import Arrays, Measurement, Score
from labelbench.registry import evaluator
from labelbench.results.store import Results
from labelbench.runs import RunSpec

_ROUNDING = 1e-9


def examine_evaluator(name: str, report: Report, watch: ProcessWatch, thorough: bool) -> None:
    """Measure small networks with an evaluator and say what was found.

    Args:
        name: as a user writes it.
        report: told what is found; its facts hold scores and hashes of arrays.
        watch: records files that are written.
        thorough: False to measure and find facts alone, for comparison between processes.

    Raises:
        InputError: an argument that cannot be used.
        PluginError: the maker failed, or returned no evaluator; or its needs are none.
        MachineError: files that it needs are not here.
    """
    torch.set_num_threads(1)
    made = evaluator(name)
    if thorough:
        report.check(
            "settings", _settings(name, made), f"version {made.version}, {json.dumps(made.settings, default=str)}"
        )
    with tempfile.TemporaryDirectory(prefix="labelbench-check-") as folder:
        bench = Bench(Results(Path(folder)))
        written: list[str] = []
        measured: list[Measurement] = []
        repeated = []
        for run in bench.runs():
            needs = needs_of(made, run)
            run = run.of_labels if needs.labels_alone else run
            report.doing(f"training what {name} needs for {run}")
            bench.train(needs)
            report.doing(f"measuring {run}")
            parts: dict[str, Arrays] = {}
            with watch.files_written() as files:
                found = _measured(made, bench, run, needs, parts)
            written += [file for file in files if not file.startswith(folder)]
            if found is None:
                break
            measured.append(found)
            report.facts[f"the scores of {run}"] = _content(found)
            if thorough:
                report.doing(f"measuring {run} again, with the parts that are stored")
                again = _measured(made, bench, run, needs, parts)
                repeated.append(again is not None and _content(again) == _content(found))
    if not thorough:
        return
    report.check("needs", _undeclared(bench), "nothing was asked for beyond them")
    if len(measured) < len(bench.runs()):
        return
    report.check("files", _files(written), "none written")
    report.check("scores", _scores(measured), in_words(score.name for score in measured[0].scores))
    unexplained = _unexplained(made, measured)
    if unexplained:
        report.noted("explanations", f"none for {in_words(unexplained)}; `labelbench leaderboard --explain` shows them")
    report.check("shown", what_is_not_measured(made, measured), "all that is declared to be shown is measured")
    report.check("record", _record(measured), "details are JSON, arrays are numbers")
    report.check("resumed", _resumed(repeated), "the same when stored parts are read back")


def _measured(
    made: Evaluator, bench: Bench, run: RunSpec, needs: Needs, parts: dict[str, Arrays]
) -> Measurement | None:
    """What it finds; None if it asked for something that it does not need.

    Raises:
        PluginError: it failed in another way.
    """
    try:
        return evaluated(made, bench.context(run, needs, parts))
    except (InputError, MachineError):
        raise
    except Exception as error:  # a plugin can fail in any way
        if bench.undeclared:
            return None
        if isinstance(error, LabelbenchError):
            raise
        raise PluginError(
            f"evaluate() failed for {run}: {one_line(error)}; expected a labelbench.Measurement"
        ) from error


def _settings(name: str, made: Evaluator) -> Iterator[str]:
    if not isinstance(made.version, int) or isinstance(made.version, bool) or made.version < 1:
        yield f"version is {made.version!r}; expected a whole number from 1, raised when equal inputs give other scores"
    if not dataclasses.is_dataclass(made):
        yield (
            f"{type(made).__name__} is no dataclass; expected one that is frozen, with its settings as fields: they "
            "are stored beside every score"
        )
        return
    if not made.__dataclass_params__.frozen:
        yield f"{type(made).__name__} is not frozen; expected @dataclass(frozen=True), or its settings change unseen"
    try:
        json.dumps(made.settings, allow_nan=False)
    except (TypeError, ValueError) as error:
        yield f"cannot be written as JSON ({error}); expected texts, finite numbers and lists, to be stored"
        return
    if evaluator(name).settings != made.settings:
        yield "two calls gave other settings; expected the same for one name, or results of one name cannot be compared"


def _undeclared(bench: Bench) -> Iterator[str]:
    if bench.undeclared:
        yield (
            f"it asked for {bench.undeclared[0]} without need; expected that needs(run) names everything: the plan "
            "makes nothing else, and a run ends there"
        )


def _files(written: list[str]) -> Iterator[str]:
    if written:
        yield (
            f"{in_words(written[:3])} written; expected none, since results and what they are made from belong in the "
            "results folder: return arrays in the Measurement, and store long work with context.part"
        )


def _scores(measured: Iterable[Measurement]) -> Iterator[str]:
    for measurement in measured:
        if not measurement.scores:
            yield "there are none; expected one or more, since they are what a leaderboard shows"
            return
        for score in measurement.scores:
            problem = _score(score)
            if problem:
                yield problem
                return


def _score(score: Score) -> str:
    """What is wrong with a score, or nothing."""
    if score.value is None:
        return ""
    if score.unit == "share" and not 0 <= score.value <= 1:
        return f"{score.name!r} is {score.value:g} with unit 'share'; expected 0 to 1, which is shown as 0 to 100 %"
    if score.interval is not None:
        low, high = score.interval
        if not low - _ROUNDING <= score.value <= high + _ROUNDING:
            return (
                f"{score.name!r} is {score.value:g} with interval {score.interval}; expected one that holds the value"
            )
    return ""


def _unexplained(made: Evaluator, measured: Iterable[Measurement]) -> list[str]:
    names = [score.name for measurement in measured for score in measurement.scores]
    known = made.explanations
    return [name for name in dict.fromkeys(names) if name not in known and name.partition("/")[0] not in known]


def _record(measured: Iterable[Measurement]) -> Iterator[str]:
    for measurement in measured:
        try:
            json.dumps(dict(measurement.details), allow_nan=False)
        except (TypeError, ValueError) as error:
            yield f"details cannot be written as JSON ({error}); expected texts, finite numbers, lists and dicts"
            return
        for name, array in measurement.arrays.items():
            if np.asarray(array).dtype.kind not in "fiub":
                yield f"array {name!r} holds {np.asarray(array).dtype}; expected numbers, which are read without pickle"
                return


def _resumed(repeated: list[bool]) -> Iterator[str]:
    if not all(repeated):
        yield (
            "a second call with the same networks and stored parts gave something else; expected the same, or an "
            "interrupted evaluation ends with other numbers: derive seeds from context.seed"
        )


def _content(measurement: Measurement) -> list[Any]:
    """A measurement as JSON values that are equal if it is."""
    scores = [[score.name, score.value, score.interval, score.note] for score in measurement.scores]
    arrays = {
        name: hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
        for name, array in measurement.arrays.items()
    }
    return json.loads(json.dumps([scores, sorted(arrays.items())]))  # type: ignore[no-any-return]
