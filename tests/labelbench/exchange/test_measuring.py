"""Networks from elsewhere are measured as those trained here, on the same leaderboard, and are marked."""

from __future__ import annotations

import shutil
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import labelbench
from labelbench.cli import cli
from labelbench.errors import InputError
from labelbench.exchange.checkpoints import load_weights
from labelbench.networks import Network
from labelbench.results.reading import read
from labelbench.results.store import results_in
from labelbench.running.materials import Materials
from labelbench.runs import RunSpec

SMALL: dict[str, Any] = {"test_images": 60, "device": "cpu", "threads": 1, "progress": False}
DIGITS = "digits:size=16"
# All that look at one network; data-efficiency looks at several trainings.
EVALUATORS = ["accuracy", "attacks-adaptive:quick", "attacks-paper", "feature-views", "label-statistics"]
EVALUATORS += ["learning-curve"]


class Own(nn.Module):
    """Three layers of a user's own, from pixels to logits."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 16, 5, stride=2)
        self.hidden = nn.Linear(16 * 36, 32)
        self.logits = nn.Linear(32, 10)

    def forward(self, pixels: Tensor) -> Tensor:
        hidden = self.hidden(self.convolution(pixels).relu().flatten(1)).relu()
        logits: Tensor = self.logits(hidden)
        return logits


@pytest.fixture(scope="module")
def own() -> nn.Module:
    """The network above after a few steps of plain PyTorch, which is all that its author knows."""
    train = labelbench.find_dataset(DIGITS).images().train
    pixels = torch.from_numpy(np.array(train.images)).permute(0, 3, 1, 2).float() / 255
    classes = torch.from_numpy(np.array(train.classes))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Own()
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(40):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(pixels), classes).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return network


def test_a_network_of_ones_own_stands_beside_those_trained_here_under_every_evaluator(
    own: nn.Module, trained_here: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "results"
    shutil.copytree(trained_here, folder)
    table = labelbench.measure(own, "category", DIGITS, EVALUATORS, name="own", results=folder, **SMALL)
    assert table.failures == ()
    test = labelbench.find_dataset(DIGITS).images().test.evenly(60)
    pixels = torch.from_numpy(np.array(test.images)).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        right = (own(pixels).argmax(dim=1).numpy() == test.classes).mean()
    found = table.where(backbone="own", evaluator="accuracy", score="nearest")[0]
    assert found.value == pytest.approx(right) and right > 0.5
    assert {record.evaluator for record in table.where(backbone="own")} == set(EVALUATORS) - {"label-statistics"}
    assert table.where(backbone="resnet8", score="nearest")
    weights = {record.run.weights for record in read(results_in(folder)).records if record.run.backbone == "own"}
    assert len(weights) == 1 and len(weights.pop()) == 64
    page = table._repr_html_()
    assert "trained elsewhere, weights" in page and "resnet8" in page
    cli(["report", str(folder)], standalone_mode=False)
    assert "trained elsewhere, weights" in (folder / "report.html").read_text(encoding="utf-8")


def test_the_same_network_is_measured_once_and_another_gets_a_row_of_its_own(own: nn.Module, tmp_path: Path) -> None:
    first = labelbench.measure(own, "category", DIGITS, results=tmp_path / "r", **SMALL)
    again = labelbench.measure(own, "category", DIGITS, results=tmp_path / "r", **SMALL)
    assert list(first) == list(again)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        other = Own()
    both = labelbench.measure(other, "category", DIGITS, results=tmp_path / "r", **SMALL)
    assert len(both.where(score="nearest")) == 2


class ImageNormalizer(nn.Module):
    """As models of RobustBench begin: pixels are normalised inside."""

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        return (pixels - self.mean) / self.std


def test_pixels_or_normalised_images_are_given_as_they_are_asked_for(own: nn.Module, tmp_path: Path) -> None:
    images = labelbench.find_dataset(DIGITS).images()
    mean, std = (torch.tensor(numbers).view(1, 3, 1, 1) for numbers in (images.mean, images.std))

    class Normalised(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = own

        def forward(self, images: Tensor) -> Tensor:
            logits: Tensor = self.inner(images * std + mean)
            return logits

    plain = labelbench.measure(own, "category", DIGITS, results=tmp_path / "a", **SMALL)
    normalised = labelbench.measure(Normalised(), "category", DIGITS, normalised=True, results=tmp_path / "b", **SMALL)
    layers = OrderedDict(normalize=ImageNormalizer(images.mean, images.std), model=Normalised())
    robust = labelbench.measure(nn.Sequential(layers), "category", DIGITS, results=tmp_path / "c", **SMALL)
    score = {"score": "nearest"}
    accuracy = plain.where(**score)[0].value
    assert normalised.where(**score)[0].value == accuracy == robust.where(**score)[0].value


def test_what_does_not_fit_is_refused_in_one_line(own: nn.Module, tmp_path: Path) -> None:
    for label, evaluator, says in (
        ("low-dim", "accuracy", r"\(2, 10\) for 2 images.*expected \(2, 10\)|label has shape"),
        ("category", "data-efficiency", "looks at other trainings"),
        ("category", "acuracy", "did you mean accuracy"),
        ("categry", "accuracy", "did you mean category"),
    ):
        if label == "low-dim":
            label = "constant"
        with pytest.raises(InputError, match=says) as refused:
            labelbench.measure(own, label, DIGITS, evaluator, results=tmp_path, **SMALL)
        assert "\n" not in str(refused.value)
    with pytest.raises(InputError, match="fails on images"):
        labelbench.measure(nn.Linear(5, 10), "category", DIGITS, results=tmp_path, **SMALL)

    for evaluators, count, says in (
        ((), 60, "no evaluator is named"),
        ("accuracy", 0, "test images are 0; expected 1 or more"),
        ("accuracy", -1, "test images are -1"),
        ("accuracy", 2.5, "test images are 2.5"),
    ):
        with pytest.raises(InputError, match=says):
            labelbench.measure(own, "category", DIGITS, evaluators, **{**SMALL, "test_images": count}, results=tmp_path)
    assert not list(tmp_path.rglob("*.json"))


def test_a_network_whose_training_goes_on_is_left_as_it_was(tmp_path: Path) -> None:
    network = Own().train()
    network.logits.eval()
    labelbench.measure(network, "category", DIGITS, results=tmp_path, **SMALL)
    assert network.training and network.hidden.training and not network.logits.training


# Checkpoints


def network_of_ours(label: str) -> Network:
    run = RunSpec(DIGITS, label, "resnet32", 3)
    return Materials().network(run).eval()


def names_of_the_authors(network: Network, label: str) -> dict[str, Tensor]:
    """The weights as the authors' classes would have stored them: ``features``, ``fc`` and ``deconvs``."""
    found: dict[str, Tensor] = {}
    for key, tensor in network.state_dict().items():
        if key in ("mean", "std"):
            continue
        part, _, rest = key.partition(".")
        number, _, name = rest.removeprefix("layers.").partition(".")
        if part == "backbone":
            layer = int(number)
            if layer >= 3:
                stage, block = divmod(layer - 3, 5)
                inner = name.replace("residual.0", "conv1").replace("residual.1", "bn1").replace("residual.3", "conv2")
                inner = inner.replace("residual.4", "bn2").replace("shortcut", "downsample")
                number, name = f"{3 + stage}.{block}", inner
            found[f"features.{number}.{name}"] = tensor
        elif label == "category":
            found[f"fc.{rest.removeprefix('layers.')}"] = tensor
        else:
            layer = int(number)
            found[f"fc.{layer}.{name}" if layer < 4 else f"deconvs.{layer - 4}.{name}"] = tensor
    return found


