"""What attacks ascend: each loss against its formula, and what all of them promise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from labelbench.attacks.losses import LOSSES, ascended
from labelbench.errors import InputError
from labelbench.labels import LabelSet

LABELS = {
    "category": LabelSet(np.eye(6), loss="cross-entropy"),
    "vector": LabelSet(np.random.RandomState(0).uniform(0, 80, (6, 5))),
}
KINDS = tuple(LABELS)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", KINDS)
def test_value_of_an_image_depends_on_no_other_image(loss: str, kind: str) -> None:
    labels = LABELS[kind]
    outputs = torch.randn(8, *labels.shape, generator=torch.Generator().manual_seed(0))
    classes, targets = torch.arange(8) % 6, (torch.arange(8) + 1) % 6
    for aimed in (None, targets):
        together = ascended(loss, labels, outputs, classes, aimed)
        for image in range(8):
            one = slice(image, image + 1)
            alone = ascended(loss, labels, outputs[one], classes[one], None if aimed is None else aimed[one])
            torch.testing.assert_close(together[one], alone)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.2))
@settings(deadline=None, max_examples=30)
def test_cross_entropy_has_the_direction_of_the_textbook_formula(seed: int, scale: float) -> None:
    labels = LABELS["category"]
    outputs = scale * torch.randn(5, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float32)
    classes = torch.arange(5)
    outputs.requires_grad_()
    textbook = functional.cross_entropy(labels.logits(outputs), classes, reduction="sum")
    (expected,) = torch.autograd.grad(textbook, outputs)
    (found,) = torch.autograd.grad(ascended("cross-entropy", labels, outputs, classes).sum(), outputs)
    torch.testing.assert_close(functional.normalize(found), functional.normalize(expected), rtol=0, atol=1e-3)


def test_cross_entropy_keeps_a_gradient_where_the_plain_one_has_none() -> None:
    labels = LABELS["vector"]
    outputs = torch.from_numpy(labels.targets[:1].copy()).requires_grad_()
    classes = torch.zeros(1, dtype=torch.int64)
    (plain,) = torch.autograd.grad(ascended("plain-cross-entropy", labels, outputs, classes).sum(), outputs)
    (own,) = torch.autograd.grad(ascended("cross-entropy", labels, outputs, classes).sum(), outputs)
    assert not plain.any()
    assert own.abs().sum() > 0


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=30)
def test_margin_and_dlr_are_positive_exactly_where_another_class_is_read(seed: int) -> None:
    labels = LABELS["vector"]
    outputs = 40 + 30 * torch.randn(10, 5, generator=torch.Generator().manual_seed(seed))
    classes = torch.arange(10) % 6
    misread = labels.nearest(outputs) != classes
    for loss in ("margin", "dlr"):
        assert torch.equal(ascended(loss, labels, outputs, classes) > 0, misread)


def test_dlr_is_the_formula_of_its_paper() -> None:
    labels = LABELS["vector"]
    outputs = 40 + 30 * torch.randn(10, 5, generator=torch.Generator().manual_seed(3))
    for output in outputs:
        z = labels.logits(output[None])[0].double().numpy()
        top = np.sort(z)[::-1]
        for true in range(6):
            aimed = (true + 2) % 6
            own, other = torch.tensor([true]), torch.tensor([aimed])
            untargeted = -(z[true] - max(np.delete(z, true))) / (top[0] - top[2])
            targeted = -(z[true] - z[aimed]) / (top[0] - (top[2] + top[3]) / 2)
            assert float(ascended("dlr", labels, output[None], own)) == pytest.approx(untargeted, rel=1e-4)
            assert float(ascended("dlr", labels, output[None], own, other)) == pytest.approx(targeted, rel=1e-4)


def test_a_loss_that_needs_more_classes_is_refused_with_an_alternative() -> None:
    three = LabelSet(np.eye(3))
    outputs, true, aimed = torch.zeros(1, 3), torch.tensor([0]), torch.tensor([1])
    ascended("dlr", three, outputs, true)
    with pytest.raises(InputError, match=r"needs 4 classes; the label has 3.*margin"):
        ascended("dlr", three, outputs, true, aimed)
