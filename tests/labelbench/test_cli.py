"""The command as people use it: real processes, real trainings, exit codes and what is on disk afterwards."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brief import BRIEF
from labelbench.commands.listing import KINDS

Command = Callable[..., subprocess.CompletedProcess[str]]

DIGITS = "digits:size=8"
SMALL = ["run", "--device", "cpu", "--threads", "1", "--dataset", DIGITS, "--backbone", "resnet8",
         "--label", "category", *BRIEF, "--results", "out"]  # fmt: skip

RAINBOW = """
import numpy as np
from labelbench import LabelSet, hookimpl

def rainbow(dataset):
    "Every class is its own wave."
    wave = np.arange(dataset.num_classes)[:, None] * np.linspace(1, 9, 24)
    return LabelSet(40 + 40 * np.sin(wave), provenance={"recipe": "sine waves"})

@hookimpl
def register_labels():
    return {"rainbow": rainbow}
"""

# Linear features; under attack, a gradient of these many fails.
FLAKY = """
import os
import torch
from labelbench import hookimpl

class Flaky(torch.nn.Module):
    num_features = 48
    gradients = 0

    def forward(self, images):
        self.gradients += images.requires_grad
        if images.requires_grad and str(self.gradients) == os.environ.get("FAILS_AT"):
            raise RuntimeError("out of memory")
        return images[:, :, ::2, ::2].flatten(1)

@hookimpl
def register_backbones():
    return {"flaky": lambda size: Flaky()}
