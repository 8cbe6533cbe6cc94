"""Where the time of a training step goes, and how much of what the machine can multiply it uses."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from labelbench.machine.numerics import numerics_in_force
from labelbench.running.estimate import Work, training_rate
from labelbench.running.first_steps import trainer_for, wait_for
from labelbench.running.materials import Materials
from labelbench.runs import Numerics, RunSpec

if TYPE_CHECKING:
    from torch import Tensor

_WARMING_UP, _PROFILED = 3, 5
# Side of the square matrices, and images and channels of the convolution, that are the measure of the machine, and how
# often each is taken.
_COPIED, _COPIED_ON_A_GPU = 1 << 27, 1 << 30
_SIDE, _IMAGES, _CHANNELS, _PRODUCTS = 2048, 32, 64, 10

# Parts of a step by how the names of torch's operations begin, the first that fits.
_PARTS: Mapping[str, tuple[str, ...]] = {
    "convolution, backward": ("aten::convolution_backward", "aten::cudnn_convolution_backward"),
    "convolution, forward": ("aten::mkldnn_convolution", "aten::_convolution", "aten::cudnn_convolution", "aten::conv"),
    "linear layers": ("aten::mm", "aten::addmm", "aten::bmm", "aten::linear"),
    "normalisation": ("aten::native_batch_norm", "aten::cudnn_batch_norm", "aten::native_layer_norm"),
    "compiled code": ("## Call Compiled", "graph_", "triton"),
    "update": ("Optimizer.", "aten::_fused_sgd"),
}
_REST = "element-wise, copies, and the rest"


@dataclass(frozen=True)
class Profile:
    """One kind of training step.

    Attributes:
        run: what was trained.
        images_per_second: of whole steps, batches included, without validation.
        batch: images of a step.
        flops: floating point operations of matrix products and convolutions in a step, counted.
        matrix_rate: what :func:`matrix_rate` measured in the run's precision.
        moved: bytes that the operations of a step read and write, each by itself.
        memory_rate: what :func:`memory_rate` measured.
        parts: share of the time of a step, 0 to 1, by what it was spent on, the largest first.
    """

    run: RunSpec
    images_per_second: float
    batch: int
    flops: float
    matrix_rate: float
    moved: float
    memory_rate: float
    parts: Mapping[str, float]

    @property
    def share_of_matrix_rate(self) -> float:
        """Operations per second of the step over :attr:`matrix_rate`."""
        return self.flops * self.images_per_second / self.batch / self.matrix_rate

    @property
    def share_of_memory_rate(self) -> float:
        """Bytes per second of the step over :attr:`memory_rate`; above 1 where caches and compiled code save some."""
        return self.moved * self.images_per_second / self.batch / self.memory_rate

    def lines(self) -> Iterator[str]:
        """The profile in words."""
        run = self.run
        yield f"{run.dataset} {run.backbone} {run.label}, {run.numerics}, {self.batch} images a step"
        yield (
            f"  {self.images_per_second:,.0f} images/s; {self.flops / self.batch / 1e9:.3f} GFLOP an image; "
            f"{self.share_of_matrix_rate:.0%} of the {self.matrix_rate / 1e9:,.0f} GFLOP/s measured for products alone"
        )
        yield (
            f"  {self.moved / self.batch / 1e6:,.1f} MB an image are read and written; {self.share_of_memory_rate:.0%} "
            f"of the {self.memory_rate / 1e9:,.0f} GB/s measured for copies alone"
        )
        for part, share in self.parts.items():
            yield f"  {share:6.1%}  {part}"


def profile(run: RunSpec, materials: Materials) -> Profile:
    """Take a few steps of a training: timed, then counted, then profiled.

    Args:
        run: what to train; its folder is not touched.
        materials: images and labels.
    """
    rate = training_rate(run, materials)
    flops, moved = _counted(run, materials)
    return Profile(
        run,
        rate,
        Work.of(run, materials).batch,
        flops,
        matrix_rate(run.numerics),
        moved,
        memory_rate(run.numerics),
        _parts(run, materials),
    )


def matrix_rate(numerics: Numerics) -> float:
    """Floating point operations per second that the machine multiplies at: the best of ten tries of two products.

    One is of two 2048x2048 matrices, one a 3x3 convolution of 64 channels; on a CPU two libraries compute them, and
    either may be the faster.
    """
    import torch

    with numerics_in_force(numerics):
        options: dict[str, Any] = {
            "device": torch.device(numerics.device),
            "dtype": getattr(torch, numerics.precision),
        }
        matrix = torch.rand(_SIDE, _SIDE, **options)
        images, kernel = (
            torch.rand(*shape, **options).to(memory_format=torch.channels_last)
            for shape in ((_IMAGES, _CHANNELS, 32, 32), (_CHANNELS, _CHANNELS, 3, 3))
        )
        return max(
            2 * _SIDE**3 / _shortest(lambda: matrix @ matrix),
            2 * images.numel() * kernel[0].numel() / _shortest(lambda: torch.conv2d(images, kernel, padding=1)),
        )


def _shortest(product: Callable[[], Tensor]) -> float:
    """Seconds of the fastest of several calls."""

    def seconds() -> float:
        started = time.perf_counter()
        # Reading a value waits for the device.
        float(product()[0, 0].sum())
        return time.perf_counter() - started

    return min(seconds() for _ in range(_PRODUCTS))


def memory_rate(numerics: Numerics) -> float:
    """Bytes per second that the machine reads and writes: the best of ten copies of a large array."""
    import torch

    device = torch.device(numerics.device)
    with numerics_in_force(numerics):
        source = torch.ones(_COPIED_ON_A_GPU if device.type == "cuda" else _COPIED, dtype=torch.uint8, device=device)
        target = torch.empty_like(source)
        return 2 * source.nbytes / _shortest(lambda: target.copy_(source).view(-1, 1, 1, 1))


def _counted(run: RunSpec, materials: Materials) -> tuple[float, float]:
    """Floating point operations of one step, and bytes that its operations read and write.

    Counted by what torch dispatches when nothing is compiled; a multiplication and an addition are two.
    """
    from torch.utils.flop_counter import FlopCounterMode

    from labelbench.machine.traffic import Traffic

    eager = replace(run, numerics=replace(run.numerics, compiled=False))
    with numerics_in_force(eager.numerics):
        trainer = trainer_for(eager, materials, 2, captured=False)
        with FlopCounterMode(display=False) as counter:
            trainer.step()
        with Traffic() as traffic:
            trainer.step()
    return float(counter.get_total_flops()), float(traffic.moved)


def _parts(run: RunSpec, materials: Materials) -> Mapping[str, float]:
    # Read when the profiler is loaded; it would tell of every start, and of every device that is not here.
    os.environ.setdefault("KINETO_LOG_LEVEL", "5")
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as torch_profile

    activities = [ProfilerActivity.CPU]
    on_gpu = run.numerics.device == "cuda"
    if on_gpu:
        activities.append(ProfilerActivity.CUDA)
    profiler = torch_profile(activities=activities)

    with numerics_in_force(run.numerics):
        # A captured step is one operation to the profiler.
        trainer = trainer_for(run, materials, _WARMING_UP + _PROFILED, captured=False)
        for done in range(_WARMING_UP + _PROFILED):
            if done == _WARMING_UP:
                wait_for(run)
                profiler.start()
            trainer.step()
        wait_for(run)
        profiler.stop()
    found: dict[str, float] = defaultdict(float)
    for event in profiler.key_averages():
        spent = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        part = next((part for part, beginnings in _PARTS.items() if event.key.startswith(beginnings)), _REST)
        found[part] += spent
    total = sum(found.values()) or 1.0
    return {part: spent / total for part, spent in sorted(found.items(), key=lambda item: -item[1])}
