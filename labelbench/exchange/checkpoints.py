"""Weights in files of others, read without running anything that they hold."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from labelbench.errors import InputError, one_line
from labelbench.files import disk_errors
from labelbench.networks import Network

OFFICIAL = "official-checkpoint:"
# Parts of the authors' networks, in the order of ours; under them layers are numbered or named as in their code.
_OFFICIAL_PARTS = ("features.", "fc.", "deconvs.")
# Where others keep weights within a file, and what they put before every name.
_WITHIN = ("state_dict", "model_state_dict", "model")
_BEFORE = ("module.", "model.")


def load_weights(checkpoint: str | Path, network: Network) -> None:
    """Put the weights of a file into a network of ours.

    Args:
        checkpoint: a ``.safetensors`` file, or one of ``torch.save`` with weights alone, under our names; or
            ``official-checkpoint:FILE``, a ``*_best_model.pth`` of the paper's authors.
        network: as :func:`labelbench.plugins.lookup.backbone` and the label make it.

    Raises:
        InputError: no such file, one that holds more than weights, or weights of another network.
    """
    name = str(checkpoint)
    official = name.startswith(OFFICIAL)
    file = Path(name.removeprefix(OFFICIAL))
    stored = _read(file)
    matched = _of_the_authors(stored, network, file) if official else stored
    own = network.state_dict()
    for part, names in (("lacks", own.keys() - matched.keys()), ("has besides", matched.keys() - own.keys())):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise InputError(
                f"{file} {part} {min(names)!r}{more}; expected the weights of this backbone and label ({len(own)} "
                f"tensors), or {OFFICIAL}FILE for one of the authors"
            )
    for key, tensor in matched.items():
        if tensor.shape != own[key].shape:
            raise InputError(
                f"{file} has {key} of shape {tuple(tensor.shape)}; this backbone and label have {tuple(own[key].shape)}"
            )
    network.load_state_dict(matched)


def _read(file: Path) -> dict[str, Tensor]:
    if not file.is_file():
        raise InputError(f"no file {file}; expected a checkpoint, .safetensors or of torch.save")
    stored: Any
    try:
        with disk_errors("cannot read", file):
            if file.suffix == ".safetensors":
                stored = load_file(file)
            else:
                stored = torch.load(file, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, ValueError, EOFError, KeyError) as error:
        raise InputError(
            f"{file} is no file of weights alone ({one_line(error)[:120]}); save the network's state_dict()"
        ) from error
    for key in _WITHIN:
        if isinstance(stored, Mapping) and isinstance(stored.get(key), Mapping):
            stored = stored[key]
    if not isinstance(stored, Mapping) or not all(isinstance(tensor, Tensor) for tensor in stored.values()):
        raise InputError(f"{file} holds no state_dict; expected tensors by name")
    found = dict(stored)
    for before in _BEFORE:
        if found and all(key.startswith(before) for key in found):
            found = {key.removeprefix(before): tensor for key, tensor in found.items()}
    return found


def _of_the_authors(stored: Mapping[str, Tensor], network: Network, file: Path) -> dict[str, Tensor]:
    """The tensors under our names: both make the same layers in the same order."""
    strays = [key for key in stored if not key.startswith(_OFFICIAL_PARTS)]
    if strays:
        raise InputError(f"{file} has {strays[0]!r}; expected names of the authors' networks: features, fc and deconvs")
    own = network.state_dict()
    # Older versions of torch counted no batches; mean and deviation of the images lie outside of the authors' networks.
    kept = {key for key in own if key.endswith("num_batches_tracked") or key in ("mean", "std")}
    ours = [key for key in own if key not in kept]
    theirs = [key for key in stored if not key.endswith("num_batches_tracked")]
    if len(ours) != len(theirs):
        raise InputError(f"{file} has {len(theirs)} tensors; this backbone and label have {len(ours)}")
    found = {key: own[key] for key in kept}
    for mine, other in zip(ours, theirs, strict=True):
        if mine.rpartition(".")[2] != other.rpartition(".")[2] or own[mine].shape != stored[other].shape:
            raise InputError(
                f"{file} has {other} of shape {tuple(stored[other].shape)} where this backbone and label have {mine} "
                f"of shape {tuple(own[mine].shape)}"
            )
        found[mine] = stored[other]
    return found
