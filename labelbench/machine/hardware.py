"""What this machine has, found without loading torch."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import sys
from functools import cache
from importlib import metadata

_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR of the CUDA driver
_COMPILERS = ("g++", "clang++", "c++", "cl")


def usable_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_for(jobs: int) -> int:
    """Threads of one of ``jobs`` processes: what ``OMP_NUM_THREADS`` says, else its share of the cores."""
    asked = os.environ.get("OMP_NUM_THREADS", "").strip()
    return int(asked) if asked.isdecimal() and int(asked) else max(1, usable_cores() // jobs)


def has_cuda() -> bool:
    """Whether an NVIDIA driver answers with at least one device, and torch is not its CPU build."""
    return cuda_capability() is not None


@cache
def _cuda_driver() -> ctypes.CDLL | None:
    """The NVIDIA driver, if torch could use it."""
    try:
        if "+cpu" in metadata.version("torch"):
            return None
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except (OSError, metadata.PackageNotFoundError):
        return None
    return None if driver.cuInit(0) else driver


@cache
def cuda_count() -> int:
    """How many NVIDIA devices are visible that torch could use."""
    driver, count = _cuda_driver(), ctypes.c_int(0)
    return 0 if driver is None or driver.cuDeviceGetCount(ctypes.byref(count)) else count.value


@cache
def cuda_capability() -> tuple[int, int] | None:
    """Compute capability of the first NVIDIA device, ``(8, 0)`` for an A100; None without one that torch could use."""
    driver = _cuda_driver()
    if driver is None or not cuda_count():
        return None
    found = []
    for attribute in (_MAJOR, _MINOR):
        value = ctypes.c_int(0)
        driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, 0)
        found.append(value.value)
    return found[0], found[1]


def has_mps() -> bool:
    """Whether this is a Mac with Apple's own processor."""
    return sys.platform == "darwin" and platform.machine() == "arm64"


def has_bfloat16_units() -> bool:
    """Whether the processor multiplies bfloat16 natively: AVX-512 BF16 or AMX on x86, BF16 on Arm. Known on Linux."""
    return bool(_processor_flags() & {"avx512_bf16", "amx_bf16", "bf16"})


def has_avx2() -> bool:
    """Whether the processor has AVX2: known on Linux, and taken for granted on other x86 machines of 64 bits."""
    flags = _processor_flags()
    return "avx2" in flags if flags else platform.machine().lower() in ("x86_64", "amd64")


def has_matrix_tiles() -> bool:
    """Whether the processor has AMX tiles for bfloat16, which shorten convolutions and little else of a step."""
    return "amx_bf16" in _processor_flags()


def cpp_compiler() -> str | None:
    """The C++ compiler that compiled networks would be built with: the one that ``CXX`` names, or a usual one."""
    named = os.environ.get("CXX")
    return next((name for name in ([named] if named else _COMPILERS) if shutil.which(name)), None)


@cache
def processor() -> str:
    """Name of the processor."""
    return _cpuinfo().get("model name") or platform.processor() or platform.machine()


@cache
def _processor_flags() -> frozenset[str]:
    facts = _cpuinfo()
    return frozenset((facts.get("flags") or facts.get("Features") or "").split())


@cache
def _cpuinfo() -> dict[str, str]:
    """What Linux says of the first core."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123  (no file on a disk)
            text = file.read().partition("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
