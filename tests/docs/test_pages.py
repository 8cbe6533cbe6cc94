"""Every page is followed as a reader would: files written, commands run, Python executed, in the page's order."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from brief import BRIEF
from pages import LANGUAGES, PAGES, ROOT, Block, blocks

WITH_CODE = [page for page in PAGES if any(blocks(page))]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT).with_suffix(""))


def followed(page: Path, block: Block, names: dict[str, object]) -> None:
    """Do what a block says; what goes wrong names page and line."""
    where = f"{page.relative_to(ROOT)}:{block.line}"
    if block.language == "toml":
        tomllib.loads(block.code)
    if block.language == "python":
        code = compile("\n" * (block.line - 1) + block.code, str(page), "exec")
        if not block.title:
            exec(code, names)
    if block.language == "sh":
        read_only = ["-n"] if block.title else []
        done = subprocess.run(
            ["bash", *read_only, "-euo", "pipefail", "-c", block.code],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{where}: {block.code}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    if block.title:
        Path(block.title).parent.mkdir(parents=True, exist_ok=True)
        Path(block.title).write_text(block.code, encoding="utf-8")


@pytest.mark.parametrize("page", WITH_CODE, ids=name_of)
def test_a_page_can_be_followed_from_top_to_bottom(page: Path, reader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(reader))
    before = set(sys.modules)
    names: dict[str, object] = {"__name__": "page"}
    try:
        for block in blocks(page):
            followed(page, block, names)
    finally:
        for name in set(sys.modules) - before:
            if str(reader) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_says_its_language(page: Path) -> None:
    unknown = {f"line {block.line}: {block.language!r}" for block in blocks(page)} - {
        f"line {block.line}: {block.language!r}" for block in blocks(page) if block.language in LANGUAGES
    }
    assert not unknown


def test_the_readers_evaluator_measures_a_real_network(reader: Path) -> None:
    page = ROOT / "docs" / "pages" / "how-to" / "own-evaluator.md"
    subprocess.run(["labelbench", "new", "evaluator", "worst-class"], check=True)
    for block in blocks(page):
        if block.title:
            followed(page, block, {})
    subprocess.run(["pip", "install", "--editable", "worst-class"], check=True)
    args = ["run", "--dataset", "digits:size=8", "--backbone", "resnet8", "--label", "category", *BRIEF]
    args += ["--evaluator", "worst-class", "--threads", "1", "--results", "out"]
    done = subprocess.run(
        [sys.executable, "-m", "labelbench", *args, "--device", "cpu"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "worst-class" in done.stdout
