"""Freed memory stays with the process: what is allocated again is not cleared again by the system."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

PAGE_FAULTS = """
import resource, sys
import torch
from labelbench.machine.allocator import keep_freed_memory

def step():
    activations = [torch.ones(2 << 20) for _ in range(12)]  # 96 MiB, all freed at the end

if sys.argv[1] == "keep":
    assert keep_freed_memory()
for _ in range(3):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(mode: str) -> int:
    # glibc's first limits; it raises them by itself, when and how far depends on what was allocated before.
    limits = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
    command = [sys.executable, "-c", PAGE_FAULTS, mode]
    done = subprocess.run(command, env=os.environ | limits, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked to keep freed memory")
def test_a_step_that_repeats_takes_no_new_pages() -> None:
    assert page_faults("keep") < 0.01 * page_faults("return")


def test_where_it_cannot_be_asked_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    from labelbench.machine import allocator

    monkeypatch.setattr(allocator.platform, "system", lambda: "Darwin")
    assert not allocator.keep_freed_memory()
