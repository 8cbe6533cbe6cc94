"""The questions that evaluators answer with a headline score, and what was measured of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from labelbench.evaluation.shown import Headline, Section
from labelbench.plugins.lookup import evaluator_here
from labelbench.results.tables import Column, Row, Table


@dataclass(frozen=True)
class Question:
    """What a headline score answers.

    Attributes:
        headline: says so.
        column: of the score.
        table: of its evaluator.
        section: where the evaluator's charts stand, None if it has none.
    """

    headline: Headline
    column: Column
    table: Table
    section: Section | None

    def rows(self, place: tuple[str, str, str]) -> list[Row]:
        """Of one data set, backbone and settings, those that were measured."""
        return [row for row in self.table.rows if row.place == place and self.column.key in row.values]


def questions_of(tables: Iterable[Table]) -> list[Question]:
    """Every question, in the order of the evaluators' sections; what has no section, such as accuracy, is first."""
    found = []
    for table in tables:
        made = evaluator_here(table.title)
        columns = {column.score: column for column in table.columns}
        for headline in made.headline:
            column = columns.get(headline.score)
            if headline.question and column and column.higher_is_better is not None:
                found.append(Question(headline, column, table, made.section))
    return sorted(found, key=lambda one: (one.section.order if one.section else 0, one.headline.question))
