"""README says what published results say, briefly, and points to what is there."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
MOST_WORDS = 700


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("readme", ROOT / "docs" / "readme.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["readme"] = module
    spec.loader.exec_module(module)
    return module


def test_its_findings_and_table_are_those_of_the_published_folders(maker: ModuleType) -> None:
    """After a folder has changed: ``python docs/readme.py``."""
    for file in maker.FILES:
        text = file.read_text(encoding="utf-8")
        assert maker.renewed(text) == text, file.name
    assert TEXT.count("<!-- end -->") == 2


def test_what_is_flagged_is_counted_among_the_labels_that_were_looked_at(maker: ModuleType) -> None:
    records = maker.read(maker.results_in(ROOT / "results" / "cifar10-quarter")).records
    attacked = [one for one in records if one.cell.evaluator == "attacks-adaptive:quick"]
    flagged = {one.run.label for one in attacked for score in one.scores if score.flag == "overstated"}
    labels = {one.run.label for one in attacked}
    assert f"- {len(flagged)} of {len(labels)} labels flagged *overstated*, most of all" in TEXT


def test_a_table_that_is_not_of_the_folder_is_noticed(maker: ModuleType) -> None:
    number = re.search(r"\*\*(\d+\.\d)", TEXT)
    assert number
    assert maker.renewed(TEXT.replace(number[1], "12.3", 1)) == TEXT


def test_it_is_short_and_its_first_screen_holds_a_finding_with_its_number() -> None:
    prose = [line for line in TEXT.splitlines() if not line.startswith(("|", "<!--"))]
    assert len(" ".join(prose).split()) < MOST_WORDS
    first = "\n".join(TEXT.splitlines()[:25])
    assert re.search(r"\*\*\d+\.\d .*%\*\*", first) and "](docs/pages/robustness.png)" in first
    assert TEXT.index("make run") < len(TEXT) / 3


def test_its_links_and_pictures_are_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_what_the_package_index_shows_points_to_nothing_that_is_not_there() -> None:
    shown = ProjectMetadata(str(ROOT), PluginManager()).core.readme
    assert set(re.findall(r"\]\(([^)]+)\)", shown)) == {"https://arxiv.org/abs/2104.02226"}
    assert "![" not in shown and "- Explanation: decoding, attacks,\n" in shown
    assert shown.splitlines()[0] == "# labelbench" and "| category |" in shown
