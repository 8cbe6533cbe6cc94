"""One training as a frozen value: its spec, its identity, and the seeds derived from it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from labelbench.recipes import Recipe
from labelbench.settings import current_settings
from labelbench.values import differences, digest_of

# What file managers leave in folders, besides what a dot hides.
_CLUTTER = ("Thumbs.db", "desktop.ini")
NUMERICS_MODES = ("exact", "portable", "fast")


@dataclass(frozen=True)
class Numerics:
    """How numbers are computed, resolved when planning by rules on spec and machine.

    Attributes:
        mode: ``"exact"`` (float32, not compiled: the same bits on CPUs of equal capability, with equal versions and
            threads), ``"portable"`` (the same bits on every x86 processor with AVX2) or ``"fast"`` (what the machine
            has).
        device: ``"cpu"``, ``"cuda"`` or ``"mps"``.
        precision: ``"float32"``, ``"bfloat16"`` or ``"float16"`` of the matrix products.
        threads: threads of one process on a CPU; 0 where another device computes.
        compiled: whether the network is compiled.
    """

    mode: str = "exact"
    device: str = "cpu"
    precision: str = "float32"
    threads: int = 1
    compiled: bool = False

    def __str__(self) -> str:
        parts = [self.mode, self.device, self.precision]
        parts += [f"{self.threads} threads"] if self.device == "cpu" else []
        parts += ["compiled"] if self.compiled else []
        return ", ".join(parts)


@dataclass(frozen=True)
class RunSpec:
    """One training. Equal specs are the same training; everything that may change its result is a field.

    Attributes:
        dataset, label, backbone: names, as the user wrote them.
        seed: every random number of the run is derived from it, by axis.
        train_fraction: share of the training images used, 0 to 1 (paper, section 4.3: a share of all training
            images, taken after the validation images).
        recipe: how it is trained.
        numerics: how numbers are computed.
        files: ``(path, SHA-256)`` of each file or folder that label and backbone mention; and, where the name of the
            data set does not say for certain which images it has, that name with the fingerprint of their pixels.
        weights: SHA-256 of the weights, of a network that was trained elsewhere; empty for one trained here. Recipe,
            seed and share of the data then say nothing.

    >>> run = RunSpec("digits", "speech", "resnet8", 0)
    >>> run == RunSpec.of("digits", "speech", "resnet8", 0), run.id == RunSpec.of("digits", "speech", "resnet8", 1).id
    (True, False)
    >>> print(RunSpec("cifar10", "speech", "vgg19", 2, train_fraction=0.1))
    cifar10 vgg19 speech seed 2 10% of the data
    """

    dataset: str
    label: str
    backbone: str
    seed: int
    train_fraction: float = 1.0
    recipe: Recipe = Recipe()
    numerics: Numerics = Numerics()
    files: tuple[tuple[str, str], ...] = ()
    weights: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "train_fraction", float(self.train_fraction))

    @staticmethod
    def of(dataset: str, label: str, backbone: str, seed: int, *, pixels: str | None = None, **rest: Any) -> RunSpec:
        """A spec with ``files`` filled in from the names.

        Args:
            dataset, label, backbone, seed, rest: fields of the spec.
            pixels: the fingerprint of the images, where it is part of the identity.
        """
        return RunSpec(dataset, label, backbone, seed, files=_files_of(dataset, pixels, label, backbone), **rest)

    def __hash__(self) -> int:
        # Of the names and the seed alone: the rest is the same for most runs, and a plan of many looks them up often.
        return hash((self.dataset, self.label, self.backbone, self.seed))

    @cached_property
    def id(self) -> str:
        """Ten hexadecimal digits of the SHA-256 of the fields that differ from their defaults."""
        return digest_of(differences(self))

    @property
    def label_seed(self) -> int | None:
        """The seed, if the label is drawn again with each seed (``seed=run``), else None."""
        return self.seed if draws_label_per_run(self.label) else None

    @property
    def of_labels(self) -> RunSpec:
        """What is left of the run for a look at its labels alone; ``backbone`` is then empty."""
        return RunSpec(
            self.dataset,
            self.label,
            "",
            self.label_seed or 0,
            files=_files_of(self.dataset, dict(self.files).get(self.dataset), self.label),
        )

    @cached_property
    def place(self) -> str:
        """Where the run's files lie, relative to the results folder: readable, and unique by its id."""
        backbone = slug(self.backbone) if self.backbone else "labels"
        return f"{slug(self.dataset)}/{backbone}/{slug(self.label)}/seed{self.seed}-{self.id}"

    @property
    def folder(self) -> Path:
        """The same as a path."""
        return Path(self.place)

    def __str__(self) -> str:
        if not self.backbone:
            return f"{self.dataset} {self.label}" + (f" seed {self.seed}" if self.label_seed is not None else "")
        if self.weights:
            return f"{self.dataset} {self.backbone} {self.label} trained elsewhere"
        share = "" if self.train_fraction == 1 else f" {self.share_of_data} of the data"
        return f"{self.dataset} {self.backbone} {self.label} seed {self.seed}{share}"

    @property
    def share_of_data(self) -> str:
        """The share of the training images in percent, not rounded: ``"1.5%"``."""
        return f"{100 * self.train_fraction:.12g}%"


