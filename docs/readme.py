"""Write what README and the front page say of published results: ``python docs/readme.py``, whenever a folder changes.

They name the folders in comments: ``<!-- findings of results/NAME -->`` and ``<!-- leaderboard of results/NAME -->``,
each up to ``<!-- end -->``. What stands between is written here and nowhere else; a test compares.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from labelbench.claims.files import paper_claims
from labelbench.leaderboard.exports import to_markdown
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.report.findings import findings_of
from labelbench.results.reading import Contents, read
from labelbench.results.store import results_in

ROOT = Path(__file__).parents[1]
FILES = (ROOT / "README.md", ROOT / "docs" / "pages" / "index.md")
# Of those that a report begins with: accuracy and what is left of it under attack.
_SENTENCES = 3
_BLOCK = re.compile(r"<!-- (?P<kind>findings|leaderboard) of (?P<folder>\S+) -->\n.*?<!-- end -->", re.DOTALL)


def findings(contents: Contents) -> Iterator[str]:
    """What was run, what an evaluator flagged most, in its words, and the sentences that the report begins with."""
    board = Leaderboard.of(contents)
    for place in findings_of(board, paper_claims()):
        where = place.dataset, place.backbone
        runs = [one.run for one in contents.trainings if (one.run.dataset, one.run.backbone) == where]
        counts = {"label": len({run.label for run in runs}), "seed": len({run.seed for run in runs})}
        labels, seeds = (f"{count} {word}{'s' if count != 1 else ''}" for word, count in counts.items())
        epochs = max(run.recipe.epochs for run in runs)
        measured = [one.run for one in contents.records if (one.run.dataset, one.run.backbone) == where]
        rate = "tuned for each label" if all(run.recipe.tuned for run in measured) else "one rate for all"
        most = max(measured, key=lambda run: run.train_fraction)
        images = f"{most.share_of_data} of the training images, " if most.train_fraction < 1 else ""
        training = f"{place.backbone}, {images}{epochs} epochs, {rate}, {seeds}"
        yield f"{labels} on {place.dataset}, {training} (`{_name(contents)}`):"
        yield ""
        raised = [
            (score.value or 0.0, record.run.label, record.run.seed, record.cell.evaluator, score)
            for record in contents.records
            for score in record.scores
            if score.flag and (record.run.dataset, record.run.backbone) == where
        ]
        if raised:
            _, label, seed, evaluator, score = max(raised, key=lambda each: each[:2])
            flagged = len({name for _, name, _, _, one in raised if one.flag == score.flag})
            looked_at = {
                one.run.label
                for one in contents.records
                if one.cell.evaluator == evaluator and (one.run.dataset, one.run.backbone) == where
            }
            network = f"`{label}`, seed {seed}"
            yield f"- {flagged} of {len(looked_at)} labels flagged *{score.flag}*, most of all {network}: {score.note}."
        for sentence in place.sentences[:_SENTENCES]:
            text = "".join(part if isinstance(part, str) else f"`{part[0]}` **{part[1]}**" for part in sentence.parts)
            heading = f" ({sentence.heading})" if sentence.heading.lower() != sentence.question.lower() else ""
            yield f"- {sentence.question}{heading}: {text}".replace("\u00a0", " ")


def _name(contents: Contents) -> str:
    return contents.results.folder.relative_to(ROOT).as_posix()


def leaderboard(contents: Contents) -> Iterator[str]:
    """The first table as ``labelbench leaderboard FOLDER --format markdown`` writes it, and the line above it."""
    lines = to_markdown(Leaderboard.of(contents)).splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith("| "))
    last = next(index for index in range(first, len(lines)) if not lines[index].startswith("|"))
    yield from lines[first - 2 : last]


KINDS: Mapping[str, Callable[[Contents], Iterator[str]]] = {"findings": findings, "leaderboard": leaderboard}


def renewed(text: str) -> str:
    """A page with everything that is made from published folders made again."""

    def block(found: re.Match[str]) -> str:
        lines = KINDS[found["kind"]](read(results_in(ROOT / found["folder"])))
        return "\n".join([f"<!-- {found['kind']} of {found['folder']} -->", *lines, "", "<!-- end -->"])

    return _BLOCK.sub(block, text)


if __name__ == "__main__":
    for file in FILES:
        file.write_text(renewed(file.read_text(encoding="utf-8")), encoding="utf-8")
