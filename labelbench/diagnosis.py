"""What this machine and this installation offer: versions, devices, caches, plugins, and what is missing for what."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from labelbench.machine.hardware import cpp_compiler, has_cuda, has_mps, processor, usable_cores
from labelbench.plugins.discovery import plugins
from labelbench.settings import current_settings

_VERSIONS = ("labelbench", "torch", "numpy", "timm", "torchvision")
# By module: what it is needed for, and what to install.
_OPTIONAL = {
    "transformers": ("label bert", "labelbench[text]"),
    "espeakng_loader": ("label speech:tts=espeak", "labelbench[tts]"),
    "datasets": ("data sets hf:NAME", "labelbench[hub]"),
    "onnx": ("export --format onnx", "labelbench[onnx]"),
    "ray": ("run --engine ray", "labelbench[ray]"),
    "tensorboard": ("run --log tensorboard", "labelbench[tensorboard]"),
    "wandb": ("run --log wandb", "labelbench[wandb]"),
    "mlflow": ("run --log mlflow", "labelbench[mlflow]"),
}


def diagnosis() -> Iterator[tuple[str, str, bool]]:
    """``(subject, finding, whether all is well)`` of everything that is looked at; nothing is fetched or changed."""
    yield "python", f"{platform.python_version()}, {sys.executable}", True
    yield "system", f"{platform.system()} {platform.machine()}, {processor()}, {usable_cores()} cores", True
    for name in _VERSIONS:
        try:
            yield name, metadata.version(name), True
        except metadata.PackageNotFoundError:
            yield name, "not installed", False
    yield "GPU", "CUDA" if has_cuda() else "MPS" if has_mps() else "none: --device cpu", True
    yield "compiler", cpp_compiler() or "none: networks are not compiled (--compile needs g++ or clang++)", True
    settings = current_settings()
    for subject, folder, hint in (
        ("data", settings.data_dir, "--data-dir or LABELBENCH_DATA"),
        ("labels", settings.labels_dir, "labels official:NAME need --labels-dir or LABELBENCH_LABELS"),
        ("cache", settings.cache_dir, "made when first used"),
    ):
        yield subject, _folder(folder, hint), True
    yield "network", "not used (offline)" if settings.offline else "may be used", True
    for module, (needed_for, install) in _OPTIONAL.items():
        if find_spec(module) is None:
            yield needed_for, f"pip install '{install}'", True
    found = plugins()
    counts = f"{len(found.labels)} labels, {len(found.backbones)} backbones, {len(found.evaluators)} evaluators, "
    yield "plugins", counts + f"{len(found.datasets)} data sets", True
    for broken in found.broken:
        yield f"plugin {broken.origin.plugin}", f"broken: {broken.reason}", False


def _folder(folder: Path | None, hint: str) -> str:
    if folder is None:
        return f"not set; {hint}"
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else 0
    return f"{folder}, {size / 1e6:,.0f} MB" if folder.is_dir() else f"{folder} is not there; {hint}"
