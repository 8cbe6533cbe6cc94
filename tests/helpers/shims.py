"""Stand-ins for the commands on documentation pages, each called as ``shims.py COMMAND ARGUMENTS...``.

``labelbench`` runs as it is, but long work is cut short: ``run`` and ``try`` become dry runs, ``run`` on a CPU and
leaving published results where it would have left its own, ``fetch`` looks its name up and stops before the network.
``pip install`` installs nothing: it reads what it is asked for and lays the entry points of a plugin's folder on the
path. ``make`` says what it would do, and labelbench's part of that is done.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "results" / "digits-quick"
COMMANDS = ("labelbench", "make", "pip", "python", "sbatch")


def labelbench(args: list[str]) -> int:
    """The real command, cut short."""
    command = next((arg for arg in args if not arg.startswith("-")), "")
    args = ["cpu" if before == "--device" else arg for before, arg in pairwise(["", *args])]
    if command == "fetch":
        # All of the official arrays are fetched by a name that is no label.
        label = ["official:speech", "--dataset", "cifar10"] if args[1] == "official" else args[1:]
        args = ["plan", "--label", *label]
    if command == "try":
        args = [*args, "--dry-run"]
    if command == "tune":
        given = dict(pairwise(args))
        code = real([*args, "--dry-run"])
        if code == 0 and "--dry-run" not in args:
            # As if the labels named had been tuned: the suite as it was.
            shutil.copy(ROOT / "labelbench" / "suites" / "quick.toml", given.get("--output", "tuned.toml"))
        return code
    if command != "run":
        return real(args)
    code = real([*args, "--dry-run"])
    given = dict(pairwise(args))
    folder = Path(given.get("--results") or Path("results", Path(given.get("--suite", "quick")).stem))
    if code == 0 and not folder.exists():
        # The three seeds that the suite has, of those that are published.
        shutil.copytree(PUBLISHED, folder, ignore=shutil.ignore_patterns("seed[3-9]-*", "seed1[0-9]-*"))
    return code


def real(args: list[str]) -> int:
    """Run labelbench."""
    return subprocess.run([os.environ["PAGE_PYTHON"], "-m", "labelbench", *args], check=False).returncode


def make(args: list[str]) -> int:
    """What the target would do; its labelbench command is run."""
    said = subprocess.run(
        ["make", "--always-make", "--dry-run", "-C", str(ROOT), *args], capture_output=True, text=True, check=False
    )
    if said.returncode:
        sys.stderr.write(said.stderr)
        return said.returncode
    lines = [line for line in said.stdout.splitlines() if line.startswith(".venv/bin/labelbench ")]
    return max((labelbench(shlex.split(line)[1:]) for line in lines), default=0)


def pip(args: list[str]) -> int:
    """Read what is to be installed; a plugin's entry points are laid on the path."""
    if args[:1] != ["install"]:
        raise SystemExit(f"pip {args}: expected install")
    wanted = [arg for arg in args[1:] if not arg.startswith("-")]
    if not wanted:
        raise SystemExit("pip install names nothing")
    for requirement in wanted:
        found = re.fullmatch(r"([^\[\]]+)(?:\[([\w,-]+)\])?", requirement)
        if not found:
            raise SystemExit(f"pip install {requirement}: no requirement")
        name, extras = found[1], [extra for extra in (found[2] or "").split(",") if extra]
        folder = Path(name)
        ours = name == "labelbench" or not (folder / "pyproject.toml").exists()
        if ours and name not in ("labelbench", "."):
            raise SystemExit(f"pip install {requirement}: no such folder")
        project = tomllib.loads(((ROOT if ours else folder) / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        unknown = set(extras) - set(project.get("optional-dependencies", {}))
        if unknown:
            raise SystemExit(f"pip install {requirement}: no extra {', '.join(unknown)}")
        if not ours:
            lay(folder, project)
    return 0


def lay(folder: Path, project: dict[str, object]) -> None:
    """Lay a plugin on the path of the commands that follow."""
    site = Path(os.environ["PAGE_SITE"])
    info = site / f"{str(project['name']).replace('-', '_')}-{project.get('version', '0')}.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    version = f"Version: {project.get('version', '0')}"
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\n{version}\n")
    points = project["entry-points"]["labelbench"]  # type: ignore[index]
    lines = [f"{name} = {module}" for name, module in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[labelbench]", *lines, ""]))
    source = folder / "src" if (folder / "src").is_dir() else folder
    for item in source.iterdir():
        if item.suffix == ".py":
            shutil.copy(item, site)
        elif item.is_dir() and (item / "__init__.py").exists():
            shutil.copytree(item, site / item.name, dirs_exist_ok=True)


def python(args: list[str]) -> int:
    """Python itself; the project's own tests and site are not begun again from within them."""
    own = args[:2] in (["-m", "pytest"], ["-m", "mkdocs"]) and not Path("pyproject.toml").exists()
    if own and not any(Path(arg).is_dir() for arg in args[2:]):
        return subprocess.run([sys.executable, *args[:2], "--version"], check=False).returncode
    return subprocess.run([sys.executable, *args], check=False).returncode


def sbatch(args: list[str]) -> int:
    """The first job of an array."""
    return subprocess.run(["sh", *args], env={**os.environ, "SLURM_ARRAY_TASK_ID": "0"}, check=False).returncode


def install(folder: Path) -> None:
    """Write an executable for every command into ``folder``."""
    folder.mkdir()
    for name in COMMANDS:
        file = folder / name
        file.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(__file__)} {name} "$@"\n')
        file.chmod(0o755)


if __name__ == "__main__":
    functions: dict[str, Callable[[list[str]], int]] = {name: globals()[name] for name in COMMANDS}
    if sys.argv[1] == "make":  # the real one is asked what it would do
        paths = os.environ["PATH"].split(os.pathsep)
        os.environ["PATH"] = os.pathsep.join(path for path in paths if path != os.environ["PAGE_BIN"])
    sys.exit(functions[sys.argv[1]](sys.argv[2:]))
