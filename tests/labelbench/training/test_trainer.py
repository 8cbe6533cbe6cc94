"""Training: learns, resumes, keeps the best; takes steps that are data; tells who listens."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from labelbench.datasets import Images, Split
from labelbench.errors import ConflictError
from labelbench.labels import LabelSet
from labelbench.networks import Network
from labelbench.optimizers import SGD, Muon
from labelbench.recipes import Recipe
from labelbench.runs import RunSpec
from labelbench.training.checkpoint import Files, load_trained
from labelbench.training.inference import outputs_of, validate
from labelbench.training.listeners import Course, Listener
from labelbench.training.result import Epoch, Trained
from labelbench.training.start import initial_network, split_indices
from labelbench.training.trainer import Trainer

RECIPE = Recipe(name="test", epochs=4, batch_size=16, optimizer=SGD(0.05), milestones=(2,), crop_padding=2)
RUN = RunSpec("made-up", "category", "tiny", 0, recipe=RECIPE)
LABELS = LabelSet(np.eye(2), loss="cross-entropy")
# Parts of a trainer's state that are tensors; the rest is JSON.
TENSORS = ("network", "best", "optimizer", "random")


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


def train(run: RunSpec, network: Network, labels: LabelSet, images: Images, folder: Path, **options: Any) -> Trained:
    """Train to the end, from where the checkpoint of the folder ends."""
    files = Files(folder, options.get("snapshots", {}))
    listeners = (files, *options.get("listeners", ()))
    trainer = Trainer(run, network, labels, images, validation_share=0.2, flip=True, listeners=listeners)
    files.resume(trainer)
    while not trainer.done:
        trainer.step()
    return trainer.finish()


def trained(folder: Path, run: RunSpec = RUN, images: Images | None = None, **options: Any) -> Trained:
    images = images or made_up()
    network = initial_network(run, Tiny, LABELS, images)
    return train(run, network, LABELS, images, folder, **options)


def weights(folder: Path) -> bytes:
    return (folder / "network.safetensors").read_bytes()


def without_times(history: tuple[Epoch, ...]) -> list[Epoch]:
    return [replace(line, seconds=0.0) for line in history]


class Stop(Exception):
    """Stands for any interruption."""


class StopAfter(Listener):
    """Interrupts after so many epochs."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_epoch(self, course: Course, epoch: Epoch) -> None:
        if epoch.epoch == self.epochs:
            raise Stop


def interrupted_after(epochs: int) -> list[Listener]:
    return [StopAfter(epochs)]


class Log(Listener):
    """Notes what it is told of."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, int]] = []

    def on_start(self, course: Course) -> None:
        self.told.append(("start", course.steps_done, course.steps))

    def on_step(self, course: Course) -> None:
        assert course.images_per_second > 0
        self.told.append(("step", course.steps_done, course.steps))

    def on_epoch(self, course: Course, epoch: Epoch) -> None:
        assert course.history[-1] == epoch
        self.told.append(("epoch", course.steps_done, course.steps))

    def on_end(self, course: Course, trained: Trained) -> None:
        assert trained.history == tuple(course.history)
        self.told.append(("end", course.steps_done, course.steps))


def test_a_network_learns(tmp_path: Path) -> None:
    found = trained(tmp_path)
    assert len(found.history) == 4 and found.history[-1].validation_accuracy > 0.9
    assert not found.diverged and not found.network.training


def test_equal_runs_give_equal_bits(tmp_path: Path) -> None:
    one, other = trained(tmp_path / "one"), trained(tmp_path / "other")
    assert without_times(one.history) == without_times(other.history)
    for name, tensor in one.network.state_dict().items():
        assert torch.equal(tensor, other.network.state_dict()[name]), name


def test_listeners_are_told_of_every_step_and_epoch(tmp_path: Path) -> None:
    first, second = Log(), Log()
    run = replace(RUN, recipe=replace(RECIPE, epochs=2))
    trained(tmp_path, run, listeners=[first, second])
    assert first.told == second.told
    assert [what for what, *_ in first.told] == ["start", *(["step"] * 5 + ["epoch"]) * 2, "end"]
    assert [done for _, done, _ in first.told] == [0, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10, 10, 10]


def a_trainer(run: RunSpec, backbone: type[nn.Module] = Tiny) -> Trainer:
    images = made_up()
    network = initial_network(run, backbone, LABELS, images)
    return Trainer(run, network, LABELS, images, validation_share=0.2, flip=True)


def test_trainings_interleaved_step_by_step_have_the_bits_of_each_alone() -> None:
    """One of them is killed amid an epoch and taken up by another process's trainer."""
    runs = [RUN, replace(RUN, seed=1, recipe=replace(RECIPE, optimizer=Muon(0.05, kernel_learning_rate=0.05)))]
    alone = []
    for run in runs:
        trainer = a_trainer(run, Forgetful)
        while not trainer.done:
            trainer.step()
        alone.append(trainer.finish())
    trainers = [a_trainer(run, Forgetful) for run in runs]
    for step in range(alone_steps := trainers[0].steps):
        if step == 7:
            state = trainers[1].state_dict()
            stored = {key: json.loads(json.dumps(value)) for key, value in state.items() if key not in TENSORS}
            stored |= {key: {name: one.clone() for name, one in state[key].items()} for key in TENSORS}
            trainers[1] = a_trainer(runs[1], Forgetful)
            trainers[1].load_state_dict(stored)
        for trainer in trainers:
            trainer.step()
        assert trainers[0].done == (step + 1 == alone_steps)
    for trainer, whole in zip(trainers, alone, strict=True):
        found = trainer.finish()
        assert without_times(found.history) == without_times(whole.history)
        for name, tensor in whole.network.state_dict().items():
            assert torch.equal(tensor, found.network.state_dict()[name]), name


