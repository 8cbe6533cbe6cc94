"""What a command is given and where it writes: empty, odd or missing arguments and streams end in one line or in 0."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from labelbench.cli import cli
from labelbench.commands.output import format_of
from labelbench.errors import InputError
from labelbench.results.store import Results
from labelbench.settings import current_settings, use_settings


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--results", ""], "--results is given nothing"),
        (["run", "--results="], "--results is given nothing"),
        (["leaderboard", "x", "--output", ""], "--output is given nothing"),
        (["merge", "a", "--into", ""], "--into is given nothing"),
        (["plan", "--label", ""], "--label is given nothing"),
        (["leaderboard", ""], "an argument is given nothing"),
        (["plan", "--label", "npy:\udcff.npy"], r"b'npy:\xff.npy' is not UTF-8"),
    ],
)
def test_arguments_that_are_empty_or_no_text_are_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(InputError) as refused:
        cli.main(arguments, standalone_mode=False)
    assert message in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "options", [["--output", "x.json"], ["--format", "json"], ["--output", "x.csv", "--format", "json"]]
)
def test_one_line_for_each_label_is_in_no_other_format(options: list[str]) -> None:
    with pytest.raises(InputError, match="--wide is CSV, not "):
        cli.main(["leaderboard", "x", "--wide", *options], standalone_mode=False)


def test_a_results_path_that_is_not_utf_8_is_refused_before_anything_is_computed() -> None:
    with pytest.raises(InputError, match="is not UTF-8; name another folder"):
        Results(Path(os.fsdecode(b"r\xff")))


@pytest.mark.parametrize(
    ("form", "output", "expected"),
    [
        (None, None, "markdown"),
        (None, "x", "markdown"),
        (None, "x.csv", "csv"),
        (None, "x.JSON", "json"),
        (None, "x.tex", "latex"),
        (None, "x.html", "html"),
        ("markdown", "x.csv", "markdown"),
    ],
)
def test_the_ending_of_a_file_decides_where_no_format_is_given(
    form: str | None, output: str | None, expected: str
) -> None:
    assert format_of(form, Path(output) if output else None) == expected


def test_an_ending_that_names_no_format_is_refused() -> None:
    with pytest.raises(InputError, match=r"--output x\.xlsx: its ending names no format; expected one of \.md, "):
        format_of(None, Path("x.xlsx"))


@pytest.fixture
def shell(save: Callable[..., Results], tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a shell line beside a results folder ``results`` whose label has a name in no narrow alphabet."""
    save("npy:ñandú-✓.npy")

    def run(line: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/bash", "-c", line.replace("labelbench", f"{sys.executable} -m labelbench")],
            cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1", **env}, capture_output=True, text=True,
            encoding="latin-1", check=False,
        )  # fmt: skip

    return run


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_characters_that_a_terminal_lacks_are_replaced(shell: Callable[..., object], encoding: str) -> None:
    done = shell("labelbench leaderboard results", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, "")
    assert ("npy:ñandú-?.npy" if encoding == "latin-1" else "npy:?and?-?.npy") in done.stdout


@pytest.mark.parametrize(
    "line",
    [
        "labelbench leaderboard results >&-",
        "labelbench leaderboard results >&- 2>&- <&-",
        "labelbench leaderboard results | true; exit ${PIPESTATUS[0]}",
    ],
)
def test_a_stream_that_is_closed_is_no_error(shell: Callable[..., object], line: str) -> None:
    done = shell(line)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_user_without_a_home_needs_the_cache_folder_alone(shell: Callable[..., object], tmp_path: Path) -> None:
    # Nobody in the table of users, where this system lets one be that; else a HOME that is not there.
    nobody = "unshare --user --map-user=54321"
    nameless = shell(f"{nobody} true").returncode == 0
    line = f"unset HOME; {nobody} labelbench" if nameless else "HOME=/nowhere/at/all labelbench"
    # Numba finds what it compiled beside its library; a folder of its own would have it compile for half a minute.
    done = shell(
        f"{line} labels speech --output speech.png --cache-dir cache",
        LABELBENCH_CACHE="", XDG_CACHE_HOME="", NUMBA_CACHE_LOCATOR_CLASSES="InTreeCacheLocator",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "speech.png").exists() and (tmp_path / "cache" / "matplotlib").is_dir()


def test_without_a_home_every_library_that_caches_does_so_in_the_cache_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", "/nowhere/at/all")
    names = ("NUMBA_CACHE_DIR", "MPLCONFIGDIR", "TORCHINDUCTOR_CACHE_DIR", "HF_HOME", "XDG_CACHE_HOME")
    for name in names:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    with use_settings(replace(current_settings(), cache_dir=tmp_path)):
        assert all(Path(os.environ[name]).parent == tmp_path for name in names)
