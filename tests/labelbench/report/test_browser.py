"""The report as people use it: in a real browser, from a file, with nothing else to be had."""

from __future__ import annotations

import contextlib
import csv
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.report.page import write_report
from labelbench.results.reading import read
from labelbench.results.store import Results

PUBLISHED = Path(__file__).parents[3] / "results"
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
QUIET += ("--disable-component-update", "--disable-sync")
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; pip install '.[dev]'")
    if not CHROMIUM:
        pytest.skip("no Chromium on this machine; apt-get install chromium")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield started
        started.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    contents = read(Results(PUBLISHED / "cifar10-attacks"))
    return write_report(contents, Leaderboard.of(contents), tmp_path_factory.mktemp("report") / "report.html")


@contextlib.contextmanager
def opened(browser: Any, file: Path, **look: Any) -> Iterator[Any]:
    """The page, which may neither complain, ask the network, nor open a dialog."""
    wrong: list[str] = []
    context = browser.new_context(**{"viewport": DESK, **look})
    page = context.new_page()
    page.on("console", lambda message: wrong.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
    page.on("dialog", lambda dialog: (wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda request: request.url.startswith(("file:", "data:", "blob:")) or wrong.append(request.url))
    page.goto(file.as_uri())
    yield page
    assert wrong == []
    context.close()


def rows(page: Any) -> list[str]:
    """Labels of the leaderboard's visible rows, from above."""
    found = page.locator("#leaderboard tbody tr:visible th.label").all_inner_texts()
    return [text.strip() for text in found]


def lines(page: Any, chart: str) -> list[str]:
    """Names of the lines that the first panel of a chart draws."""
    page.locator(f"figure[data-chart^={chart}]").scroll_into_view_if_needed()
    page.wait_for_selector(f"figure[data-chart^={chart}] .main-svg")
    panel = f"document.querySelector('figure[data-chart^={chart}] .plot')"
    return page.evaluate(f"{panel}.data.filter((one) => one.name).map((one) => one.name)")


def test_the_first_sentences_have_the_numbers_of_the_tables(browser: Any, report: Path) -> None:
    with opened(browser, report) as page:
        assert page.title().startswith("cifar10-attacks ") and page.locator("h1").inner_text() == "cifar10-attacks"
        sentences = page.locator(".sentences li[data-column]")
        assert sentences.locator("b").all_inner_texts() == [
            "Accuracy",
            "Robustness under the paper's iterative attack",
            "Robustness, worst of many adaptive attacks",
            "Speed of learning",
        ]
        for sentence in sentences.all():
            evaluator, _, score = sentence.get_attribute("data-column").partition("/")
            table = page.locator("#tables details.table").filter(
                has=page.get_by_role("heading", name=evaluator, exact=True, include_hidden=True)
            )
            headings = [text.strip().split(" ")[0] for text in table.locator("thead th").all_text_contents()]
            names, values = (sentence.locator(one).all_inner_texts() for one in ("strong", ".value"))
            assert len(names) == len(values) == 2
            for name, value in zip(names, values, strict=True):
                row = table.locator(f"tbody tr[data-label={name}]")
                cell = row.locator("th, td").nth(headings.index(score)).text_content()
                assert " ".join(cell.split()) == " ".join(value.removesuffix(" %").removesuffix(" epochs").split())
        # All labels are beside category, a column for each question.
        forest = page.locator(".forest")
        assert forest.locator("thead th").count() == 5
        assert forest.locator("tbody th").all_inner_texts() == ["speech", "uniform-random", "low-dim", "constant"]
        first = forest.locator("tbody tr", has_text="speech").locator("td svg").first
        assert first.get_attribute("aria-label").startswith("-5.9 [")


def test_what_is_chosen_lives_in_the_address(browser: Any, report: Path) -> None:
    with opened(browser, report) as page:
        page.get_by_role("checkbox", name="constant").uncheck()
        page.get_by_role("checkbox", name="low-dim").uncheck()
        assert page.url.endswith("#&label=category&label=speech&label=uniform-random")
        page.locator("nav a", has_text="Leaderboard").click()
        page.wait_for_function("location.hash.startsWith('#leaderboard&')")
        address = page.url
    with opened(browser, report) as page:
        page.goto(address)
        chosen = "document.querySelector('#chosen').innerText == '3 of 5 labels'"
        page.wait_for_function(chosen)
        page.reload()
        page.wait_for_function(chosen)
        assert set(rows(page)) == {"category", "speech", "uniform-random"}
        page.get_by_role("button", name="All", exact=True).click()
        assert page.url == f"{report.as_uri()}#leaderboard"


def test_a_table_is_copied_and_saved_as_it_is_shown(browser: Any, report: Path) -> None:
    with opened(browser, report) as page:
        page.get_by_role("checkbox", name="constant").uncheck()
        section = page.locator("#leaderboard")
        with page.expect_download() as download:
            section.get_by_role("button", name="Save as CSV").click()
        assert download.value.suggested_filename == "leaderboard.csv"
        table = list(csv.reader(download.value.path().read_text(encoding="utf-8-sig").splitlines()))
        assert [line[table[0].index("label")] for line in table[1:]] == rows(page)
        section.get_by_role("button", name="Copy").click()
        copied = [line.split("\t") for line in page.evaluate("String(getSelection())").splitlines() if line.strip()]
        assert len(copied) >= len(table)


def test_columns_are_sorted_by_their_headings(browser: Any, report: Path) -> None:
    with opened(browser, report) as page:
        assert rows(page) == ["category", "speech", "uniform-random", "low-dim", "constant"]
        heading = page.locator("#leaderboard th", has_text="threshold")
        button = heading.get_by_role("button")
        # By the keyboard, and what has no number stays last either way.
        button.focus()
        page.keyboard.press("Enter")
        assert heading.get_attribute("aria-sort") == "descending"
        assert rows(page) == ["speech", "constant", "low-dim", "uniform-random", "category"]
        page.keyboard.press("Enter")
        assert heading.get_attribute("aria-sort") == "ascending"
        assert rows(page) == ["uniform-random", "low-dim", "constant", "speech", "category"]
        assert "threshold" in page.locator("#said").inner_text()
        page.locator("#leaderboard th.label button").click()
        assert rows(page) == ["category", "constant", "low-dim", "speech", "uniform-random"]
        assert page.locator("#leaderboard th[aria-sort]").count() == 1


def test_labels_are_chosen_for_tables_charts_pictures_and_runs(browser: Any, report: Path) -> None:
    with opened(browser, report) as page:
        assert lines(page, "learning-curves") == ["category", "constant", "low-dim", "speech", "uniform-random"]
        page.get_by_role("checkbox", name="speech").uncheck()
        assert page.locator("#chosen").inner_text() == "4 of 5 labels"
        assert rows(page) == ["category", "uniform-random", "low-dim", "constant"]
        assert lines(page, "learning-curves") == ["category", "constant", "low-dim", "uniform-random"]
        assert lines(page, "accuracy-epsilon-cifar10") == ["category", "constant", "low-dim", "uniform-random"]
        page.get_by_label("Find").fill("o")
        assert rows(page) == ["category", "uniform-random", "low-dim", "constant"]
        page.get_by_label("Find").fill("low")
        assert rows(page) == ["low-dim"] and page.locator("#labels tbody tr:visible").count() == 1
        runs = page.locator("#runs summary .name:visible").all_inner_texts()
        assert runs == ["cifar10 resnet8 low-dim seed 0", "cifar10 low-dim"]
        page.get_by_role("button", name="None", exact=True).click()
        assert rows(page) == []


def test_data_sets_and_backbones_are_chosen_where_there_are_several(browser: Any, save: Callable[..., Results]) -> None:
    for backbone in ("resnet8", "vgg19"):
        for label in ("category", "speech"):
            results = save(label, backbone=backbone, evaluator="data-efficiency", score="10%", at=0.1)
    contents = read(results)
    with opened(browser, write_report(contents, Leaderboard.of(contents))) as page:
        assert page.locator("select").count() == 1
        charts = page.locator("figure.chart:visible h3")
        assert [text.split(", ")[-1] for text in charts.all_inner_texts()] == ["resnet8", "vgg19"]
        page.get_by_label("Backbone").select_option("vgg19")
        assert [text.split(", ")[-1] for text in charts.all_inner_texts()] == ["vgg19"]
        assert page.locator("#runs details.run:visible").count() == 2
        page.locator("#tables summary").first.click()
        assert page.locator("#tables tbody tr:visible").count() == 2


def test_a_run_is_opened_and_says_how_it_is_repeated(browser: Any, report: Path) -> None:
    with opened(browser, report) as page:
        run = page.locator("#runs details.run", has_text="cifar10 resnet8 speech seed 0")
        run.locator("summary").click()
        command = run.locator(".command pre").inner_text()
        assert command.startswith("labelbench run --dataset cifar10 --label speech --seeds 0,")
        assert "\n" not in command and run.get_by_text("espeak-ng").is_visible()
        run.get_by_role("button", name="Copy").click()
        assert page.evaluate("String(getSelection())").strip() == command
        identity = run.get_attribute("id")
    with opened(browser, report) as page:
        page.goto(f"{report.as_uri()}#{identity}")
        assert page.locator(f"#{identity} .command").is_visible()


@pytest.mark.parametrize("first", ["light", "dark"])
def test_the_page_and_its_charts_follow_the_ground(browser: Any, report: Path, first: str) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    reference = (
        "document.querySelector('figure[data-chart^=learning] .plot').data.find((one) => one.name === 'category')"
    )
    looks = {}
    with opened(browser, report, color_scheme=first) as page:
        for scheme in (first, "dark" if first == "light" else "light"):
            page.emulate_media(color_scheme=scheme)
            lines(page, "learning-curves")
            page.wait_for_function(f"{reference}.line.color === '{INK[scheme]}'")
            drawn = "figure[data-chart^=learning] .plot .scatterlayer .trace path.js-line"
            strokes = page.locator(drawn).evaluate_all("found => found.map((one) => getComputedStyle(one).stroke)")
            looks[scheme] = page.evaluate(ground), strokes
    assert looks["light"][0] == "rgb(255, 255, 255)" and looks["dark"][0] == "rgb(20, 23, 26)"
    assert len(looks["light"][1]) == 5 and "rgb(0, 0, 0)" in looks["light"][1]
    assert "rgb(0, 0, 0)" not in looks["dark"][1] and "rgb(255, 255, 255)" in looks["dark"][1]


INK = {"light": "rgba(0, 0, 0, 1)", "dark": "rgba(255, 255, 255, 1)"}


def test_a_phone_scrolls_downwards_only(browser: Any, report: Path) -> None:
    with opened(browser, report, viewport=PHONE, is_mobile=True, has_touch=True) as page:
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        for chart in ("accuracy", "learning", "feature"):
            page.locator(f"figure[data-chart^={chart}]").first.scroll_into_view_if_needed()
        page.wait_for_selector("figure[data-chart^=feature] .main-svg")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        table = page.locator("#leaderboard .scroll")
        assert table.evaluate("one => one.scrollWidth > one.clientWidth")


@pytest.mark.parametrize("folder", sorted(each.name for each in PUBLISHED.iterdir() if (each / "suite.json").is_file()))
def test_what_was_found_and_the_leaderboard_are_whole_on_a_wide_screen(
    browser: Any, folder: str, tmp_path: Path
) -> None:
    contents = read(Results(PUBLISHED / folder))
    file = write_report(contents, Leaderboard.of(contents), tmp_path / "report.html")
    with opened(browser, file, viewport={"width": 1400, "height": 900}) as page:
        for wide in ("#leaderboard .scroll", "#answer .scroll"):
            for one in page.locator(wide).all():
                assert one.evaluate("one => one.scrollWidth <= one.clientWidth")


def test_everything_is_reached_and_named_without_a_mouse(browser: Any, report: Path) -> None:
    with opened(browser, report) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"
        unnamed = "found => found.filter((one) => !one.labels.length).map((one) => one.outerHTML)"
        assert page.locator("input, select").evaluate_all(unnamed) == []
        assert page.locator(".scroll:not([tabindex='0'])").count() == 0
        page.locator("#charts-learning-curves .numbers summary").press("Enter")
        page.wait_for_selector("#charts-learning-curves .numbers tbody tr")
        assert page.locator("#charts-learning-curves .numbers tbody tr").count() == 5 * 8


def test_a_plugin_s_evaluator_has_its_curve_in_a_section_of_its_own(browser: Any, hostile_run: Path) -> None:
    with opened(browser, hostile_run / "results" / "report.html") as page:
        assert page.locator("nav a", has_text="Light").get_attribute("href") == "#charts-light"
        assert page.locator("#charts-light > p").inner_text() == "How much light does a label need?"
        assert lines(page, "brightness") == ["category", "../x", "&lt;img src=x onerror=alert(1)&gt;"]
        figure = page.locator("#charts-light figure")
        assert figure.locator("h3").inner_text() == "Accuracy <i>in the dark</i>: digits:size=8, resnet8"
        assert figure.locator("h4").inner_text() == "<b>a"
        plot = "document.querySelector('#charts-light .plot')"
        assert page.evaluate(f"{plot}.data.find((one) => one.name === 'category').x") == [25, 50, 100]
        assert page.evaluate(f"{plot}.layout.xaxis.title.text") == "&lt;i&gt;brightness, %"
        # Where nothing is dimmed, the curve ends at the plain accuracy of the leaderboard.
        figure.locator(".numbers summary").click()
        last = figure.locator(".numbers tbody tr", has_text="category").last.locator("td").nth(3).inner_text()
        cells = page.locator("#tables details.table").first.locator("tr[data-label=category] td.number")
        assert any(text.strip().startswith(f"{last} [") for text in cells.all_text_contents())


def test_names_of_a_plugin_are_shown_and_do_nothing(browser: Any, hostile_run: Path) -> None:
    name = "<img src=x onerror=alert(1)>"
    with opened(browser, hostile_run / "results" / "report.html") as page:
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert set(rows(page)) == {"category", name, "../x"}
        assert lines(page, "learning-curves") == ["category", "../x", "&lt;img src=x onerror=alert(1)&gt;"]
        assert lines(page, "accuracy-epsilon")
        for figure in page.locator("figure .numbers summary").all():
            figure.scroll_into_view_if_needed()
        # What plotly shows when a point is pointed at is the name, and no element of it.
        plot = page.locator("figure[data-chart^=learning-curves] .plot")
        plot.evaluate("one => Plotly.Fx.hover(one, [{curveNumber: 2, pointNumber: 0}])")
        assert name in plot.locator(".hoverlayer").text_content()
        page.get_by_role("checkbox", name=name).uncheck()
        assert set(rows(page)) == {"category", "../x"}
        assert lines(page, "learning-curves") == ["category", "../x"]
        sources = page.locator("img").evaluate_all("found => found.map((one) => one.getAttribute('src'))")
        assert all(source.startswith("data:image/png;base64,") for source in sources)
        assert page.locator("[onerror]").count() == 0
        assert page.evaluate("document.scripts.length") == 8
