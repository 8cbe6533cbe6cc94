"""What a notebook shows of results: the first table, and every label beside category. No script, and one screen."""

from __future__ import annotations

from labelbench.charts.styles import style_of
from labelbench.claims.files import paper_claims
from labelbench.leaderboard.exports import first_table_html
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.report.findings import findings_of
from labelbench.report.templates import template


def notebook_html(board: Leaderboard) -> str:
    """The first table of a leaderboard and the differences of its first place, every text escaped."""
    from markupsafe import Markup

    found = next((one.differences for one in findings_of(board, paper_claims()) if one.differences), None)
    styles = {label: style_of(label) for label, _, _ in found.rows} if found else {}
    return template("notebook.html").render(
        board=board,
        table=Markup(first_table_html(board)),  # noqa: S704  (escaped where it is made)
        found=found,
        styles=styles,
        more=max(0, len(board.tables) - 1),
    )
