"""The size and shape of the code: ``python tests/labelbench/house.py [REVISION ...]``, of this tree by default.

Functions are counted without their docstrings.
"""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONG, LONGEST = 250, 300
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def files_of(folder: Path) -> list[Path]:
    """Modules and stubs, without tests and templates."""
    found = sorted([*folder.rglob("*.py"), *folder.rglob("*.pyi")])
    return [file for file in found if "tests" not in file.relative_to(folder).parts]


def docstring_lines(node: ast.AST) -> int:
    """Lines of the docstring of a module, class or function."""
    if not isinstance(node, (ast.Module, ast.ClassDef, *_FUNCTIONS)) or ast.get_docstring(node) is None:
        return 0
    return (node.body[0].end_lineno or 0) - node.body[0].lineno + 1


def line(name: str, folder: Path) -> str:
    """A line of the table."""
    files = files_of(folder)
    lengths = [file.read_text(encoding="utf-8").count("\n") for file in files]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    functions = [node for node in nodes if isinstance(node, _FUNCTIONS)]
    sizes = sorted((one.end_lineno or 0) - one.lineno + 1 - docstring_lines(one) for one in functions)
    arguments = [
        one
        for node in functions
        for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        if one.arg not in ("self", "cls")
    ]
    total = sum(lengths)
    return " | ".join(
        [
            f"| {name}",
            f"{len(files)}",
            f"{total:,}",
            f"{sum(length for length in lengths if length > LONG) / total:.0%}",
            f"{statistics.median(sizes):.0f} / {sizes[int(0.9 * len(sizes))]} / {sizes[-1]}",
            f"{sum(one.annotation is not None for one in arguments) / len(arguments):.0%}",
            f"{sum(map(docstring_lines, nodes)) / total:.0%} |",
        ]
    )


def trees(revisions: list[str]) -> Iterator[tuple[str, Path]]:
    """This tree, or each of the revisions in a folder that is gone afterwards."""
    if not revisions:
        yield "this tree", ROOT
    for revision in revisions:
        packed = subprocess.run(
            ["git", "archive", revision, "labelbench", "plugins"], cwd=ROOT, capture_output=True, check=True
        ).stdout
        with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=BytesIO(packed)) as archive:
            archive.extractall(folder, filter="data")
            yield revision, Path(folder)


def main() -> None:
    print("| | modules | lines | in files over 250 | function median / p90 / max | typed arguments | docstrings |")
    print("|---|---|---|---|---|---|---|")
    for name, folder in trees(sys.argv[1:]):
        print(line(f"labelbench, {name}", folder / "labelbench"))
        print(line(f"its plugins, {name}", folder / "plugins"))
        for file in (*files_of(folder / "labelbench"), *files_of(folder / "plugins")):
            length = file.read_text(encoding="utf-8").count("\n")
            if length > LONGEST:
                print(f"{file.relative_to(folder)}: {length} lines", file=sys.stderr)


if __name__ == "__main__":
    main()
