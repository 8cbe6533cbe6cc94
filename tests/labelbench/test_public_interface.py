"""What scripts, notebooks and plugins may import: the list is pinned, and every name on it explains itself."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import labelbench

# A name that is added is a promise, a name that is lost breaks others' plugins: either is written down here too.
PUBLIC = [
    "Attack",
    "AttackResult",
    "Axes",
    "Between",
    "Context",
    "Curve",
    "Dataset",
    "Evaluator",
    "GradientSource",
    "Headline",
    "ImageFit",
    "ImageFolder",
    "ImageSource",
    "ImageZip",
    "Images",
    "InputError",
    "LabelName",
    "LabelSet",
    "LabelbenchError",
    "MachineError",
    "Measurement",
    "Muon",
    "Needs",
    "Network",
    "PluginError",
    "Recipe",
    "Rest",
    "RunSpec",
    "SGD",
    "Scatter",
    "Score",
    "ScoreRecord",
    "ScoreTable",
    "Section",
    "Settings",
    "Split",
    "Strip",
    "Suite",
    "Trained",
    "Unavailable",
    "UnknownName",
    "content_hash",
    "current_settings",
    "derived_seed",
    "divided",
    "find_dataset",
    "folded",
    "frozen",
    "hookimpl",
    "label",
    "load_network",
    "load_results",
    "loss_named",
    "measure",
    "run",
    "run_attack",
    "split_indices",
    "wilson_interval",
]
# Of the one public module beside it, which plugins' tests import.
PUBLIC_FOR_TESTS = ["Finding", "assert_fine", "check_backbone", "check_dataset", "check_evaluator", "check_label"]


def test_the_public_interface_is_the_pinned_list() -> None:
    assert sorted(labelbench.__all__) == PUBLIC


def test_what_plugins_test_themselves_with_is_the_pinned_list_and_explains_itself() -> None:
    from labelbench import testing

    assert sorted(testing.__all__) == PUBLIC_FOR_TESTS
    for name in PUBLIC_FOR_TESTS:
        assert inspect.getdoc(getattr(testing, name)), f"{name} says nothing about itself"


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_found_and_explains_itself(name: str) -> None:
    found = getattr(labelbench, name)
    if name == "hookimpl":
        assert found.project_name == "labelbench"
        return
    documentation = inspect.getdoc(found) or ""
    assert documentation.partition("\n")[0].strip().endswith((".", ":")), f"{name} says nothing about itself"
    if inspect.isclass(found):
        assert documentation != inspect.getdoc(found.__mro__[1]), f"{name} has the docstring of its base"
        for attribute, value in vars(found).items():
            if inspect.isfunction(value) and not attribute.startswith("_"):
                assert inspect.getdoc(getattr(found, attribute)), f"{name}.{attribute} has no docstring"


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="No labelbench attribute LabelSets"):
        labelbench.LabelSets  # noqa: B018


def test_importing_the_interface_loads_nothing_heavy() -> None:
    heavy = {"torch", "timm", "librosa", "matplotlib"}
    code = f"import sys, labelbench; dir(labelbench); print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
