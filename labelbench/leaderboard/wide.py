"""The leaderboard as CSV with one line for each label, for data frames."""

from __future__ import annotations

import csv
import io

from labelbench.leaderboard.first_table import first_table
from labelbench.leaderboard.leaderboard import Leaderboard

_FIELDS = ("mean", "low", "high", "n")


def to_wide_csv(board: Leaderboard) -> str:
    """One line for each label, data set, backbone and settings; for each score its mean, 95 % interval and n.

    Columns of scores are ``evaluator/score``, the others of a score the same with ``low``, ``high`` or ``n`` after a
    space. Where only the first table is left, its scores are the columns, else those of all evaluators.
    """
    tables = board.evaluator_tables or board.tables
    columns = [column for table in tables for column in table.columns]
    table = first_table(tables, columns, board.legend) if board.evaluator_tables else board.headline
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = [key if field == "mean" else f"{key} {field}" for key in (one.key for one in columns) for field in _FIELDS]
    writer.writerow(["dataset", "backbone", "label", "settings", "seeds", "flags", *names])
    for row in table.rows if table else ():
        cells: list[object] = [row.dataset, row.backbone, row.name, str(board.legend.get(row.settings, ""))]
        cells += [" ".join(map(str, row.seeds)), "; ".join(map(str, row.flags))]
        for column in columns:
            value = row.values.get(column.key)
            low, high = (value.interval if value else None) or (None, None)
            numbers = (value.mean if value else None, low, high)
            cells += ["" if number is None else repr(number) for number in numbers]
            cells.append(len(value.seeds) if value else "")
        writer.writerow(cells)
    return buffer.getvalue()
