"""What to cite: the tool, the paper, and where the labels of a run come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

TOOL = """@software{labelbench,
  title  = {labelbench: what happens to an image classifier when the label it learns to output changes},
  author = {{The labelbench authors}},
  year   = {2026},
  note   = {Version VERSION}
}"""
PAPER = """@inproceedings{chen2021beyond,
  title     = {Beyond Categorical Label Representations for Image Classification},
  author    = {Chen, Boyuan and Li, Yu and Raghupathi, Sunand and Lipson, Hod},
  booktitle = {International Conference on Learning Representations},
  year      = {2021},
  url       = {https://arxiv.org/abs/2104.02226}
}"""


def citations_of(provenances: Iterable[Mapping[str, Any]]) -> list[str]:
    """BibTeX entries: the tool, the paper, and the sources of labels, each once.

    Args:
        provenances: of labels; ``"citation"`` of one, or of one that it is made of, is the entry of its source.

    >>> [entry.splitlines()[0] for entry in citations_of([{"of": {"citation": "@misc{a,"}}, {"citation": "@misc{a,"}])]
    ['@software{labelbench,', '@inproceedings{chen2021beyond,', '@misc{a,']
    """
    from labelbench import __version__

    sources = [entry for provenance in provenances for entry in _within(provenance)]
    return list(dict.fromkeys([TOOL.replace("VERSION", __version__), PAPER, *sources]))


def _within(provenance: Mapping[str, Any]) -> Iterator[str]:
    for name, value in provenance.items():
        if name == "citation" and isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            yield from _within(value)