"""


def files_below(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_a_run_ends_with_a_leaderboard_verdicts_and_a_report(command: Command, tmp_path: Path) -> None:
    done = command(*SMALL, "--label", "constant", "--evaluator", "label-statistics")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"Leaderboard: {DIGITS}, resnet8, n = 1, settings a, ")
    assert any(line.startswith("category ") for line in lines) and any(line.startswith("constant ") for line in lines)
    assert lines[-2].startswith("Verdicts on the claims: 0 reproduced, 0 contradicted, ")
    assert lines[-1].startswith("More: labelbench leaderboard out --table NAME (differences, claims, ")
    assert done.stderr.splitlines()[-2:] == ["out/leaderboard.md", "out/report.html"]
    assert (tmp_path / "out" / "leaderboard.md").exists()
    written = (tmp_path / "out" / "report.html").read_bytes()
    assert command("report", "out").returncode == 0
    assert (tmp_path / "out" / "report.html").read_bytes() == written
    assert not any("checkpoint" in name or name.endswith(".tmp") for name in files_below(tmp_path))

    again = command(*SMALL, "--label", "constant", "--evaluator", "label-statistics")
    assert again.returncode == 0 and "nothing to do, all 4 measurements are there" in again.stderr

    shown = command("leaderboard", "out", "--format", "markdown")
    assert shown.stdout == (tmp_path / "out" / "leaderboard.md").read_text()
    assert command("leaderboard", "out", "--format", "csv", "--output", "board.csv").returncode == 0
    assert (tmp_path / "board.csv").read_text().startswith("dataset,backbone,label,settings,evaluator,score")


def test_two_folders_give_the_same_leaderboard(command: Command, tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        assert command(*SMALL[:-1], name).returncode == 0
        texts.append(command("leaderboard", name, "--format", "markdown").stdout)
    assert texts[0] == texts[1] != ""


def test_a_killed_training_goes_on_and_ends_with_the_same_bits(command: Command, tmp_path: Path) -> None:
    args = [*SMALL, "--epochs", "8"]
    whole = command(*[*args, "--results", "whole"])
    assert whole.returncode == 0, whole.stderr
    process = subprocess.Popen(
        [sys.executable, "-m", "labelbench", *args, "--results", "cut"],
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not list((tmp_path / "cut").rglob("checkpoint.safetensors")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not list((tmp_path / "cut").rglob("training.json")), "killed too late to show anything"
    resumed = command(*[*args, "--results", "cut"])
    assert resumed.returncode == 0, resumed.stderr
    one, other = (next((tmp_path / name).rglob("accuracy-*.npz")).read_bytes() for name in ("whole", "cut"))
    assert one == other
    boards = [command("leaderboard", name, "--format", "csv").stdout for name in ("whole", "cut")]
    assert boards[0] == boards[1] != ""


def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "labelbench", *SMALL, "--label", "constant", "--epochs", "500", "--jobs", "2"],
        cwd=tmp_path,
        start_new_session=True,
        # As in a terminal, also where these tests are a background job, which has Ctrl-C ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    deadline = time.monotonic() + 600
    while not list(tmp_path.rglob("checkpoint.safetensors")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    # A terminal tells every process of the command; whoever is impatient presses twice.
    os.killpg(process.pid, signal.SIGINT)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=600)
    assert process.returncode in (130, -signal.SIGINT)
    if process.returncode == 130:
        assert "interrupted; the same command goes on where this one stopped" in errors
    assert "Traceback" not in errors and "Exception ignored" not in errors


def test_a_plan_says_what_would_be_done_and_does_nothing(command: Command, tmp_path: Path) -> None:
    done = command("run", "--dry-run", "--suite", "quick", "--seeds", "3")
    assert done.returncode == 0 and len(done.stdout.splitlines()) <= 10 and "seeds 0, 1, 2" in done.stdout
    listed = command("plan", "--suite", "paper", "--all")
    assert listed.returncode == 0 and "0/18 done" in listed.stdout and "time: not measured: cifar10" in listed.stdout
    assert files_below(tmp_path) == set()


def test_a_measured_plan_estimates_the_time(command: Command) -> None:
    done = command("plan", *SMALL[1:], "--measure")
    assert done.returncode == 0, done.stderr
    assert f"{DIGITS} resnet8 10: 1 trainings, 1,280 images at " in done.stdout
    assert "all missing trainings, one after another: " in done.stdout


def test_own_images_run(command: Command, images_folder: Path) -> None:
    args = [f"folder:{images_folder}" if arg == DIGITS else arg for arg in SMALL]
    done = command(*args, "--train-fraction", "1")
    assert done.returncode == 0, done.stderr
    assert f"folder:{images_folder}" in done.stdout


def test_changed_images_are_not_mixed_with_old_results(command: Command, images_folder: Path, tmp_path: Path) -> None:
    """The spec hashes a folder's files; a data set found by its name is told apart by its fingerprint."""
    data = tmp_path / "data"
    data.mkdir()
    classes = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    for part in ("train", "test"):
        for index, name in enumerate(classes):
            source = images_folder / part / ("dark_thing" if index % 2 else "light_thing")
            target = data / "cifar10" / part / name
            target.mkdir(parents=True)
            for file in source.iterdir():
                (target / file.name).write_bytes(file.read_bytes())
    args = ["cifar10" if arg == DIGITS else arg for arg in SMALL] + ["--data-dir", str(data), "--train-fraction", "1"]
    assert command(*args).returncode == 0
    next((data / "cifar10" / "train" / "cat").iterdir()).unlink()
    done = command(*args)
    assert done.returncode == 2
    assert "was made with other images of cifar10" in done.stderr and "--overwrite always" in done.stderr
    assert command(*args, "--overwrite", "always").returncode == 0


def test_a_plugin_from_outside_is_listed_and_ranked(command: Command, install: Callable[..., dict[str, str]]) -> None:
    env = install("labelbench-rainbow", RAINBOW)
    listed = command("list", "labels", env=env)
    assert any("rainbow" in line and "labelbench-rainbow 1.0" in line for line in listed.stdout.splitlines())
    done = command(*SMALL, "--label", "rainbow", env=env)
    assert done.returncode == 0, done.stderr
    assert "rainbow" in done.stdout


def test_every_kind_of_name_is_listed_once(command: Command) -> None:
    lines = [line.strip() for line in command("list").stdout.splitlines()]
    assert [line for line in lines if line in KINDS] == list(KINDS)


def test_a_broken_plugin_stops_nothing(command: Command, install: Callable[..., dict[str, str]]) -> None:
    env = install("labelbench-broken", "raise RuntimeError('no luck today')")
    assert command("--help", env=env).returncode == 0
    listed = command("list", "plugins", env=env)
    assert "broken: RuntimeError: no luck today" in listed.stdout and "labelbench-broken 1.0" in listed.stdout
    assert command(*SMALL, env=env).returncode == 0
    assert "labelbench-broken" not in command("--no-plugins", "list", "plugins", env=env).stdout


