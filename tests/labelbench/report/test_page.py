"""The report as text: complete, the same bytes twice, and nothing that a name can break."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from labelbench.charts.collection import charts_of
from labelbench.errors import InputError
from labelbench.evaluation.scores import Measurement, Score
from labelbench.labels import LabelSet
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.report.labels import galleries
from labelbench.report.page import to_report
from labelbench.results.reading import read
from labelbench.results.records import Cell
from labelbench.results.store import Results
from labelbench.runs import Numerics, RunSpec

PUBLISHED = Path(__file__).parents[3] / "results"
Command = Callable[..., subprocess.CompletedProcess[str]]


class Page(HTMLParser):
    """Elements, their attributes, text, and what scripts hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self._script: dict[str, str | None] | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._script = dict(attrs) if tag == "script" else None

    def handle_endtag(self, tag: str) -> None:
        self._script = None

    def handle_data(self, data: str) -> None:
        if self._script is None:
            self.texts.append(data)
        else:
            self.scripts.append((self._script, data))

    def values(self, attribute: str) -> set[str | None]:
        return {attributes[attribute] for _, attributes in self.elements if attribute in attributes}

    @property
    def charts(self) -> dict[str, Any]:
        (text,) = (text for attributes, text in self.scripts if attributes.get("id") == "charts")
        return json.loads(text)


def report_of(results: Results) -> str:
    contents = read(results)
    return to_report(contents, Leaderboard.of(contents))


@pytest.fixture(scope="module")
def published() -> str:
    return report_of(Results(PUBLISHED / "cifar10-attacks"))


# Complete


def test_every_part_is_there(published: str) -> None:
    contents = read(Results(PUBLISHED / "cifar10-attacks"))
    board, page = Leaderboard.of(contents), Page(published)
    headings = {attributes["id"] for tag, attributes in page.elements if tag == "section"}
    assert headings == {
        *("answer", "leaderboard", "claims", "charts-robustness", "charts-learning-curves", "charts-features"),
        *("labels", "tables", "runs", "settings"),
    }
    links = {value for value in page.values("href") if value and value.startswith("#")}
    assert links == {f"#{name}" for name in headings} | {"#content"}
    text = " ".join(page.texts)
    for table in board.tables:
        for row in table.rows:
            assert row.label in text
    for verdict in board.verdicts:
        assert all(sentence in text for sentence in (verdict.text, *verdict.missing, *verdict.evidence))
    for record in contents.records:
        assert record.cell.run.id in text and record.facts["label"]["sha256"] in text
    assert str(board.legend["a"]) in text and "overstated" in text


def test_charts_hold_the_numbers_that_figures_for_papers_show(published: str) -> None:
    shown = Page(published).charts
    contents = read(Results(PUBLISHED / "cifar10-attacks"))
    charts = charts_of(contents, Leaderboard.of(contents))
    for chart, facts in zip(charts, shown["charts"], strict=True):
        assert (facts["name"], facts["log_x"], facts["percent"]) == (chart.name, chart.log_x, chart.percent)
        assert (facts["dataset"], facts["backbone"]) == ("cifar10", "resnet8")
        for panel, drawn in zip(chart.panels, facts["panels"], strict=True):
            assert [one["name"] for one in drawn["series"]] == [series.name for series in panel.series]
            for series, line in zip(panel.series, drawn["series"], strict=True):
                assert line["y"] == pytest.approx(series.y, rel=1e-4) and line["x"] == pytest.approx(series.x, rel=1e-4)
                assert chart.kind == "scatter" or series.name in shown["styles"]
    views = next(chart for chart in shown["charts"] if chart["kind"] == "scatter")
    assert [one["name"] for one in views["classes"]][:2] == ["airplane", "automobile"]


def test_labels_are_drawn_row_by_row_and_class_by_class(published: str) -> None:
    images = [attributes for tag, attributes in Page(published).elements if tag == "img"]
    labels = [image for image in images if " of " in (image["alt"] or "")]
    assert len(labels) == 5 * 10 and labels[0]["alt"] == "category of airplane"
    # Four images before and after the attack for each label, from the arrays that the evaluator keeps.
    attacked = [image["alt"] for image in images if " \N{RIGHTWARDS ARROW} " in (image["alt"] or "")]
    assert len(attacked) == 5 * 4 and attacked[0] == "airplane \N{RIGHTWARDS ARROW} bird at 0.5"
    assert all((image["src"] or "").startswith("data:image/png;base64,") for image in images)


