from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from labelbench.recipes import Recipe
from labelbench.running.materials import Materials
from labelbench.running.profiling import matrix_rate, profile
from labelbench.runs import Numerics, RunSpec

RUN = RunSpec(
    "digits", "category", "resnet8", 0, 0.1, Recipe(batch_size=32, crop_padding=2), numerics=Numerics(threads=1)
)


def test_a_profile_tells_where_the_time_goes_and_how_much_is_multiplied() -> None:
    found = profile(RUN, Materials())
    assert sum(found.parts.values()) == pytest.approx(1)
    assert list(found.parts.values()) == sorted(found.parts.values(), reverse=True)
    assert {"convolution, forward", "convolution, backward", "normalisation"} <= found.parts.keys()
    # ResNet-8 at 32x32: 12.5 million multiplications forward, and twice as many backward but for the first layer.
    assert found.flops / found.batch == pytest.approx(2 * 3 * 12.5e6, rel=0.05)
    assert found.batch == 32 and 0 < found.share_of_matrix_rate < 1
    # Each of about a hundred operations reads and writes what passes between layers.
    assert 1e6 < found.moved / found.batch < 1e8 and found.share_of_memory_rate > 0
    assert "images/s" in "\n".join(found.lines()) and "GB/s measured for copies" in "\n".join(found.lines())


def test_the_matrix_rate_is_that_of_a_machine() -> None:
    assert 1e9 < matrix_rate(Numerics(threads=1)) < 1e15


def test_the_command_profiles_each_shape_of_label_once(
    command: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    labels = ["--label", "speech", "--label", "constant", "--label", "low-dim", "--evaluator", "accuracy"]
    done = command(
        "profile", "--dataset", "digits:size=8", "--backbone", "resnet8", *labels, "--device", "cpu", "--threads", "1"
    )
    assert done.returncode == 0, done.stderr
    assert [line.split()[2] for line in done.stdout.splitlines() if line.startswith("digits")] == [
        "speech,",
        "low-dim,",
    ]
