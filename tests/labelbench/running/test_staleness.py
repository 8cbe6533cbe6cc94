"""A finished result stays only while the code, files and settings behind its names are what they were."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

PLUGIN = """
from dataclasses import dataclass
import numpy as np
from labelbench import Evaluator, LabelSet, Measurement, Score, hookimpl

def waves(dataset):
    "A label."
    return LabelSet(np.eye(dataset.num_classes) * 80, provenance={"recipe": "x"})

@dataclass(frozen=True)
class Size(Evaluator):
    unit: int = 1

    def evaluate(self, context):
        return Measurement((Score("size", float(context.labels.targets.max() * self.unit)),))

@hookimpl
def register_labels():
    return {"waves": waves}

@hookimpl
def register_evaluators():
    return {"size": lambda: Size()}
"""
RUN = (
    "run --device cpu --threads 1 --backbone resnet8 --dataset digits:size=8 --label waves --evaluator size --epochs 1"
)


def test_work_is_done_again_or_refused_once_the_code_behind_a_name_has_changed(
    command: Callable[..., CompletedProcess[str]], install: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    env, plugin = install("mine", PLUGIN), tmp_path / "site" / "mine.py"
    arguments = [*RUN.split(), "--seeds", "1", "--train-fraction", "0.05", "--results", "results"]
    first = command(*arguments, env=env)
    assert first.returncode == 0 and " 80" in first.stdout, first.stderr

    plugin.write_text(PLUGIN.replace("* 80", "* 60"))
    refused = command(*arguments, env=env)
    assert (refused.returncode, refused.stdout) == (2, "")
    line = refused.stderr.splitlines()[-1]
    assert "was made with other targets of label waves (" in line and "so were 1 more results" in line
    assert "--overwrite always does again" in line and "name --label waves alone" in line

    again = command(*arguments, "--overwrite", "always", env=env)
    assert again.returncode == 0 and " 60" in again.stdout and " 80" not in again.stdout

    plugin.write_text(PLUGIN.replace("* 80", "* 60").replace("unit: int = 1", "unit: int = 2"))
    refused = command(*arguments, env=env)
    assert refused.returncode == 2
    assert "other settings of evaluator size (unit changed)" in refused.stderr.splitlines()[-1]
