from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from labelbench.datasets import Images, Split
from labelbench.errors import ConflictError
from labelbench.labels import LabelSet
from labelbench.optimizers import SGD, Muon
from labelbench.recipes import Recipe
from labelbench.runs import RunSpec
from labelbench.training.batches import Batches, to_pixels
from labelbench.training.loop import (
    Epoch,
    Trained,
    initial_network,
    load_trained,
    outputs_of,
    split_indices,
    train,
    validate,
)

RECIPE = Recipe(name="test", epochs=4, batch_size=16, optimizer=SGD(0.05), milestones=(2,), crop_padding=2)
RUN = RunSpec("made-up", "category", "tiny", 0, recipe=RECIPE)
LABELS = LabelSet(np.eye(2), loss="cross-entropy")


class Tiny(nn.Module):
    """One convolution with batch norm: enough for weights, buffers and momentum."""

    num_features = 4

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.layers(images).mean(dim=(2, 3))
        return features


def made_up(seed: int = 0, count: int = 100) -> Images:
    """Bright and dark 8x8 images."""
    random = np.random.RandomState(seed)
    classes = np.arange(count) % 2
    pixels = np.clip(80 + 90 * classes[:, None, None, None] + random.normal(0, 60, (count, 8, 8, 3)), 0, 255)
    split = Split(pixels.astype(np.uint8), classes.astype(np.int64))
    return Images(split, split, f"fingerprint{seed}", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), "made up")


def trained(folder: Path, run: RunSpec = RUN, images: Images | None = None, **options: Any) -> Trained:
    images = images or made_up()
    network = initial_network(run, Tiny, LABELS, images)
    return train(run, network, LABELS, images, validation_share=0.2, flip=True, folder=folder, **options)


def weights(folder: Path) -> bytes:
    return (folder / "network.safetensors").read_bytes()


def without_times(history: tuple[Epoch, ...]) -> list[Epoch]:
    return [replace(line, seconds=0.0) for line in history]


class Stop(Exception):
    """Stands for any interruption."""


def interrupted_after(epochs: int) -> Any:
    def report(done: int, total: int, rate: float, epoch: Epoch | None) -> None:
        if epoch and epoch.epoch == epochs:
            raise Stop

    return report


def test_a_network_learns(tmp_path: Path) -> None:
    found = trained(tmp_path)
    assert len(found.history) == 4 and found.history[-1].validation_accuracy > 0.9
    assert not found.diverged and not found.network.training


def test_equal_runs_give_equal_bits(tmp_path: Path) -> None:
    one, other = trained(tmp_path / "one"), trained(tmp_path / "other")
    assert without_times(one.history) == without_times(other.history)
    for name, tensor in one.network.state_dict().items():
        assert torch.equal(tensor, other.network.state_dict()[name]), name


@pytest.mark.parametrize(
    "recipe", [RECIPE, replace(RECIPE, optimizer=Muon(0.05, kernel_learning_rate=0.05))], ids=["sgd", "muon"]
)
@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_an_interrupted_training_ends_with_the_same_bits(tmp_path: Path, epochs: int, recipe: Recipe) -> None:
    run = replace(RUN, recipe=recipe)
    whole = trained(tmp_path / "whole", run)
    with pytest.raises(Stop):
        trained(tmp_path / "cut", run, report=interrupted_after(epochs))
    resumed = trained(tmp_path / "cut", run)
    assert without_times(resumed.history) == without_times(whole.history)
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(tensor, resumed.network.state_dict()[name]), name


