"""Beginning a plugin: what is written works as it is, and what cannot be begun is said in one line."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelbench.authoring.scaffolding import begin_plugin
from labelbench.errors import InputError, MachineError, UnknownName
from labelbench.plugins.entries import KINDS

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_plugin_holds_everything_that_it_needs_under_its_own_name(kind: str, tmp_path: Path) -> None:
    folder = begin_plugin(kind, "rain-bow", tmp_path)
    assert folder == tmp_path / "rain-bow"
    files = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    expected = {"pyproject.toml", "README.md", ".github/workflows/check.yml"}
    assert files == expected | {"labelbench_rain_bow.py", "tests/test_rain_bow.py"}
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["name"] == "labelbench-rain-bow"
    assert project["entry-points"]["labelbench"] == {"rain-bow": "labelbench_rain_bow"}
    text = "\n".join((folder / file).read_text() for file in files)
    assert "example" not in text and 'return {"rain-bow": ' in text
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_clean(kind: str, tmp_path: Path) -> None:
    folder = begin_plugin(kind, "rain-bow", tmp_path)
    for check in (["check", "--select", "E,F,W,I,UP,B,SIM"], ["format", "--check"]):
        line = [sys.executable, "-m", "ruff", *check, "--isolated", "--line-length", "120", "."]
        done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_a_plugin_is_found_and_keeps_its_promises_as_it_is(
    kind: str, tmp_path: Path, command: Command, install: Callable[..., dict[str, str]]
) -> None:
    begun = command("new", kind, "rainbow")
    assert begun.returncode == 0, begun.stderr
    assert "next: pip install --editable rainbow, then labelbench check rainbow" in begun.stdout
    source = (tmp_path / "rainbow" / "labelbench_rainbow.py").read_text()
    checked = command("check", "rainbow", env=install("labelbench-rainbow", source))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.startswith(f"{kind} rainbow (labelbench-rainbow 1.0)\n")
    assert checked.stdout.endswith("checks, all fine\n")
    assert "FAILED" not in checked.stdout and "note" not in checked.stdout


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        (
            "label",
            "speech",
            r"label 'speech' is taken by labelbench 0.1.0; choose another name \(labelbench list labels",
        ),
        ("backbone", "resnet8", "backbone 'resnet8' is taken"),
        ("label", "labels", "a package labelbench-labels is installed already; choose another name"),
        (
            "label",
            "Rain Bow",
            "'Rain Bow' cannot name a label and its package; expected lower-case .* such as rain-bow",
        ),
        ("evaluator", "7up", "cannot name an evaluator"),
        ("label", "../up", "'../up' cannot name a label"),
        ("label", "", "'' cannot name a label"),
        ("label", "a" * 41, "40 at most"),
        ("label", "two--hyphens", "such as two-hyphens"),
    ],
)
def test_a_name_that_cannot_be_used_or_is_taken_is_refused(kind: str, name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        begin_plugin(kind, name, tmp_path)
    assert not list(tmp_path.iterdir())


@given(name=st.text(max_size=50))
@settings(max_examples=50, deadline=None)
def test_any_name_is_used_or_refused_in_one_line(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("any")
    try:
        made = begin_plugin("label", name, folder)
    except InputError as refused:
        assert "\n" not in str(refused) and not list(folder.iterdir())
    else:
        compile((made / f"labelbench_{name.replace('-', '_')}.py").read_text(), "module", "exec")


def test_another_kind_is_answered_with_near_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"unknown kind of plugin .lable.; did you mean label"):
        begin_plugin("lable", "rainbow", tmp_path)


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "rainbow").mkdir()
    with pytest.raises(InputError, match="rainbow is there already; choose another name"):
        begin_plugin("label", "rainbow", tmp_path)
    assert not list((tmp_path / "rainbow").iterdir())


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_folder_that_cannot_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(MachineError, match="cannot write"):
            begin_plugin("label", "rainbow", tmp_path)
        assert not list(tmp_path.iterdir())
    finally:
        tmp_path.chmod(0o700)


def test_nothing_is_left_behind_when_the_disk_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(MachineError, match="No space left on device; make room there"):
        begin_plugin("label", "rainbow", tmp_path)
    assert not list(tmp_path.iterdir())
