"""Every format of one folder: the same bytes twice, nothing that a name can break, and read back as it was."""

from __future__ import annotations

import csv
import io
import json
import random
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

import made_up
from labelbench.errors import UnknownName
from labelbench.leaderboard.choice import first_alone
from labelbench.leaderboard.exports import (
    FORMATS,
    export,
    export_claims,
    to_csv,
    to_html,
    to_json,
    to_latex,
    to_markdown,
)
from labelbench.leaderboard.leaderboard import Leaderboard, build
from labelbench.leaderboard.reported import printed_numbers, sources
from labelbench.results.reading import read
from labelbench.results.store import Results

seeds, record = made_up.seeds, made_up.record

PUBLISHED = Path(__file__).parents[3] / "results"
SCRIPT = "<img src=x onerror=alert(1)>"
LATEX = r"\input{x}_$&#%~^[{"
NAMES = ("category", "speech", "constant", "low-dim:seed=run", SCRIPT, "a|b", "*x* [a](http://b) `c`", LATEX)
HEADLINE = ("accuracy/nearest", "attacks-adaptive/adaptive/1", "label-statistics/entropy-256/pooled")
STATISTICS = {"entropy-256/pooled": 7.5, "effective-rank": 6.0}


def records() -> list[Any]:
    found = []
    for index, name in enumerate(NAMES):
        found += seeds(name, "accuracy", {"nearest": 0.5 + 0.05 * index, "threshold": None}, 3 if index % 2 == 0 else 2)
        flags = {"overstated": "at 8/255 the paper's attack leaves 60 %"} if index % 3 == 1 else {}
        scores = {"adaptive/1": 0.6 - 0.05 * index, "overstated": 0.3}
        found += seeds(name, "attacks-adaptive", scores, 2, flags=flags)
        found.append(
            record(name, 0, "label-statistics", {**STATISTICS, "effective-rank": index}, backbone="", unit="bits")
        )
    return found


@pytest.fixture(scope="module")
def board() -> Leaderboard:
    return build(records(), name="<b>quick</b>", headline=HEADLINE, failures=[("training a|b", "no _disk_ & <i>")])


@pytest.mark.parametrize("form", FORMATS)
def test_equal_results_give_equal_bytes(board: Leaderboard, form: str) -> None:
    shuffled = records()
    random.Random(1).shuffle(shuffled)
    again = build(shuffled, name=board.name, headline=HEADLINE, failures=board.failures)
    assert export(board, form).encode() == export(again, form).encode()


@pytest.mark.parametrize("name", ["cifar10-attacks", "digits-quick"])
def test_every_export_of_a_published_folder_is_the_same_twice(name: str) -> None:
    one, other = (Leaderboard.of(read(Results(PUBLISHED / name))) for _ in range(2))
    assert {form: export(one, form) for form in FORMATS} == {form: export(other, form) for form in FORMATS}
    assert to_markdown(first_alone(one)) == (PUBLISHED / name / "leaderboard.md").read_text(encoding="utf-8")
    assert read_back(to_csv(one)) == values_of(one)


def test_exports_have_the_note_of_every_seed_and_pages_the_first_two() -> None:
    board = Leaderboard.of(read(Results(PUBLISHED / "digits-quick")))
    lines = csv.DictReader(io.StringIO(to_csv(board)))
    (note,) = (one["note"] for one in lines if (one["label"], one["score"]) == ("constant", "epochs-to-50%"))
    assert note.count("never reached") == 10
    (line,) = (line for line in to_markdown(first_alone(board)).splitlines() if line.endswith("few constant)"))
    assert line.count("never reached") == 2 and "and 8 more like it" in line


def test_an_unknown_format_is_named(board: Leaderboard) -> None:
    with pytest.raises(UnknownName, match="did you mean markdown"):
        export(board, "markdwn")


Values = dict[tuple[str, ...], tuple[Any, ...]]


