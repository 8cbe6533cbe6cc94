"""What foreign code may change behind its caller's back in the process that it runs in, and how it is put back."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

# Held while something that belongs to the process is changed and put back, torch's global generator say: by foreign
# code that is watched, and by our own where several threads work.
PROCESS_STATE = threading.RLock()

# What an untouched torch has: plugins may be what loads it.
_TORCH_AT_FIRST = {
    "torch's default dtype": "torch.float32",
    "torch's gradient mode": True,
    "torch's deterministic algorithms": 0,
    "torch's use of oneDNN": True,
    "torch's precision of matrix products": "highest",
    "torch's cuDNN switches": (False, False, True),
}


@dataclass(frozen=True)
class Part:
    """One part of the state of a process.

    Attributes:
        read: its value, fit to be compared with ``==``.
        put_back: sets it to a value that was read.
    """

    read: Callable[[], Any]
    put_back: Callable[[Any], None]


def process_state() -> dict[str, Any]:
    """The value of every part that there is, by its name; those of libraries that are not loaded are left out."""
    return {name: part.read() for name, part in _parts().items()}


def changed_since(before: dict[str, Any], *, allowed: tuple[str, ...] = ()) -> list[str]:
    """Names of the parts that are not as they were before, but for those that are allowed to change."""
    now = process_state()
    first = {name: value for name, value in _TORCH_AT_FIRST.items() if name in now} if "torch" in sys.modules else {}
    then = {**first, **before}
    return [name for name in now if name in then and name not in allowed and now[name] != then[name]]


# Lists of those who want to know what was changed and put back.
_witnesses: list[list[str]] = []


@contextmanager
def witnessed() -> Iterator[list[str]]:
    """Names of the parts that are changed and put back in the block; the list fills up while it runs."""
    seen: list[str] = []
    _witnesses.append(seen)
    try:
        yield seen
    finally:
        _witnesses.pop()


@contextmanager
def kept_state(told: Callable[[list[str]], None], *, allowed: tuple[str, ...] = ()) -> Iterator[None]:
    """Put the state of the process back after the block, and send what it prints to standard error.

    Args:
        told: called with the names of the parts that were changed, if there are any.
        allowed: parts that the block may change.
    """
    with PROCESS_STATE:
        before, out, err = process_state(), sys.stdout, sys.stderr
        sys.stdout = sys.stderr
        try:
            yield
        finally:
            sys.stdout, sys.stderr = out, err
            changed = changed_since(before, allowed=allowed)
            parts = _parts()
            for name in changed:
                with contextlib.suppress(OSError, RuntimeError, ValueError):  # what cannot be put back is told too
                    parts[name].put_back({**_TORCH_AT_FIRST, **before}[name])
            if changed:
                for seen in _witnesses:
                    seen += changed
                told(changed)


def _parts() -> dict[str, Part]:
    parts = {
        "the current folder": Part(_current_folder, lambda path: os.chdir(path) if path else None),
        "Python's random": Part(random.getstate, random.setstate),
        "filters of all warnings": Part(
            lambda: [one for one in warnings.filters if _is_general(one)], _put_back_filters
        ),
    }
    if threading.current_thread() is threading.main_thread():
        parts["the handler of Ctrl-C"] = Part(lambda: signal.getsignal(signal.SIGINT), _put_back_handler)
    if "numpy" in sys.modules:
        parts |= _of_numpy()
    # While torch is being loaded it has no parts yet.
    if hasattr(sys.modules.get("torch"), "get_rng_state"):
        parts |= _of_torch()
    return parts


def _of_numpy() -> dict[str, Part]:
    import numpy as np

    def state() -> Any:
        kind, keys, *rest = np.random.get_state(legacy=True)
        return (kind, np.asarray(keys).tobytes(), *rest)

    def put_back(found: Any) -> None:
        kind, keys, *rest = found
        np.random.set_state((kind, np.frombuffer(keys, dtype=np.uint32), *rest))

    return {
        "numpy.random": Part(state, put_back),
        "numpy's error handling": Part(np.geterr, lambda found: np.seterr(**found) and None),
    }


def _of_torch() -> dict[str, Part]:
    import torch

    def random_state() -> bytes:
        return torch.get_rng_state().numpy().tobytes()

    def cudnn() -> tuple[bool, ...]:
        switches = torch.backends.cudnn
        return bool(switches.benchmark), bool(switches.deterministic), bool(switches.enabled)

    def put_back_cudnn(found: tuple[bool, ...]) -> None:
        switches = torch.backends.cudnn
        switches.benchmark, switches.deterministic, switches.enabled = found

    def put_back_one_dnn(found: bool) -> None:
        torch.backends.mkldnn.set_flags(found)  # type: ignore[no-untyped-call]

    def put_back_gradients(found: bool) -> None:
        torch.set_grad_enabled(found)

    return {
        "torch's random state": Part(
            random_state, lambda found: torch.set_rng_state(torch.frombuffer(bytearray(found), dtype=torch.uint8))
        ),
        "torch's default dtype": Part(
            lambda: str(torch.get_default_dtype()),
            lambda found: torch.set_default_dtype(getattr(torch, found.removeprefix("torch."))),
        ),
        "torch's gradient mode": Part(torch.is_grad_enabled, put_back_gradients),
        "torch's number of threads": Part(torch.get_num_threads, torch.set_num_threads),
        "torch's deterministic algorithms": Part(
            torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode
        ),
        "torch's use of oneDNN": Part(lambda: bool(torch.backends.mkldnn.enabled), put_back_one_dnn),
        "torch's precision of matrix products": Part(
            torch.get_float32_matmul_precision, torch.set_float32_matmul_precision
        ),
        "torch's cuDNN switches": Part(cudnn, put_back_cudnn),
    }


def _current_folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109  (a path object would take longer, and this is read for every call)
    except OSError:  # it is gone
        return None


def _is_general(one: Any) -> bool:
    """Whether a filter is for warnings of any text from any module; libraries add others when they are imported."""
    _, message, category, module, _ = one
    return message is None and module is None and category.__module__ == "builtins"


def _put_back_filters(found: list[Any]) -> None:
    warnings.filters[:] = [*(one for one in warnings.filters if not _is_general(one)), *found]  # type: ignore[index]
    warnings._filters_mutated()  # type: ignore[attr-defined]


def _put_back_handler(found: Any) -> None:
    if found is not None:
        signal.signal(signal.SIGINT, found)
