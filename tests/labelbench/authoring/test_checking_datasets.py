"""Checks of data sets: built-in ones pass, and every promise that is broken is told in a sentence."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from labelbench.authoring.checking_datasets import _classes, _description, _repeatable, _state
from labelbench.datasets import Dataset
from labelbench.errors import Unavailable
from labelbench.images.arrays import ImageArrays, SplitArrays
from labelbench.images.source import ImageSource
from labelbench.testing import assert_fine, check_dataset

BAD = """
import numpy as np
from labelbench import Dataset, ImageSource, hookimpl

def moody():
    return Dataset("moody", ("a", "b"), (8, 8), source=lambda report: ImageSource("moods", [], read))

def read(report):
    part = np.random.randint(0, 256, (4, 8, 8, 3)).astype(np.uint8), np.arange(4) % 2
    return part, (part[0], [0, 0, 0, 0])

@hookimpl
def register_datasets():
    return {"moody": moody}
"""


@pytest.mark.parametrize("name", ["digits", "folder"])
def test_a_built_in_data_set_keeps_its_promises(name: str, tmp_path, pictures) -> None:
    if name == "folder":
        name = f"folder:{pictures.folder(tmp_path / 'pictures', pictures.draw(('cat', 'dog')))}"
    findings = {finding.check: finding for finding in check_dataset(name)}
    assert_fine(findings.values())
    assert {"description", "classes", "repeatable", "state", "global state", "network", "processes"} <= set(findings)


def test_images_that_are_not_here_are_no_finding(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("LABELBENCH_DATA", str(tmp_path))
    with pytest.raises(Unavailable, match="cifar10 is not in"):
        check_dataset("cifar10")


def test_what_a_source_breaks_is_told(install: Callable[..., dict[str, str]], command) -> None:
    done = command("check", "moody", env={**os.environ, **install("moody-images", BAD)})
    assert done.returncode == 3, done.stderr
    lines = {line.split()[1]: line for line in done.stdout.splitlines() if "FAILED" in line}
    assert "no test image shows b; expected one or more of every class" in lines["classes"]
    assert "two readings gave other images" in lines["repeatable"]
    assert "is []; expected hashes of files, or a version" in lines["state"]
    assert "numpy.random changed while images were read" in lines["global"]
    assert "disagree on the images; expected the same everywhere" in lines["processes"]


GOOD = Dataset("good", ("a", "b"), (8, 8))


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (replace(GOOD, class_names=("a", " b")), "expected a tuple of words"),
        (replace(GOOD, class_names=("a", "a")), "expected two or more, all different"),
        (replace(GOOD, class_names=("a",)), "expected two or more, all different"),
        (replace(GOOD, image_size=(8, 0)), r"the image size is \(8, 0\); expected \(height, width\)"),
        (replace(GOOD, validation_share=0.0), "the validation share is 0; expected above 0 and below 1"),
        (replace(GOOD, mean=(120.0, 120.0, 120.0)), r"the mean is .*; expected three numbers, 0 to 1"),
        (replace(GOOD, std=(0.0, 0.2, 0.2)), r"the std is .*; expected three numbers, 0.00392 to 1"),
    ],
)
def test_a_description_that_cannot_be_is_told(dataset: Dataset, message: str) -> None:
    assert not list(_description(GOOD, 0.1))
    (problem,) = _description(dataset, 0.1)
    assert re.search(message, problem)


def test_a_slow_description_is_told() -> None:
    (problem,) = _description(GOOD, 9.0)
    assert problem.startswith("describing it took 9.0 s; expected 2 s or less")


def test_a_state_that_is_no_json_or_changes_is_told() -> None:
    def source(state: object) -> ImageSource:
        return ImageSource("some", state, lambda report: pytest.fail("read"))

    assert not list(_state(source([1]), source([1])))
    assert "cannot be written as JSON" in next(_state(source({1, 2}), source({1, 2})))
    assert "is [1] and then [2]; expected the same" in next(_state(source([1]), source([2])))


def test_a_class_without_an_image_is_told() -> None:
    def part(*classes: int) -> SplitArrays:
        return SplitArrays(np.zeros((len(classes), 8, 8, 3), np.uint8), np.array(classes))

    assert not list(_classes(GOOD, ImageArrays(part(0, 1), part(1, 0))))
    (problem,) = _classes(GOOD, ImageArrays(part(0, 0), part(1, 0)))
    assert problem.startswith("no training image shows b; expected one or more of every class: no network can learn it")
    assert not list(_repeatable("a", "a")) and list(_repeatable("a", "b"))
