"""Freed memory stays with the process, so that the next tensor of the same size need not be cleared page by page."""

from __future__ import annotations

import ctypes
import platform

# Parameters of mallopt(3). Larger blocks than the second limit, the highest that glibc takes, are given back at once.
_TRIM_THRESHOLD, _KEPT_BYTES = -1, 1 << 30
_MMAP_THRESHOLD, _LARGEST_KEPT_BLOCK = -3, 32 << 20


def keep_freed_memory() -> bool:
    """Ask the C library to keep up to 1 GiB of what is freed; whether it was asked, which only glibc can be.

    By default glibc returns the activations of one training step to the system and asks for them again in the next,
    and the system clears every page that it hands out.
    """
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_TRIM_THRESHOLD, _KEPT_BYTES) and mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT_BLOCK))