@pytest.mark.parametrize("label", ["category", "constant"])
def test_a_checkpoint_in_the_shape_of_the_authors_gives_the_network_it_was_made_from(
    label: str, tmp_path: Path
) -> None:
    expected, fresh = network_of_ours(label), Materials().network(RunSpec(DIGITS, label, "resnet32", 4)).eval()
    stored = names_of_the_authors(expected, label)
    assert any("downsample.0" in key for key in stored) and "features.3.0.conv1.weight" in stored
    file = tmp_path / "some_best_model.pth"
    torch.save(stored, file)
    load_weights(f"official-checkpoint:{file}", fresh)
    pixels = torch.rand(3, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(fresh(pixels), expected(pixels))
    assert fresh.digest == expected.digest


def test_the_command_measures_an_official_checkpoint_under_every_evaluator_beside_what_was_trained_here(
    trained_here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, file = tmp_path / "results", tmp_path / "speech_best_model.pth"
    shutil.copytree(trained_here, folder)
    torch.save(names_of_the_authors(network_of_ours("constant"), "constant"), file)
    arguments = [
        "measure",
        "--checkpoint",
        f"official-checkpoint:{file}",
        "--backbone",
        "resnet32",
        "--label",
        "constant",
    ]
    arguments += ["--dataset", DIGITS, "--test-images", "10", "--threads", "1", "--device", "cpu"]
    arguments += [part for name in EVALUATORS for part in ("--evaluator", name)]
    cli([*arguments, "--results", str(folder)], standalone_mode=False)
    table = labelbench.load_results(folder)
    assert {record.evaluator for record in table.where(backbone="resnet32")} == set(EVALUATORS) - {"label-statistics"}
    first = capsys.readouterr().out.partition("columns: ")[0]
    assert "resnet32" in first and "resnet8" in first and "category" in first and "constant" in first


def test_the_command_measures_a_checkpoint(
    trained_here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = labelbench.load_network(trained_here, label="category")
    recorded = labelbench.load_results(trained_here).where(label="category", score="nearest")[0].value
    state = network.network.state_dict()
    save_file({key: tensor.contiguous() for key, tensor in state.items()}, tmp_path / "ours.safetensors")
    results = ["--dataset", DIGITS, "--label", "category", "--results", str(tmp_path / "results"), "--threads", "1"]
    arguments = ["measure", "--checkpoint", str(tmp_path / "ours.safetensors"), "--backbone", "resnet8", *results]
    cli([*arguments, "--device", "cpu"], standalone_mode=False)
    assert "trained elsewhere" in capsys.readouterr().out
    assert labelbench.load_results(tmp_path / "results").where(score="nearest")[0].value == recorded


class Harmful:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("run by a checkpoint",))


def test_files_that_are_no_weights_of_this_network_are_refused_and_nothing_in_them_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = network_of_ours("category")
    good = names_of_the_authors(network, "category")
    cases: dict[str, tuple[object, str, str]] = {
        "harmful.pth": ({"a": Harmful()}, "", "no file of weights alone"),
        "list.pth": ([1, 2], "", "holds no state_dict"),
        "theirs.pth": (good, "", "lacks 'backbone.layers.0.weight' and"),
        "strange.pth": ({"other.weight": torch.zeros(1)}, "official-checkpoint:", "names of the authors"),
        "short.pth": (dict(list(good.items())[:9]), "official-checkpoint:", "this backbone and label have"),
    }
    for name, (content, prefix, says) in cases.items():
        torch.save(content, tmp_path / name)
        with pytest.raises(InputError, match=says) as refused:
            load_weights(f"{prefix}{tmp_path / name}", network)
        assert "\n" not in str(refused.value)
    for name, data in (("broken.safetensors", b"no"), ("broken.pth", b"no")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match="no file of weights alone"):
            load_weights(tmp_path / name, network)
    with pytest.raises(InputError, match="no file"):
        load_weights(tmp_path / "nothing.pth", network)
    other = dict(good) | {"fc.weight": torch.zeros(100, 64), "fc.bias": torch.zeros(100)}
    torch.save(other, tmp_path / "hundred.pth")
    with pytest.raises(InputError, match=r"fc.weight of shape \(100, 64\)"):
        load_weights(f"official-checkpoint:{tmp_path / 'hundred.pth'}", network)
    assert "run by" not in capsys.readouterr().out
