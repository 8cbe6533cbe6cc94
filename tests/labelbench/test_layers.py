"""Who may import whom: imports point down, and built-in plugins enter by the front door."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "labelbench"
PLUGINS = [ROOT / "plugins" / f"labelbench_{kind}" for kind in ("labels", "backbones", "evaluators", "datasets")]
EXAMPLE = ROOT / "plugins" / "labelbench-example" / "labelbench_example"

# Modules and packages of the core, from the ground up, and which of those above them in this table they may import when
# they are loaded, when they run, or for types alone.
MAY_IMPORT = {
    unit: set(below.split())
    for unit, below in {
        "errors": "",
        "settings": "",
        "files": "errors",
        "images": "errors files",
        "datasets": "errors settings images",
        "pictures": "",
        "decoding": "",
        "labels": "errors pictures decoding",
        "networks": "errors",
        "values": "errors",
        "optimizers": "values",
        "recipes": "errors values optimizers",
        "toml": "",
        "tunings": "errors values recipes",
        "runs": "settings values recipes",
        "suite": "errors recipes tunings runs",
        "machine": "errors runs",
        "attacks": "errors labels networks machine",
        "training": "errors files datasets labels networks optimizers recipes runs machine",
        "interrupts": "",
        "evaluation": "errors datasets labels runs training interrupts",
        "plugins": "errors settings files datasets labels machine interrupts evaluation",
        "results": "errors files values recipes toml tunings runs evaluation",
        "loggers": "errors runs training results",
        "running": (
            "errors settings files datasets labels networks values runs suite machine training interrupts "
            "evaluation plugins results loggers"
        ),
        "tuning": "errors files values recipes toml tunings runs suite plugins results running",
        "comparison": "errors evaluation plugins results",
        "same_images": "errors plugins results",
        "diagnosis": "settings machine plugins",
        "citations": "",
        "cluster": "errors settings files runs machine interrupts results running",
        "claims": "errors recipes evaluation results",
        "leaderboard": "errors values recipes toml runs suite evaluation plugins results claims",
        "charts": "errors datasets pictures labels tunings runs evaluation plugins results leaderboard",
        "report": (
            "errors settings files datasets pictures labels recipes toml runs evaluation plugins results claims "
            "leaderboard charts"
        ),
        "findings": "tunings results claims leaderboard",
        "api": (
            "errors settings files labels recipes runs suite machine plugins results loggers running cluster "
            "leaderboard report"
        ),
        "exchange": (
            "errors settings files datasets labels networks runs machine training evaluation plugins results "
            "running citations leaderboard"
        ),
        "authoring": (
            "errors settings files images datasets labels networks optimizers recipes runs suite machine training "
            "evaluation plugins results running tuning leaderboard api"
        ),
        "testing": "authoring",
        "commands": (
            "errors settings files datasets labels networks tunings runs suite machine plugins results running "
            "tuning comparison same_images diagnosis citations cluster claims leaderboard charts report findings "
            "api exchange authoring"
        ),
        "cli": "errors interrupts commands",
        "__main__": "cli",
    }.items()
}
MODULES = sorted(CORE.rglob("*.py"))


def imports_of(file: Path, *, types: bool = True) -> set[str]:
    """Every module that a file imports at any place; without ``types`` but for those under TYPE_CHECKING."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) and not types:
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file.name} imports relatively"
            found.add(node.module or "")
            if (node.module or "").split(".")[0] == "labelbench":
                found.update(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(file.read_text(encoding="utf-8")))
    return found


def dotted(file: Path) -> str:
    """The name of a module of the core: ``runs``, ``results.store``; that of a package for its ``__init__``."""
    return ".".join(file.relative_to(CORE).with_suffix("").parts).removesuffix(".__init__")


def core_imports(file: Path) -> set[str]:
    """The modules of the core that a file imports."""
    names = {dotted(module) for module in MODULES}
    return {name.removeprefix("labelbench.") for name in imports_of(file)} & names


def unit_of(module: str) -> str:
    return module.split(".")[0]


def test_the_table_begins_at_the_ground() -> None:
    for number, (unit, below) in enumerate(MAY_IMPORT.items()):
        assert below <= set(list(MAY_IMPORT)[:number]), unit


@pytest.mark.parametrize("file", MODULES, ids=dotted)
def test_core_modules_import_only_what_lies_below_them(file: Path) -> None:
    if file.stem == "__init__":
        assert core_imports(file) == set()
    else:
        unit = unit_of(dotted(file))
        assert unit in MAY_IMPORT, f"{unit} has no place in the layers yet"
        assert {unit_of(module) for module in core_imports(file)} - {unit} <= MAY_IMPORT[unit]


def test_modules_of_a_package_import_each_other_in_one_direction() -> None:
    TopologicalSorter({dotted(file): core_imports(file) for file in MODULES}).prepare()


@pytest.mark.parametrize("file", MODULES, ids=dotted)
def test_the_core_names_no_plugin(file: Path) -> None:
    names = {name.split(".")[0] for name in imports_of(file)}
    assert not names & {folder.name for folder in PLUGINS}
    assert "labelbench_" not in file.read_text(encoding="utf-8").replace("labelbench_settings", "")


@pytest.mark.parametrize(
    "file", sorted(file for folder in [*PLUGINS, EXAMPLE] for file in folder.rglob("*.py")), ids=str
)
def test_plugins_import_only_the_public_interface(file: Path) -> None:
    inner = {name for name in imports_of(file) if name.startswith("labelbench.")}
    import labelbench

    assert {name.removeprefix("labelbench.") for name in inner} <= set(labelbench.__all__)


@pytest.mark.parametrize("file", sorted((EXAMPLE.parent / "tests").glob("*.py")), ids=str)
def test_the_example_tests_itself_with_what_is_public(file: Path) -> None:
    import labelbench
    from labelbench import testing

    allowed = {"labelbench", "labelbench.testing"}
    allowed |= {f"{module.__name__}.{name}" for module in (labelbench, testing) for name in module.__all__}
    assert {name for name in imports_of(file) if name.split(".")[0] == "labelbench"} <= allowed


def test_hookspecs_need_nothing_but_pluggy() -> None:
    third_party = {name.split(".")[0] for name in imports_of(CORE / "plugins" / "hookspecs.py", types=False)}
    assert third_party <= {"__future__", "collections", "typing", "pluggy"}