def read_back(text: str) -> Values:
    """What CSV says of each row and score."""
    read = {}
    lines = list(csv.DictReader(io.StringIO(text)))
    for line in lines:
        place = line["dataset"], line["backbone"], line["label"], line["settings"]
        numbers = tuple(map(float, line["values"].split()))
        found = tuple(map(int, line["seeds"].split()))
        interval = (float(line["low"]), float(line["high"])) if line["low"] else None
        mean, std = (float(line[key]) if line[key] else None for key in ("mean", "std"))
        best = line["best"] == "yes"
        read[(*place, f"{line['evaluator']}/{line['score']}")] = mean, std, found, interval, line["note"], numbers, best
    assert len(lines) == len(read)
    return read


def values_of(board: Leaderboard) -> Values:
    """What the leaderboard says of each row and score."""
    found = {}
    for table in board.evaluator_tables:
        for row in table.rows:
            for key, value in row.values.items():
                place = row.dataset, row.backbone, row.name, str(board.legend.get(row.settings, ""))
                found[(*place, key)] = (
                    *(value.mean, value.std, value.seeds, value.interval, value.note, value.numbers, value.best),
                )
    return found


def test_csv_reads_back_to_the_same_values(board: Leaderboard) -> None:
    assert read_back(to_csv(board)) == values_of(board) != {}


def test_csv_carries_differences_and_flags(board: Leaderboard) -> None:
    lines = csv.DictReader(io.StringIO(to_csv(board)))
    (line,) = [one for one in lines if (one["label"], one["score"]) == ("speech", "nearest")]
    assert line["reference"] == "category" and line["difference_n"] == "2" and line["flags"] == "overstated 2/2"
    (found,) = [one for one in board.differences if (one.label, one.column.score) == ("speech", "nearest")]
    assert float(line["difference"]) == found.paired.mean == pytest.approx(0.046)
    # 0.05 apart, and over the two seeds that both have the noise of one less that of the other has mean -0.004.


def valid(value: Any, schema: Any, root: Any, where: str = "$") -> list[str]:
    """What breaks the schema; the part of JSON Schema that ours uses, nothing else being let through."""
    known = {"type", "required", "additionalProperties", "properties", "items", "enum", "const", "$ref", "$defs"}
    known |= {"description", "title", "$schema", "minItems", "maxItems"}
    assert not schema.keys() - known, schema.keys() - known
    if "$ref" in schema:
        return valid(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, where)
    types = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None), "integer": int}
    if "const" in schema and value != schema["const"]:
        return [f"{where} is {value!r}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{where} is {value!r}"]
    if "type" in schema:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        fits = [
            isinstance(value, int | float if name == "number" else types[name])
            and not (name in ("number", "integer") and isinstance(value, bool))
            for name in names
        ]
        if not any(fits):
            return [f"{where} is {value!r}, no {schema['type']}"]
    wrong = []
    if isinstance(value, dict):
        wrong += [f"{where} lacks {key}" for key in schema.get("required", ()) if key not in value]
        rest = schema.get("additionalProperties", True)
        for key, each in value.items():
            inner = schema.get("properties", {}).get(key, rest)
            if inner is False:
                wrong.append(f"{where} has {key}")
            elif inner is not True:
                wrong += valid(each, inner, root, f"{where}.{key}")
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            wrong.append(f"{where} has {len(value)} items")
        for index, each in enumerate(value):
            wrong += valid(each, schema["items"], root, f"{where}[{index}]")
    return wrong


def test_json_is_of_the_published_schema(board: Leaderboard) -> None:
    schema = json.loads(resources.files("labelbench.leaderboard").joinpath("leaderboard.schema.json").read_text())
    facts = json.loads(to_json(board))
    assert all(facts[part] for part in ("tables", "differences", "verdicts", "correlations", "failures"))
    assert valid(facts, schema, schema) == []
    facts["tables"][0]["rows"][0]["seeds"] = ["0"]
    facts["verdicts"][0]["outcome"] = "true"
    del facts["name"]
    assert len(valid(facts, schema, schema)) == 3


