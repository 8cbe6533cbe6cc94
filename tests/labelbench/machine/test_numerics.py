from __future__ import annotations

import pytest
import torch

from labelbench.errors import InputError, MachineError
from labelbench.machine import hardware, numerics
from labelbench.machine.hardware import has_cuda
from labelbench.machine.numerics import numerics_in_force, resolve_numerics
from labelbench.runs import Numerics


def test_numerics_are_resolved_from_wishes_and_machine() -> None:
    assert resolve_numerics("exact", "cpu", 3) == Numerics("exact", "cpu", "float32", 3, False)
    assert resolve_numerics("exact", "auto", 1).device == (
        "cuda" if has_cuda() else resolve_numerics("exact", "auto", 1).device
    )


def machine_with(monkeypatch: pytest.MonkeyPatch, **has: object) -> None:
    facts = {"has_cuda": False, "has_mps": False, "cuda_capability": None, "has_bfloat16_units": False}
    facts |= {"has_matrix_tiles": False, "cpp_compiler": "g++"} | has
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(hardware, "usable_cores", lambda: 8)
    for name, value in facts.items():
        monkeypatch.setattr(numerics, name, lambda value=value: value)


@pytest.mark.parametrize(
    ("has", "expected"),
    [
        ({}, Numerics("fast", "cpu", "float32", 8)),
        ({"has_bfloat16_units": True}, Numerics("fast", "cpu", "bfloat16", 8)),
        ({"has_bfloat16_units": True, "has_matrix_tiles": True}, Numerics("fast", "cpu", "bfloat16", 8, True)),
        (
            {"has_bfloat16_units": True, "has_matrix_tiles": True, "cpp_compiler": None},
            Numerics("fast", "cpu", "bfloat16", 8),
        ),
        ({"has_cuda": True, "cuda_capability": (9, 0)}, Numerics("fast", "cuda", "bfloat16", 0, True)),
        ({"has_cuda": True, "cuda_capability": (7, 5)}, Numerics("fast", "cuda", "float16", 0, True)),
        ({"has_cuda": True, "cuda_capability": (6, 1)}, Numerics("fast", "cuda", "float32", 0, True)),
        ({"has_mps": True}, Numerics("fast", "mps", "float32", 0)),
    ],
)
def test_fast_numerics_are_what_the_machine_has_units_for(
    monkeypatch: pytest.MonkeyPatch, has: dict[str, object], expected: Numerics
) -> None:
    machine_with(monkeypatch, **has)
    assert resolve_numerics("fast", "auto", None) == expected


def test_exact_numerics_are_the_same_on_every_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    machine_with(monkeypatch, has_bfloat16_units=True, has_matrix_tiles=True)
    assert resolve_numerics("exact", "cpu", 2) == Numerics(threads=2)


def test_threads_are_divided_among_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    machine_with(monkeypatch)
    assert resolve_numerics("exact", "cpu", None, jobs=3).threads == 2
    assert resolve_numerics("exact", "cpu", None, jobs=20).threads == 1
    assert resolve_numerics("exact", "cpu", 5, jobs=3).threads == 5


@pytest.mark.parametrize(("said", "expected"), [("3", 3), (" 16 ", 16), ("0", 8), ("many", 8), ("", 8)])
def test_threads_are_those_that_the_environment_asks_every_program_for(
    monkeypatch: pytest.MonkeyPatch, said: str, expected: int
) -> None:
    machine_with(monkeypatch)
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert resolve_numerics("exact", "cpu", None).threads == expected
    assert resolve_numerics("exact", "cpu", 2).threads == 2


def test_who_asks_for_compiled_networks_gets_them_or_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    machine_with(monkeypatch)
    assert resolve_numerics("fast", "cpu", 1, compiled=True).compiled
    with pytest.raises(InputError, match="with fast numerics only; add --numerics fast"):
        resolve_numerics("exact", "cpu", 1, compiled=True)
    machine_with(monkeypatch, cpp_compiler=None)
    with pytest.raises(InputError, match="needs a C\\+\\+ compiler"):
        resolve_numerics("fast", "cpu", 1, compiled=True)


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
    def switches() -> tuple[int, bool, str]:
        deterministic = torch.are_deterministic_algorithms_enabled()
        return torch.get_num_threads(), deterministic, torch.get_float32_matmul_precision()

    torch.set_float32_matmul_precision("medium")
    before = switches()
    try:
        with numerics_in_force(Numerics(threads=before[0] + 1)):
            assert switches() == (before[0] + 1, True, "highest")
        assert switches() == before
    finally:
        torch.set_float32_matmul_precision("highest")
