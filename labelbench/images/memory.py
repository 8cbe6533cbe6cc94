"""How much memory this process may still take."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from labelbench.errors import MachineError

_CGROUP = Path("/sys/fs/cgroup")


def ask_for_memory(size: int, what: str, advice: str) -> None:
    """Refuse what does not fit before anything is allocated.

    Args:
        size: bytes.
        what: is to be done with them (``"decoding 120 images of 6000x6000"``).
        advice: what to do where they are too few.

    Raises:
        MachineError: they are not free; the message says how many are needed.
    """
    free = free_memory()
    if free is not None and size > free:
        raise MachineError(f"{what} needs {_gib(size)} of memory, and {_gib(free)} are free; {advice}")


def free_memory() -> int | None:
    """Bytes that this process may still take: the least that machine, container and limits allow; None if unknown."""
    found: list[int] = []
    with suppress(OSError, ValueError, AttributeError):
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        found.append(int(re.search(r"MemAvailable:\s*(\d+) kB", text)[1]) * 1024)  # type: ignore[index]
    with suppress(OSError, ValueError, TypeError):
        limit, used = (int((_CGROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
        # What the system keeps of files it gives back.
        files = re.search(r"^inactive_file (\d+)", (_CGROUP / "memory.stat").read_text(), re.MULTILINE)
        found.append(limit - used + (int(files[1]) if files else 0))
    with suppress(ImportError, OSError, ValueError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            found.append(limit - pages * os.sysconf("SC_PAGE_SIZE"))
    return max(min(found), 0) if found else None


def _gib(size: int) -> str:
    return f"{size / 2**30:,.1f} GiB"
