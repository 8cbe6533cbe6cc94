"""Images per second on a GPU, captured and compiled, one network and several at once, beside the step as it is.

The same rates as in ``gpu_check.py``, which checks the claims as well and needs no pytest; without a GPU nothing is
measured. ``LABELBENCH_BENCHMARK_SYNTHETIC=1`` takes made-up images.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

if not torch.cuda.is_available():
    pytest.skip("there is no GPU that this torch can use", allow_module_level=True)

_SPEC = importlib.util.spec_from_file_location("gpu_check", Path(__file__).with_name("gpu_check.py"))
assert _SPEC and _SPEC.loader
gpu_check = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = gpu_check
_SPEC.loader.exec_module(gpu_check)
if os.environ.get("LABELBENCH_BENCHMARK_SYNTHETIC") == "1":
    gpu_check.use_synthetic_images()

# Backbone, numerics, networks at once, and whether full steps are captured.
ROWS = [
    ("resnet32", "EXACT", 1, False),
    ("resnet32", "EXACT", 1, True),
    ("resnet32", "PLAIN", 1, False),
    ("resnet32", "PLAIN", 1, True),
    ("resnet32", "PLAIN", 8, True),
    ("resnet32", "FAST", 1, True),
    ("resnet32", "FAST", 8, True),
    ("vgg19", "FAST", 4, True),
    ("resnet110", "FAST", 8, True),
    ("resnet8", "FAST", 8, True),
]


@pytest.mark.parametrize(("backbone", "numerics", "networks", "captured"), ROWS)
def test_training_on_a_gpu(benchmark: Any, backbone: str, numerics: str, networks: int, captured: bool) -> None:
    chosen = getattr(gpu_check, numerics)
    rates: list[float] = []

    def measure() -> None:
        rates.append(gpu_check.rate(backbone, chosen, networks, captured=captured))

    benchmark.pedantic(measure, rounds=2, iterations=1)
    benchmark.extra_info["images/s"] = round(max(rates))
    how = f"{networks} at once, {'captured' if captured else 'as it is'}"
    print(f"\n{backbone}, {chosen}, {how}: {max(rates):,.0f} images/s on {torch.cuda.get_device_name()}")
