"""What a report says first: a sentence for every question that some evaluator answers, and all labels beside category.

A question belongs to a headline score; which scores these are, evaluators say.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from labelbench.charts.questions import Question, questions_of
from labelbench.claims.claim import Claims
from labelbench.leaderboard.grids import shown
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.leaderboard.standings import Difference, differences_to_reference
from labelbench.results.spread import LEAST_SEEDS
from labelbench.results.tables import Column, Row, Value, shown_number

Place = tuple[str, str, str]


@dataclass(frozen=True)
class Sentence:
    """What was found of one question in one place.

    Attributes:
        question: in words.
        heading: of the score in the leaderboard.
        parts: the sentence in turn as text and ``(label, value)`` pairs, which stand in the leaderboard as they are.
        key: ``evaluator/score`` of the column.
    """

    question: str
    heading: str
    parts: tuple[str | tuple[str, str], ...]
    key: str

    @property
    def text(self) -> str:
        """The sentence as plain text."""
        return "".join(part if isinstance(part, str) else " ".join(part) for part in self.parts)


@dataclass(frozen=True)
class Cell:
    """One difference to the reference as a place on its column's scale, all in percent of its width.

    Attributes:
        text: difference and interval as tables show them.
        at, low, high: where it is, and where its interval ends; None without one.
        over_images: whether the interval is over the test images of two networks, which says nothing of other seeds.
    """

    text: str
    at: float
    low: float | None = None
    high: float | None = None
    over_images: bool = False


@dataclass(frozen=True)
class Scale:
    """The heading of one column of differences.

    Attributes:
        heading: of the score in the leaderboard.
        question: that it answers.
        unit: of the differences.
        better: ``"right"`` or ``"left"``.
        zero: where no difference is, in percent of the width.
    """

    heading: str
    question: str
    unit: str
    better: str
    zero: float


@dataclass(frozen=True)
class Differences:
    """Every label less the reference, a column for each question.

    Attributes:
        reference: the label that is taken away.
        scales: of the columns.
        rows: label as filters know it, name as tables show it, and a cell for each column, None if not measured.
        note: what the intervals are.
    """

    reference: str
    scales: tuple[Scale, ...]
    rows: tuple[tuple[str, str, tuple[Cell | None, ...]], ...]
    note: str


@dataclass(frozen=True)
class PlaceFindings:
    """What was found in one data set, backbone and settings.

    Attributes:
        dataset, backbone: names.
        where: the place in words.
        sentences: one for each question that was measured.
        few_seeds: whether too few seeds were measured to tell any two labels apart.
        flagged: each finding, and the labels that have it.
        differences: all labels beside the reference; None if there is nothing to compare.
    """

    dataset: str
    backbone: str
    where: str
    sentences: tuple[Sentence, ...]
    few_seeds: bool
    flagged: tuple[tuple[str, tuple[str, ...]], ...]
    differences: Differences | None


def findings_of(board: Leaderboard, claims: Claims) -> list[PlaceFindings]:
    """What was found, place by place."""
    questions = questions_of(board.evaluator_tables)
    places = dict.fromkeys(row.place for each in questions for row in each.table.rows if row.backbone)
    found = (_in_place(place, questions, board, claims) for place in sorted(places))
    return [one for one in found if one.sentences]


def _in_place(place: Place, questions: Sequence[Question], board: Leaderboard, claims: Claims) -> PlaceFindings:
    dataset, backbone, settings = place
    sentences = [one for question in questions for one in _sentence(question, question.rows(place), claims)]
    flagged: dict[str, dict[str, None]] = {}
    for row in (row for question in questions for row in question.rows(place)):
        for flag in row.flags:
            flagged.setdefault(str(flag), {})[row.name] = None
    where = ", ".join([dataset, backbone, *([f"settings {settings}"] if len(board.legend) > 1 else [])])
    return PlaceFindings(
        dataset,
        backbone,
        where,
        tuple(sentences),
        all(len(row.seeds) < LEAST_SEEDS for question in questions for row in question.rows(place)),
        tuple((name, tuple(labels)) for name, labels in flagged.items()),
        _differences(place, questions, claims),
    )


def _sentence(question: Question, rows: Sequence[Row], claims: Claims) -> Iterator[Sentence]:
    """The best label, how sure that is, and what category has."""
    column = question.column
    ranked = [(value.mean, value, row) for row in rows if (value := row.values[column.key]).mean is not None]
    if not ranked:
        return
    sign = 1 if column.higher_is_better else -1
    ranked.sort(key=lambda each: (-sign * (each[0] or 0.0), each[2].name))
    first, best, winner = ranked[0]
    reference = next((row for *_, row in ranked if claims.counts_as(row.label, claims.reference)), None)
    parts: list[str | tuple[str, str]] = [(winner.name, _shown(best, column, winner))]
    others = len(ranked) - 1
    if others:
        equal = sum(mean == first for mean, *_ in ranked) - 1
        parts.append(f", the {'highest' if column.higher_is_better else 'lowest'} of {len(ranked)} labels")
        parts.append(f" (as {equal} other{'s' if equal > 1 else ''})" if equal else "")
        parts.append(", separated from every other" if best.best else "")
    if reference is not None and reference is not winner:
        parts += ["; ", (reference.name, _shown(reference.values[column.key], column, reference))]
    elif others:
        _, second, follower = ranked[1]
        parts += ["; next ", (follower.name, _shown(second, column, follower))]
    n = len(best.seeds)
    parts.append(f". n\u00a0=\u00a0{n} seed{'s' if n != 1 else ''}")
    parts.append(", not separated from every other." if others and n >= LEAST_SEEDS and not best.best else ".")
    said = question.headline
    yield Sentence(said.question, said.heading, tuple(part for part in parts if part), column.key)


def _shown(value: Value, column: Column, row: Row) -> str:
    """A number with its unit and interval, as the leaderboard has it."""
    text = shown(value, column, row)
    return f"{text} %" if column.unit == "share" else f"{text} {column.unit}".rstrip()


def _differences(place: Place, questions: Sequence[Question], claims: Claims) -> Differences | None:
    tables = list({question.table.title: question.table for question in questions}.values())
    found = [
        one
        for one in differences_to_reference(tables, [question.column for question in questions], claims)
        if (one.dataset, one.backbone, one.settings) == place
    ]
    by_question = [(each, [one for one in found if one.column == each.column]) for each in questions]
    by_question = [(each, ones) for each, ones in by_question if ones]
    if not by_question:
        return None
    first, ones = by_question[0]
    sign = 1 if first.column.higher_is_better else -1
    rank = {one.name: -sign * one.paired.mean for one in ones}
    names = sorted({(one.name, one.label) for one in found}, key=lambda pair: (rank.get(pair[0], math.inf), pair))
    drawn = [_scaled(each, ones, place) for each, ones in by_question]
    reference = found[0].reference
    note = f"Difference to {reference}, and its 95 % interval: Student's t over differences paired by seed"
    if any(cell.over_images for _, cells in drawn for cell in cells.values()):
        note += (
            "; with one seed, dashed, over the test images of the two networks (Newcombe), which says nothing of "
            "other seeds"
        )
    return Differences(
        reference,
        tuple(scale for scale, _ in drawn),
        tuple((label, name, tuple(cells.get(name) for _, cells in drawn)) for name, label in names),
        note + ".",
    )


def _scaled(question: Question, found: Sequence[Difference], place: Place) -> tuple[Scale, dict[str, Cell]]:
    """The differences of one question on one scale that holds them all, and 0."""
    column = question.column
    values = {row.name: row.values[column.key] for row in question.rows(place)}
    intervals = {one.name: _interval(one, values) for one in found}
    bounds = [bound for interval, _ in intervals.values() for bound in interval or ()]
    every = [0.0, *(one.paired.mean for one in found), *bounds]
    # An interval of two seeds may be a hundred times as wide as what was found: what sticks out is cut off.
    reach = 3 * max((abs(one.paired.mean) for one in found), default=0.0) or 1.0
    low, high = max(min(every), -reach), min(max(every), reach)
    span = (high - low) or 1.0
    low, high = low - 0.04 * span, high + 0.04 * span

    def at(number: float) -> float:
        return round(100 * (min(max(number, low), high) - low) / (high - low), 2)

    cells = {}
    for one in found:
        interval, over_images = intervals[one.name]
        text = shown_number(one.paired.mean, column.unit, signed=True)
        if interval:
            text += " [{}, {}]".format(*(shown_number(bound, column.unit, signed=True) for bound in interval))
        left, right = (at(interval[0]), at(interval[1])) if interval else (None, None)
        cells[one.name] = Cell(text, at(one.paired.mean), left, right, over_images)
    unit = "points" if column.unit == "share" else column.unit
    better = "right" if column.higher_is_better else "left"
    return Scale(question.headline.heading, question.headline.question, unit, better, at(0.0)), cells


def _interval(one: Difference, values: Mapping[str, Value]) -> tuple[tuple[float, float] | None, bool]:
    """The interval over seeds, or, with one seed and intervals over images on both sides, Newcombe's of these."""
    if one.paired.interval is not None:
        return one.paired.interval, False
    shares = []
    for value in (values.get(one.name), values.get(one.reference)):
        if value is None or value.mean is None or value.interval is None or one.column.unit != "share":
            return None, False
        shares.append((value.mean, *value.interval))
    return newcombe(*shares), True


def newcombe(left: tuple[float, float, float], right: tuple[float, float, float]) -> tuple[float, float]:
    """95 % interval of the difference of two shares from their own intervals (Newcombe 1998, method 10).

    Args:
        left, right: share, and the ends of its Wilson interval.

    >>> from labelbench.evaluation.scores import wilson_interval
    >>> low, high = newcombe((56 / 70, *wilson_interval(56, 70)), (48 / 80, *wilson_interval(48, 80)))
    >>> round(low, 4), round(high, 4)
    (0.0524, 0.3339)
    """
    (p, p_low, p_high), (q, q_low, q_high) = left, right
    below, above = math.hypot(p - p_low, q_high - q), math.hypot(p_high - p, q - q_low)
    return p - q - below, p - q + above
