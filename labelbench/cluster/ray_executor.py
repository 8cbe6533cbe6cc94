"""Jobs on Ray: an actor for each place where one can run, jobs handed to those that are free, lost ones tried again."""

from __future__ import annotations

import logging
import os
import re
import secrets
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labelbench.cluster.leases import SECONDS
from labelbench.cluster.node_worker import NodeWorker, progress_of
from labelbench.cluster.nodes import Expected, NodeReport, answered, check_node, expected_of
from labelbench.errors import InputError, MachineError, one_line
from labelbench.machine.hardware import usable_cores
from labelbench.results.store import Results
from labelbench.running.jobs import Job
from labelbench.running.materials import Materials
from labelbench.running.planning import Plan
from labelbench.running.processes import LIVES
from labelbench.running.progress import RemoteListener, Reporter
from labelbench.running.worker import raise_if_for_all
from labelbench.runs import Numerics
from labelbench.settings import Settings, current_settings, put_in_force

_PACE = 0.2
_SECONDS_BETWEEN_LOOKS = 5.0


@dataclass
class _Slot:
    """A place where one job at a time runs.

    Attributes:
        node: the node that it is on.
        number: tells slots apart in reports.
        actor: what works there.
        job: what it works on; None while it begins or is free.
    """

    node: str
    number: int
    actor: Any
    job: Job | None = None


class _Reports:
    """What workers say, until the driver asks for it."""

    def __init__(self) -> None:
        self._said: list[Any] = []

    def tell(self, event: Any) -> None:
        self._said.append(event)

    def take(self) -> list[Any]:
        said, self._said = self._said, []
        return said


class _Actor:
    """A :class:`NodeWorker` in a process of Ray's."""

    def __init__(
        self, folder: str, settings: Settings, driver: str, overwrite: bool, reports: Any, number: int, seconds: float
    ) -> None:
        put_in_force(settings)
        listener = RemoteListener(reports.tell.remote, number)
        self._worker = NodeWorker(Path(folder), listener, driver, overwrite=overwrite, lease_seconds=seconds)

    def ready(self) -> tuple[str, str]:
        return "ready", ""

    def answer(self, job: Job, again: bool) -> tuple[str, str]:
        return self._worker.answer(job, again)


