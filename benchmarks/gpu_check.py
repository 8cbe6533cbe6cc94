"""What is claimed of GPUs, checked on one: a line for each claim, passed, failed or a figure.

    python benchmarks/gpu_check.py                 # everything, in under eight minutes
    python benchmarks/gpu_check.py --only bits     # one check; repeatable, --list names them
    python benchmarks/gpu_check.py --synthetic     # made-up images of CIFAR-10's shape, so that no data is needed

It runs from a checkout, installed or not, and needs torch for CUDA, pluggy, rich, safetensors and numpy. The cheapest
and most decisive checks come first; each has a limit, and none stops the others.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def _findable() -> None:
    """Make a checkout that is not installed importable, its plugins included."""
    from importlib.metadata import PackageNotFoundError, distribution

    for folder in (ROOT / "plugins", ROOT):
        sys.path.insert(0, str(folder))
    try:
        distribution("labelbench")
        return
    except PackageNotFoundError:
        pass
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    folder = Path(tempfile.mkdtemp(prefix="labelbench-"))
    facts = folder / "labelbench-0.1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: labelbench\nVersion: 0.1.0\n", encoding="utf-8")
    points = "\n".join(f"{name} = {module}" for name, module in project["entry-points"]["labelbench"].items())
    (facts / "entry_points.txt").write_text(f"[labelbench]\n{points}\n", encoding="utf-8")
    sys.path.insert(0, str(folder))
    found = [str(folder), str(ROOT), str(ROOT / "plugins"), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, found))


_findable()
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")

import numpy as np  # noqa: E402
import torch  # noqa: E402

from labelbench.datasets import Images, Split  # noqa: E402
from labelbench.machine.numerics import numerics_in_force  # noqa: E402
from labelbench.optimizers import SGD  # noqa: E402
from labelbench.recipes import Recipe, find_recipe  # noqa: E402
from labelbench.running.materials import Materials  # noqa: E402
from labelbench.runs import Numerics, RunSpec  # noqa: E402
from labelbench.training.result import Trained  # noqa: E402
from labelbench.training.trainer import Trainer  # noqa: E402

# To rehearse is to run the script itself on a CPU, with figures that mean nothing.
REHEARSED = "--rehearse" in sys.argv
DEVICE = "cpu" if REHEARSED else "cuda"
EXACT = Numerics(device=DEVICE, threads=int(REHEARSED))
FAST = Numerics(mode="fast", device=DEVICE, precision="bfloat16", threads=int(REHEARSED), compiled=not REHEARSED)
PLAIN = replace(FAST, compiled=False)
MATRIX = "uniform-random"
BATCH = 128
# Small, with a last batch of another size in every pass.
BRIEF = Recipe(name="brief", epochs=2, batch_size=BATCH, optimizer=SGD(0.05), milestones=(1,))


def synthetic() -> Images:
    """Noise of CIFAR-10's shape around a pattern for each class."""
    train, test = (1500, 200) if REHEARSED else (50_000, 10_000)
    random = np.random.RandomState(0)
    patterns = random.randint(60, 196, (10, 8, 8, 3)).repeat(4, axis=1).repeat(4, axis=2)

    def part(count: int) -> Split:
        classes = np.arange(count, dtype=np.int64) * 10 // count
        noise = np.random.RandomState(count).randint(-60, 60, (count, 32, 32, 3), dtype=np.int16)
        return Split((patterns[classes] + noise).astype(np.uint8), classes)

    return Images(part(train), part(test), "synthetic", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), "made up")


@cache
def materials() -> Materials:
    """Images and labels of all checks."""
    return Materials()


def use_synthetic_images() -> None:
    """Give made-up images to whoever asks for CIFAR-10 in this process."""
    os.environ["LABELBENCH_OFFLINE"] = "1"
    made, real = synthetic(), Materials.images
    Materials.images = lambda self, run: made if run.dataset == "cifar10" else real(self, run)  # type: ignore[method-assign]


def run_of(
    backbone: str, label: str, numerics: Numerics, seed: int = 0, recipe: Recipe = BRIEF, share: float = 1.0
) -> RunSpec:
    """A training on CIFAR-10."""
    return RunSpec.of("cifar10", label, backbone, seed, train_fraction=share, recipe=recipe, numerics=numerics)


def trainer_of(run: RunSpec, *, captured: bool = True) -> Trainer:
    """Its trainer; with steps that are not captured if so wanted."""
    made = materials()
    images = made.images(run)
    return Trainer(run, made.network(run), made.labels(run), images, validation_share=0.1, flip=True, captured=captured)


