"""What a machine must have before it gets a job, and the line that says what it lacks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from labelbench.cluster.nodes import Expected, answered, check_node, expected_of
from labelbench.results.store import Results
from labelbench.running.materials import Materials
from labelbench.running.planning import plan
from labelbench.runs import Numerics
from labelbench.settings import current_settings
from labelbench.suite import Suite

SUITE = Suite("test", ("digits",), ("category",), ("resnet8",), ("accuracy",))


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Expected:
    folder = tmp_path_factory.mktemp("results")
    planned = plan(SUITE, Numerics(threads=1), Results(folder))
    return expected_of(planned, folder, current_settings(), Materials())


def problem(expected: Expected) -> str:
    (found,) = check_node(expected, "here").problems
    return found


def test_a_node_that_has_everything_passes_and_its_answer_arrives(expected: Expected) -> None:
    assert not answered(expected, "here")
    assert check_node(expected, "here").problems == ()
    assert answered(expected, "here") and not answered(expected, "there")


def test_a_node_that_does_not_see_the_folder(expected: Expected, tmp_path: Path) -> None:
    said = problem(replace(expected, folder=str(tmp_path)))
    assert said.startswith(f"does not see the results folder {tmp_path} (FileNotFoundError: ")
    assert said.endswith("; expected one that every node sees and writes to")


def test_a_node_that_sees_another_folder_of_that_name(expected: Expected) -> None:
    other = replace(expected, token=(expected.token[0], "another driver's"))
    assert "(it holds another token)" in problem(other) and not answered(other, "here")


def test_a_node_with_another_version(expected: Expected) -> None:
    here = expected.versions["torch"]
    said = problem(replace(expected, versions={**expected.versions, "torch": "1.13.0"}))
    assert said == f"has torch {here} (expected 1.13.0); install the same versions on every node"


def test_a_node_without_a_plugin_or_with_another_version_of_it(expected: Expected) -> None:
    plugins = {("label", "category"): "labelbench 9.9", ("label", "rainbow"): "labelbench-rainbow 1.0"}
    said = problem(replace(expected, plugins=plugins))
    assert "for label category (expected labelbench 9.9)" in said
    assert "nothing installed for label rainbow (expected labelbench-rainbow 1.0)" in said


def test_a_node_without_the_data_set(expected: Expected, tmp_path: Path) -> None:
    run, _ = expected.images["digits"]
    images = {"cifar10": (replace(run, dataset="cifar10"), "0" * 64)}
    nowhere = replace(expected.settings, data_dir=tmp_path, cache_dir=tmp_path / "cache", offline=True)
    said = problem(replace(expected, settings=nowhere, images=images, labels={}))
    assert said.startswith("lacks data set cifar10: ") and str(tmp_path) in said


def test_a_node_with_other_images_or_labels(expected: Expected) -> None:
    (name, (run, _)), (key, _) = *expected.images.items(), *expected.labels.items()
    assert "has other images of digits (fingerprint " in problem(replace(expected, images={name: (run, "0" * 64)}))
    assert "has another label category of digits (" in problem(replace(expected, labels={key: (run, "0" * 64)}))