def derived_seed(seed: int, *axis: object) -> int:
    """A seed of its own for one axis of randomness, 0 to 2**63 - 1.

    It depends on nothing but its arguments, so adding a label, a seed or an evaluator changes no other run.

    >>> derived_seed(0, "order", 1) == derived_seed(0, "order", 1) != derived_seed(0, "order", 2)
    True
    """
    text = json.dumps([seed, *map(str, axis)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def draws_label_per_run(label: str) -> bool:
    """Whether the label's argument says ``seed=run``: drawn again with the seed of each run."""
    return bool(re.search(r"(?:^|[:,])seed=run(?=$|,)", label))


def label_of_run(label: str, seed: int) -> str:
    """The label name with ``seed=run`` replaced by the seed of the run.

    >>> label_of_run("uniform-random:seed=run", 3)
    'uniform-random:seed=3'
    """
    return re.sub(r"(^|[:,])seed=run(?=$|,)", rf"\g<1>seed={seed}", label)


@lru_cache(maxsize=4096)
def slug(name: str) -> str:
    """A name as one readable path component: never a parent folder, hidden, or longer than 80 characters.

    >>> slug("timm:resnet18"), slug("../x"), slug("<img src=x>")
    ('timm-resnet18', 'x', 'img-src=x')
    """
    return re.sub(r"[^A-Za-z0-9._+=-]+", "-", name).strip(".-")[:80] or "unnamed"


def mentioned_in(name: str) -> tuple[str, ...]:
    """What may be a path in the argument of a name: all of it, and each part between ``:``, ``,`` and ``=``.

    >>> mentioned_in("npy:a/b.npy"), mentioned_in("scaled:npy:x.npy"), mentioned_in("speech")
    (('a/b.npy',), ('npy:x.npy', 'npy', 'x.npy'), ())
    """
    _, colon, argument = name.partition(":")
    return tuple(dict.fromkeys([argument, *re.split(r"[:,=]", argument)])) if colon else ()


def named_files(name: str) -> dict[str, str]:
    """SHA-256 of each file or folder that the argument of a label or backbone mentions.

    A part of the argument (between ``:``, ``,`` and ``=``) counts if it is an existing file, or an existing folder
    written with a slash or after ``=`` (a folder ``speech`` that happens to be here is not what ``official:speech``
    means); the part after the first colon counts as a whole as well, since paths may hold any of these. A name that a
    script gave an array counts too.
    """
    given = dict(current_settings().arrays)
    hashes = {part: given[part].stem for part in (name, *mentioned_in(name)) if part in given}
    values = re.findall(r"=([^:,=]+)", name.partition(":")[2])
    for part in mentioned_in(name):
        # As pathlib does it, but a ~ that is nobody's home stays what it is.
        path = Path(os.path.expanduser(part))  # noqa: PTH111
        if part and (path.is_file() or (("/" in part or part in values) and path.is_dir())):
            hashes[part] = _sha256_of(path, _state_of(path))
    return hashes


def _files_of(dataset: str, pixels: str | None, *names: str) -> tuple[tuple[str, str], ...]:
    hashes = {dataset: pixels} if pixels else {}
    for name in names:
        hashes |= named_files(name)
    return tuple(sorted(hashes.items()))


def _state_of(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, size and time of every file at or below ``path``: what tells whether a hash is still good.

    Links are followed; what file managers leave behind does not count.
    """
    files = [path]
    if path.is_dir():
        found = (Path(folder, name) for folder, _, names in os.walk(path, followlinks=True) for name in names)
        files = sorted(file for file in found if not file.name.startswith(".") and file.name not in _CLUTTER)
    state = []
    for item in files:
        info = item.stat()
        state.append((item.relative_to(path).as_posix(), info.st_size, info.st_mtime_ns))
    return tuple(state)


@lru_cache(maxsize=256)
def _sha256_of(path: Path, state: tuple[tuple[str, int, int], ...]) -> str:
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    digest = hashlib.sha256()
    for name, _, _ in state:
        with (path / name).open("rb") as file:
            digest.update(f"{name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()
