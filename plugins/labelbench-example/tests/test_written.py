"""What is particular to the label: ink, names, and names that do not fit."""

import dataclasses

import numpy as np
import pytest

from labelbench import InputError, find_dataset, label

CIFAR100 = find_dataset("cifar100")


def test_names_are_drawn_in_ink_between_0_and_80():
    targets = label("written", CIFAR100).targets
    assert targets.shape == (100, 64, 64)
    assert targets.min() == 0 and targets.max() <= 80
    ink = (targets > 40).mean(axis=(1, 2))
    assert (ink > 0.005).all() and (ink < 0.5).all()


def test_nothing_is_cut_off_at_the_edge():
    targets = label("written", CIFAR100).targets
    edges = np.concatenate([targets[:, [0, -1], :].reshape(100, -1), targets[:, :, [0, -1]].reshape(100, -1)], axis=1)
    assert edges.max() == 0


def test_a_name_that_does_not_fit_is_named():
    long = dataclasses.replace(CIFAR100, class_names=("x" * 200, "short"))
    with pytest.raises(InputError, match=r"'x{200}' does not fit into 64x64"):
        label("written", long)
