"""Batches: crops of padded images, in an order and with corners that are written once for each pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from labelbench.datasets import Split
from labelbench.networks import Network
from labelbench.optimizers import SGD
from labelbench.recipes import Recipe
from labelbench.runs import RunSpec
from labelbench.training.batches import Batches

RECIPE = Recipe(name="test", epochs=4, batch_size=16, optimizer=SGD(0.05), milestones=(2,), crop_padding=2)
RUN = RunSpec("made-up", "category", "tiny", 0, recipe=RECIPE)


def made_up(count: int) -> Split:
    """Noise of 8x8 pixels."""
    random = np.random.RandomState(0)
    return Split(random.randint(0, 256, (count, 8, 8, 3), dtype=np.uint8), np.arange(count, dtype=np.int64) % 2)


@pytest.mark.parametrize(("count", "sizes"), [(11, [4, 4]), (12, [4, 4, 4]), (3, [3])])
def test_images_that_fill_no_batch_can_be_left_out_of_a_pass(count: int, sizes: list[int]) -> None:
    run = replace(RUN, recipe=replace(RECIPE, batch_size=4, drop_last=True))
    batches = Batches(made_up(count), np.arange(count), run, True, torch.device("cpu"))
    assert [len(classes) for _, classes in batches.epoch(0)] == sizes
    assert batches.steps == len(sizes)


def test_batches_are_crops_of_padded_images() -> None:
    split = made_up(9)
    batches = Batches(
        split, np.arange(9), replace(RUN, recipe=replace(RECIPE, batch_size=4)), True, torch.device("cpu")
    )
    seen = list(batches.epoch(0))
    assert [len(classes) for _, classes in seen] == [4, 4]  # a last batch of one is left out
    padded = np.pad(split.images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    crops = {
        view[:, top : top + 8, left : left + 8][index].tobytes(): int(split.classes[index])
        for view in (padded, padded[:, :, ::-1])
        for top in range(5)
        for left in range(5)
        for index in range(9)
    }
    for pixels, classes in seen:
        raw = (pixels * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
        assert [crops[image.tobytes()] for image in raw] == classes.tolist()


def test_pixels_are_channels_last_shares_of_255() -> None:
    pixels = Network.pixels(torch.tensor([[[[0, 51, 255]]]], dtype=torch.uint8))
    assert pixels.shape == (1, 3, 1, 1) and pixels.flatten().tolist() == pytest.approx([0, 0.2, 1])


@pytest.mark.parametrize("schedule", ["step", "one-cycle"])
def test_a_batch_comes_with_its_learning_rate(schedule: str) -> None:
    recipe = replace(RECIPE, schedule=schedule, warmup=0.3, minimum_steps=24)
    batches = Batches(made_up(50), np.arange(50), replace(RUN, recipe=recipe), True, torch.device("cpu"))
    assert (batches.passes, batches.steps_per_pass, batches.steps) == (2, 4, 8)
    found = [[float(batches.rate) for _ in batches.epoch(epoch)] for epoch in range(4)]
    assert found == [[recipe.rate_at(epoch, step, 8) for step in range(8)] for epoch in range(4)]


def test_a_pass_can_be_taken_up_amid_it() -> None:
    batches = Batches(made_up(50), np.arange(50), RUN, True, torch.device("cpu"))
    whole = [pixels.clone() for pixels, _ in batches.epoch(1)]
    batches.begin(0)
    batches.begin(1, step=2)
    assert torch.equal(batches.take(batches.size_of(2))[0], whole[2])


def test_batches_lie_where_the_last_ones_lay() -> None:
    batches = Batches(made_up(50), np.arange(50), RUN, True, torch.device("cpu"))
    kept = (batches.rate, *(value for value in vars(batches).values() if isinstance(value, torch.Tensor)))
    places = [tensor.data_ptr() for tensor in kept]
    for _ in batches.epoch(2):
        assert [tensor.data_ptr() for tensor in kept] == places
