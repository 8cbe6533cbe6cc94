"""What labels pay for what: the first question's score, which is accuracy, against each of a section's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from labelbench.charts.data import Chart, Panel, Series, ordered
from labelbench.charts.questions import Question, questions_of
from labelbench.evaluation.shown import Section
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.results.tables import Row


def trade_offs(board: Leaderboard) -> Iterator[Chart]:
    """A chart of each section whose questions are answered by shares, as the first question of all is."""
    questions = [one for one in questions_of(board.evaluator_tables) if one.column.unit == "share"]
    if not questions or questions[0].section is not None:
        return
    first = questions[0]
    sections: dict[Section, list[Question]] = defaultdict(list)
    for question in questions:
        if question.section is not None:
            sections[question.section].append(question)
    for dataset, backbone in sorted({(row.dataset, row.backbone) for row in first.table.rows}):
        for section, asked in sections.items():
            yield from _charts(board, first, section, asked, (dataset, backbone))


def _charts(
    board: Leaderboard, first: Question, section: Section, asked: list[Question], where: tuple[str, str]
) -> Iterator[Chart]:
    """One chart, if two labels or more were measured by both."""
    pairs = {question.headline: list(_pairs(first, question, where)) for question in asked}
    pairs = {headline: found for headline, found in pairs.items() if len(found) > 1}
    rows = [row for found in pairs.values() for pair in found for row in pair]
    letters = sorted({row.settings for row in rows})
    several = len(letters) > 1
    panels = tuple(
        Panel(
            headline.heading,
            ordered(_point(first, question, x, y, y.settings if several else "") for x, y in pairs[headline]),
        )
        for question in asked
        if (headline := question.headline) in pairs
    )
    if not panels:
        return
    name = first.headline.heading
    yield Chart(
        f"{name}-against-{section.title.lower().replace(' ', '-')}",
        *where,
        f"{name.capitalize()} against {section.title.lower()}: {', '.join(where)}",
        "points",
        f"{name}, %",
        f"{section.title.lower()}, %",
        panels,
        percent=True,
        note=" ".join(f"{letter}: {board.legend[letter]}." for letter in letters) if several else "",
        spread=_spread(max(len(row.seeds) for row in rows)),
        section=section,
    )


def _spread(seeds: int) -> str:
    if seeds <= 1:
        return "One seed (n = 1); upright lines: 95 % intervals over test images."
    return (
        f"Mean over up to n = {seeds} seeds; upright lines: 95 % intervals over them, or over test images where n = 1."
    )


def _pairs(first: Question, other: Question, where: tuple[str, str]) -> Iterator[tuple[Row, Row]]:
    """Rows of one label under the same settings, with a value on both sides."""
    known = {(row.place, row.name): row for row in first.table.rows if (row.dataset, row.backbone) == where}
    for row in other.table.rows:
        pair = known.get((row.place, row.name))
        values = pair and pair.values.get(first.column.key), row.values.get(other.column.key)
        if pair and values[0] and values[1] and values[0].mean is not None and values[1].mean is not None:
            yield pair, row


def _point(first: Question, other: Question, left: Row, right: Row, settings: str) -> Series:
    x, y = left.values[first.column.key], right.values[other.column.key]
    low, high = y.interval or (None, None)
    return Series(
        right.label,
        (100 * (x.mean or 0.0),),
        (y.mean,),
        low=(low,) if y.interval else (),
        high=(high,) if y.interval else (),
        identity=right.identity,
        settings=settings,
    )
