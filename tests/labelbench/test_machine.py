from __future__ import annotations

import pytest
import torch

from labelbench.errors import InputError, MachineError
from labelbench.hardware import has_cuda, usable_cores
from labelbench.machine import numerics_in_force, resolve_numerics
from labelbench.runs import Numerics


def test_numerics_are_resolved_from_wishes_and_machine() -> None:
    assert resolve_numerics("exact", "cpu", 3) == Numerics("exact", "cpu", "float32", 3, False, 1)
    assert resolve_numerics("exact", "cpu", None).threads == usable_cores()
    assert resolve_numerics("exact", "auto", 1).device == (
        "cuda" if has_cuda() else resolve_numerics("exact", "auto", 1).device
    )


@pytest.mark.parametrize(
    ("device", "threads", "message"),
    [("gpu", None, "unknown device 'gpu'; expected one of auto, cpu"), ("cpu", 0, "threads is 0; expected 1 or more")],
)
def test_wrong_wishes_are_refused(device: str, threads: int | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolve_numerics("exact", device, threads)


def test_a_device_that_is_not_here_is_refused() -> None:
    if has_cuda():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(MachineError, match="device 'cuda' is not on this machine; name one that is: "):
        resolve_numerics("exact", "cuda", None)


def test_torch_is_put_back_as_it_was() -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with numerics_in_force(Numerics(threads=before[0] + 1)):
        assert torch.get_num_threads() == before[0] + 1
        assert torch.are_deterministic_algorithms_enabled()
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before