def in_turn(trainers: Sequence[Trainer]) -> list[Trained]:
    """Train them step by step, in turn, to the end."""
    while any(not trainer.done for trainer in trainers):
        for trainer in trainers:
            trainer.step()
    return [trainer.finish() for trainer in trainers]


def digest(trained: Trained) -> str:
    """What tells weights apart."""
    return trained.network.digest[:16]


def rate(
    backbone: str, numerics: Numerics, networks: int = 1, steps: int = 60, *, label: str = MATRIX, captured: bool = True
) -> float:
    """Images per second of several networks together, timed after their first steps."""
    recipe = replace(find_recipe("paper-fast"), batch_size=BATCH)
    backbone, steps = ("resnet8", 2) if REHEARSED else (backbone, steps)
    with numerics_in_force(numerics):
        trainers = []
        for seed in range(networks):
            trainers.append(trainer_of(run_of(backbone, label, numerics, seed, recipe), captured=captured))
            for _ in range(8):
                trainers[-1].step()
        notes = {note for trainer in trainers for note in trainer._notes if captured}
        if notes:
            say(f"    note: {'; '.join(notes)}")
        wait()
        started = time.perf_counter()
        for _ in range(steps):
            for trainer in trainers:
                trainer.step()
        wait()
        seconds = time.perf_counter() - started
    return networks * steps * BATCH / seconds


def wait() -> None:
    """Wait until the GPU has done everything."""
    if not REHEARSED:
        torch.cuda.synchronize()


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


def figure(name: str, value: float, asked: float, aim: float = 0.0, unit: str = "images/s", before: str = "") -> None:
    """Print a figure and whether it is what was asked for; for times less is better."""
    good = value <= asked if unit == "s" else value >= asked
    goal = f"asked {asked:,.0f}" + (f", aim {aim:,.0f}" if aim else "")
    say(f"{'passed' if good else 'FAILED'}  {name}: {value:,.{1 if unit == 's' else 0}f} {unit} ({goal}{before})")


def claim(name: str, holds: bool, detail: str = "") -> None:
    """Print whether a claim holds."""
    say(f"{'passed' if holds else 'FAILED'}  {name}" + (f": {detail}" if detail else ""))


def check_machine() -> None:
    """What the card is, and how fast it copies and multiplies."""
    if REHEARSED:
        return
    say(f"figure  {torch.cuda.get_device_name()}, {torch.cuda.device_count()} visible, torch {torch.__version__}")
    source = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    matrix = torch.rand(8192, 8192, device="cuda", dtype=torch.bfloat16)

    def seconds(work: Callable[[], Any]) -> float:
        work()
        wait()
        started = time.perf_counter()
        for _ in range(10):
            work()
        wait()
        return (time.perf_counter() - started) / 10

    copied, multiplied = seconds(lambda: target.copy_(source)), seconds(lambda: matrix @ matrix)
    copying, product = 2 * source.nbytes / copied / 1e12, 2 * 8192**3 / multiplied / 1e12
    say(f"figure  copies {copying:.2f} TB/s, bf16 products {product:.0f} TFLOP/s")


def check_exact() -> None:
    """One network, exact, beside the same step uncaptured."""
    plain = rate("resnet32", EXACT, steps=40, captured=False)
    figure(
        "one network, exact, ResNet-32", rate("resnet32", EXACT), 15_000, 20_000, before=f"; uncaptured {plain:,.0f}"
    )


def check_bits() -> None:
    """Exact steps: captured, not captured, once more, and killed and resumed, all to the bit."""
    for backbone, label in (("resnet8", "category"), ("resnet32", MATRIX)):
        run = run_of(backbone, label, EXACT, share=0.05)
        with numerics_in_force(EXACT):
            trainers = [trainer_of(run), trainer_of(run, captured=False), trainer_of(run)]
            one, plain, again = (digest(in_turn([trainer])[0]) for trainer in trainers)
            cut = trainer_of(run)
            for _ in range(25):
                cut.step()
            state = cut.state_dict()
            for part in ("network", "best", "optimizer", "random"):
                state[part] = {name: tensor.cpu().clone() for name, tensor in state[part].items()}
            resumed = trainer_of(run)
            resumed.load_state_dict(state)
            taken_up = digest(in_turn([resumed])[0])
        facts = trainers[0]._computed
        claim(f"exact {backbone} {label}: two runs give the same bytes", one == again, f"{one} {again}")
        held = one == plain and facts.get("captured", REHEARSED)
        claim(f"exact {backbone} {label}: captured as uncaptured", held, f"{one} {plain} {facts}")
        claim(f"exact {backbone} {label}: killed and resumed", one == taken_up, f"{one} {taken_up}")


