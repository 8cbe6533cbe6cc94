"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Tests run in several processes: one thread each is faster than all of them waiting for each other's.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with data and reference arrays beside the repository; tests that read it are skipped without it."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("the folder 'shared' with data and reference arrays is not beside this repository")
    return folder


@pytest.fixture(autouse=True)
def _own_settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's cache, and none uses the network unless it says so."""
    monkeypatch.setenv("LABELBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("LABELBENCH_OFFLINE", "1")
    monkeypatch.delenv("LABELBENCH_DATA", raising=False)
    monkeypatch.delenv("LABELBENCH_LABELS", raising=False)
    monkeypatch.delenv("LABELBENCH_PLUGINS", raising=False)
