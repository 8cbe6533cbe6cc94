"""What to cite, for a run and for none."""

from __future__ import annotations

from pathlib import Path

import pytest

import labelbench
from labelbench.citations import citations_of
from labelbench.cli import cli
from labelbench.errors import InputError

ROOT = Path(__file__).parents[2]


def keys(text: str) -> list[str]:
    return [line.partition("{")[2].rstrip(",") for line in text.splitlines() if line.startswith("@")]


def test_tool_and_paper_are_always_cited_and_each_source_once(capsys: pytest.CaptureFixture[str]) -> None:
    cli(["cite"], standalone_mode=False)
    printed = capsys.readouterr().out
    assert keys(printed) == ["labelbench", "chen2021beyond"] and labelbench.__version__ in printed
    scaled = labelbench.label("scaled:speech", labelbench.find_dataset("digits")).provenance
    glove = {"of": {"citation": "@inproceedings{glove,"}}
    assert keys("\n".join(citations_of([scaled, glove, glove]))) == ["labelbench", "chen2021beyond", "glove"]


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no results"):
        cli(["cite", str(tmp_path)], standalone_mode=False)


def test_sources_of_labels_that_others_made_are_in_their_provenance() -> None:
    from labelbench_labels import bert, glove

    assert keys(glove.CITATION) == ["pennington2014glove"] and keys(bert.CITATION) == ["devlin2019bert"]


def test_the_citation_file_says_the_version_and_the_paper() -> None:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"version: {labelbench.__version__}\n" in text
    assert "cff-version: 1.2.0" in text and "Beyond Categorical Label Representations for Image Classification" in text
