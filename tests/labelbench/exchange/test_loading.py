"""A trained network as a module: it reads images as its record says, or says why it is not to be had."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import labelbench
from labelbench.errors import InputError, UnknownName


@pytest.mark.parametrize("label", ["category", "low-dim"])
def test_it_reads_every_test_image_as_was_recorded(trained_here: Path, label: str) -> None:
    network = labelbench.load_network(trained_here, label=label, seed=0)
    test = labelbench.find_dataset("digits:size=16").images().test
    recorded = labelbench.load_results(trained_here).where(label=label, score="nearest")[0]
    read = network.predict(test.images)
    assert recorded.count == len(test.classes)
    assert (read == test.classes).mean() == recorded.value
    assert (read == test.classes).mean() > 0.1


def test_it_eats_pixels_and_knows_its_labels_and_classes(trained_here: Path) -> None:
    network = labelbench.load_network(trained_here, label="low-dim")
    assert not network.training and network.class_names[3] == "three" and network.image_size == (16, 16)
    images = labelbench.find_dataset("digits:size=16").images().test.images[:40]
    pixels = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        outputs = network(pixels)
    assert outputs.shape == (40, *network.labels.shape)
    np.testing.assert_array_equal(network.labels.nearest(outputs), network.predict(images))
    np.testing.assert_array_equal(network.predict(pixels), network.predict(images))
    assert network.predict(images[:0]).shape == (0,)


def test_what_came_of_its_training_is_there(trained_here: Path) -> None:
    network = labelbench.load_network(trained_here, label="category")
    trained = network.trained
    assert isinstance(trained, labelbench.Trained) and (trained.run, trained.network) == (network.run, network.network)
    curve = [line.validation_accuracy for line in trained.history]
    assert curve == network.facts["history"]["validation_accuracy"] and trained.best_epoch == 1


def test_images_of_another_shape_are_refused(trained_here: Path) -> None:
    network = labelbench.load_network(trained_here, label="category")
    for wrong in (np.zeros((2, 3, 16, 16), np.uint8), torch.zeros(2, 16, 16, 3), np.zeros((16, 16, 3), np.uint8)):
        with pytest.raises(InputError, match="expected"):
            network.predict(wrong)


def test_several_none_or_one_without_weights_are_refused_in_one_line(trained_here: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"2 trainings of .*category seed 0.*; name its") as refused:
        labelbench.load_network(trained_here)
    assert "\n" not in str(refused.value)
    with pytest.raises(UnknownName, match="did you mean low-dim"):
        labelbench.load_network(trained_here, label="low-dims")
    with pytest.raises(UnknownName, match="seed '7'"):
        labelbench.load_network(trained_here, label="category", seed=7)
    with pytest.raises(InputError, match="no results folder"):
        labelbench.load_network(tmp_path / "nothing", label="category")
    published = tmp_path / "published"
    shutil.copytree(trained_here, published, ignore=shutil.ignore_patterns(".work"))
    with pytest.raises(InputError, match=r"the weights of .* are not here"):
        labelbench.load_network(published, label="category")


def test_the_digits_at_the_end_of_its_folder_name_one(trained_here: Path) -> None:
    found = labelbench.load_network(trained_here, label="category").run.id
    assert labelbench.load_network(trained_here, id=found).run.label == "category"
