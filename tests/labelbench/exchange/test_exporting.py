"""Exported networks give what the network gives, in the programs that others use."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

import labelbench
from labelbench.cli import cli
from labelbench.errors import InputError, MachineError, UnknownName
from labelbench.exchange.exporting import export
from labelbench.exchange.loading import LoadedNetwork
from labelbench.results.reading import read
from labelbench.results.store import results_in


@pytest.fixture(scope="module")
def loaded(trained_here: Path) -> LoadedNetwork:
    return labelbench.load_network(trained_here, label="low-dim")


def some_pixels(count: int) -> torch.Tensor:
    images = labelbench.find_dataset("digits:size=16").images().test.images[:count]
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 255


def outputs_of(loaded: LoadedNetwork, pixels: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        outputs: torch.Tensor = loaded(pixels)
    return outputs


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_onnx_gives_the_outputs_of_the_network_on_a_hundred_images(loaded: LoadedNetwork, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    file = export(loaded, "onnx", tmp_path / "network")
    session = runtime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    for count in (1, 100):
        pixels = some_pixels(count)
        (found,) = session.run(None, {"pixels": pixels.numpy()})
        np.testing.assert_allclose(found, outputs_of(loaded, pixels).numpy(), atol=1e-4)


def test_a_torch_program_gives_the_outputs_of_the_network(loaded: LoadedNetwork, tmp_path: Path) -> None:
    file = export(loaded, "torch", tmp_path)
    program = torch.export.load(file).module()
    for count in (1, 5):
        torch.testing.assert_close(program(some_pixels(count)), outputs_of(loaded, some_pixels(count)))


def test_safetensors_hold_weights_and_settings_and_the_card_says_what_it_is(
    loaded: LoadedNetwork, trained_here: Path, tmp_path: Path
) -> None:
    file = export(loaded, "safetensors", tmp_path, read(results_in(trained_here)).records)
    with safe_open(file, "pt") as stored:
        assert set(stored.keys()) == set(loaded.network.state_dict())
        assert stored.metadata()["label"] == '"low-dim"'
    np.testing.assert_array_equal(np.load(tmp_path / "labels.npy"), loaded.labels.targets)
    card = (tmp_path / "README.md").read_text()
    recorded = labelbench.load_results(trained_here).where(label="low-dim", score="nearest")[0]
    assert f"| accuracy | nearest | {recorded.value:.1%} |" in card
    assert loaded.network.digest in card and "zero, one, two" in card and "chen2021beyond" in card
    assert loaded.run.id in card and f"{loaded.run.recipe.epochs} epochs" in card


def test_the_command_exports_and_refuses_in_one_line(
    trained_here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["export", str(trained_here), "--label", "category", "--output", str(tmp_path / "out")]
    cli(arguments, standalone_mode=False)
    assert capsys.readouterr().out.strip() == str(tmp_path / "out" / "network.safetensors")
    with pytest.raises(UnknownName, match="did you mean onnx"):
        cli([*arguments, "--format", "onx"], standalone_mode=False)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="expected a folder"):
        cli([*arguments[:-1], str(tmp_path / "file")], standalone_mode=False)


def test_without_onnx_the_line_says_what_to_install(
    loaded: LoadedNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MachineError, match=r"pip install 'labelbench\[onnx\]'"):
        export(loaded, "onnx", tmp_path)
