"""A plugin's first hour as its own continuous integration spends it: built, installed afresh, found, checked, run.

The fresh environment sees the packages of the running one, since installing torch anew takes minutes; the plugin comes
from its wheel alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.wheels


class Fresh:
    """A fresh environment and a folder to work in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = folder / "environment"
        self.work = folder / "work"
        self.work.mkdir()
        venv.create(self.environment, with_pip=False)
        self.python = self.environment / "bin" / "python"
        paths = {"base": str(self.environment), "platbase": str(self.environment)}
        self.site = Path(sysconfig.get_path("purelib", vars=paths))
        # A .pth file that is merely seen is not read: the running environment's own editable installs need it to be.
        seen = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
        (self.site / "running_environment.pth").write_text(seen)
        command = self.environment / "bin" / "labelbench"
        command.write_text(f'#!/bin/sh\nexec "{self.python}" -m labelbench "$@"\n')
        command.chmod(0o755)

    def run(self, *line: str, cwd: Path | None = None) -> str:
        """What a command says; it must succeed."""
        path = f"{self.environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            line,
            cwd=cwd or self.work,
            env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(line)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def install(self, plugin: Path) -> Path:
        """Build a plugin's wheel and install it; returns the wheel."""
        wheels = self.folder / "wheels"
        build = [str(self.python), "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir"]
        self.run(*build, str(wheels), str(plugin))
        (wheel,) = wheels.glob("*.whl")
        # What it depends on is in the running environment, which need not be complete in every optional part.
        self.run(str(self.python), "-m", "pip", "install", "--no-index", "--no-deps", str(wheel))
        return wheel


@pytest.fixture
def fresh(tmp_path: Path) -> Fresh:
    pytest.importorskip("hatchling", reason="hatchling is not installed; pip install 'labelbench[dev]'")
    return Fresh(tmp_path)


def commands_of(plugin: Path) -> list[str]:
    """What a plugin's own workflow runs, but for what it installs."""
    yaml: Any = pytest.importorskip("yaml")
    workflow = yaml.safe_load((plugin / ".github" / "workflows" / "check.yml").read_text(encoding="utf-8"))
    lines = [step["run"] for step in workflow["jobs"]["check"]["steps"] if "run" in step]
    installing = [line for line in lines if " pip install " in line]
    assert len(installing) == 2 and "$LABELBENCH" in installing[0]
    return [line for line in lines if line not in installing]


def is_installed_from_its_wheel(fresh: Fresh, module: str) -> bool:
    found = fresh.run(str(fresh.python), "-c", f"import {module}; print({module}.__file__)")
    return Path(found.strip()).is_relative_to(fresh.site)


def test_the_example_is_built_installed_found_checked_and_run(fresh: Fresh) -> None:
    source = ROOT / "plugins" / "labelbench-example"
    plugin = shutil.copytree(source, fresh.work / "labelbench-example")
    fresh.install(plugin)
    assert is_installed_from_its_wheel(fresh, "labelbench_example")
    listed = fresh.run("labelbench", "list")
    assert listed.count("labelbench-example 0.1.0") == 6  # three names and three plugins
    for line in commands_of(plugin):
        fresh.run("bash", "-c", line, cwd=plugin)
    names = ["--label", "written", "--backbone", "convmixer:8", "--evaluator", "mistakes", "--evaluator", "accuracy"]
    small = ["--epochs", "1", "--train-fraction", "0.2", "--test-images", "50", "--threads", "1", "--device", "cpu"]
    board = fresh.run("labelbench", "run", *names, *small, "--results", "out")
    assert "convmixer:8" in board and "written" in board and "times-chance" in board


def test_a_plugin_that_was_just_begun_is_built_installed_found_and_checked(fresh: Fresh) -> None:
    fresh.run("labelbench", "new", "label", "rainbow")
    plugin = fresh.work / "rainbow"
    wheel = fresh.install(plugin)
    assert wheel.name == "labelbench_rainbow-0.1.0-py3-none-any.whl"
    assert is_installed_from_its_wheel(fresh, "labelbench_rainbow")
    assert "labelbench-rainbow 0.1.0" in fresh.run("labelbench", "list", "labels")
    for line in commands_of(plugin):
        fresh.run("bash", "-c", line, cwd=plugin)


def test_the_wheel_of_labelbench_holds_the_templates_and_not_the_example(fresh: Fresh) -> None:
    wheels = fresh.folder / "wheels"
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels)]
    fresh.run(*build, str(ROOT))
    (wheel,) = wheels.glob("labelbench-*.whl")
    names = fresh.run(str(fresh.python), "-m", "zipfile", "--list", str(wheel))
    templates = [file for file in (ROOT / "labelbench" / "authoring" / "templates").rglob("*") if file.is_file()]
    assert len(templates) == 9
    assert all(file.relative_to(ROOT).as_posix() in names for file in templates)
    assert "labelbench_labels/speech.py" in names and "example/" not in names
