"""Merging results folders, through the command."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from labelbench.cli import cli
from labelbench.errors import InputError
from labelbench.leaderboard.leaderboard import Leaderboard
from labelbench.results.merging import merge
from labelbench.results.reading import read
from labelbench.results.store import Results

Save = Callable[..., Results]
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def two(save: Save, tmp_path: Path) -> tuple[Path, Path]:
    """Two folders: seeds 0 and 1 of category in the one, seeds 1 and 2 in the other, with the same seed 1."""
    save("category", seed=1, value=0.6)
    results = save("category", seed=0, value=0.5)
    results.save_suite({"name": "quick", "headline": ["accuracy/nearest"]})
    first = tmp_path / "first"
    shutil.copytree(results.folder, first)
    shutil.rmtree(next(results.folder.glob("*/*/*/seed0-*")))
    results = save("category", seed=2, value=0.7)
    results.save_suite({"name": "mine", "headline": ["accuracy/nearest", "accuracy/threshold"]})
    (results.folder / ".work" / "digits").mkdir(parents=True)
    (results.folder / ".work" / "digits" / "network.safetensors").write_bytes(b"large")
    return first, results.folder


def everything(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_merge_unites_and_copies_no_weights(two: tuple[Path, Path], command: Command, tmp_path: Path) -> None:
    before = [everything(folder) for folder in two]
    done = command("merge", *map(str, two), "--into", str(tmp_path / "all"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "3 files copied, 1 were there already" in done.stdout
    board = Leaderboard.of(read(Results(tmp_path / "all")))
    assert board.tables[0].rows[0].seeds == (0, 1, 2)
    assert not (tmp_path / "all" / ".work").exists()
    suite = json.loads((tmp_path / "all" / "suite.json").read_text())
    assert (suite["name"], suite["headline"]) == ("quick and mine", ["accuracy/nearest", "accuracy/threshold"])
    assert [everything(folder) for folder in two] == before


def test_merging_again_changes_nothing(two: tuple[Path, Path], command: Command, tmp_path: Path) -> None:
    assert command("merge", *map(str, two), "--into", str(tmp_path / "all")).returncode == 0
    before = everything(tmp_path / "all")
    again = command("merge", str(two[1]), "--into", str(tmp_path / "all"))
    assert again.returncode == 0 and "0 files copied, 2 were there already" in again.stdout
    after = everything(tmp_path / "all")
    assert {name: data for name, data in after.items() if name != "suite.json"} == {
        name: data for name, data in before.items() if name != "suite.json"
    }


def test_other_scores_under_one_name_are_refused_before_anything_is_written(
    two: tuple[Path, Path], command: Command, tmp_path: Path
) -> None:
    (file,) = two[1].glob("*/*/*/seed1-*/accuracy-*.json")
    facts = json.loads(file.read_text())
    facts["scores"][0]["value"] = 0.61
    file.write_text(json.dumps(facts))
    done = command("merge", *map(str, two), "--into", str(tmp_path / "all"))
    assert done.returncode == 2 and file.name in done.stderr and "nothing is written" in done.stderr
    assert f" of {two[0]} and {two[1]};" in done.stderr
    assert "Traceback" not in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "all").exists()


def test_when_and_how_fast_is_no_conflict(two: tuple[Path, Path], command: Command, tmp_path: Path) -> None:
    (file,) = two[1].glob("*/*/*/seed1-*/accuracy-*.json")
    facts = json.loads(file.read_text())
    file.write_text(json.dumps({**facts, "wall_seconds": 99.0, "finished": "another day"}))
    assert command("merge", *map(str, two), "--into", str(tmp_path / "all")).returncode == 0


def test_arrays_are_compared_by_what_they_hold(two: tuple[Path, Path], command: Command, tmp_path: Path) -> None:
    for index, folder in enumerate(two):
        (place,) = folder.glob("*/*/*/seed1-*")
        save_arrays = np.savez if index else np.savez_compressed
        save_arrays(place / "accuracy-x.npz", right=np.array([1.0, np.nan]))
    assert command("merge", *map(str, two), "--into", str(tmp_path / "all")).returncode == 0
    (place,) = two[1].glob("*/*/*/seed1-*")
    np.savez(place / "accuracy-x.npz", right=np.array([1.0, 2.0]))
    refused = command("merge", *map(str, two), "--into", str(tmp_path / "other"))
    assert refused.returncode == 2 and "accuracy-x.npz" in refused.stderr


def test_a_failure_that_succeeded_elsewhere_is_forgotten(
    two: tuple[Path, Path], command: Command, tmp_path: Path
) -> None:
    (file,) = two[0].glob("*/*/*/seed1-*/accuracy-*.json")
    Results(two[0]).save_failure(two[0] / file.relative_to(two[0]), "accuracy", "no memory")
    file.unlink()
    assert command("merge", *map(str, two), "--into", str(tmp_path / "all")).returncode == 0
    board = Leaderboard.of(read(Results(tmp_path / "all")))
    assert board.failures == () and board.tables[0].rows[0].seeds == (0, 1, 2)


def test_what_is_no_results_folder_is_refused(command: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for arguments in (["missing"], ["empty"]):
        done = command("merge", *arguments, "--into", "all")
        assert done.returncode == 2 and arguments[0] in done.stderr and done.stderr.count("\n") == 1
    (tmp_path / "file").write_text("")
    assert command("merge", "empty", "--into", "file").returncode == 2
    assert not (tmp_path / "all").exists()


@pytest.mark.parametrize("damaged", ["*/*/*/seed0-*/accuracy-*.json", "suite.json"])
def test_what_is_damaged_is_named_where_it_is_and_not_copied(
    damaged: str, two: tuple[Path, Path], tmp_path: Path
) -> None:
    (file,) = two[0].glob(damaged)
    file.write_text(file.read_text()[:50])
    with pytest.raises(InputError) as refused:
        merge(two, tmp_path / "all")
    assert str(file) in str(refused.value) and not (tmp_path / "all").exists()


def test_commands_that_messages_name_can_be_pasted(two: tuple[Path, Path], tmp_path: Path) -> None:
    renamed = two[0].rename(tmp_path / "my results")
    done = CliRunner().invoke(cli, ["merge", str(renamed), "--into", str(tmp_path / "all of them")])
    assert f"`labelbench leaderboard '{tmp_path / 'all of them'}'`" in done.output
    with pytest.raises(InputError, match="`labelbench run --results 'no such'` makes one"):
        merge([Path("no such")], tmp_path / "all")


# The command `claims`


def test_claims_are_judged_from_the_command_line(save: Save, command: Command) -> None:
    save("category")
    folder = str(save("speech").folder)
    done = command("claims", folder, "--format", "markdown")
    assert done.returncode == 0 and "| C1 | a |" in done.stdout
    assert "needs 3 seeds, has 1: speech and category" in done.stdout
    assert "C7" in command("claims", folder).stdout


def test_a_claims_file_is_judged_and_its_mistakes_are_named(save: Save, command: Command, tmp_path: Path) -> None:
    for seed in (0, 1, 2):
        save("category", seed=seed, value=0.5)
        folder = str(save("npy:mine.npy", seed=seed, value=0.9).folder)
    text = '[[claim]]\nid="mine"\ntext="mine is better"\n[[claim.comparison]]\nkind="greater"\nleft=["npy:mine.npy"]\n'
    text += 'right=["category"]\nevaluators=["accuracy"]\nscores=["nearest"]\n'
    (tmp_path / "my.toml").write_text(text)
    done = command("claims", folder, "--claims", "my.toml", "--format", "csv")
    assert done.returncode == 0 and "mine,mine is better,digits,resnet8" in done.stdout and "reproduced" in done.stdout
    (tmp_path / "my.toml").write_text(text.replace("scores", "scroes"))
    done = command("claims", folder, "--claims", "my.toml")
    assert done.returncode == 2 and "did you mean scores" in done.stderr and done.stderr.count("\n") == 1
    assert command("claims", folder, "--claims", "none.toml").returncode == 2
    assert command("claims", "nowhere").returncode == 2
    assert "did you mean latex?" in command("claims", folder, "--format", "latx").stderr


@pytest.mark.parametrize("form", ["latex", "html"])
def test_the_leaderboard_is_written_in_every_format(save: Save, command: Command, tmp_path: Path, form: str) -> None:
    folder = str(save("category").folder)
    first = command("leaderboard", folder, "--format", form, "--output", "page")
    assert first.returncode == 0, first.stderr
    assert command("leaderboard", folder, "--format", form).stdout == (tmp_path / "page").read_text()


def test_a_damaged_record_is_named(save: Save, command: Command) -> None:
    folder = save("category").folder
    (file,) = folder.glob("*/*/*/*/accuracy-*.json")
    file.write_text(file.read_text().replace('"value": 0.5', '"value": NaN'))
    done = command("leaderboard", str(folder))
    assert done.returncode == 2 and str(file) in done.stderr and done.stderr.count("\n") == 1


def test_a_training_that_two_folders_made_is_taken_once(
    two: tuple[Path, Path], command: Command, tmp_path: Path
) -> None:
    for folder, seconds in zip(two, ([1.5, 2.5], [7.5, 8.5]), strict=True):
        (run,) = folder.glob("*/*/*/seed1-*")
        (measured,) = (json.loads(file.read_text()) for file in run.glob("accuracy-*.json"))
        history = {"epoch": [1, 2], "validation_accuracy": [0.5, 0.4], "seconds": seconds}
        facts = {"schema": 1, "kind": "training", "status": "done", "history": history, "wall_seconds": sum(seconds)}
        facts |= {key: measured[key] for key in ("run", "label", "images", "environment")}
        (run / "training.json").write_text(json.dumps(facts))
    done = command("merge", *map(str, two), "--into", str(tmp_path / "all"))
    assert (done.returncode, done.stderr) == (0, "")


def test_the_same_settings_on_another_processor_are_kept_beside_and_in_a_row_of_their_own(
    two: tuple[Path, Path], command: Command, tmp_path: Path
) -> None:
    for folder, arithmetic, value in ((two[0], "AVX512, oneDNN 3", 0.6), (two[1], "AVX2, oneDNN 3", 0.61)):
        for file in folder.rglob("accuracy-*.json"):
            facts = json.loads(file.read_text())
            facts["environment"]["arithmetic"] = arithmetic
            facts["scores"][0]["value"] += value - 0.6
            file.write_text(json.dumps(facts))
    for _ in range(2):
        done = command("merge", *map(str, two), "--into", str(tmp_path / "all"))
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("same settings, another processor, both are kept: ") == 1
    board = Leaderboard.of(read(Results(tmp_path / "all")))
    rows = {row.seeds: str(board.legend[row.settings]) for row in board.tables[0].rows}
    assert "AVX512, oneDNN 3" in rows[0, 1] and "AVX2, oneDNN 3" in rows[1, 2]
