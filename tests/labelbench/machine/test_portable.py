"""Portable numerics: one machine's bits are every x86 machine's."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from labelbench.errors import InputError, MachineError
from labelbench.machine import numerics
from labelbench.machine.hardware import has_avx2
from labelbench.machine.numerics import resolve_numerics

# Suite of one label, two epochs, two threads, on an AMD processor whose highest vector extension is AVX2, and, pinned,
# on an Intel one with AVX-512: torch 2.14.1, oneDNN 3.12.0, MKL 2024.2.
SUITE = """
dataset = "digits"
label = "category"
backbone = "resnet8"
evaluator = "accuracy"
recipe = {base = "quick", name = "quick", epochs = 2}
numerics = "portable"
"""
LOSSES = [2.2208398818969726, 1.8423517227172852]
WEIGHTS = "c73a01ec56c66781ff9a70cb6310be6f7b7a97f0aed02411fd4c23680da4e7d6"


@pytest.mark.long
@pytest.mark.skipif(not has_avx2(), reason="no x86 processor with AVX2")
@pytest.mark.skipif(not torch.__version__.startswith("2.14.1"), reason="the reference is of torch 2.14.1")
def test_a_training_has_the_bits_that_it_has_on_other_processors(
    command: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "portable.toml").write_text(SUITE)
    done = command("run", "--suite", "portable.toml", "--threads", "2", "--results", "found", fresh=True)
    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "found").glob("digits/resnet8/category/*/training.json")
    facts = json.loads(file.read_text())
    assert facts["history"]["train_loss"] == LOSSES
    assert facts["environment"]["arithmetic"].startswith("AVX2, oneDNN")
    (weights,) = (tmp_path / "found" / ".work").rglob("network.safetensors")
    digest = hashlib.sha256()
    with safe_open(weights, framework="pt") as stored:
        for name in sorted(stored.keys()):
            digest.update(stored.get_tensor(name).contiguous().numpy().tobytes())
    assert digest.hexdigest() == WEIGHTS


def test_what_was_loaded_with_other_instructions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numerics, "has_avx2", lambda: True)
    monkeypatch.delenv("ATEN_CPU_CAPABILITY", raising=False)
    with pytest.raises(MachineError, match=r"torch is loaded already.*start Python with ATEN_CPU_CAPABILITY=avx2"):
        resolve_numerics("portable", "cpu", None)


def test_other_processors_and_devices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="portable numerics are those of x86 processors; got device 'cuda'"):
        resolve_numerics("portable", "cuda", None)
    monkeypatch.setattr(numerics, "has_avx2", lambda: False)
    with pytest.raises(MachineError, match="need an x86 processor with AVX2"):
        resolve_numerics("portable", "auto", None)