def test_a_label_that_fails_fails_alone(command: Command, install: Callable[..., dict[str, str]]) -> None:
    env = install("labelbench-rainbow", RAINBOW.replace("wave = ", "raise OSError('gone'); wave = "))
    done = command(*SMALL, "--label", "rainbow", env=env)
    assert done.returncode == 3
    assert "label 'rainbow' (labelbench-rainbow 1.0) failed: OSError: gone" in done.stderr
    assert "category" in done.stdout and "the same command tries them again" in done.stderr


def test_an_attack_that_fails_fails_its_cell_alone_and_goes_on_after_its_last_finished_part(
    command: Command, install: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    env = install("labelbench-flaky", FLAKY)
    args = [*SMALL, "--backbone", "flaky", "--evaluator", "attacks-paper", "--test-images", "20"]
    # Of 12 gradients the first two attacks take one each; five steps of the third are to follow.
    failed = command(*args, env={**env, "FAILS_AT": "4"})
    assert failed.returncode == 3 and "Traceback" not in failed.stderr
    assert "1 part(s) failed; the same command tries them again" in failed.stderr
    assert f"{DIGITS} flaky category seed 0 10% of the data attacks-paper: RuntimeError: out of memory" in failed.stderr
    measured = sorted(file.relative_to(tmp_path / "out").parts[1] for file in tmp_path.rglob("a*-??????????.json"))
    assert measured == ["flaky", "resnet8", "resnet8"]
    # The 10 of the last two attacks.
    again = command(*args, env={**env, "FAILS_AT": "11"})
    assert again.returncode == 0, again.stderr
    assert not list(tmp_path.rglob("*.parts"))


def bad_arrays(folder: Path) -> None:
    np.save(folder / "classes.npy", np.random.RandomState(0).rand(3, 5))
    np.save(folder / "object.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    np.save(folder / "nan.npy", np.full((10, 5), np.nan))
    (folder / "text.npy").write_text("no array")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--label", "catgory"], "unknown label 'catgory'; did you mean category"),
        (["--dataset", "folder:/nowhere"], "/nowhere"),
        (["--label", "npy:classes.npy"], "classes.npy"),
        (["--label", "npy:object.npy"], "object.npy"),
        (["--label", "npy:nan.npy"], "nan.npy"),
        (["--label", "npy:text.npy"], "text.npy"),
        (["--label", "npy:missing.npy"], "missing.npy"),
        (["--suite", "key.toml"], "unknown key in suite file key.toml: 'epoch'; did you mean epochs"),
        (["--suite", "broken.toml"], "suite file broken.toml is not valid TOML"),
        (["--results", "file"], "results path file is a file; expected a folder"),
        (["--seeds", "none"], "seeds 'none'; expected a count"),
        (["--epochs", "0"], "epochs is 0; expected 1 or more"),
        (["--recipe", "papr"], "unknown recipe 'papr'; did you mean paper"),
        (["--overwrite", "sometimes"], "unknown overwrite policy 'sometimes'"),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, list) else "",
)
def test_a_users_mistake_is_one_line_and_leaves_nothing(
    command: Command, tmp_path: Path, change: list[str], message: str
) -> None:
    bad_arrays(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "key.toml").write_text("epoch = 3")
    (tmp_path / "broken.toml").write_text("label = [")
    before = files_below(tmp_path)
    done = command(*SMALL, *change)
    assert done.returncode in (2, 4), (done.returncode, done.stderr)
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("labelbench: ")]
    assert message in line
    assert files_below(tmp_path) == before


def test_a_data_set_that_is_absent_fails_its_own_cells_and_leaves_the_others_alone(command: Command) -> None:
    done = command(*SMALL, "--dataset", "cifar10", "--data-dir", "nowhere")
    assert done.returncode == 3 and "Traceback" not in done.stderr
    absent = "cifar10 is not in nowhere, and offline nothing is downloaded; put cifar10.zip or a folder cifar10"
    assert f"failed: training cifar10 resnet8 category seed 0 10% of the data: {absent}" in done.stderr
    board = command("leaderboard", "out", "--format", "csv").stdout
    assert DIGITS in board and "cifar10" not in board


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["rnu"], "unknown command 'rnu'; did you mean run"),
        (["run", "--lable", "category"], "--label"),
        (["list", "label"], "unknown kind 'label'; did you mean labels"),
        (["leaderboard", "nowhere"], "nowhere is no results folder"),
        (["leaderboard", ".", "--format", "xml"], "holds no results"),
    ],
    ids=str,
)
def test_wrong_usage_says_what_to_do(command: Command, args: list[str], message: str) -> None:
    done = command(*args)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory of a process as Linux does")
