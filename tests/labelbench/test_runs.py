from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelbench.optimizers import SGD
from labelbench.recipes import Recipe
from labelbench.runs import Numerics, RunSpec, derived_seed, label_of_run, named_files, slug

RUN = RunSpec("digits", "category", "resnet8", 0)


def test_the_identity_of_a_run_is_stable() -> None:
    """A changed identity would orphan everybody's results: raise the schema version if this must change."""
    assert RUN.id == "b29419baef"
    assert str(RUN.folder) == "digits/resnet8/category/seed0-b29419baef"


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": "cifar10"},
        {"label": "constant"},
        {"backbone": "resnet32"},
        {"seed": 1},
        {"train_fraction": 0.5},
        {"recipe": Recipe(epochs=3)},
        {"numerics": Numerics(threads=2)},
        {"files": (("labels.npy", "00"),)},
    ],
)
def test_every_field_is_part_of_the_identity(change: dict[str, object]) -> None:
    assert replace(RUN, **change).id != RUN.id  # type: ignore[arg-type]


def test_equal_runs_have_equal_identities() -> None:
    written, meant = Recipe(optimizer=SGD(1, weight_decay=0)), Recipe(optimizer=SGD(1.0, weight_decay=0.0))
    one, other = replace(RUN, recipe=written, train_fraction=1), replace(RUN, recipe=meant, train_fraction=1.0)
    assert one == other and one.id == other.id


def test_the_content_of_a_named_file_is_part_of_the_identity(tmp_path: Path) -> None:
    file = tmp_path / "labels.npy"
    file.write_bytes(b"one")
    first = RunSpec.of("digits", f"npy:{file}", "resnet8", 0)
    file.write_bytes(b"other")
    second = RunSpec.of("digits", f"npy:{file}", "resnet8", 0)
    assert first.id != second.id
    assert dict(first.files).keys() == {str(file)}


def test_the_content_of_a_named_folder_is_hashed_by_its_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    folder, name = tmp_path / "words", f"speech:wav={tmp_path / 'link'}"
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "words").symlink_to(folder)
    before = named_files(name)
    for clutter in (".DS_Store", "Thumbs.db"):
        (folder / clutter).write_text("clutter")
    assert before.keys() == {str(tmp_path / "link")} and named_files(name) == before
    (folder / "b.txt").write_text("b")
    assert named_files(name) != before


def test_the_pixels_of_a_data_set_are_part_of_the_identity_where_its_name_does_not_say_them() -> None:
    def run(pixels: str | None) -> RunSpec:
        return RunSpec.of("folder:a,b", "category", "resnet8", 0, pixels=pixels)

    assert run("1" * 64).files == run("1" * 64).of_labels.files == (("folder:a,b", "1" * 64),)
    assert run("1" * 64).id != run("2" * 64).id and run(None).files == ()


def test_a_folder_without_a_slash_counts_as_a_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "speech").mkdir()
    (tmp_path / "speech" / "a.txt").write_text("a")
    monkeypatch.chdir(tmp_path)
    assert RunSpec.of("cifar10", "official:speech", "resnet8", 0).files == ()
    assert RunSpec.of("cifar10", "speech:lang=en,wav=speech", "resnet8", 0).files[0][0] == "speech"


def test_names_without_files_have_none() -> None:
    assert named_files("category") == named_files("npy:no-such-file.npy") == named_files("uniform-random:seed=3") == {}


@given(st.text(max_size=200))
def test_a_slug_is_one_safe_path_component(name: str) -> None:
    made = slug(name)
    assert made and len(made) <= 80 and not made.startswith(".") and made not in (".", "..")
    assert "/" not in made and "\\" not in made and made.isascii()


@given(st.integers(0, 2**31), st.text(max_size=20), st.text(max_size=20))
def test_seeds_of_different_axes_differ(seed: int, one: str, other: str) -> None:
    assert 0 <= derived_seed(seed, one) < 2**63
    assert (derived_seed(seed, one) == derived_seed(seed, other)) == (one == other)
    assert derived_seed(seed, one) != derived_seed(seed + 1, one)


def test_seed_run_is_replaced_by_the_seed_of_the_run() -> None:
    assert label_of_run("low-dim:seed=run", 5) == "low-dim:seed=5"
    assert label_of_run("scaled:low-dim:seed=run,x=1", 5) == "scaled:low-dim:seed=5,x=1"
    assert label_of_run("npy:myseed=run", 5) == "npy:myseed=run"
    assert RunSpec("d", "low-dim:seed=run", "b", 5).label_seed == 5
    assert RunSpec("d", "low-dim:seed=4", "b", 5).label_seed is None


def test_labels_alone_are_the_same_for_all_backbones_recipes_and_seeds() -> None:
    other = replace(RUN, backbone="vgg19", seed=3, recipe=Recipe(epochs=2))
    assert other.of_labels == RUN.of_labels
    drawn = replace(RUN, label="low-dim:seed=run")
    assert replace(drawn, seed=1).of_labels != drawn.of_labels
