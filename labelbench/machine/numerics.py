"""How a run's numerics are resolved on this machine, put in force, and recorded; torch is loaded by the last two."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import metadata
from typing import Any

from labelbench.errors import InputError, MachineError, UnknownName
from labelbench.machine.allocator import keep_freed_memory
from labelbench.machine.cards import cards_in_use, use_cards
from labelbench.machine.hardware import (
    cpp_compiler,
    cuda_capability,
    has_avx2,
    has_bfloat16_units,
    has_cuda,
    has_matrix_tiles,
    has_mps,
    processor,
    threads_for,
)
from labelbench.runs import NUMERICS_MODES, Numerics

DEVICES = ("auto", "cpu", "cuda", "mps")
# ATen, oneDNN and MKL are told apart by nothing else between x86 processors of several kinds.
_COMMON = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "COMPATIBLE"}
# Compute capabilities of the first GPUs with units for each type: Ampere, Volta.
_BFLOAT16_GPU, _FLOAT16_GPU = (8, 0), (7, 0)


def resolve_numerics(
    mode: str, device: str, threads: int | None, *, jobs: int = 1, compiled: bool | None = None
) -> Numerics:
    """How runs of this plan compute, by rules on the wishes and the machine, never by timing.

    Args:
        mode: ``"exact"``, ``"portable"`` or ``"fast"``; ``"portable"`` holds the libraries of this process, and of
            those that it starts, to what all x86 processors have.
        device: one of :data:`DEVICES`; ``"auto"`` takes CUDA, then MPS, then the CPU. ``"cuda"`` uses all GPUs that
            are visible and ``"cuda:1"`` one of them, from now on in this process.
        threads: threads on a CPU, or None for as many as ``OMP_NUM_THREADS`` says, else for all cores that this process
            may use, divided among ``jobs``.
        jobs: processes that work at the same time.
        compiled: whether ``"fast"`` compiles networks; None where :func:`pays_to_compile` says so.

    Raises:
        InputError: a mode, device or number that does not exist, or compiled networks that are not to be had.
        MachineError: the device is not here.
    """
    if mode not in NUMERICS_MODES:
        raise UnknownName("numerics", mode, NUMERICS_MODES)
    kind, colon, _ = device.partition(":")
    if kind not in DEVICES or (colon and kind != "cuda"):
        raise InputError(f"unknown device {device!r}; expected one of {', '.join(DEVICES)}, or cuda:0 for one GPU")
    for name, number in (("threads", threads), ("jobs", jobs)):
        if number is not None and number < 1:
            raise InputError(f"{name} is {number}; expected 1 or more")
    if mode == "portable":
        if kind not in ("auto", "cpu"):
            raise InputError(f"portable numerics are those of x86 processors; got device {device!r}: leave it out")
        device = kind = "cpu"
        hold_to_common_instructions()
    here = [name for name, found in (("cuda", has_cuda), ("mps", has_mps)) if found()] + ["cpu"]
    chosen = here[0] if kind == "auto" else kind
    if chosen not in here:
        raise MachineError(f"device {device!r} is not on this machine; name one that is: {', '.join(here)}")
    use_cards(device)
    if mode != "fast" and compiled:
        raise InputError("networks are compiled with fast numerics only; add --numerics fast, or leave out --compile")
    if compiled and cpp_compiler() is None:
        raise InputError("--compile needs a C++ compiler (g++ or clang++), and none is here; install one, or leave it")
    fast = mode == "fast"
    return Numerics(
        mode=mode,
        device=chosen,
        precision=native_precision(chosen) if fast else "float32",
        # The number of threads counts for the bits: what every machine has is one.
        threads=(threads or (1 if mode == "portable" else threads_for(jobs))) if chosen == "cpu" else 0,
        compiled=fast and (pays_to_compile(chosen) if compiled is None else compiled),
    )


def hold_to_common_instructions() -> None:
    """Have torch's libraries use no more than AVX2, in their reproducible modes; before torch is loaded.

    Raises:
        MachineError: the processor has no AVX2, or torch was loaded without these settings.
    """
    if not has_avx2():
        raise MachineError("portable numerics need an x86 processor with AVX2, which this is not; use --numerics exact")
    missing = {name: value for name, value in _COMMON.items() if os.environ.get(name) != value}
    if missing and "torch" in sys.modules:
        words = " ".join(f"{name}={value}" for name, value in _COMMON.items())
        raise MachineError(f"torch is loaded already, and portable numerics begin before: start Python with {words}")
    os.environ.update(missing)


def native_precision(device: str) -> str:
    """The type that fast numerics multiply in: what the device has units for, never what it emulates."""
    if device == "cuda":
        capability = cuda_capability() or (0, 0)
        return "bfloat16" if capability >= _BFLOAT16_GPU else "float16" if capability >= _FLOAT16_GPU else "float32"
    return "bfloat16" if device == "cpu" and has_bfloat16_units() else "float32"


def pays_to_compile(device: str) -> bool:
    """Whether fast numerics compile networks where nobody says: on CUDA, and on processors with AMX tiles.

    Elsewhere on a CPU convolutions take most of a step and compiled code runs the same ones, so that the minute that
    compilation takes does not come back (``benchmarks/README.md`` has figures). It needs a C++ compiler.
    """
    return (device == "cuda" or (device == "cpu" and has_matrix_tiles())) and cpp_compiler() is not None


# Whether somebody holds the switches for all threads.
_held = False


@contextmanager
def numerics_held(numerics: Numerics) -> Iterator[None]:
    """As :func:`numerics_in_force`, for all threads: until the end of the block nobody changes the switches."""
    global _held
    import torch

    with numerics_in_force(numerics):
        # As many as results that need no network are computed with.
        torch.set_num_threads(1)
        _held = True
        try:
            yield
        finally:
            _held = False


@contextmanager
def numerics_in_force(numerics: Numerics) -> Iterator[None]:
    """Set torch's process-wide switches as ``numerics`` says for the block, and put them back after it.

    On a CPU freed memory is kept for good; on CUDA the first of the GPUs in use is the current one.

    Raises:
        MachineError: torch cannot use the device.
    """
    if _held:
        yield
        return
    import torch

    if numerics.device == "cuda" and not torch.cuda.is_available():
        raise MachineError(
            "the NVIDIA driver answers but this torch cannot use it; install a matching torch or --device cpu"
        )
    # cuBLAS reads this when it is first used; without it matrix products on a GPU may differ from call to call.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if numerics.device == "cpu":
        keep_freed_memory()
    threads = torch.get_num_threads()
    deterministic = torch.get_deterministic_debug_mode()
    fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    cudnn, products = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    try:
        if numerics.threads:
            torch.set_num_threads(numerics.threads)
        # The other way of saying it, torch.use_deterministic_algorithms, loads torch's compiler, for seconds.
        torch.set_deterministic_debug_mode("default" if numerics.mode == "fast" else "warn")
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        torch.backends.cudnn.allow_tf32 = numerics.mode == "fast"
        torch.set_float32_matmul_precision("highest")
        with torch.cuda.device(cards_in_use()[0]) if numerics.device == "cuda" else nullcontext():
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(deterministic)
        torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
        torch.backends.cudnn.allow_tf32 = cudnn
        torch.set_float32_matmul_precision(products)


def environment_facts(numerics: Numerics) -> dict[str, Any]:
    """Versions and hardware behind a result, as JSON values."""
    versions = {name: _version(name) for name in ("labelbench", "torch", "numpy")}
    facts: dict[str, Any] = {
        "python": platform.python_version(),
        **versions,
        "system": f"{platform.system()} {platform.machine()}",
    }
    facts["processor"] = processor()
    facts["arithmetic"] = arithmetic(numerics.device)
    if numerics.device == "cuda":
        import torch

        facts["gpu"] = torch.cuda.get_device_name()
        facts["card"] = torch.cuda.current_device()
        facts["cuda"] = torch.version.cuda
    return facts


def arithmetic(device: str) -> str:
    """What decides how sums are rounded beside the settings: instructions and libraries of a CPU, the kind of a GPU."""
    import torch

    if device == "cuda":
        return f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}"
    if device != "cpu":
        return device
    found = [torch.backends.cpu.get_cpu_capability()]
    built = torch.__config__.show()
    for name, pattern in (("oneDNN", r"MKL-DNN v([\d.]+)"), ("MKL", r"Math Kernel Library Version ([\d.]+)")):
        version = re.search(pattern, built)
        found += [f"{name} {version[1]}"] if version else []
    return ", ".join(found)


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