def test_too_little_memory_is_one_line(tmp_path: Path) -> None:
    limited = ["sh", "-c", 'ulimit -v 1000000 && exec "$@"', "sh", sys.executable, "-m", "labelbench", *SMALL]
    done = subprocess.run(limited, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 4 and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("labelbench: not enough memory: ")


def test_a_full_disk_is_one_line_and_leaves_no_half_written_file(command: Command, tmp_path: Path) -> None:
    assert command(*SMALL, "--results", "warm").returncode == 0  # fills the cache of images

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = command(*SMALL, preexec_fn=limit)
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("labelbench: ")]
    assert "cannot write out" in line and "File too large" in line
    assert not [name for name in files_below(tmp_path / "out") if name.endswith((".tmp", ".safetensors"))]
    # What was worked for is shown also where its report finds no room.
    done = command(*SMALL[:-1], "warm", preexec_fn=limit)
    assert done.returncode == 4 and "cannot write warm" in done.stderr, done.stderr
    assert "category" in done.stdout


HEAVY = "{'torch', 'librosa', 'timm', 'sklearn', 'scipy', 'torchvision', 'transformers', 'matplotlib'}"


@pytest.mark.parametrize(
    "args", ["import", "--help", "list labels", "list", "plan --suite paper", "run --dry-run", "completion bash"]
)
def test_light_commands_load_no_heavy_library(tmp_path: Path, args: str) -> None:
    call = "" if args == "import" else f"sys.argv = ['labelbench', *{args.split()!r}]\nlabelbench.cli.main()"
    imports = "import labelbench" if args == "import" else "import labelbench.cli"
    report = f"import sys, atexit\natexit.register(lambda: print('HEAVY', sorted(set(sys.modules) & {HEAVY})))"
    code = f"{report}\n{imports}\n{call}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "HEAVY []"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(command: Command, shell: str) -> None:
    done = command("completion", shell)
    assert done.returncode == 0 and "_LABELBENCH_COMPLETE" in done.stdout


def test_names_are_completed(command: Command) -> None:
    env = {"_LABELBENCH_COMPLETE": "bash_complete", "COMP_WORDS": "labelbench run --label cat", "COMP_CWORD": "3"}
    done = subprocess.run(
        [Path(sys.executable).parent / "labelbench"],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        check=False,
    )
    assert "plain,category" in done.stdout.splitlines()


def test_a_look_at_a_data_set_says_what_is_odd_draws_it_and_is_noted_beside_results(
    command: Command, images_folder: Path, tmp_path: Path
) -> None:
    (images_folder / "test/dark_thing/0.png").write_bytes((images_folder / "train/dark_thing/3.png").read_bytes())
    looked = command("data", f"folder:{images_folder}", "--output", "images.png")
    assert looked.returncode == 0, looked.stderr
    note = "1 of 12 test images (8.3 %) is in the training part too, pixel for pixel"
    assert f"note: {note}\n" in looked.stdout and "24 training and 12 test images of 32x32 pixels" in looked.stdout
    assert (tmp_path / "images.png").read_bytes().startswith(b"\x89PNG")
    args = [{DIGITS: f"folder:{images_folder}", "0.1": "1"}.get(part, part) for part in SMALL]
    done = command(*args)
    assert done.returncode == 0, done.stderr
    assert f"images: {note}" in (tmp_path / "out" / "leaderboard.md").read_text()
    # What is not data, and the same pixels in other files, are the same training.
    (images_folder / "train" / ".DS_Store").write_bytes(b"clutter")
    for file in images_folder.rglob("*.png"):
        with Image.open(file) as image:
            image.save(file, compress_level=1)
    again = command(*args)
    assert again.returncode == 0 and "nothing to do" in again.stderr
