from __future__ import annotations

import os
from pathlib import Path

import pytest

from labelbench.machine import hardware
from labelbench.machine.hardware import cpp_compiler, cuda_capability, has_cuda, usable_cores


def test_cores_are_those_this_process_may_use() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


def test_a_gpu_has_a_capability_and_without_one_there_is_none() -> None:
    capability = cuda_capability()
    assert has_cuda() == (capability is not None)
    assert capability is None or capability >= (3, 0)


@pytest.mark.parametrize(
    ("flags", "bfloat16", "tiles"),
    [
        ("fpu avx2 avx512f", False, False),
        ("fpu avx512f avx512_bf16", True, False),
        ("fpu avx512_bf16 amx_bf16 amx_tile", True, True),
        ("fp asimd bf16", True, False),
    ],
)
def test_units_are_read_from_the_processor_s_flags(
    monkeypatch: pytest.MonkeyPatch, flags: str, bfloat16: bool, tiles: bool
) -> None:
    monkeypatch.setattr(hardware, "_processor_flags", lambda: frozenset(flags.split()))
    assert (hardware.has_bfloat16_units(), hardware.has_matrix_tiles()) == (bfloat16, tiles)


def test_the_compiler_is_the_one_that_is_named_or_a_usual_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert cpp_compiler() is None
    for name in ("clang++", "mine"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    assert cpp_compiler() == "clang++"
    monkeypatch.setenv("CXX", "mine")
    assert cpp_compiler() == "mine"
    monkeypatch.setenv("CXX", "gone")
    assert cpp_compiler() is None
