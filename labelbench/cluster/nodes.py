"""What a machine must have before it gets a job, asked of each: the results folder, versions, images and labels."""

from __future__ import annotations

import platform
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from labelbench.errors import LabelbenchError, one_line
from labelbench.files import write_atomic
from labelbench.machine.hardware import processor
from labelbench.running.facts import origin
from labelbench.running.materials import Materials
from labelbench.running.planning import Plan
from labelbench.runs import RunSpec
from labelbench.settings import Settings

_COMPARED = ("labelbench", "torch", "numpy")


@dataclass(frozen=True)
class Expected:
    """What every node must have, as the driver has it.

    Attributes:
        folder: the results folder, absolute.
        settings: where files are looked for, with absolute paths.
        token: a file in the folder, and what it says.
        versions: of what decides results, by name.
        plugins: distribution and version by kind and name.
        images: fingerprints by data set, each with a run of it.
        labels: identities of labels, each with a run of it.
    """

    folder: str
    settings: Settings
    token: tuple[str, str]
    versions: Mapping[str, str]
    plugins: Mapping[tuple[str, str], str]
    images: Mapping[str, tuple[RunSpec, str]]
    labels: Mapping[tuple[str, str], tuple[RunSpec, str]]

    @property
    def token_file(self) -> Path:
        """What the driver wrote."""
        return Path(self.folder, ".work", "nodes", self.token[0])

    def answer_file(self, node: str) -> Path:
        """What a node writes back."""
        return self.token_file.with_name(f"{self.token[0]}.{node}")


@dataclass(frozen=True)
class NodeReport:
    """What a node says of itself.

    Attributes:
        problems: why it cannot be used, in words; the answer in the results folder is looked at besides.
        processor: its name.
    """

    problems: tuple[str, ...]
    processor: str


def expected_of(plan: Plan, folder: Path, settings: Settings, materials: Materials) -> Expected:
    """What the jobs of a plan ask of a node, and a token written for it.

    Raises:
        MachineError: the disk refuses.
    """
    runs = dict.fromkeys([*plan.todo_trainings, *(cell.run for cell in plan.todo_cells)])
    names = {(kind, name) for run in runs for kind, name in (("label", run.label), ("backbone", run.backbone)) if name}
    names |= {("evaluator", cell.evaluator) for cell in plan.todo_cells}
    images: dict[str, tuple[RunSpec, str]] = {}
    labels: dict[tuple[str, str], tuple[RunSpec, str]] = {}
    for run in runs:
        # What cannot be had here fails its own cells, and is asked of nobody.
        try:
            images.setdefault(run.dataset, (run, materials.images(run).fingerprint))
            labels.setdefault((run.dataset, run.label), (run, materials.labels(run).identity))
        except LabelbenchError:
            continue
    expected = Expected(
        folder=str(folder.absolute()),
        settings=settings,
        token=(secrets.token_hex(8), secrets.token_hex(32)),
        versions=versions(),
        plugins={key: origin(*key) for key in sorted(names)},
        images=images,
        labels=labels,
    )
    write_atomic(expected.token_file, expected.token[1].encode())
    return expected


def check_node(expected: Expected, node: str) -> NodeReport:
    """Look on this machine for everything that is expected, and answer in the results folder."""
    problems = list(_folder_problems(expected, node))
    problems += _version_problems(expected)
    if not problems:
        problems += _material_problems(expected)
    return NodeReport(tuple(problems), processor())


def answered(expected: Expected, node: str) -> bool:
    """Whether what a node wrote arrived here."""
    try:
        return expected.answer_file(node).read_text() == expected.token[1]
    except (OSError, UnicodeDecodeError):
        return False


def versions() -> dict[str, str]:
    """Versions of what decides results, by name."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in _COMPARED}}


def _folder_problems(expected: Expected, node: str) -> Iterator[str]:
    try:
        seen = expected.token_file.read_text()
        if seen == expected.token[1]:
            write_atomic(expected.answer_file(node), seen.encode())
            return
        why = "it holds another token"
    except (OSError, LabelbenchError) as error:
        why = one_line(error)
    yield f"does not see the results folder {expected.folder} ({why}); expected one that every node sees and writes to"


def _version_problems(expected: Expected) -> Iterator[str]:
    here = versions()
    differ = [f"{name} {here.get(name)} (expected {then})" for name, then in expected.versions.items()
              if here.get(name) != then]  # fmt: skip
    for (kind, name), then in expected.plugins.items():
        try:
            now = origin(kind, name)
        except LabelbenchError:
            now = "nothing installed"
        if now != then:
            differ.append(f"{now} for {kind} {name} (expected {then})")
    if differ:
        yield f"has {', '.join(differ)}; install the same versions on every node"


def _material_problems(expected: Expected) -> Iterator[str]:
    from labelbench.settings import use_settings

    with use_settings(expected.settings):
        materials = Materials()
        for name, (run, fingerprint) in expected.images.items():
            try:
                found = materials.images(run).fingerprint
            except LabelbenchError as error:
                yield f"lacks data set {name}: {one_line(error)}"
                continue
            if found != fingerprint:
                yield f"has other images of {name} (fingerprint {found[:12]}, expected {fingerprint[:12]})"
        for (dataset, name), (run, identity) in expected.labels.items():
            try:
                known = materials.labels(run).identity
            except LabelbenchError as error:
                yield f"lacks label {name} of {dataset}: {one_line(error)}"
                continue
            if known != identity:
                yield f"has another label {name} of {dataset} ({known[:12]}, expected {identity[:12]})"