def test_markdown_renders_as_tables_and_no_name_becomes_markup(board: Leaderboard) -> None:
    markdown = pytest.importorskip("markdown_it")
    page = markdown.MarkdownIt("gfm-like", {"linkify": False}).render(to_markdown(board))
    assert "<img" not in page and "<a " not in page and "<em>" not in page and "<code>" not in page
    parser = Tables()
    parser.feed(page)
    sections = ["<b>quick</b>", "Leaderboard", "Differences to category", "Claims", "Correlations over labels"]
    sections += ["Reported by others", "accuracy", "attacks-adaptive", "label-statistics", "Settings"]
    assert parser.headings == sections
    assert len(parser.tables) == 8
    for table in parser.tables:
        assert len({len(row) for row in table}) == 1
    labels = [row[0] for row in parser.tables[0][1:]]
    assert set(labels) == set(NAMES)


def test_html_holds_the_same_tables_and_nothing_of_the_names(board: Leaderboard) -> None:
    parser = Tables()
    parser.feed(to_html(board))
    plain = {"html", "head", "meta", "title", "body", "h1", "h2", "p", "ul", "li", "strong"}
    assert parser.tags <= plain | {"table", "tr", "th", "td"}
    assert {row[0] for row in parser.tables[0][1:]} == set(NAMES)
    assert len(parser.tables) == 8


class Tables(HTMLParser):
    """Text of headings and of the cells of tables."""

    def __init__(self) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.tags: set[str] = set()
        self._into: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self._into = self.tables[-1][-1]
            self._into.append("")
        elif tag in ("h1", "h2"):
            self._into = self.headings
            self._into.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "h1", "h2"):
            self._into = None

    def handle_data(self, data: str) -> None:
        if self._into is not None:
            self._into[-1] += data


def test_latex_is_well_formed(board: Leaderboard, tmp_path: Path) -> None:
    text = to_latex(board)
    open_environments: list[str] = []
    columns = 0
    for line in text.splitlines():
        if line.startswith("%"):
            continue
        # What is left when escaped marks are taken out must be LaTeX of our own.
        bare = re.sub(r"\\\\|\\[&%$#_{}]", "", line)
        assert "%" not in bare and "#" not in bare and "_" not in bare and "^" not in bare and "~" not in bare
        # A box around a table is opened with it and closed with it.
        boxed = bare.count(r"\begin{tabular}") - bare.count(r"\end{tabular}")
        assert bare.count("{") - bare.count("}") == boxed and bare.count("$") % 2 == 0
        for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", bare):
            if kind == "begin":
                open_environments.append(name)
            else:
                assert open_environments.pop() == name
        if found := re.search(r"\\begin\{tabular\}\{(.*)\}$", bare):
            columns = len(re.sub(r"p\{[^}]*\}", "p", found[1]))
        if bare.endswith(r"\\"):
            assert bare.count("&") == columns - 1
        commands = set(re.findall(r"\\([a-zA-Z]+)", bare))
        assert "input" not in commands and "img" not in commands
    assert not open_environments
    assert r"\textbackslash{}input\{x\}\_\$\&\#\%\textasciitilde{}\textasciicircum{}[\{" in text
    compiler = shutil.which("pdflatex")
    if compiler:
        packages = r"\usepackage[T1]{fontenc}\usepackage{booktabs}\usepackage{graphicx}"
        page = rf"\documentclass{{article}}{packages}\begin{{document}}{text}\end{{document}}"
        (tmp_path / "page.tex").write_text(page, encoding="utf-8")
        subprocess.run([compiler, "-halt-on-error", "page.tex"], cwd=tmp_path, check=True, capture_output=True)


def test_a_row_that_begins_with_a_bracket_is_no_argument_of_the_line_before() -> None:
    board = build([one for name in ("[x]", "*") for one in seeds("speech", "accuracy", {"nearest": 0.5}, dataset=name)])
    assert "\n{[}x] &" in to_latex(board) and "\n{*} &" in to_latex(board)


