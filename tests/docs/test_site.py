"""The documentation site: built without a warning, complete, and readable without any other server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import labelbench

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for needed in ("mkdocs", "material", "mkdocstrings_handlers.python", "mkdocs_click"):
        pytest.importorskip(needed, reason=f"{needed} is not installed; pip install 'labelbench[docs]'")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-W", "error", "-m", "mkdocs", "build", "--strict", "--config-file", "docs/mkdocs.yml"]
    done = subprocess.run(
        [*command, "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        # What Material prints about its own future is no warning about these pages.
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


def page(site: Path, name: str) -> str:
    return (site / name / "index.html").read_text(encoding="utf-8")


def test_the_reference_has_every_public_name(site: Path) -> None:
    text = page(site, "reference/python") + page(site, "reference/hooks")
    named = set(re.findall(r'id="labelbench\.(\w+)"', text))
    assert set(labelbench.__all__) - named == {"hookimpl"} and "labelbench.hookimpl" in text


def test_the_reference_has_every_command(site: Path) -> None:
    from labelbench.cli import COMMANDS

    text = page(site, "reference/command-line")
    assert [name for name in COMMANDS if f'id="labelbench-{name}"' not in text and f'id="{name}"' not in text] == []


def test_docstrings_are_shown_without_the_marks_of_another_format(site: Path) -> None:
    for file in sorted((site / "reference").rglob("index.html")):
        text = re.sub(r"<[^>]+>", "", file.read_text(encoding="utf-8"))
        assert not re.search(r":(class|func|meth|data|attr|mod):", text), file
        assert "<blockquote>" not in file.read_text(encoding="utf-8"), f"{file}: an example is shown as a quotation"


def test_pages_are_read_without_another_server(site: Path) -> None:
    for file in sorted(site.rglob("*.html")):
        text = file.read_text(encoding="utf-8")
        assert not re.findall(r'<(?:link|script|img)\b[^>]*(?:href|src)="(https?://[^"]+)"', text), file


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "docs" / "mkdocs.yml").read_text(encoding="utf-8")
    pages = ROOT / "docs" / "pages"
    names = [file.relative_to(pages).as_posix() for file in pages.rglob("*.md")]
    assert [name for name in names if name not in text] == []


def test_every_name_that_comes_with_labelbench_is_in_the_tables(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from labelbench.commands.listing import names_of

    monkeypatch.setenv("LABELBENCH_PLUGINS", "")
    text = page(site, "reference/names")
    names = [name for kind in ("labels", "backbones", "evaluators", "datasets", "suites") for name in names_of(kind)]
    assert [name for name in names if f"<code>{name}</code>" not in text] == []
