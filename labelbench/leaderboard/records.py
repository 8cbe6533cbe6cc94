"""Results as plain records, for notebooks: one record per score, and the leaderboard as HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, overload

from labelbench.errors import UnknownName
from labelbench.leaderboard.exports import html_fragment
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.results.reading import Contents
from labelbench.results.records import Record


@dataclass(frozen=True)
class ScoreRecord:
    """One score of one run by one evaluator.

    Attributes:
        dataset, backbone, label: names as the user wrote them; ``backbone`` is empty where labels alone are measured.
        seed: of the run.
        evaluator, score: ``evaluator/score`` is the column of the leaderboard.
        value: a share from 0 to 1 where ``unit`` is ``"share"``; None where it means nothing (``note`` says why).
        unit: ``"share"``, a unit in words (``"bits"``, ``"epochs"``), or empty.
        higher_is_better: True, False, or None where neither is.
        low, high: 95 % interval over the images, or None.
        count: how many images (pairs, classes) the value is taken over, or None.
        note: what the reader must know about the value.
        at: where on an axis it was measured (an epsilon, a share of the data), or None.
        flag: name of the finding that the value is, or empty.
        train_fraction: share of the training images, 0 to 1.
        recipe, epochs: how the network was trained.
        numerics: how numbers were computed.
        run: ten hexadecimal digits that identify the run, as in the name of its folder.
    """

    dataset: str
    backbone: str
    label: str
    seed: int
    evaluator: str
    score: str
    value: float | None
    unit: str
    higher_is_better: bool | None
    low: float | None
    high: float | None
    count: int | None
    note: str
    at: float | None
    flag: str
    train_fraction: float
    recipe: str
    epochs: int
    numerics: str
    run: str


class ScoreTable(Sequence[ScoreRecord]):
    """All scores of a results folder, in the order of its paths: a sequence of :class:`ScoreRecord`.

    A notebook shows its first table and a chart. ``pandas.DataFrame(table)`` and ``pandas.DataFrame(table.columns)``
    make a data frame with the fields of the records as columns; pandas itself is not needed here.

    Attributes:
        failures: ``(what, why)`` of everything that failed and has not succeeded since.
        leaderboard: the same results as tables: rows averaged over seeds, a headline table first.
    """

    def __init__(
        self,
        records: Iterable[ScoreRecord],
        leaderboard: Leaderboard,
        failures: Iterable[tuple[str, str]] = (),
        html: Callable[[Leaderboard], str] = html_fragment,
    ) -> None:
        self._html = html
        self._records = tuple(records)
        self.failures = tuple(failures)
        self.leaderboard = leaderboard

    @staticmethod
    def of(contents: Contents, html: Callable[[Leaderboard], str] = html_fragment) -> ScoreTable:
        """The scores of what a results folder holds.

        Args:
            contents: of the folder.
            html: what a notebook shows of it.
        """
        return ScoreTable(scores_of(contents.records), Leaderboard.of(contents), contents.failures, html)

    @cached_property
    def columns(self) -> dict[str, list[Any]]:
        """The records turned: for each field the values of all records, in their order."""
        return {field.name: [getattr(record, field.name) for record in self._records] for field in fields(ScoreRecord)}

    def to_dicts(self) -> list[dict[str, Any]]:
        """Every record as a dictionary of plain values."""
        return [asdict(record) for record in self._records]

    def where(self, **values: Any) -> list[ScoreRecord]:
        """The records whose fields have these values, e.g. ``where(evaluator="accuracy", score="nearest")``.

        Raises:
            UnknownName: a record has no such field.
        """
        names = [field.name for field in fields(ScoreRecord)]
        for name in values:
            if name not in names:
                raise UnknownName("field", name, names)
        return [
            record for record in self._records if all(getattr(record, name) == value for name, value in values.items())
        ]

    @overload
    def __getitem__(self, index: int) -> ScoreRecord: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ScoreRecord]: ...
    def __getitem__(self, index: int | slice) -> ScoreRecord | Sequence[ScoreRecord]:
        return self._records[index]

    def __len__(self) -> int:
        return len(self._records)

    def __repr__(self) -> str:
        failed = f", {len(self.failures)} failed" if self.failures else ""
        return f"<ScoreTable {self.leaderboard.name!r}: {len(self)} scores{failed}>"

    def _repr_html_(self) -> str:
        """The first table and a chart of the differences to category as HTML, every text escaped."""
        return self._html(self.leaderboard)


def scores_of(records: Iterable[Record]) -> Iterator[ScoreRecord]:
    """Every score of each measurement, in their order."""
    for record, score in ((each, score) for each in records for score in each.scores):
        run = record.cell.run
        low, high = score.interval or (None, None)
        yield ScoreRecord(
            dataset=run.dataset,
            backbone=run.backbone,
            label=run.label,
            seed=run.seed,
            evaluator=record.cell.evaluator,
            score=score.name,
            value=score.value,
            unit=score.unit,
            higher_is_better=score.higher_is_better,
            low=low,
            high=high,
            count=score.count,
            note=score.note,
            at=score.at,
            flag=score.flag,
            train_fraction=run.train_fraction,
            recipe=run.recipe.name,
            epochs=run.recipe.epochs,
            numerics=str(run.numerics),
            run=run.id,
        )
