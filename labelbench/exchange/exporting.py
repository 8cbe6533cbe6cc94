"""Trained networks as files that others read: safetensors, ONNX, or a torch program."""

from __future__ import annotations

import copy
import io
import json
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from labelbench.errors import InputError, MachineError, UnknownName
from labelbench.exchange.card import model_card
from labelbench.exchange.loading import LoadedNetwork
from labelbench.files import write_atomic
from labelbench.results.records import Record
from labelbench.training.checkpoint import packed

FORMATS = ("safetensors", "onnx", "torch")
_FILES = {"safetensors": "network.safetensors", "onnx": "network.onnx", "torch": "network.pt2"}


def export(loaded: LoadedNetwork, form: str, output: Path, records: Sequence[Record] = ()) -> Path:
    """Write a folder with the network, its labels and a model card.

    Args:
        loaded: the network.
        form: one of :data:`FORMATS`: weights by name with the settings as metadata; an ONNX model, or a program of
            ``torch.export``, from ``pixels`` to ``outputs``, for any number of images.
        output: the folder; made if it is not there.
        records: finished measurements of its results folder, for the card.

    Returns:
        The file of the network.

    Raises:
        UnknownName: no such format.
        InputError: a backbone that the format cannot hold, or a file where the folder should be.
        MachineError: what the format needs is not installed, or the disk refuses.
    """
    if form not in FORMATS:
        raise UnknownName("format", form, FORMATS)
    if output.exists() and not output.is_dir():
        raise InputError(f"--output {output} is a file; expected a folder")
    file = output / _FILES[form]
    write_atomic(file, {"safetensors": _safetensors, "onnx": _onnx, "torch": _program}[form](loaded))
    targets = io.BytesIO()
    np.save(targets, loaded.labels.targets, allow_pickle=False)
    write_atomic(output / "labels.npy", targets.getvalue())
    card = model_card(loaded, records, [file.name, "labels.npy"])
    write_atomic(output / "README.md", card.encode())
    return file


def _safetensors(loaded: LoadedNetwork) -> bytes:
    run = loaded.run
    facts = {"dataset": run.dataset, "label": run.label, "backbone": run.backbone, "classes": loaded.class_names}
    return packed(loaded.network.state_dict(), {**facts, "size": loaded.image_size, "run": run.id})


def _program_of(loaded: LoadedNetwork) -> torch.export.ExportedProgram:
    network = copy.deepcopy(loaded.network).cpu().requires_grad_(False).to(memory_format=torch.contiguous_format)
    example = torch.zeros(2, 3, *loaded.image_size)
    try:
        return torch.export.export(network, (example,), dynamic_shapes=({0: torch.export.Dim("batch", min=1)},))
    except Exception as error:  # a backbone may do anything that cannot be traced
        raise InputError(
            f"backbone {loaded.run.backbone!r} cannot be exported as a program ({str(error).splitlines()[0]}); "
            "--format safetensors holds any"
        ) from error


def _program(loaded: LoadedNetwork) -> bytes:
    buffer = io.BytesIO()
    torch.export.save(_program_of(loaded), buffer)
    return buffer.getvalue()


def _onnx(loaded: LoadedNetwork) -> bytes:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MachineError(f"--format onnx needs {error.name}; pip install 'labelbench[onnx]'") from error
    program = _program_of(loaded)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # Notices of the exporter about itself are nothing that a reader here could change.
        warnings.simplefilter("ignore")
        model = torch.onnx.export(program, input_names=["pixels"], output_names=["outputs"], verbose=False)
    if model is None:
        raise InputError(f"torch gave no ONNX model of backbone {loaded.run.backbone!r}; choose --format safetensors")
    proto = model.model_proto
    for key, value in {"run": loaded.run.id, "classes": json.dumps(loaded.class_names)}.items():
        proto.metadata_props.add(key=key, value=value)
    found: bytes = proto.SerializeToString()
    return found
