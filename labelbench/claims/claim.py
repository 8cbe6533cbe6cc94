"""What was claimed, as data, and what is said of it in the end."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field

KINDS = ("equivalent", "greater", "best", "correlation")
OUTCOMES = ("reproduced", "contradicted", "not decided")
ATTACKS = ("paper", "adaptive", "")


@dataclass(frozen=True)
class Comparison:
    """One thing that must hold for a claim to hold.

    Attributes:
        kind: ``"equivalent"``: left and right differ by less than ``margin`` (two one-sided tests);
            ``"greater"``: left exceeds right by more than ``margin`` in every score;
            ``"best"``: every label whose outcome is better than that of every label on the other side, two or more,
            has a higher ``statistic`` than each of those;
            ``"correlation"``: over the labels of the left side ``statistic`` and outcome rise together, by more than
            ``margin``.
        left, right: labels on either side, each the name of a group or a pattern of label names.
        evaluators: patterns of evaluator names, the preferred one first.
        scores: names of scores. Each is a cell of its own; of ``"best"`` and ``"correlation"`` the outcome is their
            mean.
        attack: ``"paper"``, ``"adaptive"``, or nothing: comparisons of one attack are judged together.
        margin: in the unit of the score; shares are 0 to 1 (0.01 is one percentage point).
        minimum_n: seeds that both sides must share; labels of a correlation.
        floor: a cell in which both sides lie below this decides nothing; None for no floor.
        keeps: share of the right side's clean accuracy, lowest and highest, outside of which a cell decides nothing;
            None for no such rule.
        keeps_scores: for each score, the score that holds this share; an empty name where the rule does not apply.
        statistic: ``evaluator/score`` of the labels alone, for ``"best"`` and ``"correlation"``.
        minimum_steps: whether the recipe must state a minimum of steps unless it is as long as the paper's.
    """

    kind: str
    left: tuple[str, ...]
    right: tuple[str, ...]
    evaluators: tuple[str, ...]
    scores: tuple[str, ...]
    attack: str = ""
    margin: float = 0.0
    minimum_n: int = 3
    floor: float | None = None
    keeps: tuple[float, float] | None = None
    keeps_scores: tuple[str, ...] = ()
    statistic: str = ""
    minimum_steps: bool = False


@dataclass(frozen=True)
class Claim:
    """One claim. It is reproduced if every comparison holds, and contradicted if one of them is shown not to.

    A comparison is made with every label of the results that counts as one of its sides, so that ``speech`` and
    ``official:speech`` must both bear a claim about speech out if both were measured.

    Attributes:
        id: short name, ``"C1"``.
        text: the claim in words.
        comparisons: what must hold.
    """

    id: str
    text: str
    comparisons: tuple[Comparison, ...]

    @property
    def attacks(self) -> tuple[str, ...]:
        """The attacks under which it is judged, each by itself."""
        return tuple(dict.fromkeys(comparison.attack for comparison in self.comparisons))


@dataclass(frozen=True)
class Verdict:
    """What is found of one claim on one data set, backbone and setting.

    Attributes:
        claim, text: id and words of the claim.
        dataset, backbone: where it was judged.
        settings: letter of the leaderboard's legend; empty where nothing that the claim needs was measured.
        attack: ``"paper"``, ``"adaptive"``, or nothing.
        outcome: one of :data:`OUTCOMES`.
        evidence: what was compared and found, in sentences.
        missing: what would have to be there for a decision, in sentences.
    """

    claim: str
    text: str
    dataset: str
    backbone: str
    settings: str
    attack: str
    outcome: str
    evidence: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Correlate:
    """Statistics of labels that are correlated with outcomes.

    Attributes:
        statistics: ``evaluator/score`` of labels alone.
        outcomes: ``evaluator/score`` of trained networks; none for those of the headline.
    """

    statistics: tuple[str, ...]
    outcomes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Claims:
    """The content of a claims file.

    Attributes:
        claims: in the order of the file.
        groups: patterns of the label names that each name stands for.
        reference: the group that others are compared with, seed by seed.
        correlate: what is correlated.
    """

    claims: tuple[Claim, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reference: str = "category"
    correlate: tuple[Correlate, ...] = ()

    def counts_as(self, label: str, name: str) -> bool:
        """Whether a label is meant by the name of a group or by a pattern.

        >>> Claims(groups={"speech": ("speech", "speech:*")}).counts_as("speech:lang=en", "speech")
        True
        """
        return any(fnmatch.fnmatchcase(label, pattern) for pattern in self.groups.get(name, (name,)))

    def group_of(self, label: str) -> str:
        """The first group that a label counts as, or nothing."""
        return next((name for name in self.groups if self.counts_as(label, name)), "")
