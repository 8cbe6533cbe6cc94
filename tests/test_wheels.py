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
pytestmark = [pytest.mark.wheels, pytest.mark.long]
NAMES = ("rainbow", "squares")
SMALL = [
    "--seeds",
    "1",
    "--epochs",
    "1",
    "--train-fraction",
    "0.2",
    "--test-images",
    "50",
    "--threads",
    "1",
    "--device",
    "cpu",
]


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

    def install(self, *plugins: Path) -> list[Path]:
        """Build the wheels of plugins and install them; returns the wheels."""
        folder = self.folder / "wheels"
        build = [str(self.python), "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir"]
        self.run(*build, str(folder), *map(str, plugins))
        wheels = sorted(folder.glob("*.whl"))
        # What they depend on is in the running environment, which need not be complete in every optional part.
        self.run(str(self.python), "-m", "pip", "install", "--no-index", "--no-deps", *map(str, wheels))
        return wheels


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
    assert listed.count("labelbench-example 0.1.0") == 8, listed  # four names and four plugins
    for line in commands_of(plugin):
        fresh.run("bash", "-c", line, cwd=plugin)
    names = [
        "--dataset",
        "shapes",
        "--label",
        "written",
        "--backbone",
        "convmixer:8",
        "--evaluator",
        "mistakes",
        "--evaluator",
        "accuracy",
    ]
    board = fresh.run("labelbench", "run", *names, *SMALL, "--results", "out")
    assert all(name in board for name in ("shapes", "convmixer:8", "written", "41 images: near"))


def test_plugins_that_were_just_begun_are_built_installed_found_checked_and_run(fresh: Fresh) -> None:
    fresh.run("labelbench", "new", "label", "rainbow")
    fresh.run("labelbench", "new", "dataset", "squares")
    plugins = [fresh.work / "rainbow", fresh.work / "squares"]
    wheels = fresh.install(*plugins)
    assert [wheel.name for wheel in wheels] == [f"labelbench_{name}-0.1.0-py3-none-any.whl" for name in NAMES]
    assert all(is_installed_from_its_wheel(fresh, f"labelbench_{name}") for name in NAMES)
    listed = fresh.run("labelbench", "list")
    assert "labelbench-rainbow 0.1.0" in listed and "labelbench-squares 0.1.0" in listed
    for plugin in plugins:
        for line in commands_of(plugin):
            fresh.run("bash", "-c", line, cwd=plugin)
    names = ["--dataset", "squares", "--label", "rainbow", "--evaluator", "accuracy"]
    board = fresh.run("labelbench", "run", *names, *SMALL, "--results", "out")
    assert "squares" in board and "rainbow" in board


def test_the_wheel_of_labelbench_holds_the_templates_and_not_the_example(fresh: Fresh) -> None:
    wheels = fresh.folder / "wheels"
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels)]
    fresh.run(*build, str(ROOT))
    (wheel,) = wheels.glob("labelbench-*.whl")
    names = fresh.run(str(fresh.python), "-m", "zipfile", "--list", str(wheel))
    templates = [file for file in (ROOT / "labelbench" / "authoring" / "templates").rglob("*") if file.is_file()]
    assert len(templates) == 11
    assert all(file.relative_to(ROOT).as_posix() in names for file in templates)
    assert "labelbench_labels/speech.py" in names and "example/" not in names
