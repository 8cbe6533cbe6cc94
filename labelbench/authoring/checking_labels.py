"""Checks of one label on class names that are made up, in this process."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

from labelbench.authoring.findings import Report, in_words
from labelbench.authoring.process_watch import ProcessWatch, changes, watched_state
from labelbench.datasets import Dataset
from labelbench.errors import InputError, one_line
from labelbench.labels import LabelSet
from labelbench.plugins.lookup import find_dataset, label

SLOW_SECONDS = 10.0
_SHADES = ("red", "amber", "golden", "lime", "green", "teal", "blue", "violet", "purple", "grey")
_THINGS = ("kite", "lantern", "pebble", "teapot", "feather", "ladder", "drum", "button", "anchor", "candle")
_NAMED = ("digits", "cifar10", "cifar100")
# The recipes' learning rates suit targets between one-hot vectors and the paper's range of 80.
_LARGEST, _SMALLEST_SPREAD = 10_000.0, 1e-3
_CLOSE = 1e-5


def made_up_dataset(num_classes: int) -> Dataset:
    """Class names that no recording, vector or table is made for; 100 at most."""
    names = [f"{shade} {thing}" for shade in _SHADES for thing in _THINGS]
    if num_classes <= len(_THINGS):
        names = list(_THINGS)
    return Dataset(f"made-up-{num_classes}", tuple(names[:num_classes]), (32, 32))


def examine_label(name: str, report: Report, watch: ProcessWatch, thorough: bool) -> None:
    """Build a label for several data sets and say what was found.

    Args:
        name: as a user writes it.
        report: told what is found; its facts hold the hash of the targets for each data set.
        watch: refuses the network to this process.
        thorough: False to build and find facts alone, for comparison between processes.

    Raises:
        InputError: the label serves none of the data sets tried.
        PluginError: targets that cannot be built, or break their contract.
        MachineError: files that it needs are not here.
    """
    served, changed = _served(name, report, thorough)
    for dataset, labels in served.items():
        report.facts[f"the targets for {dataset.name}"] = labels.sha256
    if not thorough:
        return
    _repeatable(name, report, served, changed)
    report.check("global state", changes(changed, "while targets were built"), "as it was, random generators included")
    _order(name, report, served)
    report.doing("decoding targets")
    report.check("decoding", _decoding(served), "every target is read as its own class, with a tenth of the way to "
                 "its nearest neighbour added as well")  # fmt: skip
    report.check("gradient", _gradients(served), "finite and not zero, of the loss and through the decoder")
    report.check("scale", _scales(served), _range(served))
    report.check("provenance", _provenance(served), "JSON values that agree with the targets: "
                 f"{in_words(next(iter(served.values())).provenance or ['nothing'])}")  # fmt: skip


def _served(name: str, report: Report, thorough: bool) -> tuple[dict[Dataset, LabelSet], list[str]]:
    """Label sets of the made-up data sets, and of the named ones if any was refused; and global state that changed."""
    changed: list[str] = []
    refused: dict[Dataset, InputError] = {}
    served: dict[Dataset, LabelSet] = {}
    slow = []

    def build(dataset: Dataset) -> None:
        report.doing(f"building targets for {dataset.num_classes} classes of {dataset.name}")
        started = time.perf_counter()
        try:
            # What is imported on first use may draw from global generators, once.
            with watched_state(changed) if served and thorough else nullcontext():
                served[dataset] = label(name, dataset)
        except InputError as error:
            refused[dataset] = error
        seconds = time.perf_counter() - started
        if seconds > SLOW_SECONDS:
            slow.append(f"{seconds:.0f} s for {dataset.num_classes} classes")

    made_up = [made_up_dataset(count) for count in (2, 10, 100)]
    for dataset in made_up:
        build(dataset)
    if refused:
        for named in _NAMED:
            build(find_dataset(named))
    if not served:
        why = one_line(refused[made_up[1]])
        raise InputError(f"label {name!r} serves no data set that was tried ({in_words(_NAMED)} among them): {why}")
    if thorough:
        shapes = in_words(dict.fromkeys(f"{'x'.join(map(str, labels.shape))}" for labels in served.values()))
        loss = in_words(dict.fromkeys(labels.loss for labels in served.values()))
        report.fine("targets", f"finite, all different, of shape {shapes}, loss {loss}")
        if refused:
            report.noted(
                "classes",
                f"checked on {in_words(dataset.name for dataset in served)}; others are refused: "
                f"{one_line(next(iter(refused.values())))}",
            )
        else:
            report.fine("classes", "2, 10 and 100")
        if slow:
            report.noted("time", f"{in_words(slow)}, expected {SLOW_SECONDS:.0f} s or less: every run waits for it")
    return served, changed


def _repeatable(name: str, report: Report, served: Mapping[Dataset, LabelSet], changed: list[str]) -> None:
    report.doing("building targets again")
    problems = []
    for dataset, labels in served.items():
        with watched_state(changed):
            again = label(name, dataset)
        if again.sha256 != labels.sha256:
            problems.append(
                f"two calls for {dataset.name} gave different targets; expected equal ones for equal data sets and "
                "arguments, or a run cannot be repeated or resumed: seed the randomness"
            )
    report.check("repeatable", problems[:1], "equal targets in every call")


def _order(name: str, report: Report, served: Mapping[Dataset, LabelSet]) -> None:
    """Exchange two class names: rows follow the names, or the places, or both together; nothing else may move."""
    report.doing("building targets with two class names exchanged")
    seen = set()
    for dataset, labels in served.items():
        names = list(dataset.class_names)
        names[0], names[-1] = names[-1], names[0]
        exchanged = list(range(dataset.num_classes))
        exchanged[0], exchanged[-1] = exchanged[-1], exchanged[0]
        try:
            targets = label(name, replace(dataset, class_names=tuple(names))).targets
        except InputError:
            continue
        slack = _CLOSE * float(np.ptp(labels.targets))
        close = [bool(np.allclose(targets, rows, rtol=0, atol=slack)) for rows in
                 (labels.targets, labels.targets[exchanged])]  # fmt: skip
        others = slice(1, -1)
        if close[0]:
            seen.add("its place among the classes")
        elif close[1]:
            seen.add("the class's name")
        elif dataset.num_classes > 2 and np.allclose(targets[others], labels.targets[others], rtol=0, atol=slack):
            seen.add("the class's name and its place together")
        elif dataset.num_classes > 2:
            report.failed(
                "order",
                f"two class names of {dataset.name} were exchanged, and rows of other classes changed; expected that "
                "rows follow the names (the same two exchanged) or the places (none changes): row i must belong to "
                "class_names[i], or networks learn the targets of other classes",
            )
            return
    report.fine("order", f"a row is made from {in_words(sorted(seen)) or 'its class'}")


def _decoding(served: Mapping[Dataset, LabelSet]) -> Iterator[str]:
    import torch

    for dataset, labels in served.items():
        classes = torch.arange(labels.num_classes)
        targets = torch.from_numpy(labels.targets.copy())
        squared = labels.squared_distances + np.diag(np.full(labels.num_classes, np.inf))
        noise = torch.randn(targets.shape, generator=torch.Generator().manual_seed(0))
        noise *= 0.1 * float(np.sqrt(squared.min())) / noise.flatten(1).norm(dim=1).max()
        for what, outputs in (("targets", targets), ("outputs beside their targets", targets + noise)):
            wrong = int((labels.nearest(outputs) != classes).sum())
            if wrong:
                yield (
                    f"{wrong} of {labels.num_classes} {what} for {dataset.name} are read as other classes; expected "
                    "each as its own, or the best network is called wrong: spread the targets further apart"
                )
                return


def _gradients(served: Mapping[Dataset, LabelSet]) -> Iterator[str]:
    import torch
    from torch.nn import functional

    for dataset, labels in served.items():
        classes = torch.arange(labels.num_classes)
        other = (classes + 1) % labels.num_classes
        targets = torch.from_numpy(labels.targets.copy())
        # Half of the way to another class: there neither loss is at its minimum.
        halfway = (targets + targets[other]) / 2
        for what, loss in (
            ("the loss", lambda outputs, classes=classes, labels=labels: labels.loss_of(outputs, classes)),
            (
                "cross-entropy on decoded logits",
                lambda outputs, classes=classes, labels=labels: functional.cross_entropy(
                    labels.logits(outputs), classes, reduction="none"
                ),
            ),
        ):
            outputs = halfway.clone().requires_grad_(True)
            (gradient,) = torch.autograd.grad(loss(outputs).sum(), outputs)
            size = gradient.flatten(1).norm(dim=1)
            if not bool((size.isfinite() & (size > 0)).all()):
                yield (
                    f"the gradient of {what} for {dataset.name} is zero or not finite halfway between two targets; "
                    "expected a direction, or neither training nor attacks move: bring targets to 0 to 80"
                )
                return


def _scales(served: Mapping[Dataset, LabelSet]) -> Iterator[str]:
    for dataset, labels in served.items():
        largest, spread = float(np.abs(labels.targets).max()), float(np.ptp(labels.targets, axis=0).max())
        if largest > _LARGEST or spread < _SMALLEST_SPREAD:
            yield (
                f"targets for {dataset.name} reach {largest:.3g} and differ by {spread:.3g} at most; expected values "
                f"up to {_LARGEST:,.0f} and differences above {_SMALLEST_SPREAD:g}, since the recipes' learning rates "
                "are for one-hot vectors and for 0 to 80: scale them, or name scaled:NAME"
            )
            return


def _range(served: Mapping[Dataset, LabelSet]) -> str:
    low = min(float(labels.targets.min()) for labels in served.values())
    high = max(float(labels.targets.max()) for labels in served.values())
    return f"{low:.4g} to {high:.4g}"


def _provenance(served: Mapping[Dataset, LabelSet]) -> Iterator[str]:
    for dataset, labels in served.items():
        provenance = dict(labels.provenance)
        if not provenance:
            yield (
                'is empty; expected how the targets were made, such as {"recipe": ..., "seed": ...}: a reader of '
                "results has nothing else to repeat them from"
            )
            return
        try:
            json.dumps(provenance, allow_nan=False)
        except (TypeError, ValueError) as error:
            yield (
                f"cannot be written as JSON ({error}); expected texts, finite numbers, lists and dicts of them, since "
                "it is stored beside every result: convert arrays with tolist() and paths with str()"
            )
            return
        for claim, said, true in _claims(provenance, dataset, labels):
            if said != true:
                yield (
                    f'says "{claim}": {said!r} for {dataset.name}, and the targets have {true!r}; expected what is '
                    "true, since readers trust it: correct it or leave it out"
                )
                return
        notes = provenance.get("notes", [])
        if isinstance(notes, str) or not all(isinstance(note, str) for note in notes):
            yield f'"notes" are {notes!r}; expected a list of sentences, which are shown one by one beside results'
            return
    identities = {labels.identity for labels in served.values()}
    if len(identities) < len({labels.sha256 for labels in served.values()}):
        yield (
            'says the same "identity" for different targets; expected one for each, since results are told apart by '
            "it: hash what the targets are made from, class names included"
        )


def _claims(provenance: Mapping[str, Any], dataset: Dataset, labels: LabelSet) -> Iterator[tuple[str, Any, Any]]:
    """What a provenance says that can be looked up: key, value said, and true value."""
    true: dict[str, Any] = {
        "shape": list(labels.shape),
        "classes": dataset.num_classes,
        "num_classes": dataset.num_classes,
        "class_names": list(dataset.class_names),
        "loss": labels.loss,
        "dataset": dataset.name,
        "side": labels.shape[0] if len(labels.shape) == 2 else None,
    }
    for claim in true.keys() & provenance.keys():
        said = provenance[claim]
        yield claim, list(said) if isinstance(said, tuple) else said, true[claim]
