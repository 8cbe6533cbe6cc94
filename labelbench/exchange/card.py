"""A short model card: what a network is, how it was trained, how it scored, and how to cite it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from labelbench.citations import citations_of
from labelbench.results.records import Record

if TYPE_CHECKING:
    from labelbench.exchange.loading import LoadedNetwork


def model_card(loaded: LoadedNetwork, records: Sequence[Record], files: Sequence[str]) -> str:
    """The card as markdown.

    Args:
        loaded: the network.
        records: finished measurements of its folder; those of its run are shown.
        files: names of the files beside the card.
    """
    run, facts = loaded.run, loaded.facts
    environment = facts["environment"]
    height, width = loaded.image_size
    lines = [
        f"# {run.backbone}, {run.label} labels, {run.dataset}",
        "",
        f"Trained by labelbench to output the label `{run.label}` of each of {len(loaded.class_names)} classes; the "
        "class read is that of the nearest label.",
        "",
        f"- Files: {', '.join(f'`{name}`' for name in files)}",
        f"- Input: `pixels`, (batch, 3, {height}, {width}), float32 in [0, 1]; normalisation is part of the network",
        f"- Output: `outputs`, (batch, {', '.join(map(str, loaded.labels.shape))}); compare with `labels.npy`, "
        f"({', '.join(map(str, loaded.labels.targets.shape))})",
        f"- Classes, in the order of the labels: {', '.join(loaded.class_names)}",
        f"- Weights: SHA-256 `{loaded.network.digest}`",
        f"- Training: seed {run.seed}, recipe {run.recipe.name}, {run.recipe.epochs} epochs, "
        f"{run.share_of_data} of the training images; best epoch {facts['best_epoch']}; {run.numerics}",
        f"- Made with labelbench {environment['labelbench']}, torch {environment['torch']}; run `{run.id}`",
        "",
        "## Scores",
        "",
        "| evaluator | score | value | images |",
        "|---|---|---|---|",
    ]
    for record in records:
        if record.cell.run.id != run.id:
            continue
        for score in record.scores:
            if score.value is not None:
                value = f"{score.value:.1%}" if score.unit == "share" else f"{score.value:.4g} {score.unit}".strip()
                lines.append(f"| {record.cell.evaluator} | {score.name} | {value} | {score.count or ''} |")
    lines += ["", "## Cite", "", "```bibtex"]
    lines += ["\n\n".join(citations_of([facts["label"]["provenance"]])), "```", ""]
    return "\n".join(lines)
