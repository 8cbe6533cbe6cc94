"""How wide a table of text is, in letters, when labels stay whole and headings are folded between words."""

from __future__ import annotations

from labelbench.leaderboard.grids import Grid

# Between columns.
GAP = 2
# A column of text may take so much of the width before it is folded, but no less than these letters.
_TEXT_SHARE, _TEXT_LEAST = 0.3, 24


def widths_of(grid: Grid, width: int) -> list[int]:
    """Of each column: text up to its share of ``width``; numbers, and the words of their headings, whole."""
    most = max(_TEXT_LEAST, int(width * _TEXT_SHARE))
    found = []
    for place, heading in enumerate(grid.headings):
        cells = max((len(cells[place]) for cells in grid.cells), default=0)
        if grid.wide and place == len(grid.headings) - 1:
            found.append(_TEXT_LEAST)
        elif place < grid.text_columns:
            found.append(min(max(cells, len(heading)), most))
        else:
            found.append(max([cells, *map(len, _words(heading))]))
    return found


def total(grid: Grid, width: int) -> int:
    """Of all columns, with what stands between them."""
    widths = widths_of(grid, width)
    return sum(widths) + GAP * (len(widths) - 1)


def lines_of(heading: str, width: int) -> list[str]:
    """A heading in lines of at most ``width`` letters, broken at spaces, and after a slash where a word is too long.

    >>> lines_of("fgsm-untargeted/0.05 % ↑", 16), lines_of("little data % ↑", 8)
    (['fgsm-untargeted/', '0.05 % ↑'], ['little', 'data % ↑'])
    """
    lines = [""]
    for word in _joined(heading).split(" "):
        for part in [word] if len(word) <= width else _words(word):
            space = "" if not lines[-1] or lines[-1].endswith("/") else " "
            if lines[-1] and len(lines[-1] + space + part) > width:
                lines.append(part)
            else:
                lines[-1] += space + part
    return [line.replace("\xa0", " ") for line in lines]


def _words(heading: str) -> list[str]:
    """The parts of a heading that stay whole."""
    return [word.replace("\xa0", " ") for word in _joined(heading).replace("/", "/ ").split(" ") if word]


def _joined(heading: str) -> str:
    """Unit and arrow on one line."""
    return heading.replace("% ↑", "%\xa0↑").replace("% ↓", "%\xa0↓")
