"""What records say beside scores: what a result was made from, with what, and when."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from labelbench.datasets import Images
from labelbench.labels import LabelSet
from labelbench.plugins.discovery import plugins
from labelbench.runs import RunSpec


def label_facts(labels: LabelSet) -> dict[str, Any]:
    """What tells label sets apart, as JSON values; notes are what a reader of results must know."""
    return {
        "sha256": labels.sha256,
        "identity": labels.identity,
        "shape": list(labels.shape),
        "loss": labels.loss,
        "notes": list(labels.provenance.get("notes", ())),
    }


def image_facts(images: Images) -> dict[str, Any]:
    """What tells images apart, as JSON values."""
    return {
        "fingerprint": images.fingerprint,
        "source": images.source,
        "train": len(images.train),
        "test": len(images.test),
        "mean": list(images.mean),
        "std": list(images.std),
        "notes": list(images.notes),
    }


def origins(run: RunSpec) -> dict[str, str]:
    """The distributions that a run's label and backbone come from."""
    found = {"label": origin("label", run.label)}
    # The name of a network from elsewhere may be anything.
    named = run.backbone and not run.weights
    return {**found, "backbone": origin("backbone", run.backbone)} if named else found


def origin(kind: str, name: str) -> str:
    """The distribution that a name comes from, with its version."""
    return str(plugins().find(kind, name)[0].origin)


def when(started: float) -> dict[str, Any]:
    """How long something took that began at ``started`` of :func:`time.perf_counter`, and when it ended."""
    return {
        "wall_seconds": round(time.perf_counter() - started, 3),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
