"""What this machine is and has, found without loading torch, and how a run's numerics are resolved on it."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from typing import Any

from labelbench.errors import InputError, MachineError
from labelbench.runs import Numerics

DEVICES = ("auto", "cpu", "cuda", "mps")


def resolve_numerics(mode: str, device: str, threads: int | None) -> Numerics:
    """How runs of this plan compute, by rules on the wishes and the machine, never by timing.

    Args:
        mode: ``"exact"`` or ``"fast"``.
        device: one of :data:`DEVICES`; ``"auto"`` takes CUDA, then MPS, then the CPU.
        threads: threads on a CPU, or None for all cores that this process may use.

    Raises:
        InputError: a mode, device or number of threads that does not exist.
        MachineError: the device is not here.
    """
    if mode != "exact":
        raise InputError(f"numerics {mode!r} cannot be computed by this version; expected 'exact'")
    if device not in DEVICES:
        raise InputError(f"unknown device {device!r}; expected one of {', '.join(DEVICES)}")
    if threads is not None and threads < 1:
        raise InputError(f"threads is {threads}; expected 1 or more")
    here = [name for name, found in (("cuda", has_cuda), ("mps", has_mps)) if found()] + ["cpu"]
    chosen = here[0] if device == "auto" else device
    if chosen not in here:
        raise MachineError(f"device {device!r} is not on this machine; name one that is: {', '.join(here)}")
    return Numerics(mode=mode, device=chosen, threads=(threads or usable_cores()) if chosen == "cpu" else 0)


def usable_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def has_cuda() -> bool:
    """Whether an NVIDIA driver answers with at least one device, and torch is not its CPU build."""
    try:
        if "+cpu" in metadata.version("torch"):
            return False
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except (OSError, metadata.PackageNotFoundError):
        return False
    count = ctypes.c_int(0)
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0


def has_mps() -> bool:
    """Whether this is a Mac with Apple's own processor."""
    return sys.platform == "darwin" and platform.machine() == "arm64"


@contextmanager
def numerics_in_force(numerics: Numerics) -> Iterator[None]:
    """Set torch's process-wide switches as ``numerics`` says for the block, and put them back after it.

    Raises:
        MachineError: torch cannot use the device.
    """
    import torch

    if numerics.device == "cuda" and not torch.cuda.is_available():
        raise MachineError(
            "the NVIDIA driver answers but this torch cannot use it; install a matching torch or --device cpu"
        )
    # cuBLAS reads this when it is first used; without it matrix products on a GPU may differ from call to call.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    cudnn = torch.backends.cudnn.allow_tf32
    try:
        if numerics.threads:
            torch.set_num_threads(numerics.threads)
        torch.use_deterministic_algorithms(numerics.mode == "exact", warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        torch.backends.cudnn.allow_tf32 = numerics.mode != "exact"
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic[0], warn_only=deterministic[1])
        torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
        torch.backends.cudnn.allow_tf32 = cudnn


def environment_facts(numerics: Numerics) -> dict[str, Any]:
    """Versions and hardware behind a result, as JSON values."""
    versions = {name: _version(name) for name in ("labelbench", "torch", "numpy")}
    facts: dict[str, Any] = {
        "python": platform.python_version(),
        **versions,
        "system": f"{platform.system()} {platform.machine()}",
    }
    facts["processor"] = _processor()
    if numerics.device == "cuda":
        import torch

        facts["gpu"] = torch.cuda.get_device_name()
        facts["cuda"] = torch.version.cuda
    return facts


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


@cache
def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123  (no file on a disk)
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