@pytest.mark.parametrize("form", ["markdown", "latex", "html"])
def test_verdicts_correlations_and_flags_are_in_every_format_for_people(board: Leaderboard, form: str) -> None:
    text = export(board, form)
    for part in ("not decided", "Spearman", "overstated", "Differences to category", "needs 3 seeds, has 2"):
        assert part in text
    assert ("pooled" in text) and ("C7" in text)


def test_claims_alone_are_exported_too(board: Leaderboard) -> None:
    lines = list(csv.DictReader(io.StringIO(export_claims(board, "csv"))))
    assert [line["claim"] for line in lines] == [one.claim for one in board.verdicts]
    assert {line["verdict"] for line in lines} <= {"reproduced", "contradicted", "not decided"}
    text = export_claims(board, "markdown")
    assert "## Claims" in text and "## accuracy" not in text
    assert [one["claim"] for one in json.loads(export_claims(board, "json"))["verdicts"]] == [
        one.claim for one in board.verdicts
    ]


# Spread and what is bold


def cell(found: Leaderboard, label: str) -> Any:
    (row,) = [row for row in found.tables[0].rows if row.label == label]
    return row.values["accuracy/nearest"]


def accuracies(**values: tuple[float, ...]) -> Leaderboard:
    return build(
        [
            record(label, seed, "accuracy", {"nearest": value})
            for label, numbers in values.items()
            for seed, value in enumerate(numbers)
        ]
    )


def test_a_cell_has_mean_deviation_and_t_interval() -> None:
    value = cell(accuracies(a=(0.5, 0.6, 0.7)), "a")
    assert (value.mean, value.std) == (pytest.approx(0.6), pytest.approx(0.1))
    # Student's t at 97.5 % with 2 degrees of freedom is 4.30265.
    half = 4.30265 * 0.1 / 3**0.5
    assert value.interval == pytest.approx((0.6 - half, 0.6 + half), abs=1e-5)
    assert value.interval_of == "seeds"
    assert "60.0 ± 10.0 [35.2, 84.8]" in to_markdown(accuracies(a=(0.5, 0.6, 0.7)))


def test_an_interval_of_shares_stays_among_shares() -> None:
    assert cell(accuracies(a=(0.98, 1.0)), "a").interval[1] == 1.0


def test_only_what_is_separated_from_all_others_is_bold() -> None:
    separated = accuracies(a=(0.9, 0.91, 0.92), b=(0.8, 0.81, 0.82), c=(0.7, 0.7, 0.7))
    assert cell(separated, "a").best and not cell(separated, "b").best
    assert "| **91.0 ± 1.0 [88.5, 93.5]** |" in to_markdown(separated)
    close = accuracies(a=(0.9, 0.91, 0.92), b=(0.95, 0.85, 0.9), c=(0.7, 0.7, 0.7))
    assert not any(cell(close, name).best for name in "abc")


def test_pairs_separate_what_spread_alone_would_not() -> None:
    paired = accuracies(a=(0.5, 0.7, 0.9), b=(0.49, 0.69, 0.89))
    assert cell(paired, "a").best


@pytest.mark.parametrize("seeds", [1, 2])
def test_with_fewer_than_three_seeds_nothing_is_bold(seeds: int) -> None:
    few = accuracies(a=(0.9, 0.91)[:seeds], b=(0.2, 0.2)[:seeds])
    assert not cell(few, "a").best and "**" not in to_markdown(few).split("Verdicts")[0]
    assert cell(accuracies(a=(0.9, 0.91, 0.9), b=(0.2, 0.2, 0.2)), "a").best


