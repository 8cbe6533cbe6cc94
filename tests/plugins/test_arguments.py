"""Arguments of labels: what is read, and what is refused in one line that names the key."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelbench import InputError, LabelbenchError, UnknownName
from labelbench.datasets import Dataset
from labelbench_labels.arguments import Seed, alias, choice, integer, number, path, read_argument, seed
from labelbench_labels.dense import dense_side

READERS = {
    "dimension": integer(1, 100),
    "seed": seed,
    "gap": number(0, 10, "a number from 0 to 10"),
    "words": choice("first", "mean"),
    "file": path,
}


def test_keys_and_values_are_read() -> None:
    assert read_argument("x", "dimension=5,gap=0.5,words=mean", READERS) == {
        "dimension": 5,
        "gap": 0.5,
        "words": "mean",
    }


def test_nothing_written_is_nothing_read() -> None:
    assert read_argument("x", "", READERS) == {}


def test_the_first_value_may_stand_without_its_key() -> None:
    expected = {"dimension": 50, "seed": Seed(3)}
    assert read_argument("x", "50,seed=3", READERS, first="dimension") == expected
    assert read_argument("x", "dimension=50,seed=3", READERS, first="dimension") == expected


def test_a_path_may_hold_an_equals_sign() -> None:
    assert read_argument("x", "a=b/c.txt,words=mean", READERS, first="file")["file"] == Path("a=b/c.txt")


def test_the_home_folder_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert read_argument("x", "file=~/a", READERS)["file"] == Path("/somewhere/a")


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("dimension", "label x:dimension: 'dimension' is no key=value; expected dimension=..., seed=..., gap=..."),
        ("gap=1,gap=2", "label x:gap=1,gap=2: gap is given twice; give it once"),
        ("dimension=0", "label x:dimension=0: dimension is '0'; expected a whole number from 1 to 100"),
        ("dimension=101", "dimension is '101'; expected a whole number from 1 to 100"),
        ("dimension=-1", "dimension is '-1'; expected"),
        ("dimension=2.5", "dimension is '2.5'; expected"),
        ("gap=nan", "gap is 'nan'; expected a number from 0 to 10"),
        ("gap=1e9", "gap is '1e9'; expected a number from 0 to 10"),
        ("gap=wide", "gap is 'wide'; expected a number from 0 to 10"),
        ("seed=-1", "seed is '-1'; expected a whole number from 0 to 4294967295, or run"),
        ("seed=4294967296", "seed is '4294967296'; expected"),
        ("words=last", "words is 'last'; expected first or mean"),
        ("file=", "file is ''; expected a path"),
        ("gap=1,", "'' is no key=value"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_was_expected(argument: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_argument("x", argument, READERS)
    assert message in str(caught.value)


def test_an_unknown_key_is_told_with_near_ones() -> None:
    with pytest.raises(UnknownName, match=r"unknown argument of label x 'sed'; did you mean seed\?"):
        read_argument("x", "sed=3", READERS)


def test_a_label_without_arguments_takes_none() -> None:
    with pytest.raises(InputError, match="label constant takes no argument; got constant:3"):
        read_argument("constant", "3", {})


@given(st.text())
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        values = read_argument("x", text, READERS, first="dimension")
    except LabelbenchError as error:
        assert "label x" in str(error)
    else:
        assert set(values) <= set(READERS)


def test_a_seed_says_itself_in_the_provenance() -> None:
    assert seed("7").provenance == {"seed": 7}
    assert seed("run") == Seed(0, per_run=True)
    assert "draw of seed 0" in seed("run").provenance["seed_note"]


def test_an_alias_is_the_same_function_and_says_of_what() -> None:
    def constant(dataset: object, argument: str) -> object:
        return (dataset, argument)

    other = alias(constant, "constant")  # type: ignore[arg-type]
    assert other("digits", "x") == ("digits", "x")  # type: ignore[arg-type,comparison-overlap]
    assert other.__doc__ == "Alias of constant: its name in the paper's repository."


@pytest.mark.parametrize(
    ("size", "side"), [((32, 32), 64), ((8, 8), 16), ((24, 24), 48), ((28, 28), 64), ((20, 33), 80)]
)
def test_a_matrix_has_twice_the_side_of_the_image_up_to_a_multiple_of_16(size: tuple[int, int], side: int) -> None:
    assert dense_side(Dataset("x", ("a", "b"), size)) == side