class Forgetful(Tiny):
    """Draws random numbers in every forward pass of training."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return nn.functional.dropout(super().forward(images), 0.5, self.training)


def test_layers_that_draw_random_numbers_draw_the_same_in_equal_runs(tmp_path: Path) -> None:
    images = made_up()

    def weights(name: str, run: RunSpec = RUN, **options: Any) -> dict[str, torch.Tensor]:
        network = initial_network(run, Forgetful, LABELS, images)
        folder = tmp_path / name
        found = train(run, network, LABELS, images, validation_share=0.2, flip=True, folder=folder, **options)
        return found.network.state_dict()

    before = torch.get_rng_state()
    whole = weights("whole")
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    with pytest.raises(Stop):
        weights("cut", report=interrupted_after(2))
    resumed = weights("cut")
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in whole.items())


class Odd(Tiny):
    """Weights that are tied, and one that no output depends on."""

    def __init__(self) -> None:
        super().__init__()
        self.tied = self.layers[0]
        self.unused = nn.Parameter(torch.zeros(3))


def test_tied_and_unused_weights_survive_a_checkpoint(tmp_path: Path) -> None:
    images = made_up()
    options: Any = {"validation_share": 0.2, "flip": True, "folder": tmp_path}
    with pytest.raises(Stop):
        train(RUN, initial_network(RUN, Odd, LABELS, images), LABELS, images, **options, report=interrupted_after(2))
    found = train(RUN, initial_network(RUN, Odd, LABELS, images), LABELS, images, **options)
    assert without_times(found.history) == without_times(trained(tmp_path / "plain").history)


def test_a_finished_network_can_be_read_back(tmp_path: Path) -> None:
    images = made_up()
    found = trained(tmp_path)
    network = initial_network(RUN, Tiny, LABELS, images)
    read = load_trained(RUN, network, LABELS, images, tmp_path / "network.safetensors")
    assert (read.history, read.best_epoch, read.diverged) == (found.history, found.best_epoch, False)
    for one, other in zip(
        outputs_of(found.network, images.test.images), outputs_of(read.network, images.test.images), strict=True
    ):
        assert torch.equal(one, other)


def test_the_best_epoch_is_the_one_that_is_kept(tmp_path: Path) -> None:
    images = made_up()
    found = trained(tmp_path)
    best = max(found.history, key=lambda line: (line.validation_accuracy, -line.validation_loss))
    assert found.best_epoch == best.epoch
    _, indices = split_indices(RUN, len(images.train), 0.2)
    loss, accuracy = validate(found.network, LABELS, images.train.images[indices], images.train.classes[indices])
    assert (loss, accuracy) == (best.validation_loss, best.validation_accuracy)


@pytest.mark.parametrize("change", ["label", "images"])
def test_a_checkpoint_of_other_labels_or_images_is_refused(tmp_path: Path, change: str) -> None:
    with pytest.raises(Stop):
        trained(tmp_path, report=interrupted_after(1))
    images = made_up(seed=1 if change == "images" else 0)
    labels = LabelSet(np.eye(2)[::-1], loss="cross-entropy") if change == "label" else LABELS
    network = initial_network(RUN, Tiny, labels, images)
    with pytest.raises(ConflictError, match=f"was made with another {change}"):
        train(RUN, network, labels, images, validation_share=0.2, flip=True, folder=tmp_path)


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.safetensors").write_bytes(b"not tensors")
    with pytest.raises(ConflictError, match="is damaged"):
        trained(tmp_path)


def test_divergence_is_a_result(tmp_path: Path) -> None:
    found = trained(tmp_path, replace(RUN, recipe=replace(RECIPE, optimizer=SGD(1e30))))
    assert found.diverged and len(found.history) < 4
    read = load_trained(
        found.run,
        initial_network(found.run, Tiny, LABELS, made_up()),
        LABELS,
        made_up(),
        tmp_path / "network.safetensors",
    )
    assert read.diverged


def test_snapshots_hold_the_weights_of_their_moment(tmp_path: Path) -> None:
    files = {share: tmp_path / f"{share}.safetensors" for share in (0.25, 1.0)}
    trained(tmp_path, snapshots=files)
    short = trained(tmp_path / "short", replace(RUN, recipe=replace(RECIPE, epochs=1)))
    images = made_up()
    early = load_trained(RUN, initial_network(RUN, Tiny, LABELS, images), LABELS, images, files[0.25])
    for name, tensor in short.network.state_dict().items():
        assert torch.equal(tensor, early.network.state_dict()[name]), name


def test_small_shares_take_the_steps_that_the_recipe_asks_for(tmp_path: Path) -> None:
    run = replace(RUN, train_fraction=0.16, recipe=replace(RECIPE, minimum_steps=9))
    steps = []
    found = trained(tmp_path, run, report=lambda done, total, rate, epoch: steps.append((done, total)))
    assert len(found.history) == 4 and steps[-1] == (12, 12)


def test_several_shares_of_training_may_fall_on_one_epoch(tmp_path: Path) -> None:
    files = {share: tmp_path / f"{share}.safetensors" for share in (0.1, 0.3, 0.5, 1.0)}
    trained(tmp_path, replace(RUN, recipe=replace(RECIPE, epochs=2)), snapshots=files)
    images, run = made_up(), replace(RUN, recipe=replace(RECIPE, epochs=2))
    read = [load_trained(run, initial_network(run, Tiny, LABELS, images), LABELS, images, f) for f in files.values()]
    assert [len(one.history) for one in read] == [1, 1, 1, 2]


def test_a_snapshot_asked_for_after_an_interruption_is_made_from_the_start(tmp_path: Path) -> None:
    with pytest.raises(Stop):
        trained(tmp_path, report=interrupted_after(3))
    file = tmp_path / "early.safetensors"
    resumed, whole = trained(tmp_path, snapshots={0.25: file}), trained(tmp_path / "whole")
    assert file.exists() and without_times(resumed.history) == without_times(whole.history)


def test_all_labels_of_a_seed_start_from_the_same_backbone() -> None:
    one = initial_network(RUN, Tiny, LABELS, made_up())
    other = initial_network(replace(RUN, label="other"), Tiny, LabelSet(np.eye(2)[:, :1] + 1), made_up())
    another = initial_network(replace(RUN, seed=1), Tiny, LABELS, made_up())
    assert torch.equal(one.backbone.layers[0].weight, other.backbone.layers[0].weight)  # type: ignore[index, union-attr]
    assert not torch.equal(one.backbone.layers[0].weight, another.backbone.layers[0].weight)  # type: ignore[index, union-attr]


def test_building_a_network_leaves_the_global_random_state_alone() -> None:
    before = torch.random.get_rng_state()
    initial_network(RUN, Tiny, LABELS, made_up())
    assert torch.equal(before, torch.random.get_rng_state())


def test_shares_of_one_seed_are_nested_and_share_their_validation_images() -> None:
    parts = {share: split_indices(replace(RUN, train_fraction=share), 50_000, 0.1) for share in (0.01, 0.2, 0.9, 1.0)}
    assert {share: len(train) for share, (train, _) in parts.items()} == {
        0.01: 500,
        0.2: 10_000,
        0.9: 45_000,
        1.0: 45_000,
    }
    for train_part, validation in parts.values():
        assert len(validation) == 5_000 and not set(train_part) & set(validation)
        assert np.array_equal(validation, parts[1.0][1])
    assert set(parts[0.01][0]) < set(parts[0.2][0]) < set(parts[1.0][0])


@pytest.mark.parametrize(("count", "sizes"), [(11, [4, 4]), (12, [4, 4, 4]), (3, [3])])
def test_images_that_fill_no_batch_can_be_left_out_of_a_pass(count: int, sizes: list[int]) -> None:
    images = made_up(count=count)
    run = replace(RUN, recipe=replace(RECIPE, batch_size=4, drop_last=True))
    batches = Batches(images.train, np.arange(count), run, True, torch.device("cpu"))
    assert [len(classes) for _, classes in batches.epoch(0)] == sizes
    assert batches.steps == len(sizes)


def test_batches_are_crops_of_padded_images() -> None:
    images = made_up(count=9)
    batches = Batches(
        images.train, np.arange(9), replace(RUN, recipe=replace(RECIPE, batch_size=4)), True, torch.device("cpu")
    )
    seen = list(batches.epoch(0))
    assert [len(classes) for _, classes in seen] == [4, 4]  # a last batch of one is left out
    padded = np.pad(images.train.images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    crops = {
        view[:, top : top + 8, left : left + 8][index].tobytes(): int(images.train.classes[index])
        for view in (padded, padded[:, :, ::-1])
        for top in range(5)
        for left in range(5)
        for index in range(9)
    }
    for pixels, classes in seen:
        raw = (pixels * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
        assert [crops[image.tobytes()] for image in raw] == classes.tolist()


def test_pixels_are_channels_last_shares_of_255() -> None:
    pixels = to_pixels(torch.tensor([[[[0, 51, 255]]]], dtype=torch.uint8))
    assert pixels.shape == (1, 3, 1, 1) and pixels.flatten().tolist() == pytest.approx([0, 0.2, 1])