def test_one_label_under_two_names_does_not_keep_itself_from_being_the_best() -> None:
    numbers = {"a": (0.9, 0.91, 0.9), "b": (0.9, 0.91, 0.9), "c": (0.2, 0.21, 0.2)}

    def meant(targets: dict[str, str], names: str = "abc", loss: str = "mse") -> Leaderboard:
        return build(
            [
                replace(
                    one,
                    facts={**one.facts, "label": {"identity": targets[name], "loss": loss if name > "a" else "mse"}},
                )
                for name in names
                for seed, value in enumerate(numbers[name])
                for one in [made_up.record(name, seed, "accuracy", {"nearest": value})]
            ]
        )

    twice = meant({"a": "1", "b": "1", "c": "2"})
    assert cell(twice, "a").best or cell(twice, "b").best
    # Labels that do equally well are not one, nor is one targets with two losses.
    for others in (meant({"a": "1", "b": "3", "c": "2"}), meant({"a": "1", "b": "1", "c": "2"}, loss="smooth-l1")):
        assert not any(cell(others, name).best for name in "abc")
    # Two names of one label are separated from nothing.
    assert not any(cell(meant({"a": "1", "b": "1"}, "ab"), name).best for name in "ab")
    assert not any(cell(accuracies(a=(1.0, 1.0, 1.0), b=(1.0, 1.0, 1.0)), name).best for name in "ab")
    assert not cell(accuracies(a=(0.9, 0.91, 0.9), b=(0.91, 0.9, 0.9), c=(0.2, 0.21, 0.2)), "a").best


def test_a_label_alone_is_not_the_best() -> None:
    assert not cell(accuracies(a=(0.9, 0.9, 0.9)), "a").best


def test_one_seed_against_three_is_not_separated() -> None:
    assert not cell(accuracies(a=(0.9, 0.91, 0.92), b=(0.1,)), "a").best


# Reported numbers


def test_reported_numbers_stand_beside_ours_and_take_no_part() -> None:
    ours = seeds("official:speech", "accuracy", {"nearest": 0.8}) + seeds("category", "accuracy", {"nearest": 0.9})
    found = build(ours, headline=["accuracy/nearest"])
    (speech,) = [one for one in found.reported if one.label == "official:speech"]
    assert (speech.reported, speech.ours) == (0.8576, pytest.approx(0.8))
    assert speech.difference == pytest.approx(-0.0576)
    assert [row.label for row in found.tables[0].rows] == ["category", "official:speech"]
    text = to_markdown(found)
    assert "| official:speech | accuracy/nearest % | replication: 200 epochs | 80.0 | 85.8 | -5.8 |" in text
    assert "at a learning rate of 0.1 that never drops" in text


@pytest.mark.parametrize(
    "changes",
    [{"dataset": "digits"}, {"backbone": "resnet8"}, {"train_fraction": 0.1}],
    ids=lambda given: next(iter(given)),
)
def test_reported_numbers_are_shown_only_where_ours_match(changes: dict[str, Any]) -> None:
    assert build(seeds("speech", "accuracy", {"nearest": 0.8}, **changes)).reported == ()


def test_reported_numbers_are_small_and_have_sources() -> None:
    folder = resources.files("labelbench.leaderboard").joinpath("reported_numbers")
    assert sum(len(file.read_bytes()) for file in folder.iterdir()) < 200_000
    numbers = [printed for found in printed_numbers().values() for printed in found]
    assert len(numbers) > 700 and {printed.source for printed in numbers} == {"replication"}
    assert all(source.cite and source.protocol for source in sources().values())
    paper = folder.joinpath("paper.csv").read_text().splitlines()
    assert paper == ["dataset,backbone,label,score,value,epochs,seed,note"]


def test_reported_numbers_are_those_of_the_reference(shared: Path) -> None:
    file = shared / "reference" / "replication_cdu890.json"
    names = {"shuffled-speech": "shuffle", "gaussian-composition": "composite", "uniform-random": "random"}
    names |= {"constant": "uniform", "low-dim": "lowdim"}
    theirs = {
        (one["model"], one["label"], one["metric"], one["epsilon"]): one["value"]
        for one in json.loads(file.read_text())
    }
    compared = 0
    for (_, backbone, label, score), (printed, *_) in printed_numbers().items():
        if score.startswith("attacks-paper/"):
            _, attack, epsilon = score.split("/")
            key = backbone, names.get(label, label), attack.replace("-", "_"), float(epsilon)
            assert theirs[key] == pytest.approx(printed.value, abs=1e-6)
            compared += 1
    assert compared == 2 * 9 * 4 * 7
