"""Every claim with its verdicts, and what would decide those that are open."""

from __future__ import annotations

from dataclasses import dataclass

from labelbench.claims.claim import OUTCOMES, Claims, Verdict
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.leaderboard.repeat import Repeat
from labelbench.report.deciding import deciding


@dataclass(frozen=True)
class ClaimView:
    """A claim and what was found of it.

    Attributes:
        id, text: of the claim.
        outcomes: how often each word was said, in the order of :data:`labelbench.claims.claim.OUTCOMES`; none left out.
        verdicts: on each data set, backbone, settings and attack, and the command that would tell more of one that is
            open.
    """

    id: str
    text: str
    outcomes: tuple[tuple[str, int], ...]
    verdicts: tuple[tuple[Verdict, Repeat | None], ...]


def claim_views(board: Leaderboard, claims: Claims, results: str) -> list[ClaimView]:
    """Every claim once, in the order of the claims file.

    Args:
        board: holds the verdicts.
        claims: that were judged.
        results: the folder, as commands name it.
    """
    known = {claim.id: claim for claim in claims.claims}
    views = []
    for name, text in dict.fromkeys((verdict.claim, verdict.text) for verdict in board.verdicts):
        found = [verdict for verdict in board.verdicts if verdict.claim == name]
        decided = [(verdict, deciding(verdict, known[name], board, claims, results)) for verdict in found]
        outcomes = tuple((word, sum(one.outcome == word for one in found)) for word in OUTCOMES)
        views.append(ClaimView(name, text, outcomes, tuple(decided)))
    return views
