"""How much memory is left, and a sentence where it is not enough."""

from __future__ import annotations

import subprocess
import sys

import pytest

from labelbench.errors import MachineError
from labelbench.images.memory import ask_for_memory, free_memory


def test_what_is_free_is_less_than_what_is_asked_for_in_vain() -> None:
    free = free_memory()
    assert free is not None and 0 < free < 2**50
    ask_for_memory(1, "a byte", "take fewer")
    with pytest.raises(MachineError, match=r"a lot needs 1,073,741,824\.0 GiB of memory, and .* GiB are free; buy"):
        ask_for_memory(2**60, "a lot", "buy some")


@pytest.mark.skipif(sys.platform != "linux", reason="this limit is read on Linux")
def test_a_limit_on_this_process_counts() -> None:
    code = (
        "import resource; from labelbench.images.memory import free_memory; "
        "resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32)); print(2**20 < free_memory() < 2**32)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "True\n"
