"""The leaderboard as LaTeX tables for a paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from labelbench.leaderboard.grids import Detail, Grid
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.leaderboard.pages import READING, Section, compact, sections_of
from labelbench.leaderboard.widths import lines_of, total, widths_of

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


# Letters that a column of a two-column page holds at this size.
_COLUMN = 56
_NUMBERS = {
    Detail.MEAN: "means",
    Detail.SPREAD: r"mean $\pm$ standard deviation",
    Detail.INTERVAL: r"mean and 95\,\% interval",
    Detail.FULL: r"mean $\pm$ standard deviation and 95\,\% interval",
}
_INTERVALS = "intervals are Student's t over seeds, with one seed over test images"


def to_latex(board: Leaderboard) -> str:
    r"""A ``table`` for each section, to be read with ``\input``; needs booktabs, graphicx and T1 fontenc.

    Intervals and deviations stand in a table as far as it fits a column of a page of two; what is wider all the same is
    made smaller. The caption says what all rows share, and what the numbers are.
    """
    lines = [r"% \usepackage[T1]{fontenc} \usepackage{booktabs} \usepackage{graphicx}", f"% {READING}"]
    most_first = sorted(Detail, reverse=True)
    for details in zip(*(map(compact, sections_of(board, detail=detail)) for detail in most_first), strict=True):
        fitting = [index for index, one in enumerate(details) if one.grid and total(one.grid, _COLUMN) <= _COLUMN]
        index = (fitting or [len(details) - 1])[0]
        lines += ["", *_section(details[index], most_first[index])]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    r"""Text that LaTeX prints as it is.

    >>> print(escaped("100% of_it"))
    100\% of\_it
    """
    return "".join(_ESCAPED.get(mark, mark) for mark in " ".join(text.split()))


def _section(section: Section, detail: Detail) -> Iterator[str]:
    if section.grid is None:
        yield rf"\paragraph{{{escaped(section.title)}}}"
        yield from _notes(section.notes)
        return
    yield r"\begin{table}[htbp]"
    yield r"\centering\small\setlength{\tabcolsep}{3pt}"
    yield rf"\caption{{{_caption(section, detail)}}}"
    yield from _tabular(section.grid)
    if section.notes:
        yield r"\par\smallskip\raggedright\footnotesize"
    yield from _notes(section.notes)
    yield r"\end{table}"


def _tabular(grid: Grid) -> Iterator[str]:
    columns = ["l" if index < grid.text_columns else "r" for index in range(len(grid.headings))]
    if grid.wide:
        columns[-1] = r"p{0.5\linewidth}"
    yield rf"{_AT_MOST_AS_WIDE_AS_THE_TEXT}{{\begin{{tabular}}{{{''.join(columns)}}}"
    yield r"\toprule"
    yield " & ".join(_headings(grid)) + r" \\"
    yield r"\midrule"
    for index, cells in enumerate(grid.cells):
        yield _line(cells, [(index, place) in grid.bold for place in range(len(cells))], wide=grid.wide)
    yield r"\bottomrule"
    yield r"\end{tabular}}"


def _caption(section: Section, detail: Detail) -> str:
    """Title, what all rows share, and what the numbers are."""
    parts = [escaped(part) for part in (section.title, section.about) if part]
    if section.kind in ("headline", "evaluator") and section.grid:
        spread = any("±" in cell for cells in section.grid.cells for cell in cells)
        parts.append(_NUMBERS[detail] if spread else _NUMBERS[Detail.INTERVAL if detail >= Detail.INTERVAL else detail])
        parts[-1] = parts[-1] if spread else parts[-1].replace(_NUMBERS[Detail.SPREAD], _NUMBERS[Detail.MEAN])
        if detail >= Detail.INTERVAL:
            parts.append(_INTERVALS)
    return "; ".join(parts)


def _headings(grid: Grid) -> Iterator[str]:
    """Headings in as many lines as keep their columns narrow."""
    for place, (heading, width) in enumerate(zip(grid.headings, widths_of(grid, _COLUMN), strict=True)):
        if place < grid.text_columns:
            yield escaped(heading)
        else:
            lines = r"\\".join(map(escaped, lines_of(heading, width)))
            yield rf"\shortstack[r]{{{lines}}}"


def _line(cells: Sequence[str], bold: Sequence[bool], *, wide: bool) -> str:
    texts = [escaped(cell) for cell in cells]
    if wide:
        texts[-1] = rf"\raggedright\let\\\tabularnewline {texts[-1]}"
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