class RayExecutor:
    """An executor on the nodes of a Ray that runs.

    Args:
        expected: what each node must have.
        results: where finished work goes.
        reporter: told of everything.
        numerics: what a job asks for: threads, or a GPU.
        overwrite: True if finished work is to be done again.
        jobs: most jobs at once; None for as many as there is room for.
        lease_seconds: after which a job whose worker is heard of no more may be taken over.

    Raises:
        MachineError: no node can be used.
    """

    def __init__(
        self,
        expected: Expected,
        results: Results,
        reporter: Reporter,
        numerics: Numerics,
        *,
        overwrite: bool,
        jobs: int | None = None,
        lease_seconds: float = SECONDS,
    ) -> None:
        import ray

        self._ray = ray
        self._expected = expected
        self._results = results
        self._reporter = reporter
        self._numerics = numerics
        self._jobs = jobs
        self._driver = secrets.token_hex(8)
        here = ray.get_runtime_context().get_node_id()
        self._reports = ray.remote(_Reports).options(num_cpus=0, scheduling_strategy=_on(here)).remote()
        self._arguments = expected.folder, expected.settings, self._driver, overwrite, self._reports
        self._lease_seconds = lease_seconds
        self._slots: list[_Slot] = []
        self._free: deque[_Slot] = deque()
        self._busy: dict[Any, _Slot] = {}
        self._known: set[str] = set()
        self._failed_to_begin: Counter[str] = Counter()
        self._processors: set[str] = set()
        self._waiting: deque[Job] = deque()
        self._begun: set[Job] = set()
        self._lost: Counter[Job] = Counter()
        self._progress: dict[Job, float] = {}
        self._done: list[tuple[Job, str]] = []
        self._told = self._looked = 0.0
        self._look_for_nodes()
        if not self._slots:
            raise MachineError("no node of the Ray cluster can be used; the lines above say why of each")

    @property
    def capacity(self) -> int:
        """How many jobs it works on at once; nodes come and go."""
        return max(1, len(self._slots))

    def start(self, job: Job) -> None:
        """Hand the job to the next worker that is free."""
        self._waiting.append(job)
        self._hand_out()

    def finished(self) -> list[tuple[Job, str]]:
        """Wait for the first job that is done.

        Raises:
            ConflictError, MachineError: what every other job would meet as well; or no node is left.
        """
        while not self._done:
            now = time.monotonic()
            if now - self._looked > _SECONDS_BETWEEN_LOOKS:
                self._look_for_nodes()
            if not self._slots:
                raise MachineError("no node is left; what is finished stays, and the same command goes on from there")
            ready, _ = self._ray.wait(list(self._busy), timeout=_PACE)
            if ready:
                ready, _ = self._ray.wait(list(self._busy), num_returns=len(self._busy), timeout=0)
            for reference in ready:
                self._settle(reference, self._busy.pop(reference))
            if now - self._told > _PACE:
                self._tell()
            self._hand_out()
        self._tell()
        done, self._done = self._done, []
        return done

    def end(self) -> None:
        """End all workers, whatever they do."""
        for slot in self._slots:
            self._ray.kill(slot.actor)
        self._ray.kill(self._reports)

    def _hand_out(self) -> None:
        while self._waiting and self._free:
            slot, job = self._free.popleft(), self._waiting.popleft()
            slot.job = job
            self._busy[slot.actor.answer.remote(job, job in self._begun)] = slot
            self._begun.add(job)

    def _settle(self, reference: Any, slot: _Slot) -> None:
        """Hear what became of a job, or that a worker is ready."""
        try:
            kind, said = self._ray.get(reference)
        except self._ray.exceptions.RayActorError as error:
            self._replace(slot, one_line(error)[:200])
            return
        job, slot.job = slot.job, None
        self._free.append(slot)
        raise_if_for_all(kind, said)
        if job:
            self._done.append((job, said))

    def _replace(self, slot: _Slot, why: str) -> None:
        """Go on without a worker that ended: its job is tried again, unless that ends every worker that has it."""
        self._slots.remove(slot)
        job = slot.job
        if job:
            self._try_again(job, f"its worker on {self._name(slot.node)} was lost")
        else:
            self._failed_to_begin[slot.node] += 1
        if slot.node not in self._alive() or self._failed_to_begin[slot.node] >= LIVES:
            if slot.node in self._known:
                self._reporter.line(f"node {self._name(slot.node)}: lost")
                self._known.discard(slot.node)
            return
        self._add_slot(slot.node, slot.number)

    def _try_again(self, job: Job, how: str) -> None:
        progress = progress_of(self._results, job)
        if progress > self._progress.get(job, 0.0):
            # It got further than the last time: it is not the job that ends its workers.
            self._lost[job] = 0
        self._progress[job] = progress
        self._lost[job] += 1
        if self._lost[job] < LIVES:
            self._reporter.line(f"{job}: {how}; tried again")
            self._waiting.appendleft(job)
        else:
            self._done.append((job, f"{how}, {LIVES} times (out of memory?)"))

    def _look_for_nodes(self) -> None:
        """Check nodes that have come, and give those that pass their workers."""
        self._looked = time.monotonic()
        new = [node for node in self._alive() if node not in self._known]
        self._known.update(new)
        check = self._ray.remote(check_node)
        asked = {
            node: check.options(num_cpus=0, max_retries=0, scheduling_strategy=_on(node)).remote(self._expected, node)
            for node in new
            if self._places(node)
        }
        for node in new:
            if not self._places(node):
                asks = "a GPU" if self._numerics.device == "cuda" else f"{self._numerics.threads} threads"
                self._refuse(node, f"has no room for a job, which asks for {asks}")
        for node, reference in asked.items():
            try:
                report = self._ray.get(reference)
            except self._ray.exceptions.RayError as error:
                absent = re.search(r"No module named \S+", str(error))
                why = absent[0] if absent else one_line(error)[-200:]
                report = NodeReport(
                    (f"cannot check itself ({why}); expected labelbench and the plugins there too",), ""
                )
            problems = report.problems
            if not problems and not answered(self._expected, node):
                problems = (f"writes to another results folder {self._expected.folder}; expected one for all",)
            for problem in problems:
                self._refuse(node, problem)
            if not problems:
                self._welcome(node, report)

    def _welcome(self, node: str, report: NodeReport) -> None:
        if self._processors and report.processor not in self._processors:
            self._reporter.line(
                f"node {self._name(node)}: another processor ({report.processor}, others {', '.join(self._processors)})"
                "; its results may differ in the last bits, and every record says where it was made"
            )
        self._processors.add(report.processor)
        for _ in range(self._places(node)):
            if self._jobs is None or len(self._slots) < self._jobs:
                self._add_slot(node, len(self._slots))

    def _refuse(self, node: str, problem: str) -> None:
        self._reporter.line(f"node {self._name(node)} {problem}; it gets no job")

    def _add_slot(self, node: str, number: int) -> None:
        gpu = self._numerics.device == "cuda"
        needs = {"num_cpus": 0 if gpu else self._numerics.threads, "num_gpus": 1 if gpu else 0}
        made = self._ray.remote(_Actor).options(**needs, scheduling_strategy=_on(node))
        slot = _Slot(node, number, made.remote(*self._arguments, number, self._lease_seconds))
        self._slots.append(slot)
        self._busy[slot.actor.ready.remote()] = slot

    def _places(self, node: str) -> int:
        """How many jobs a node has room for."""
        has = self._alive().get(node, {}).get("Resources", {})
        if self._numerics.device == "cuda":
            return int(has.get("GPU", 0))
        return int(has.get("CPU", 0) // max(1, self._numerics.threads))

    def _alive(self) -> dict[str, dict[str, Any]]:
        return {node["NodeID"]: node for node in self._ray.nodes() if node["Alive"]}

    def _name(self, node: str) -> str:
        facts: dict[str, Any] = next((each for each in self._ray.nodes() if each["NodeID"] == node), {})
        return f"{facts.get('NodeManagerHostname', 'unknown')} ({node[:6]})"

    def _tell(self) -> None:
        self._told = time.monotonic()
        with suppress(self._ray.exceptions.RayActorError):
            for method, arguments, options in self._ray.get(self._reports.take.remote()):
                getattr(self._reporter, method)(*arguments, **options)


def _on(node: str) -> Any:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node, soft=False)


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
    if address and (Path.home() / ".ray" / "auth_token").is_file():
        # `ray start` asks for the token wherever there is one, and `ray.init` shows it only if it is told to.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
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
            f"no Ray cluster at {address or 'this machine'}: {one_line(error)[:200]}; `ray start --head` begins one"
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
