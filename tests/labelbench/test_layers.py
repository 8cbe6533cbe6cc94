"""Who may import whom: imports point down, and built-in plugins enter by the front door."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "labelbench"
PLUGINS = [ROOT / "plugins" / f"labelbench_{kind}" for kind in ("labels", "backbones", "evaluators")]
EXAMPLE = ROOT / "plugins" / "labelbench-example" / "labelbench_example"

# module -> modules of the core that it may import when it is loaded or run
MAY_IMPORT = {
    "errors": set(),
    "hookspecs": set(),
    "settings": set(),
    "recipes": {"errors"},
    "files": {"errors"},
    "image_arrays": set(),
    "image_decoding": {"errors", "image_arrays"},
    "image_files": {"errors", "image_arrays", "image_decoding"},
    "image_cache": {"errors", "image_arrays"},
    "published_files": {"errors", "image_arrays", "image_cache"},
    "image_sources": {"errors", "image_arrays", "image_files", "published_files"},
    "datasets": {
        *("errors", "settings", "image_arrays", "image_cache"),
        *("image_decoding", "image_files", "image_sources"),
    },
    "runs": {"recipes"},
    "suite": {"errors", "recipes", "runs"},
    "allocator": set(),
    "garbage": set(),
    "hardware": set(),
    "machine": {"allocator", "errors", "hardware", "runs"},
    "plugins": {"errors", "hookspecs"},
    "labels": {"errors"},
    "networks": {"errors"},
    "attack_losses": {"errors", "labels"},
    "folding": {"networks"},
    "freezing": set(),
    "attack_loop": {"attack_losses", "errors", "labels", "networks"},
    "attacks": {"attack_loop", "attack_losses", "errors", "freezing", "labels", "networks"},
    "optimizers": {"networks", "recipes"},
    "training_step": {"labels", "networks", "runs"},
    "batches": {"datasets", "runs"},
    "training": {
        *("batches", "datasets", "errors", "files", "labels", "networks"),
        *("optimizers", "recipes", "runs", "training_step"),
    },
    "evaluation": {"errors", "runs"},
    "registry": {"errors", "evaluation", "labels", "plugins"},
    "results": {"errors", "evaluation", "files", "recipes", "runs"},
    "merging": {"errors", "files"},
    "spread": set(),
    "claims": set(),
    "claim_files": {"claims", "errors"},
    "tables": set(),
    "correlations": {"claims", "tables"},
    "judging_evidence": {"claims", "correlations", "spread", "tables"},
    "judging_pairs": {"claims", "judging_evidence", "spread", "tables"},
    "judging_labels": {"claims", "correlations", "judging_evidence", "spread", "tables"},
    "judging": {"claims", "judging_evidence", "judging_labels", "judging_pairs", "recipes", "tables"},
    "reported": {"claims", "tables"},
    "standings": {"claims", "spread", "tables"},
    "grouping": {"recipes", "results", "runs", "tables"},
    "repeat": {"recipes", "results", "runs"},
    "chart_data": set(),
    "chart_styles": {"chart_data"},
    "chart_figures": {"chart_data", "chart_styles"},
    "chart_features": {"chart_data", "evaluation", "grouping", "results", "runs"},
    "chart_trainings": {"chart_data", "errors", "files", "grouping", "results", "runs", "spread"},
    "adversarial_figures": {"adversarial_examples", "chart_data"},
    "adversarial_examples": {
        *("attacks", "chart_data", "chart_trainings", "errors", "labels", "machine", "materials"),
        *("results", "runs", "training"),
    },
    "planning": {"datasets", "errors", "evaluation", "plugins", "registry", "results", "runs", "suite"},
    "materials": {"datasets", "errors", "labels", "registry", "runs", "training"},
    "progress": set(),
}
# These stand above everything in the table and may import all of it, and what stands before them here.
TOP = ["first_steps", "estimate", "profiling", "work", "executors", "runner"]
TOP += ["leaderboard", "pages", "export_data", "export_latex", "exports"]
TOP += ["records", "chart_scores", "charts", "figures"]
TOP += ["report_charts", "report_labels", "report_runs", "report_summary", "report_tables", "report"]
TOP += ["api", "listing", "options"]
TOP += ["findings", "process_watch", "checking_labels", "checking_backbones", "evaluator_bench", "checking_evaluators"]
TOP += ["checking_worker", "checking_process", "testing", "scaffolding", "trial", "plugin_commands"]
TOP += ["commands", "label_commands", "result_commands", "plot_commands", "cli", "__main__"]


def imports_of(file: Path) -> set[str]:
    """Every module that a file imports at any place but under TYPE_CHECKING."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file.name} imports relatively"
            found.add(node.module or "")
            if node.module == "labelbench":
                found.update(f"labelbench.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(file.read_text(encoding="utf-8")))
    return found


def core_imports(file: Path) -> set[str]:
    names = {name.removeprefix("labelbench.") for name in imports_of(file) if name.startswith("labelbench.")}
    return {name for name in names if (CORE / f"{name}.py").exists()}


@pytest.mark.parametrize("file", sorted(CORE.glob("*.py")), ids=lambda file: file.stem)
def test_core_modules_import_only_what_lies_below_them(file: Path) -> None:
    if file.stem == "__init__":
        assert core_imports(file) == set()
    elif file.stem in TOP:
        assert core_imports(file) <= set(MAY_IMPORT) | set(TOP[: TOP.index(file.stem)])
    else:
        assert file.stem in MAY_IMPORT, f"{file.stem} has no place in the layers yet"
        assert core_imports(file) <= MAY_IMPORT[file.stem]


@pytest.mark.parametrize("file", sorted(CORE.glob("*.py")), ids=lambda file: file.stem)
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

    allowed = {f"labelbench.{name}" for name in labelbench.__all__} | {"labelbench", "labelbench.testing"}
    assert {name for name in imports_of(file) if name.split(".")[0] == "labelbench"} <= allowed
    assert testing.__all__


def test_hookspecs_need_nothing_but_pluggy() -> None:
    third_party = {name.split(".")[0] for name in imports_of(CORE / "hookspecs.py")}
    assert third_party <= {"__future__", "collections", "typing", "pluggy"}