def test_a_step_that_is_not_asked_for_any_more_does_nothing() -> None:
    trainer = a_trainer(replace(RUN, recipe=replace(RECIPE, epochs=1)))
    while not trainer.done:
        trainer.step()
    before = trainer.network.digest
    trainer.step()
    assert trainer.network.digest == before and trainer.steps_done == trainer.steps == 5


class NothingIsRead(TorchDispatchMode):
    """Refuses what a GPU would have to be waited for, and what a captured step could not repeat."""

    waits = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "equal", "lift_fresh", "_to_copy.cpu")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert not any(name in str(func) for name in self.waits), f"{func} is read by the host"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("loss", ["cross-entropy", "smooth-l1"])
def test_nothing_of_a_step_is_read_by_the_host(loss: str) -> None:
    labels = LabelSet(np.eye(2), loss=loss)
    images = made_up()
    trainer = Trainer(RUN, initial_network(RUN, Tiny, labels, images), labels, images, validation_share=0.2, flip=True)
    trainer.step()  # targets come to the device, momentum is made
    storages = {name: tensor.data_ptr() for name, tensor in trainer.state_dict()["network"].items()}
    with NothingIsRead():
        for _ in range(3):
            trainer.step()
    assert storages == {name: tensor.data_ptr() for name, tensor in trainer.state_dict()["network"].items()}
    with pytest.raises(AssertionError, match="read by the host"), NothingIsRead():
        trainer.step()  # the last of the epoch, which is validated


@pytest.mark.parametrize(
    "recipe", [RECIPE, replace(RECIPE, optimizer=Muon(0.05, kernel_learning_rate=0.05))], ids=["sgd", "muon"]
)
@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_an_interrupted_training_ends_with_the_same_bits(tmp_path: Path, epochs: int, recipe: Recipe) -> None:
    run = replace(RUN, recipe=recipe)
    whole = trained(tmp_path / "whole", run)
    with pytest.raises(Stop):
        trained(tmp_path / "cut", run, listeners=interrupted_after(epochs))
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
        return train(run, network, LABELS, images, tmp_path / name, **options).network.state_dict()

    before = torch.get_rng_state()
    whole = weights("whole")
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    with pytest.raises(Stop):
        weights("cut", listeners=interrupted_after(2))
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
    network = initial_network(RUN, Odd, LABELS, images)
    with pytest.raises(Stop):
        train(RUN, network, LABELS, images, tmp_path, listeners=interrupted_after(2))
    found = train(RUN, initial_network(RUN, Odd, LABELS, images), LABELS, images, tmp_path)
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
    loss, hits = validate(found.network, LABELS, images.train.images[indices], images.train.classes[indices])
    assert float(loss) / len(indices) == best.validation_loss
    assert int(hits) / len(indices) == best.validation_accuracy


@pytest.mark.parametrize("change", ["label", "images"])
def test_a_checkpoint_of_other_labels_or_images_is_refused(tmp_path: Path, change: str) -> None:
    with pytest.raises(Stop):
        trained(tmp_path, listeners=interrupted_after(1))
    images = made_up(seed=1 if change == "images" else 0)
    labels = LabelSet(np.eye(2)[::-1], loss="cross-entropy") if change == "label" else LABELS
    network = initial_network(RUN, Tiny, labels, images)
    with pytest.raises(ConflictError, match=f"was made with another {change}"):
        train(RUN, network, labels, images, tmp_path)


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
    log = Log()
    found = trained(tmp_path, run, listeners=[log])
    assert len(found.history) == 4 and log.told[-1] == ("end", 12, 12)


def test_several_shares_of_training_may_fall_on_one_epoch(tmp_path: Path) -> None:
    files = {share: tmp_path / f"{share}.safetensors" for share in (0.1, 0.3, 0.5, 1.0)}
    trained(tmp_path, replace(RUN, recipe=replace(RECIPE, epochs=2)), snapshots=files)
    images, run = made_up(), replace(RUN, recipe=replace(RECIPE, epochs=2))
    read = [load_trained(run, initial_network(run, Tiny, LABELS, images), LABELS, images, f) for f in files.values()]
    assert [len(one.history) for one in read] == [1, 1, 1, 2]


def test_a_snapshot_asked_for_after_an_interruption_is_made_from_the_start(tmp_path: Path) -> None:
    with pytest.raises(Stop):
        trained(tmp_path, listeners=interrupted_after(3))
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


def test_a_share_is_two_images_or_more_which_batch_normalisation_needs() -> None:
    train, _ = split_indices(replace(RUN, train_fraction=1e-6), 100, 0.1)
    assert len(train) == 2
