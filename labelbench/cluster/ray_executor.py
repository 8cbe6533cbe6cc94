"""Jobs on Ray: actors on its nodes, jobs handed to those that have room, lost ones tried again."""

from __future__ import annotations

import re
import secrets
import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from labelbench.cluster.actors import NodeActor
from labelbench.cluster.leases import SECONDS
from labelbench.cluster.node_worker import progress_of
from labelbench.cluster.nodes import Expected, NodeReport, answered, check_node
from labelbench.cluster.reports import Reports
from labelbench.errors import MachineError, one_line
from labelbench.results.store import Results
from labelbench.running.jobs import Job
from labelbench.running.processes import LIVES
from labelbench.running.progress import Reporter
from labelbench.running.worker import raise_if_for_all
from labelbench.runs import Numerics

_PACE = 0.2
_SECONDS_BETWEEN_LOOKS = 5.0
# More jobs than any worker has in hand, so that each has a number of its own in reports.
_NUMBERS = 1000


@dataclass(eq=False)
class _Worker:
    """A process on a node.

    Attributes:
        node: the node that it is on.
        number: tells workers apart in reports.
        actor: what works there.
    """

    node: str
    number: int
    actor: Any


class RayExecutor:
    """An executor on the nodes of a Ray that runs.

    Args:
        expected: what each node must have.
        results: where finished work goes.
        reporter: told of everything.
        numerics: what a job asks for: threads, or a GPU.
        overwrite: True if finished work is to be done again.
        jobs: most jobs at once, spread over the GPUs if these are fewer; None for one on each GPU, and on CPUs for as
            many as there are threads for.
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
        here = ray.get_runtime_context().get_node_id()
        self._reports = ray.remote(Reports).options(num_cpus=0, scheduling_strategy=_on(here)).remote()
        self._arguments = expected.folder, expected.settings, secrets.token_hex(8), overwrite, self._reports, numerics
        self._lease_seconds = lease_seconds
        self._room = self._room_of_each()
        self._workers: list[_Worker] = []
        # Once for each job that a worker has room for.
        self._free: deque[_Worker] = deque()
        # By what is waited for: a job, or None for a worker that begins.
        self._busy: dict[Any, tuple[_Worker, Job | None]] = {}
        self._known: set[str] = set()
        self._checked: dict[Any, str] = {}
        self._failed_to_begin: Counter[str] = Counter()
        self._processors: set[str] = set()
        self._waiting: deque[Job] = deque()
        self._begun: set[Job] = set()
        self._lost: Counter[Job] = Counter()
        self._progress: dict[Job, float] = {}
        self._done: list[tuple[Job, str]] = []
        self._told = self._looked = 0.0
        self._look_for_nodes()
        while self._checked:
            self._wait()
        if not self._workers:
            raise MachineError("no node of the Ray cluster can be used; the lines above say why of each")

    @property
    def capacity(self) -> int:
        """How many jobs it works on at once; nodes come and go."""
        return max(1, len(self._workers) * self._room)

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
            if not self._workers and not self._checked:
                raise MachineError("no node is left; what is finished stays, and the same command goes on from there")
            self._wait()
            if now - self._told > _PACE:
                self._tell()
            self._hand_out()
        self._tell()
        done, self._done = self._done, []
        return done

    def end(self) -> None:
        """End all workers, whatever they do."""
        for worker in self._workers:
            self._ray.kill(worker.actor)
        self._ray.kill(self._reports)

    def _wait(self) -> None:
        """Wait for a moment, or until something is heard of nodes and workers."""
        asked = [*self._busy, *self._checked]
        ready, _ = self._ray.wait(asked, timeout=_PACE)
        if ready:
            ready, _ = self._ray.wait(asked, num_returns=len(asked), timeout=0)
        for reference in ready:
            if reference in self._checked:
                self._judge(reference, self._checked.pop(reference))
            elif reference in self._busy:
                self._settle(reference)

    def _hand_out(self) -> None:
        while self._waiting and self._free:
            worker, job = self._free.popleft(), self._waiting.popleft()
            self._busy[worker.actor.answer.remote(job, job in self._begun)] = worker, job
            self._begun.add(job)

    def _settle(self, reference: Any) -> None:
        """Hear what became of a job, or that a worker is ready."""
        worker, job = self._busy[reference]
        try:
            kind, said = self._ray.get(reference)
        except self._ray.exceptions.RayActorError as error:
            self._replace(worker, one_line(error)[-300:])
            return
        except self._ray.exceptions.RayError as error:
            kind, said = "done", one_line(error)[-300:]
        del self._busy[reference]
        self._free.extend([worker] * (1 if job else self._room))
        raise_if_for_all(kind, said)
        if job:
            self._done.append((job, said))

    def _replace(self, lost: _Worker, why: str) -> None:
        """Go on without a worker that ended: its jobs are tried again, unless one ends every worker that has it."""
        self._workers.remove(lost)
        self._free = deque(worker for worker in self._free if worker is not lost)
        for reference, (worker, job) in list(self._busy.items()):
            if worker is lost:
                del self._busy[reference]
                if job:
                    self._try_again(job, f"its worker on {self._name(lost.node)} was lost")
                else:
                    self._failed_to_begin[lost.node] += 1
        if lost.node not in self._alive() or self._failed_to_begin[lost.node] >= LIVES:
            if lost.node in self._known:
                self._reporter.line(f"node {self._name(lost.node)}: lost ({why})")
                self._known.discard(lost.node)
            return
        self._add_worker(lost.node, lost.number)

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
        """Begin to check nodes that have come."""
        self._looked = time.monotonic()
        check = self._ray.remote(check_node)
        for node in self._alive():
            if node in self._known:
                continue
            self._known.add(node)
            if self._places(node):
                on = check.options(num_cpus=0, max_retries=0, scheduling_strategy=_on(node))
                self._checked[on.remote(self._expected, node)] = node
            else:
                asks = "a GPU" if self._on_gpus else f"{self._numerics.threads} threads"
                self._refuse(node, f"has no room for a job, which asks for {asks}")

    def _judge(self, reference: Any, node: str) -> None:
        """Hear what a node says of itself, and give one that passes its workers."""
        try:
            report = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            absent = re.search(r"No module named \S+", str(error))
            why = absent[0] if absent else one_line(error)[-200:]
            report = NodeReport((f"cannot check itself ({why}); expected labelbench and the plugins there too",), "")
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
            if self._jobs is None or len(self._workers) * self._room < self._jobs:
                self._add_worker(node, len(self._workers))

    def _refuse(self, node: str, problem: str) -> None:
        self._reporter.line(f"node {self._name(node)} {problem}; it gets no job")

    def _add_worker(self, node: str, number: int) -> None:
        needs = {"num_gpus": 1, "num_cpus": 0} if self._on_gpus else {"num_cpus": self._numerics.threads}
        made = self._ray.remote(NodeActor).options(**needs, max_concurrency=self._room, scheduling_strategy=_on(node))
        actor = made.remote(*self._arguments, self._lease_seconds, number * _NUMBERS, self._room)
        worker = _Worker(node, number, actor)
        self._workers.append(worker)
        self._busy[actor.ready.remote()] = worker, None

    def _room_of_each(self) -> int:
        """How many jobs a worker is given at once: several on a GPU, if there are more jobs than GPUs."""
        if not self._on_gpus or self._jobs is None:
            return 1
        return max(1, -(-self._jobs // max(1, sum(self._places(node) for node in self._alive()))))

    @property
    def _on_gpus(self) -> bool:
        return self._numerics.device == "cuda"

    def _places(self, node: str) -> int:
        """How many workers a node has room for."""
        has = self._alive().get(node, {}).get("Resources", {})
        return int(has.get("GPU", 0) if self._on_gpus else has.get("CPU", 0) // max(1, self._numerics.threads))

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