def test_nothing_is_fetched_and_only_known_scripts_may_run(published: str) -> None:
    page = Page(published)
    addresses = page.values("src") | page.values("href")
    assert all(str(address).startswith(("data:", "#")) for address in addresses)
    (policy,) = (one["content"] for tag, one in page.elements if tag == "meta" and "http-equiv" in one)
    assert policy is not None and "default-src 'none'" in policy and "unsafe-eval" not in policy
    assert len(re.findall(r"'sha256-", policy)) == len(page.scripts) - 1
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]


# The same bytes


def test_equal_folders_give_equal_bytes(tmp_path: Path) -> None:
    pages = []
    for name in ("one", "two"):
        shutil.copytree(PUBLISHED / "digits-quick", tmp_path / name / "digits-quick")
        pages.append(report_of(Results(tmp_path / name / "digits-quick")))
    assert pages[0] == pages[1]


# Names


def fill(results: Results, name: str, note: str) -> None:
    """Two labels, one of the name, with everything that a page shows of them."""
    for label in ("category", name):
        run = RunSpec("digits", label, "resnet8", 0, numerics=Numerics())
        facts = {
            "label": {"sha256": label, "identity": label, "shape": [10], "loss": "mse", "notes": [note]},
            "images": {"fingerprint": "fedcba9876543210", "train": 1442, "test": 355, "source": note},
            "environment": {"labelbench": "0.1.0", "torch": note},
        }
        history = {"epoch": [1, 2], "validation_accuracy": [0.1, 0.4]}
        results.save_training(run, {"status": "done", "best_epoch": 2, "history": history, **facts})
        scores = (Score.share("nearest", 5, 10, note=note), Score("other", None, note=note))
        cell = Cell(run, f"accuracy:{name}", 1)
        results.save_measurement(cell, Measurement(scores), {"evaluator": {"settings": {"a": note}}, **facts})
        plain = Measurement((Score.share("nearest", 7, 10, note=note),))
        results.save_measurement(Cell(run, "accuracy", 1), plain, {"evaluator": {"settings": {}}, **facts})
        arrays = {"tsne": np.zeros((1, 3, 2)), "classes": np.arange(3), "shares": np.ones(1)}
        found = Measurement((Score.share("knn/100%", 5, 10),), arrays)
        results.save_measurement(Cell(run, "feature-views", 1), found, {"evaluator": {"settings": {}}, **facts})
    results.save_failure(results.folder / "digits" / "a" / "b" / "c" / "d.json", name, note)
    results.save_suite({"name": name, "headline": []})


MARKUP = ["</script><script>alert(1)</script>", "<!--<script>", "<img src=x onerror=alert(1)>", '"><b>', "'", "&lt;"]
MARKUP += ["{{ 7 * 7 }}", "{% endif %}", "]]>", "\u2028", "</title>", "</style>", "</pre>", "%{x}", "--!>"]
MARKUP += [" (a)", " #1a"]
printable = st.characters(exclude_categories=["Cs", "Cc"])
texts = st.lists(st.sampled_from(MARKUP) | st.text(printable, min_size=1, max_size=6), min_size=1, max_size=3)
texts = texts.map("".join)


@settings(deadline=None, max_examples=25)
@given(name=texts.map(str.strip).filter(bool), note=texts)
def test_no_name_or_note_becomes_markup(name: str, note: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    plain, named = (Results(tmp_path_factory.mktemp("named")) for _ in range(2))
    fill(plain, "plain", "note")
    fill(named, name, note)
    expected, page = Page(report_of(plain)), Page(report_of(named))
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in expected.elements}
    assert len(page.scripts) == len(expected.scripts)
    assert name in page.values("value") and name in {one["name"] for one in series_of(page)}
    assert note.strip() in " ".join(page.texts)
    # Whatever is about a label is about one that can be chosen.
    assert page.values("data-label") | {one["label"] for one in series_of(page)} <= page.values("value")
    assert attributes_of(page) <= attributes_of(expected)


def attributes_of(page: Page) -> set[str]:
    return {name for _, attributes in page.elements for name in attributes}


def series_of(page: Page) -> list[dict[str, Any]]:
    return [one for chart in page.charts["charts"] for panel in chart["panels"] for one in panel["series"]]


