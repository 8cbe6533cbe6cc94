"""The leaderboard as LaTeX tables for a paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.leaderboard.pages import READING, Grid, Section, sections_of

_ESCAPED = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    **{mark: f"\\{mark}" for mark in "&%$#_"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
}
_AT_MOST_AS_WIDE_AS_THE_TEXT = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}"


def to_latex(board: Leaderboard) -> str:
    r"""A ``table`` for each section, to be read with ``\input``; needs booktabs, graphicx and T1 fontenc.

    A table that is wider than the text is made smaller.
    """
    lines = [r"% \usepackage[T1]{fontenc} \usepackage{booktabs} \usepackage{graphicx}", f"% {READING}"]
    for section in sections_of(board):
        lines += ["", *_section(section)]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    r"""Text that LaTeX prints as it is.

    >>> print(escaped("100% of_it"))
    100\% of\_it
    """
    return "".join(_ESCAPED.get(mark, mark) for mark in " ".join(text.split()))


def _section(section: Section) -> Iterator[str]:
    if section.grid is None:
        yield rf"\paragraph{{{escaped(section.title)}}}"
        yield from _notes(section.notes)
        return
    yield r"\begin{table}[htbp]"
    yield r"\centering\small"
    yield rf"\caption{{{escaped(section.title)}}}"
    yield from _tabular(section.grid)
    if section.notes:
        yield r"\par\smallskip\footnotesize"
    yield from _notes(section.notes)
    yield r"\end{table}"


def _tabular(grid: Grid) -> Iterator[str]:
    columns = ["l" if index < grid.text_columns else "r" for index in range(len(grid.headings))]
    if grid.wide:
        columns[-1] = r"p{0.5\linewidth}"
    yield rf"{_AT_MOST_AS_WIDE_AS_THE_TEXT}{{\begin{{tabular}}{{{''.join(columns)}}}"
    yield r"\toprule"
    yield _line(grid.headings)
    yield r"\midrule"
    for index, cells in enumerate(grid.cells):
        yield _line(cells, [(index, place) in grid.bold for place in range(len(cells))])
    yield r"\bottomrule"
    yield r"\end{tabular}}"


def _line(cells: Sequence[str], bold: Sequence[bool] = ()) -> str:
    texts = [escaped(cell) for cell in cells]
    if texts and texts[0][:1] in ("[", "*"):
        # After the end of a line these would be read as its argument.
        texts[0] = f"{{{texts[0][0]}}}{texts[0][1:]}"
    for index, marked in enumerate(bold):
        if marked:
            texts[index] = rf"\textbf{{{texts[index]}}}"
    return " & ".join(texts) + r" \\"


def _notes(notes: Sequence[str]) -> Iterator[str]:
    for note in notes:
        yield rf"{escaped(note)}\par"
