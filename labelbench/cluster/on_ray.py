"""Connects to a Ray cluster, or begins a Ray of its own, and gives the executor on it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from labelbench.cluster.leases import SECONDS
from labelbench.cluster.nodes import expected_of
from labelbench.cluster.ray_executor import RayExecutor
from labelbench.errors import InputError, MachineError, one_line
from labelbench.machine.hardware import usable_cores
from labelbench.results.store import Results
from labelbench.running.materials import Materials
from labelbench.running.planning import Plan
from labelbench.running.progress import Reporter
from labelbench.runs import Numerics
from labelbench.settings import Settings, current_settings


@contextmanager
def on_ray(
    plan: Plan,
    results: Results,
    reporter: Reporter,
    materials: Materials,
    *,
    overwrite: bool,
    jobs: int | None = None,
    address: str | None = None,
    lease_seconds: float = SECONDS,
) -> Iterator[RayExecutor]:
    """An executor on a Ray cluster, or on a Ray of its own on this machine.

    Args:
        plan: what is to be done.
        results: a folder that every node sees.
        reporter: told of everything.
        materials: what the driver has of images and labels.
        overwrite: True if finished work is to be done again.
        jobs: most jobs at once; None for as many as there is room for.
        address: of a cluster; None for that of ``RAY_ADDRESS``, or for a Ray of its own.
        lease_seconds: after which a job whose worker is heard of no more may be taken over.

    Raises:
        InputError: Ray is not installed.
        MachineError: there is no Ray at that address, or no node can be used.
    """
    numerics = next((run.numerics for run in plan.trainings), Numerics())
    expected = expected_of(plan, results.folder, _absolute(current_settings()), materials)
    with _connected(address, numerics):
        executor = RayExecutor(
            expected, results, reporter, numerics, overwrite=overwrite, jobs=jobs, lease_seconds=lease_seconds
        )
        try:
            yield executor
        finally:
            executor.end()


@contextmanager
def _connected(address: str | None, numerics: Numerics) -> Iterator[None]:
    # Nothing of a suite is told to anybody.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    address = address or os.environ.get("RAY_ADDRESS")
    try:
        import ray
    except ImportError as error:
        raise InputError("engine 'ray' needs Ray, which is not installed; pip install 'labelbench[ray]'") from error
    if ray.is_initialized():
        yield
        return
    room: dict[str, Any] = (
        {} if address else {"num_cpus": max(usable_cores(), numerics.threads), "include_dashboard": False}
    )
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **room)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise MachineError(
            f"no Ray cluster at {address or 'this machine'}: {one_line(error)[:200]}; `ray start --head` begins one, "
            "and RAY_AUTH_MODE=token shows the token to one that asks for it"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _absolute(settings: Settings) -> Settings:
    """Settings that mean the same from every working folder."""
    labels = settings.labels_dir.absolute() if settings.labels_dir else None
    return replace(
        settings,
        data_dir=settings.data_dir.absolute(),
        labels_dir=labels,
        cache_dir=settings.cache_dir.absolute(),
    )
