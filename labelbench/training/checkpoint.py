"""The files of a training: its checkpoint after every epoch, snapshots, and the finished network."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from labelbench.datasets import Images
from labelbench.errors import ConflictError
from labelbench.files import disk_errors, write_atomic
from labelbench.labels import LabelSet
from labelbench.networks import Network
from labelbench.runs import RunSpec
from labelbench.training.device import HostCopies
from labelbench.training.listeners import Course, Listener
from labelbench.training.result import Epoch, Trained

# Parts of a trainer's state that are tensors by name; the rest is JSON.
_TENSORS = ("network", "best", "optimizer", "random")


class Files(Listener):
    """Keeps what a training needs to go on after an interruption, and what is asked for of it.

    Args:
        folder: where ``checkpoint.safetensors`` and ``network.safetensors`` are written.
        snapshots: files that keep the weights as they are after these shares of training, to the nearest epoch.
    """

    def __init__(self, folder: Path, snapshots: Mapping[float, Path]) -> None:
        self._folder = folder
        self._checkpoint = folder / "checkpoint.safetensors"
        self._snapshots = snapshots
        self._writing: Future[None] | None = None

    def resume(self, trainer: Course) -> None:
        """Put the trainer where its checkpoint ends, if there is one.

        Raises:
            ConflictError: the checkpoint was made with other labels or images, or is damaged.
        """
        if not self._checkpoint.exists():
            return
        tensors, state = unpacked(self._checkpoint, trainer.identity)
        # A snapshot that was not asked for before the interruption can only be had from the start.
        moments = self._moments(trainer.run)
        if not all(file.exists() for epoch in range(1, len(state["history"]) + 1) for file in moments[epoch]):
            return
        for part in _TENSORS:
            begin = f"{part}."
            state[part] = {name.removeprefix(begin): one for name, one in tensors.items() if name.startswith(begin)}
        trainer.load_state_dict(state)

    def on_epoch(self, course: Course, epoch: Epoch) -> None:
        """Write the snapshots of this moment, and the checkpoint unless the network itself comes next."""
        state = course.state_dict()
        for file in self._moments(course.run)[epoch.epoch]:
            self._write(file, state["network"], {**course.identity, **_curve(course)})
        if epoch.epoch < course.run.recipe.epochs:
            tensors = {f"{part}.{name}": one for part in _TENSORS for name, one in state.pop(part).items()}
            self._write(self._checkpoint, tensors, {**course.identity, **state}, if_idle=True)

    def on_end(self, course: Course, trained: Trained) -> None:
        """Write the finished network."""
        if self._writing:
            self._writing.result()
        metadata = {**course.identity, **_curve(course), "diverged": trained.diverged}
        write_atomic(self._folder / "network.safetensors", packed(trained.network.state_dict(), metadata))

    def _write(
        self, file: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any], *, if_idle: bool = False
    ) -> None:
        """Write at once; from a GPU a thread does it, and ``if_idle`` leaves it out while another is under way."""
        if not any(tensor.is_cuda for tensor in tensors.values()):
            write_atomic(file, packed(tensors, metadata))
            return
        if self._writing and (not if_idle or self._writing.done()):
            self._writing.result()
            self._writing = None
        if self._writing is None:
            copies, text = HostCopies(tensors), _as_text(metadata)
            self._writing = _writers().submit(lambda: write_atomic(file, save(copies.tensors(), text)))

    def _moments(self, run: RunSpec) -> Mapping[int, list[Path]]:
        """The snapshots of each epoch: with few epochs several shares fall on the same one."""
        moments: dict[int, list[Path]] = defaultdict(list)
        for share, file in self._snapshots.items():
            moments[max(1, round(share * run.recipe.epochs))].append(file)
        return moments


def _curve(course: Course) -> dict[str, Any]:
    """What the files of a training say of its course so far."""
    return {"history": [asdict(line) for line in course.history], "best_epoch": course.best_epoch}


def identity_of(run: RunSpec, labels: LabelSet, images: Images) -> dict[str, str]:
    """What a file of a training must agree with before it is used."""
    return {"run": run.id, "label": labels.identity, "images": images.fingerprint}


def load_trained(run: RunSpec, network: Network, labels: LabelSet, images: Images, file: Path) -> Trained:
    """Read a finished network or a snapshot back.

    Args:
        run: what it is the training of.
        network: of the same shape, untrained.
        labels, images: what it must have been trained with.
        file: ``network.safetensors`` or a snapshot.

    Raises:
        ConflictError: it was trained with other labels or images.
    """
    tensors, metadata = unpacked(file, identity_of(run, labels, images))
    network.load_state_dict(tensors)
    device = torch.device(run.numerics.device)
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    history = tuple(Epoch(**line) for line in metadata.get("history", ()))
    return Trained(run, network.eval(), history, metadata.get("best_epoch", 0), metadata.get("diverged", False))


def packed(tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> bytes:
    """Tensors and JSON values as the bytes of a safetensors file."""
    # Copies, since tied weights share memory and the format stores each tensor by itself.
    stored = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()
    }
    return save(stored, _as_text(metadata))


def _as_text(metadata: Mapping[str, Any]) -> dict[str, str]:
    return {key: json.dumps(value) for key, value in metadata.items()}


@cache
def _writers() -> ThreadPoolExecutor:
    """Threads that write what comes from a GPU."""
    return ThreadPoolExecutor(2, "labelbench-checkpoints")


def unpacked(file: Path, identity: Mapping[str, str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata of a file, refused if it belongs to another run, label set or set of images.

    Raises:
        ConflictError: it does, or it is damaged.
    """
    try:
        with disk_errors("cannot read", file), safe_open(file, framework="pt") as stored:
            metadata = {key: json.loads(value) for key, value in (stored.metadata() or {}).items()}
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118  (no mapping)
    except (SafetensorError, ValueError) as error:
        raise ConflictError(f"{file} is damaged ({error}); remove it and run again") from error
    for key, expected in identity.items():
        if metadata.get(key) != expected:
            raise ConflictError(
                f"{file} was made with another {key} ({str(metadata.get(key))[:12]}, now {expected[:12]}); "
                f"use another --results folder, or --overwrite always to replace it"
            )
    return tensors, metadata
