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
from labelbench.authoring.evaluator_bench import EvaluatorBench, check_runs
from labelbench.authoring.findings import Report, in_words
from labelbench.authoring.process_watch import ProcessWatch
from labelbench.errors import LabelbenchError, PluginError, one_line
from labelbench.evaluation.context import Undeclared
from labelbench.evaluation.evaluator import Evaluator
from labelbench.evaluation.needs import Needs
from labelbench.evaluation.scores import Measurement, Score
from labelbench.plugins.lookup import evaluator
from labelbench.results.store import Results
from labelbench.running.progress import JobListener
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
        # Each measurement is one step, with the time limit of one.
        bench = EvaluatorBench(name, made, Results(Path(folder)), JobListener())
        written: list[str] = []
        measured: list[Measurement] = []
        repeated = []
        for run in check_runs():
            report.doing(f"training what {name} needs for {run}")
            needs = bench.needs(run)
            report.doing(f"measuring {run}")
            try:
                with watch.files_written() as files:
                    found = _measured(bench, run, needs)
            except Undeclared as error:
                if thorough:
                    report.failed("needs", one_line(error))
                return
            written += [file for file in files if not file.startswith(folder)]
            measured.append(found)
            report.facts[f"the scores of {run}"] = _content(found)
            if thorough:
                report.doing(f"measuring {run} again, with the parts that are stored")
                repeated.append(_content(_measured(bench, run, needs)) == _content(found))
    if not thorough:
        return
    report.fine("needs", "nothing was asked for beyond them")
    report.check("files", _files(written), "none written")
    report.check("scores", _scores(measured), in_words(score.name for score in measured[0].scores))
    unexplained = _unexplained(made, measured)
    if unexplained:
        report.noted("explanations", f"none for {in_words(unexplained)}; `labelbench leaderboard --explain` shows them")
    report.check("shown", what_is_not_measured(made, measured), "all that is declared to be shown is measured")
    report.check("resumed", _resumed(repeated), "the same when stored parts are read back")


def _measured(bench: EvaluatorBench, run: RunSpec, needs: Needs) -> Measurement:
    """What it finds.

    Raises:
        PluginError: it failed.
    """
    try:
        return bench.measured(run, needs)
    except LabelbenchError:
        raise
    except BaseException as error:  # a plugin can fail in any way
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