def _streams(numerics: Numerics, name: str, backbone: str = "resnet8") -> None:
    labels = ("category", MATRIX, "low-dim", "gaussian-composition")
    runs = [run_of(backbone, labels[number % 4], numerics, number // 4, share=0.1) for number in range(8)]
    with numerics_in_force(numerics):
        alone = [in_turn([trainer_of(run)])[0] for run in runs]
        together = in_turn([trainer_of(run) for run in runs])
    same = [digest(one) == digest(other) for one, other in zip(alone, together, strict=True)]
    apart = max(
        abs(one.history[-1].train_loss - other.history[-1].train_loss) / max(1e-9, one.history[-1].train_loss)
        for one, other in zip(alone, together, strict=True)
    )
    claim(
        f"eight runs on streams equal each alone, {name}",
        all(same),
        f"{sum(same)} of 8 to the bit, losses differ by {apart:.2g} at most",
    )


def check_streams() -> None:
    """Eight runs at once have the bits of each alone."""
    _streams(EXACT, "exact")
    _streams(PLAIN, "bfloat16")


def check_captured() -> None:
    """bfloat16, captured and not compiled: one, four and eight networks."""
    plain = rate("resnet32", PLAIN, steps=40, captured=False)
    rates = {networks: rate("resnet32", PLAIN, networks) for networks in (1, 4, 8)}
    found = ", ".join(f"{networks} networks {value:,.0f}" for networks, value in rates.items())
    say(f"figure  bfloat16, captured, not compiled, ResNet-32: {found} images/s (uncaptured one {plain:,.0f})")


def check_fast() -> None:
    """ResNet-32, fast as it is meant: compiled and captured."""
    started = time.perf_counter()
    one = rate("resnet32", FAST)
    say(f"figure  compiling ResNet-32 and first steps: {time.perf_counter() - started:.0f} s")
    figure("one network, fast, ResNet-32", one, 28_000, 34_000)
    figure("eight networks, fast, ResNet-32", rate("resnet32", FAST, 8), 60_000, 80_000)


def check_labels() -> None:
    """Every label of suites quick and paper trains an epoch with fast numerics."""
    from labelbench.suite import Suite

    names = dict.fromkeys([*Suite.load("quick").labels, *Suite.load("paper").labels])
    names = dict.fromkeys(list(names)[:3]) if REHEARSED else names
    failed, absent, done, notes = [], [], 0, set()
    for label in names:
        run = run_of("resnet8", label, FAST, recipe=replace(BRIEF, epochs=1, milestones=()), share=0.05)
        try:
            materials().labels(run)
        except Exception as error:
            absent.append(f"{label} ({' '.join(str(error).split())[:60]})")
            continue
        try:
            with numerics_in_force(FAST):
                trainer = trainer_of(run)
                trained = in_turn([trainer])[0]
            notes.update(trainer._notes)
            done += not trained.diverged
            failed += [f"{label} diverged"] if trained.diverged else []
        except Exception as error:
            failed.append(f"{label}: {type(error).__name__} {str(error)[:100]}")
    claim(f"fast: {done} labels train an epoch", not failed and not notes, "; ".join([*failed, *notes]))
    if absent:
        say(f"skipped what is not here: {'; '.join(absent)}")


def check_backbones() -> None:
    """The paper's other backbones and four timm networks train an epoch with fast numerics."""
    for backbone in ("timm:resnet18", "timm:mobilenetv3_small_100", "timm:convnext_atto", "timm:vit_tiny_patch16_224"):
        started = time.perf_counter()
        run = run_of(backbone, MATRIX, FAST, recipe=replace(BRIEF, epochs=1, milestones=()), share=0.05)
        try:
            with numerics_in_force(FAST):
                trainer = trainer_of(run)
                trained = in_turn([trainer])[0]
            claim(
                f"fast: {backbone} trains an epoch in {time.perf_counter() - started:.0f} s",
                not trained.diverged,
                "; ".join(trainer._notes),
            )
        except Exception as error:
            claim(f"fast: {backbone} trains an epoch", False, f"{type(error).__name__}: {str(error)[:200]}")


def check_vgg19() -> None:
    """VGG19, four networks, fast."""
    figure("VGG19, four networks, fast", rate("vgg19", FAST, 4), 64_000, 77_000)


def check_resnet8() -> None:
    """ResNet-8, eight networks, fast."""
    figure("ResNet-8, eight networks, fast", rate("resnet8", FAST, 8, steps=150), 150_000, 180_000)


def check_resnet110() -> None:
    """ResNet-110, eight networks, fast."""
    figure("ResNet-110, eight networks, fast", rate("resnet110", FAST, 8, steps=30), 20_000, 25_000)


def _command_run(folder: Path, numerics: str, labels: list[str], evaluators: list[str], **options: Any) -> Any:
    from rich.console import Console

    from labelbench.api import planned
    from labelbench.results.store import Results
    from labelbench.running.progress import Reporter
    from labelbench.running.runner import Runner
    from labelbench.suite import Suite

    jobs, epochs, seeds = options.get("jobs", 1), options.get("epochs", 1), options.get("seeds", 1)
    backbone = options.get("backbone", "resnet32")
    suite = Suite.load("quick").changed(
        datasets="cifar10",
        labels=labels,
        backbones="resnet8" if REHEARSED else backbone,
        evaluators=evaluators,
        recipe="paper-fast",
        epochs=epochs,
        seeds=seeds,
        numerics=numerics,
        test_images=options.get("test_images"),
    )
    plan, results = planned(suite, folder, device=DEVICE, threads=None, overwrite="missing", jobs=jobs)
    with Reporter(Console(stderr=True, quiet=True)) as reporter:
        outcome = Runner(plan, results, reporter, jobs=jobs).run()
    if outcome.failures:
        raise RuntimeError("; ".join(f"{what}: {why}" for what, why in outcome.failures))
    assert isinstance(results, Results)
    return plan, results


def _seconds(results: Any, evaluator: str) -> float:
    from labelbench.files import read_json

    found = [
        read_json(file).get("wall_seconds")
        for file in Path(results.folder).rglob("*.json")
        if evaluator.replace(":", "-") in file.name or evaluator in str(file)
    ]
    return max([seconds for seconds in found if isinstance(seconds, int | float)], default=float("nan"))


def check_attacks() -> None:
    """The paper's attacks on all test images, and the adaptive ones on 1,000, of one ResNet-32."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started = time.perf_counter()
        _, results = _command_run(folder, "exact", ["category"], ["attacks-paper"], epochs=2)
        say(f"figure  two epochs and attacks-paper through the runner: {time.perf_counter() - started:.1f} s")
        figure("attacks-paper, 10,000 images, ResNet-32, exact", _seconds(results, "attacks-paper"), 10, 5, "s")
        _, results = _command_run(
            folder, "exact", ["category"], ["attacks-adaptive:standard"], epochs=2, test_images=1000
        )
        figure(
            "attacks-adaptive:standard, 1,000 images, ResNet-32, exact",
            _seconds(results, "attacks-adaptive"),
            15,
            8,
            "s",
        )


def check_runner() -> None:
    """Eight trainings by the runner: what it costs beside their steps."""
    labels = ["category", MATRIX, "low-dim", "gaussian-composition"]
    with tempfile.TemporaryDirectory() as name:
        _command_run(Path(name) / "warm", "fast", labels, ["accuracy"], epochs=1, jobs=8, seeds=1)
        started = time.perf_counter()
        _command_run(Path(name) / "timed", "fast", labels, ["accuracy"], epochs=2, jobs=8, seeds=2)
        seconds = time.perf_counter() - started
    pace = 8 * 2 * 45_000 / seconds
    say(f"figure  eight trainings of two epochs, accuracy, --jobs 8, fast: {seconds:.1f} s, {pace:,.0f} images/s")
    minutes = 27 * 30 * 45_000 / pace / 60
    say(f"figure  27 trainings of 30 epochs at that rate: {minutes:.1f} min (asked 20, with attacks)")


def check_killed() -> None:
    """The command, killed and taken up again, ends with the same bytes."""
    code = (
        "import sys; sys.argv = {arguments}; sys.path.insert(0, '.'); import gpu_check as g; "
        "g.use_synthetic_images() if {synthetic} else None; from pathlib import Path; "
        "g._command_run(Path({folder!r}), 'exact', ['category'], ['accuracy'], epochs=3, backbone='resnet8')"
    )
    arguments = ["gpu_check", "--rehearse"] if REHEARSED else ["gpu_check"]

    def start(folder: Path) -> subprocess.Popen[bytes]:
        text = code.format(arguments=arguments, synthetic=SYNTHETIC, folder=str(folder))
        return subprocess.Popen([sys.executable, "-c", text], cwd=Path(__file__).parent, stderr=subprocess.PIPE)

    with tempfile.TemporaryDirectory() as name:
        whole, cut = Path(name) / "whole", Path(name) / "cut"
        first, other = start(whole), start(cut)
        while other.poll() is None and not list(cut.rglob("checkpoint.safetensors")):
            time.sleep(0.02)
        was_killed = other.poll() is None
        other.kill()
        other.wait()
        _, errors = first.communicate()
        again = start(cut)
        _, more = again.communicate()
        if first.returncode or again.returncode:
            raise RuntimeError((errors + more).decode()[-400:])
        from safetensors import safe_open

        def weights(folder: Path) -> bytes:
            (file,) = folder.rglob("network.safetensors")
            with safe_open(file, framework="pt") as stored:
                return b"".join(stored.get_tensor(key).numpy().tobytes() for key in sorted(stored.keys()))

        claim(
            "the command killed and resumed gives the same bytes",
            was_killed and weights(whole) == weights(cut),
            f"killed: {was_killed}",
        )


def check_suite() -> None:
    """Nine labels, three seeds, 30 epochs, accuracy and both attacks: only if named, it takes up to 20 minutes."""
    labels = [
        "category",
        MATRIX,
        "low-dim",
        "gaussian-composition",
        "constant",
        "hadamard",
        "category-dense",
        "category-huber",
        "category-smoothed",
    ]
    evaluators = ["accuracy", "attacks-paper", "attacks-adaptive:standard"]
    with tempfile.TemporaryDirectory() as name:
        started = time.perf_counter()
        _command_run(Path(name), "fast", labels, evaluators, epochs=30, jobs=8, seeds=3, test_images=1000)
        figure(
            "9 labels x 3 seeds, ResNet-32, 30 epochs, accuracy and attacks",
            time.perf_counter() - started,
            1200,
            0,
            "s",
        )


# In this order, each with the seconds that it may take.
CHECKS: dict[str, tuple[Callable[[], None], int]] = {
    "machine": (check_machine, 30),
    "exact": (check_exact, 60),
    "bits": (check_bits, 90),
    "captured": (check_captured, 60),
    "streams": (check_streams, 90),
    "fast": (check_fast, 120),
    "labels": (check_labels, 90),
    "resnet8": (check_resnet8, 60),
    "runner": (check_runner, 90),
    "attacks": (check_attacks, 120),
    "vgg19": (check_vgg19, 90),
    "killed": (check_killed, 90),
    "resnet110": (check_resnet110, 150),
    "backbones": (check_backbones, 180),
    "suite": (check_suite, 1500),
}
ONLY_IF_NAMED = {"suite"}
SYNTHETIC = False


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the block once its time is over."""

    def ring(number: int, frame: object) -> None:
        raise TimeoutError(f"took more than {seconds:.0f} s")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def main() -> None:
    """Run the checks."""
    global SYNTHETIC
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="NAME", help="run this check; repeatable")
    parser.add_argument("--skip", action="append", metavar="NAME", default=[], help="leave this check out; repeatable")
    parser.add_argument("--rehearse", action="store_true", help="on a CPU: the script itself, not what it measures")
    parser.add_argument("--list", action="store_true", help="name the checks and stop")
    parser.add_argument("--synthetic", action="store_true", help="made-up images of CIFAR-10's shape")
    parser.add_argument("--seconds", type=float, default=465, help="of all checks together (default: 465)")
    options = parser.parse_args()
    if options.list:
        for name, (check, seconds) in CHECKS.items():
            say(f"{name:10} {seconds:5} s  {(check.__doc__ or '').strip()}")
        return
    if not REHEARSED and not torch.cuda.is_available():
        sys.exit("skipped: there is no GPU that this torch can use")
    unknown = set(options.only or ()) - set(CHECKS)
    if unknown:
        sys.exit(f"unknown check {', '.join(sorted(unknown))}; known: {', '.join(CHECKS)}")
    SYNTHETIC = options.synthetic or REHEARSED
    if SYNTHETIC:
        use_synthetic_images()
    begun = time.perf_counter()
    for name in options.only or [name for name in CHECKS if name not in ONLY_IF_NAMED and name not in options.skip]:
        check, seconds = CHECKS[name]
        left = options.seconds - (time.perf_counter() - begun)
        if left < 5 and not options.only:
            say(f"skipped {name}: no time is left")
            continue
        started = time.perf_counter()
        try:
            with limited(seconds if options.only else min(seconds, left)):
                check()
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            say(f"FAILED  {name}: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
            say("".join(traceback.format_tb(error.__traceback__)[-4:]).rstrip())
        try:
            wait()
            torch.cuda.empty_cache()  # nothing where there is no GPU
        except Exception as error:
            sys.exit(f"FAILED  the GPU does not answer any more: {error}")
        taken, memory = time.perf_counter() - started, torch.cuda.max_memory_reserved() / 2**30
        say(f"        ({name}: {taken:.0f} s, {memory:.1f} GiB)")


if __name__ == "__main__":
    main()
