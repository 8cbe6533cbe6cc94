"""Who carries a plan out on the engine that its suite names."""

from __future__ import annotations

from contextlib import AbstractContextManager

from labelbench.results.store import Results
from labelbench.running.executors import Executor
from labelbench.running.materials import Materials
from labelbench.running.planning import Plan
from labelbench.running.progress import Reporter
from labelbench.running.runner import Runner


def runner_of(
    plan: Plan, results: Results, reporter: Reporter, *, overwrite: str, jobs: int, address: str | None
) -> Runner:
    """The runner of a plan.

    Args:
        plan: what is to be done.
        results: where finished work goes; a folder that every node of a cluster sees.
        reporter: told of everything.
        overwrite: ``"always"`` if finished work is to be done again.
        jobs: most jobs at once; on a cluster 1 is for as many as there is room for.
        address: of a cluster; None for that of ``RAY_ADDRESS``, or for a Ray of its own.
    """
    runner = Runner(plan, results, reporter, overwrite=overwrite == "always", jobs=jobs)
    if plan.suite.engine == "local":
        return runner

    def elsewhere(materials: Materials) -> AbstractContextManager[Executor]:
        from labelbench.cluster.on_ray import on_ray

        most = jobs if jobs > 1 else None
        return on_ray(plan, results, reporter, materials, overwrite=runner.overwrite, jobs=most, address=address)

    runner.elsewhere = elsewhere
    return runner
