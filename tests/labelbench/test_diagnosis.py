"""The doctor says what is here, what is missing for what, and which plugin is broken."""

from __future__ import annotations

import importlib.util
import shlex
from dataclasses import replace
from pathlib import Path

import click
import pytest

from labelbench.cli import COMMANDS, cli
from labelbench.diagnosis import diagnosis
from labelbench.plugins.discovery import plugins
from labelbench.plugins.entries import Broken, Origin
from labelbench.settings import current_settings, use_settings


def test_versions_devices_folders_and_plugins_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    cli(["doctor", "--offline"], standalone_mode=False)
    printed = capsys.readouterr().out
    for word in ("python", "torch", "GPU", "cache", "not used (offline)", "labels official:NAME", "evaluators"):
        assert word in printed


def test_what_is_missing_is_said_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr("labelbench.diagnosis.find_spec", lambda name: None if name == "onnx" else find(name))
    assert ("export --format onnx", "pip install 'labelbench[onnx]'", True) in list(diagnosis())


def test_broken_plugins_and_the_size_of_folders_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "big").write_bytes(bytes(3_000_000))
    broken = replace(plugins(), broken=(Broken(Origin("mine", "mine-plugin", "1.0"), "no module named x"),))
    monkeypatch.setattr("labelbench.diagnosis.plugins", lambda: broken)
    with use_settings(replace(current_settings(), cache_dir=tmp_path)):
        found = list(diagnosis())
    assert ("cache", f"{tmp_path}, 3 MB", True) in found
    assert ("plugin mine", "broken: no module named x", False) in found


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_ends_with_an_example_that_it_can_read(name: str) -> None:
    with click.Context(cli) as parent:
        command = cli.get_command(parent, name)
        assert command is not None and command.help and command.epilog and command.epilog.startswith("Example")
        for example in command.epilog.split("labelbench ")[1:]:
            first, *words = shlex.split(example.strip("; ").replace('")"', "").replace(')"', ""))
            assert first == name
            command.make_context(name, words, parent=parent)
