"""What is particular to the evaluator: counts that can be made by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from labelbench_example.mistakes import Mistakes

from labelbench import LabelSet

LINE = LabelSet(np.array([[0.0], [1.0], [3.0], [7.0]]))


def measured(labels, classes, read, nearest=1):
    context = SimpleNamespace(
        labels=labels,
        test=SimpleNamespace(classes=np.array(classes)),
        outputs=lambda: torch.from_numpy(labels.targets[read]),
    )
    return Mistakes(nearest).evaluate(context)


def test_mistakes_are_counted_by_the_nearest_label():
    found = measured(LINE, classes=[0, 0, 0, 3], read=[0, 1, 2, 2])
    assert found["near"].value == pytest.approx(2 / 3) and found["near"].count == 3
    assert found["times-chance"].value == pytest.approx(2)
    assert found.details == {"mistakes": 3, "chance": pytest.approx(1 / 3)}
    assert measured(LINE, [0, 0, 0, 3], [0, 1, 2, 2], nearest=2)["near"].value == 1


def test_without_a_mistake_or_a_nearest_label_there_is_no_score():
    assert measured(LINE, [0, 1], [0, 1])["near"].note == "no image to count"
    assert "equally far apart" in measured(LabelSet(np.eye(3)), [0, 1], [1, 1])["near"].note