def test_a_plugin_with_names_of_markup_and_paths_writes_into_its_folder_alone(hostile_run: Path) -> None:
    beside = {file.name for file in hostile_run.parent.iterdir()}
    assert beside == {"inner", "site"} and [file.name for file in hostile_run.iterdir()] == ["results"]
    folders = {file.name for file in (hostile_run / "results" / "digits-size=8" / "resnet8").iterdir()}
    assert folders == {"category", "x", "img-src=x-onerror=alert-1"}
    text = (hostile_run / "results" / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert "../x" in page.values("value") and "<img src=x onerror=alert(1)>" in page.values("value")
    assert "x" not in page.values("src") and "alert(" not in "".join(script for _, script in page.scripts[1:])
    assert "</script><script>alert(3)</script>" in " ".join(page.texts)


# Labels that cannot be drawn


def drawn(save: Callable[..., Results], build: Callable[[RunSpec], LabelSet]) -> tuple[str, tuple[str, ...]]:
    results = save("speech", identity="of what was measured")
    (gallery,) = galleries(read(results).records, build, 2)
    (row,) = gallery.rows
    assert gallery.class_names == ("zero", "one")
    return row.facts, row.pictures


def labels_of(identity: str) -> LabelSet:
    return LabelSet(np.eye(10), provenance={"identity": identity})


def test_the_label_that_was_measured_is_drawn(save: Callable[..., Results]) -> None:
    facts, pictures = drawn(save, lambda run: labels_of("of what was measured"))
    assert facts == "10, 0 to 1, smooth-l1" and len(pictures) == 2


def test_another_label_of_that_name_is_not_drawn(save: Callable[..., Results]) -> None:
    facts, pictures = drawn(save, lambda run: labels_of("of another machine"))
    assert "not the one measured" in facts and pictures == ()


def test_a_label_that_cannot_be_had_is_not_drawn_and_no_path_is_told(save: Callable[..., Results]) -> None:
    def missing(run: RunSpec) -> LabelSet:
        raise InputError("/home/me/labels.npy: no such file")

    assert drawn(save, missing) == ("no picture: the machine that wrote this page cannot make the label", ())


def test_nothing_is_fetched_for_a_picture(save: Callable[..., Results], monkeypatch: pytest.MonkeyPatch) -> None:
    from labelbench.settings import current_settings

    monkeypatch.setenv("LABELBENCH_OFFLINE", "0")
    found = []

    def build(run: RunSpec) -> LabelSet:
        found.append(current_settings().offline)
        return labels_of("of what was measured")

    drawn(save, build)
    assert found == [True]


# The command


def test_the_command_writes_one_file_and_says_where(command: Command, save: Callable[..., Results]) -> None:
    folder = save("category").folder
    done = command("report", str(folder))
    assert done.returncode == 0 and done.stdout == f"{folder / 'report.html'}\n", done.stderr
    elsewhere = command("report", str(folder), "--output", "there/page.html")
    assert elsewhere.stdout == "there/page.html\n"
    assert (folder.parent / "there" / "page.html").read_bytes() == (folder / "report.html").read_bytes()


def test_own_claims_are_judged(save: Callable[..., Results], command: Command, tmp_path: Path) -> None:
    folder = save("category").folder
    claim = '[[claim]]\nid = "W1"\ntext = "waves win"\n[[claim.comparison]]\nkind = "greater"\nleft = ["rainbow"]\n'
    claim += 'right = ["category"]\nevaluators = ["accuracy"]\nscores = ["nearest"]\n'
    (tmp_path / "mine.toml").write_text(claim, encoding="utf-8")
    assert command("report", str(folder), "--claims", "mine.toml").returncode == 0
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "waves win" in text and "C1" not in Page(text).texts


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nowhere"], "nowhere is no results folder; `labelbench run --results nowhere` makes one"),
        (["empty"], "empty holds no results; `labelbench run --results empty` makes some"),
        (["results", "--output", "empty"], "--output empty is a folder; expected a file, such as empty/report.html"),
        (["results", "--claims", "none.toml"], "none.toml"),
        (["damaged"], "is damaged"),
    ],
    ids=["nowhere", "empty", "folder", "claims", "damaged"],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    command: Command, save: Callable[..., Results], tmp_path: Path, args: list[str], message: str
) -> None:
    save("category")
    (tmp_path / "empty").mkdir()
    shutil.copytree(tmp_path / "results", tmp_path / "damaged")
    next((tmp_path / "damaged").rglob("accuracy-*.json")).write_text("{")
    done = command("report", *args)
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1
    assert not list(tmp_path.rglob("report.html"))


def test_a_disk_that_refuses_leaves_nothing_half_written(command: Command, save: Callable[..., Results]) -> None:
    folder = save("category").folder
    done = command("report", str(folder), "--output", "/dev/full/report.html")
    assert done.returncode == 4 and done.stderr.count("\n") == 1, done.stderr
