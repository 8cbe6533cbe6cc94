"""Checks of what plugins promise, for their authors' tests: offline, in seconds, on data that is made up.

``labelbench check NAME`` makes the same checks. A plugin's own test needs two lines::

    from labelbench.testing import assert_fine, check_label

    def test_the_label_keeps_its_promises():
        assert_fine(check_label("rainbow"))

The plugin is installed first (``pip install --editable .``), since names are looked up as every run does. It runs in
two processes of its own, with other hash seeds, without a network, and with a time limit.
"""

from __future__ import annotations

from collections.abc import Iterable

from labelbench.authoring.checking_process import TIME_LIMIT, findings_of
from labelbench.authoring.findings import Finding, failures

__all__ = ["Finding", "assert_fine", "check_backbone", "check_dataset", "check_evaluator", "check_label"]


def check_label(name: str, *, time_limit: float = TIME_LIMIT) -> list[Finding]:
    """Check a label on 2, 10 and 100 classes, or on the data sets that it serves.

    Targets: shape, finite, all different; equal in every call and in processes with other hash seeds; rows follow
    class names or places; decoding and gradients through it; scale; provenance that is JSON and true. The provider:
    global state and network left alone, and an end within the time limit.

    Args:
        name: as a user writes it, e.g. ``"rainbow:waves=5"``.
        time_limit: seconds after which a single step is given up.

    Raises:
        UnknownName: no installed plugin registers the name.
        InputError: its argument cannot be used, or it refuses everything that was tried.
        MachineError: files that it needs are not here.
    """
    return findings_of("label", name, time_limit)


def check_backbone(name: str, *, time_limit: float = TIME_LIMIT) -> list[Finding]:
    """Check a backbone on images of 32x32 pixels.

    Features: shape, dtype and ``num_features``; the same for an image alone as among others in eval mode; a finite
    gradient for every weight and for the image. Weights: drawn from torch's global random state alone, shared by no
    two builds, and all there is to save. The builder: no other global state touched, no network.

    Arguments and errors are those of :func:`check_label`.
    """
    return findings_of("backbone", name, time_limit)


def check_evaluator(name: str, *, time_limit: float = TIME_LIMIT) -> list[Finding]:
    """Check an evaluator on small networks that are trained for seconds on made-up images.

    It uses nothing but what it declares in its needs, writes no file, gives finite scores with unit and direction and
    JSON details, the same in two processes and when its stored parts are read back; its version and settings can be
    written as JSON.

    Arguments and errors are those of :func:`check_label`.
    """
    return findings_of("evaluator", name, time_limit)


def check_dataset(name: str, *, time_limit: float = TIME_LIMIT) -> list[Finding]:
    """Check a data set on the images that its source gives.

    The description: class names, image size, mean and std, without delay. The images: shape, dtype, classes, one or
    more of every class in both parts, the same in every reading and in processes with other hash seeds; what the cache
    goes by is JSON and stays while they do. The source: global state and network left alone.

    Arguments and errors are those of :func:`check_label`.
    """
    return findings_of("dataset", name, time_limit)


def assert_fine(findings: Iterable[Finding]) -> None:
    """Fail a test with a sentence for each check that failed.

    Raises:
        AssertionError: at least one check failed.
    """
    failed = failures(findings)
    if failed:
        raise AssertionError("\n".join(map(str, failed)))
