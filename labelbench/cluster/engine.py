"""The engine that a suite names, as the runner takes it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from labelbench.results.store import Results
from labelbench.running.executors import Executor
from labelbench.running.materials import Materials
from labelbench.running.planning import Plan
from labelbench.running.progress import Reporter


def elsewhere(
    plan: Plan, results: Results, reporter: Reporter, *, overwrite: bool, jobs: int, address: str | None
) -> Callable[[Materials], AbstractContextManager[Executor]] | None:
    """What gives the executor of the suite's engine; None where jobs run on this machine.

    Args:
        plan: what is to be done.
        results: a folder that every node sees.
        reporter: told of everything.
        overwrite: True if finished work is to be done again.
        jobs: most jobs at once; 1 for as many as there is room for.
        address: of a cluster; None for that of ``RAY_ADDRESS``, or for a Ray of its own.
    """
    if plan.suite.engine == "local":
        return None

    def made(materials: Materials) -> AbstractContextManager[Executor]:
        from labelbench.cluster.on_ray import on_ray

        most = jobs if jobs > 1 else None
        return on_ray(plan, results, reporter, materials, overwrite=overwrite, jobs=most, address=address)

    return made
