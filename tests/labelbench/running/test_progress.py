from __future__ import annotations

import io

from rich.console import Console

from labelbench.running.progress import Reporter


def report(console: Console) -> str:
    with Reporter(console) as reporter:
        reporter.whole(2.0)
        reporter.begin("digits [bold]speech[/bold]", 1.0)
        reporter.update("epoch 1", 0.5)
        reporter.update("epoch 5", 0.9, always=True)
        reporter.end("trained")
        with reporter.paused():
            pass
        reporter.begin("quiet", 1.0)
        reporter.end()
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_without_a_terminal_there_are_plain_lines() -> None:
    text = report(Console(file=io.StringIO(), force_terminal=False, width=40))
    lines = text.splitlines()
    assert lines[0].startswith("digits [bold]speech[/bold]: epoch 5")
    assert lines[1] == "digits [bold]speech[/bold]: trained, done in 0:00"
    assert len(lines) == 2 and "\x1b" not in text


def test_on_a_terminal_there_are_bars_and_names_are_no_markup() -> None:
    text = report(Console(file=io.StringIO(), force_terminal=True, width=120))
    assert "\x1b" in text and "[bold]speech[/bold]" in text and "whole suite" in text


def test_in_a_notebook_there_is_one_line_that_is_written_over() -> None:
    cell = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})()
    with Reporter(Console(file=cell)) as reporter:
        reporter.whole(2)
        reporter.begin("training speech", 1)
        reporter.update("epoch 3 of 5", 0.5)
        reporter.end("done")
    # What stood there is blanked before anything else is written.
    assert cell.getvalue().partition("\r")[0].startswith("0%: training speech")
    assert cell.getvalue().endswith("training speech: done, done in 0:00\n") and cell.getvalue().count("\n") == 1


def test_at_80_columns_the_bar_keeps_its_width_and_what_is_done_is_cut_off() -> None:
    with Reporter(Console(file=io.StringIO(), force_terminal=True, width=80)) as reporter:
        reporter.whole(2.0)
        reporter.begin("cifar10 resnet110 official:gaussian-composition seed 2 100% of the data: epoch 12 of 600", 1.0)
        reporter.update("training", 0.5)
        assert reporter._live
        seen = Console(file=io.StringIO(), width=80)
        seen.print(reporter._live.progress.get_renderable())
    assert isinstance(seen.file, io.StringIO)
    lines = [line for line in seen.file.getvalue().splitlines() if line.strip()]
    assert all(len(line) <= 80 for line in lines)
    (line,) = (line for line in lines if "cifar10 resnet110" in line)
    assert line.startswith("━" * 10) and line[20:27].split() == ["50", "%"] and "…" in line
