"""The page of findings as Markdown, made from published boards alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from labelbench.claims.claim import OUTCOMES, Claims, Verdict
from labelbench.findings.causes import Effect, columns_of, effects_of
from labelbench.leaderboard.grids import columns_explained
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.results.spread import Paired
from labelbench.results.tables import Column, shown_number
from labelbench.tunings import Tuning

BEGIN, END = "<!-- findings: made by `labelbench findings` -->", "<!-- end of findings -->"
_MARKS = {"reproduced": "**reproduced**", "contradicted": "**contradicted**", "not decided": "open"}
_SHOWN = 3
_PROTOCOL = "The paper trains VGG19, ResNet-32 and ResNet-110 for 600 epochs; each verdict is of its board's training."
_CHANCE = "which one in twenty does by chance where there is nothing: a single one of many shows little."
_SAME_IMAGES = (
    "Intervals over seeds do not say what other test images would give, since these are the same for every seed."
)


@dataclass(frozen=True)
class Published:
    """One published folder.

    Attributes:
        name: of the folder.
        board: the leaderboard of it.
        figure: address of the figure of accuracy against epsilon as the page sees it; empty if there is none.
        tuning: how the recipes of its labels were chosen, None if they were not or it is not known.
    """

    name: str
    board: Leaderboard
    figure: str = ""
    tuning: Tuning | None = None

    def training(self, letter: str) -> str:
        """How the networks of a settings letter learnt, and on what they were measured, in few words."""
        conditions = self.board.legend.get(letter)
        if conditions is None:
            return ""
        return f"{conditions.training}, {'tuned for each label' if conditions.tuned else 'one rate for all'}"


def summary_text(published: Sequence[Published], claims: Claims) -> str:
    """The boards that decide a verdict, all if none does, and their verdicts by claim and attack: for a front page."""
    return "\n".join([BEGIN, "", *_counts(published), *_summary(_deciding(published) or published, claims), END])


def page_text(published: Sequence[Published], claims: Claims, command: str) -> str:
    """The whole page.

    Args:
        published: the folders, in the order in which they are shown.
        claims: that their boards were judged on.
        command: that makes the page.
    """
    return "\n".join(_page(published, claims, command)).rstrip() + "\n"


def with_summary(text: str, summary: str) -> str:
    """A text whose part between the marks is the summary.

    Raises:
        ValueError: it has no marks.
    """
    before, found, rest = text.partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not found or not closed:
        raise ValueError(f"it has no lines {BEGIN} and {END} between which the summary could stand")
    return before + summary + after


def _page(published: Sequence[Published], claims: Claims, command: str) -> Iterator[str]:
    yield from ("# Findings", "")
    yield from (f"Made from the published folders by `{command}`; a test makes it again and compares.", "")
    yield from _counts(published)
    yield from _summary(published, claims)
    yield from (_SAME_IMAGES, "")
    for one in published:
        if one.figure:
            yield from (f"![Accuracy against epsilon]({one.figure})", "")
            yield from (f"*{one.name}: accuracy against epsilon, for the labels and attacks that were measured.*", "")
    for claim in claims.claims:
        yield from (f"## {claim.id}: {claim.text}", "")
        rows = [(one, verdict) for one in published for verdict in one.board.verdicts if verdict.claim == claim.id]
        yield from _table(
            ("board", "training", "attack", "verdict", "the numbers behind it"),
            [_row(one, verdict) for one, verdict in rows if verdict.settings],
        )
    yield from _tunings(published, claims.reference)
    yield from _causes(published, claims)
    yield from _correlations(published)
    yield from _reported(published)


def _counts(published: Sequence[Published]) -> Iterator[str]:
    """How many verdicts are decided, and by which boards."""
    counts = Counter(verdict.outcome for one in published for verdict in _judged(one))
    where = [f"{_decided(one)} on {one.name}" for one in _deciding(published)]
    others = ", ".join(one.name for one in published if not _decided(one))
    where += [f"none on {others}"] if where and others else []
    decided = sum(map(_decided, published))
    words = ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES)
    by_board = f" ({', '.join(where)})" if where else ""
    yield f"{decided} of {counts.total()} verdicts are decided{by_board}: {words}. {_PROTOCOL}"
    yield ""


def _deciding(published: Sequence[Published]) -> list[Published]:
    return [one for one in published if _decided(one)]


def _decided(one: Published) -> int:
    return sum(verdict.outcome != "not decided" for verdict in _judged(one))


def _summary(published: Sequence[Published], claims: Claims) -> Iterator[str]:
    found: dict[tuple[str, ...], list[str]] = defaultdict(list)
    places: dict[tuple[str, ...], None] = {}
    for one in published:
        for verdict in _judged(one):
            place = (one.name, verdict.dataset, verdict.backbone, one.training(verdict.settings))
            places[place] = None
            found[verdict.claim, verdict.attack, *place].append(verdict.outcome)
    heads = _told_apart([name for name, *_ in places])
    yield from _table(
        ("board", "data set", "network", "training"),
        [(f"**{head}**", *place[1:]) for head, place in zip(heads, places, strict=True)],
    )
    rows = [
        (
            claim.id,
            "" if number else claim.text,
            attack,
            *(_outcomes(found[claim.id, attack, *place]) for place in places),
        )
        for claim in claims.claims
        for number, attack in enumerate(claim.attacks)
    ]
    yield from _table(("", "claim", "attack", *heads), rows)


def _told_apart(names: Sequence[str]) -> list[str]:
    """Names, each with its number where there are several of it."""
    return [
        f"{name} ({names[: place + 1].count(name)})" if names.count(name) > 1 else name
        for place, name in enumerate(names)
    ]


def _judged(one: Published) -> list[Verdict]:
    """Verdicts for which something was measured."""
    return [verdict for verdict in one.board.verdicts if verdict.settings]


def _outcomes(found: Sequence[str]) -> str:
    return ", ".join(_MARKS[outcome] for outcome in dict.fromkeys(found)) or "not measured"


def _row(one: Published, verdict: Verdict) -> tuple[str, ...]:
    where = f"{one.name}: {verdict.dataset}, {verdict.backbone}"
    return where, one.training(verdict.settings), verdict.attack, _MARKS[verdict.outcome], _why(verdict)


def _why(verdict: Verdict) -> str:
    """The first sentences of the evidence; what is missing comes first where nothing is decided."""
    sentences = (*verdict.missing, *verdict.evidence) if verdict.outcome == "not decided" else verdict.evidence
    more = len(sentences) - _SHOWN
    return "; ".join(sentences[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _tunings(published: Sequence[Published], reference: str) -> Iterator[str]:
    # Boards may share one tuning.
    tuned: list[tuple[str, Tuning]] = []
    for tuning in [one.tuning for one in published if one.tuning]:
        if tuning not in [each for _, each in tuned]:
            tuned.append((", ".join(one.name for one in published if one.tuning == tuning), tuning))
    if not tuned:
        return
    yield from ("## How far the learning rate decides", "")
    yield (
        "Validation accuracy in percent at each point of the grid, on networks that no result uses; bold is what the "
        f"label's results are trained with. The last column is what a label gains over the rate that is best for "
        f"{reference}: what a comparison at one rate would take for an effect of the label. It is the best of several "
        "numbers, each of few networks, and so a little too large."
    )
    yield ""
    for names, tuning in tuned:
        points = [" ".join(f"{value:g}" for value in point) for point in tuning.grid.points]
        theirs = tuning.best(reference)
        rows, at_edges = [], []
        for label, accuracies in tuning.accuracy.items():
            best, known = tuning.best(label), dict(zip(tuning.grid.points, accuracies, strict=True))
            cells = [
                "diverged" if value is None else f"**{value:.1%}**" if point == best else f"{value:.1%}"
                for point, value in known.items()
            ]
            at = known.get(theirs) if theirs else None
            gain = "" if best is None or at is None else shown_number((known[best] or 0) - at, "share", signed=True)
            rows.append((label, *(cell.replace("%", "") for cell in cells), gain))
            at_edges += [label] if best and tuning.grid.edges(best) else []
        yield from (f"**{names}**: {tuning.words}; {tuning.seconds:,.0f} s of training.", "")
        yield from _table(("label", *points, "gain"), rows)
        if at_edges:
            yield from (f"Best at an edge of the grid, so perhaps better beyond it: {', '.join(at_edges)}.", "")


def _causes(published: Sequence[Published], claims: Claims) -> Iterator[str]:
    yield from ("## What the controls say of the cause", "")
    yield (
        "Each row is a label less one that differs from it in what the first column says and, where each was tuned, in "
        "its learning rate, in percentage points with the 95 % interval of the difference paired by seed. "
        "n: seeds for which both have a value, where these are fewer than elsewhere in the row. "
        f"Bold: three seeds or more, and the interval excludes 0, {_CHANCE}"
    )
    yield ""
    for one in published:
        by_training: dict[str, list[Effect]] = defaultdict(list)
        for effect in effects_of(one.board, claims):
            by_training[one.training(effect.place[2])].append(effect)
        for training, effects in by_training.items():
            assert one.board.headline
            columns = columns_of(one.board)
            explained = columns_explained(replace(one.board.headline, columns=columns))
            yield from (f"**{one.name}**: {training}; {explained}.", "")
            rows = [
                (
                    effect.control.cause,
                    f"{effect.left} less {effect.right}",
                    *_differences(effect.differences, columns),
                )
                for effect in effects
            ]
            yield from _table(("difference", "labels", *(column.heading for column in columns)), rows)


def _differences(pairs: Sequence[Paired | None], columns: Sequence[Column]) -> Iterator[str]:
    """Each difference, with the number of its seeds where it has no interval or others have more."""
    most = max(pair.n for pair in pairs if pair)
    for pair, column in zip(pairs, columns, strict=True):
        if pair is None:
            yield ""
            continue
        mean, *interval = (shown_number(each, column.unit, signed=True) for each in (pair.mean, *(pair.interval or ())))
        text = f"{mean} [{', '.join(interval)}]" if interval else mean
        text = f"**{text}**" if pair.separated else text
        yield text if interval and pair.n == most else f"{text} (n = {pair.n})"


def _correlations(published: Sequence[Published]) -> Iterator[str]:
    rows = [
        (one.name, each.statistic, each.outcome, str(len(each.labels)), _rho(each.rho, each.interval))
        for one in published
        for each in one.board.correlations
    ]
    yield from ("## Does entropy go along with it", "")
    yield (
        "Spearman's correlation over labels, which are the unit, with its 95 % interval. "
        f"Bold: the interval excludes 0, {_CHANCE}"
    )
    yield ""
    yield from _table(("board", "statistic of the labels", "outcome", "labels", "correlation"), rows)


def _rho(rho: float | None, interval: tuple[float, float] | None) -> str:
    if rho is None or interval is None:
        return "all equal"
    text = f"{rho:+.2f} [{interval[0]:+.2f}, {interval[1]:+.2f}]"
    return text if interval[0] <= 0 <= interval[1] else f"**{text}**"


def _reported(published: Sequence[Published]) -> Iterator[str]:
    # The same labels stand in several folders: the first is enough.
    rows: dict[tuple[str, ...], tuple[str, ...]] = {}
    for one in published:
        for each in one.board.reported:
            where = (each.dataset, each.backbone or "labels alone", each.name, each.score)
            numbers = (shown_number(number, each.unit) for number in (each.ours, each.reported))
            rows.setdefault((*where, each.note), (*where, *numbers, each.note))
    yield from ("## Beside numbers that others printed", "")
    if not any(each.backbone for one in published for each in one.board.reported):
        yield from ("No published board of trained networks has a backbone of the replication's.", "")
    if rows:
        heads = ("data set", "backbone", "label", "score", "ours", "printed", "note")
        yield from _table(heads, list(rows.values()))


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        yield from ("Nothing was measured.", "")
        return
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
    yield ""
