"""A results folder as one page that opens in any browser and asks no other file or server for anything.

The page is a template with every text escaped by Jinja. Styles and scripts lie beside the template, plotly's among
them. A content security policy lets exactly these scripts run: a name that were to become
markup all the same could neither run anything nor fetch anything. Equal folders give equal bytes on one machine.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from labelbench.charts.collection import charts_of
from labelbench.charts.data import REFERENCE, Chart
from labelbench.charts.strips import strip_views
from labelbench.charts.styles import Style, style_of, styles_of
from labelbench.claims.claim import OUTCOMES, Claims
from labelbench.claims.files import paper_claims
from labelbench.files import write_atomic
from labelbench.labels import LabelSet
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.leaderboard.pages import READING, Section, compact, sections_of
from labelbench.leaderboard.repeat import SUITE_FILE
from labelbench.plugins.lookup import evaluator_here
from labelbench.report.charts import chart_facts, chart_sections
from labelbench.report.findings import findings_of
from labelbench.report.labels import build_anew, galleries
from labelbench.report.runs import run_views
from labelbench.report.summary import claim_views
from labelbench.report.templates import template
from labelbench.results.reading import Contents
from labelbench.results.records import Record, TrainingRecord
from labelbench.runs import RunSpec

FILE = "report.html"
# Plotly's basic bundle, version 4.1.1, as `plotly.js-basic-dist-min` has it: a quarter of the whole, and all that is
# drawn. It is packed here and on the page, whose first script unpacks it.
PLOTLY = "plotly-basic.min.js.gz"
_SCRIPTS = ("unpacking.js", "choosing.js", "tables.js", "drawing.js", "charts.js")
_STYLES = ("page.css", "parts.css")
# Tables scroll within themselves, however many columns they have, so that every one has a row for each label.
_NEVER_TURNED = 10**9


def write_report(
    contents: Contents,
    board: Leaderboard,
    output: Path | None = None,
    claims: Claims | None = None,
    build: Callable[[RunSpec], LabelSet] = build_anew,
) -> Path:
    """Write the report of a results folder, and return where it is.

    Args:
        contents: of the folder.
        board: its leaderboard.
        output: the file; by default ``report.html`` in the folder.
        claims: that the leaderboard judges; None for those of the paper.
        build: gives the label of a run, to be drawn.

    Raises:
        InputError: a file of arrays or a training is damaged.
        MachineError: the disk refuses; nothing is left behind.
    """
    file = output or contents.results.folder / FILE
    write_atomic(file, to_report(contents, board, claims, build).encode())
    return file


def to_report(
    contents: Contents,
    board: Leaderboard,
    claims: Claims | None = None,
    build: Callable[[RunSpec], LabelSet] = build_anew,
) -> str:
    """The report of a results folder as HTML."""
    from markupsafe import Markup

    scripts = list(map(_packaged, _SCRIPTS))
    packed = _assets().joinpath(PLOTLY).read_bytes()
    return template("page.html").render(
        **_contents(contents, board, claims or paper_claims(), build),
        scripts=[Markup(script) for script in scripts],  # noqa: S704  (shipped with labelbench)
        plotly=base64.b64encode(packed).decode(),
        style=Markup("\n".join(map(_packaged, _STYLES))),  # noqa: S704
        allowed=" ".join(map(_hash_source, [*scripts, gzip.decompress(packed).decode()])),
    )


def _contents(
    contents: Contents, board: Leaderboard, claims: Claims, build: Callable[[RunSpec], LabelSet]
) -> dict[str, Any]:
    """What stands on the page."""
    folder = contents.results.folder.resolve().name
    trainings, records = contents.trainings, contents.records
    charts = charts_of(contents, board)
    styles = styles_of(charts)
    drawn = tuple(galleries([*records, *trainings], build))
    class_names = {gallery.dataset: gallery.class_names for gallery in drawn}
    runs = tuple(run_views(trainings, records))
    sections = list(map(compact, sections_of(board, _NEVER_TURNED)))
    labels = _labels([view.run.label for view in runs])
    return {
        "title": folder,
        "made": tuple(_made(board.name, trainings, records)),
        "board": board,
        "reading": READING,
        "findings": findings_of(board, claims),
        "claims": claim_views(board, claims, f"results/{folder}"),
        "outcomes": {word: sum(one.outcome == word for one in board.verdicts) for word in OUTCOMES},
        "headline": _of_kind(sections, "headline"),
        "derived": _of_kind(sections, "differences") + _of_kind(sections, "correlations"),
        "reported": _of_kind(sections, "reported"),
        "evaluators": _of_kind(sections, "evaluator"),
        "explained": {table.title: evaluator_here(table.title).explanations for table in board.evaluator_tables},
        "settings": _of_kind(sections, "settings"),
        "chart_sections": chart_sections(charts),
        "charts": {
            "charts": [chart_facts(chart, class_names) for chart in charts],
            "styles": {name: asdict(style) for name, style in sorted(styles.items())},
        },
        "strips": tuple(strip_views(contents, class_names)),
        "galleries": drawn,
        "runs": runs,
        "suite_file": SUITE_FILE,
        "labels": labels,
        "styles": _styles_by_label(labels, charts, styles),
        "datasets": sorted({view.run.dataset for view in runs}),
        "backbones": sorted({view.run.backbone for view in runs} - {""}),
    }


def _made(suite: str, trainings: Sequence[TrainingRecord], records: Sequence[Record]) -> Iterator[str]:
    """What was run, when, and on which machine."""
    yield f"suite {suite}"
    count, seeds = len(trainings), len({training.run.seed for training in trainings})
    if count:
        yield f"{count} training{'s' if count > 1 else ''}, {seeds} seed{'s' if seeds > 1 else ''}"
    facts = [training.facts for training in trainings] + [record.facts for record in records]
    dates = sorted({str(one["finished"])[:10] for one in facts if one.get("finished")})
    if dates:
        yield dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    for key in ("processor", "device", "system"):
        yield from sorted({str(one["environment"][key]) for one in facts if one["environment"].get(key)})
    for key in ("labelbench", "torch"):
        yield f"{key} " + ", ".join(sorted({str(one["environment"][key]) for one in facts}))


def _of_kind(sections: Sequence[Section], kind: str) -> list[Section]:
    return [section for section in sections if section.kind == kind]


def _labels(names: Sequence[str]) -> list[str]:
    """What can be chosen: the reference first, then by name."""
    return sorted(set(names), key=lambda name: (name != REFERENCE, name))


def _styles_by_label(labels: Sequence[str], charts: Sequence[Chart], styles: Mapping[str, Style]) -> dict[str, Style]:
    """How each label is drawn: as its first settings are, where charts have it."""
    label_of = {one.name: one.label for chart in charts for panel in chart.panels for one in panel.series}
    return {label: style_of(label) for label in labels} | {
        label_of[name]: styles[name] for name in sorted(styles, reverse=True)
    }


def _assets() -> Traversable:
    return resources.files("labelbench.report").joinpath("assets")


def _packaged(name: str) -> str:
    return _assets().joinpath(name).read_text(encoding="utf-8")


def _hash_source(script: str) -> str:
    """A script as the content security policy names it: by its hash."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
