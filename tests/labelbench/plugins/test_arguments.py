"""Arguments: what is read by the keywords of a function, and what is refused in one line that names the key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelbench.errors import InputError, LabelbenchError, PluginError, UnknownName
from labelbench.plugins.arguments import Between, LabelName, Rest, SeedOfRun
from labelbench.plugins.discovery import plugins
from labelbench.plugins.signatures import Signature, expanded

if TYPE_CHECKING:
    from labelbench.datasets import Dataset


def provide(
    dataset: Dataset,
    dimension: Annotated[int, Between(1, 100)],
    *,
    seed: int = 48,
    gap: Annotated[float, Between(0, 10)] | None = None,
    words: Literal["first", "mean"] = "first",
    file: Path | None = None,
    eps: tuple[float, ...] = (),
    flip: bool = True,
    pretrained: bool = False,
    note="plain",  # type: ignore[no-untyped-def]
) -> None:
    """A label with an argument of every type; ``Dataset`` is not loaded, and need not be."""


SIGNATURE = Signature.of(provide, ("dataset",))


def read(text: str) -> dict[str, Any]:
    return SIGNATURE.read("label x", "x", text)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("5", {"dimension": 5}),
        ("dimension=5", {"dimension": 5}),
        ("5,gap=0.5,words=mean", {"dimension": 5, "gap": 0.5, "words": "mean"}),
        (" 5 , words = mean ", {"dimension": 5, "words": "mean"}),
        ("5,gap=1e-3", {"dimension": 5, "gap": 0.001}),
        ("5,seed=4294967295", {"dimension": 5, "seed": 2**32 - 1}),
        ("5,file=a=b/c.txt", {"dimension": 5, "file": Path("a=b/c.txt")}),
        ("5,eps=0.5+1+2", {"dimension": 5, "eps": (0.5, 1.0, 2.0)}),
        ("5,flip=no,pretrained", {"dimension": 5, "flip": False, "pretrained": True}),
        ("5,note=a:b", {"dimension": 5, "note": "a:b"}),
    ],
)
def test_keys_and_values_are_read_by_their_types(text: str, values: dict[str, Any]) -> None:
    assert read(text) == values
    assert {key: type(value) for key, value in read(text).items()} == {key: type(values[key]) for key in values} | (
        {"file": type(Path())} if "file" in values else {}
    )


def test_the_home_folder_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert expanded(read("5,file=~/a"))["file"] == Path("/somewhere/a")


def test_a_seed_may_be_that_of_each_run_and_is_0_outside_of_runs() -> None:
    seed = read("5,seed=run")["seed"]
    assert isinstance(seed, SeedOfRun) and seed == 0 and str(seed) == "run"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "label x needs its dimension: x:DIMENSION,seed=48[,gap="),
        ("gap=1", "label x needs its dimension"),
        ("5,gap", "'gap' is no key=value; expected x:DIMENSION"),
        ("5,gap=1,gap=2", "label x:5,gap=1,gap=2: gap is given twice; give it once"),
        ("5,dimension=6", "dimension is given twice"),
        ("0", "label x:0: dimension is '0'; expected a whole number from 1 to 100"),
        ("101", "dimension is '101'; expected a whole number from 1 to 100"),
        ("2.5", "dimension is '2.5'; expected"),
        ("\N{ARABIC-INDIC DIGIT FIVE}", "expected a whole number"),
        ("5,gap=nan", "gap is 'nan'; expected a number from 0 to 10"),
        ("5,gap=1e999", "gap is '1e999'; expected a number from 0 to 10"),
        ("5,gap=0x1", "gap is '0x1'; expected a number from 0 to 10"),
        ("5,gap=", "gap is ''; expected a number"),
        ("5,seed=-1", "seed is '-1'; expected a whole number from 0 to 4294967295, or run"),
        ("5,seed=4294967296", "seed is '4294967296'; expected"),
        ("5,words=meen", "unknown words of label x:5,words=meen: 'meen'; did you mean mean?"),
        ("5,file=", "file is ''; expected a path"),
        ("5,eps=1+", "eps is '1+'; expected numbers with + between them, such as 1+2"),
        ("5,flip=maybe", "flip is 'maybe'; expected yes or no"),
        ("5,gap=1,", "'' is no key=value"),
        ("5,sed=3", "unknown argument of label x 'sed'; did you mean seed?"),
        ("5,pretraind", "unknown argument of label x 'pretraind'; did you mean pretrained?"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(text)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_function_without_arguments_takes_none() -> None:
    with pytest.raises(InputError, match="label constant takes no argument; got constant:3, write constant alone"):
        Signature.of(lambda dataset: None, ("dataset",)).read("label constant", "constant", "3")


@given(st.text() | st.from_regex(r"(5|x=1)(,(seed|gap|words|eps|flip|sed)=?[0-9a-z+.]{0,4}){0,3}"))
def test_any_text_is_read_or_refused_in_one_line_and_what_is_read_can_be_written(text: str) -> None:
    try:
        values = read(text)
    except LabelbenchError as error:
        assert "label x" in str(error)
    else:
        assert {"dimension": values["dimension"]} | read(SIGNATURE.write(values)) == {
            key: value for key, value in values.items() if SIGNATURE.by_name[key].default != value
        }
        assert SIGNATURE.write(read(SIGNATURE.write(values))) == SIGNATURE.write(values)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a,b.npy", {"path": Path("a,b.npy")}),
        ("path=a,b.npy", {"path": Path("a,b.npy")}),
        ("a,b,flip=no", {"path": Path("a,b"), "flip": False}),
        ("a,flip=no,b", {"path": Path("a,flip=no,b")}),
        ("a=b:c,quick", {"path": Path("a=b:c"), "quick": True}),
    ],
)
def test_the_rest_of_the_text_may_hold_commas_up_to_keys_at_its_end(text: str, values: dict[str, Any]) -> None:
    def folder(path: Annotated[Path, Rest], *, flip: bool = True, quick: bool = False) -> None: ...

    signature = Signature.of(folder, ())
    assert signature.read("data set folder", "folder", text) == values
    assert signature.read("data set folder", "folder", signature.write(values)) == values


def test_a_name_of_another_label_is_all_of_the_text() -> None:
    def scaled(dataset: object, name: LabelName) -> None: ...

    signature = Signature.of(scaled, ("dataset",))
    assert signature.read("label scaled", "scaled", "x:a=1,b=2") == {"name": "x:a=1,b=2"}
    assert [one.names_label for one in signature.arguments] == [True]


@pytest.mark.parametrize(
    ("function", "given", "message"),
    [
        (lambda dataset, argument: None, ("dataset",), "the argument argument has no type; expected int, float"),
        (lambda: None, ("dataset",), "too many of dataset"),
        (lambda size, a=1, b=2: None, ("size",), "the argument b is the second that can be given without its key"),
        (lambda *, x: None, (), "the argument x has no type"),
        (lambda *, x=[1]: None, (), "is of type <class 'list'>; expected int, float"),
    ],
)
def test_a_function_that_cannot_be_called_so_is_refused(function: Any, given: tuple[str, ...], message: str) -> None:
    with pytest.raises(PluginError) as refused:
        Signature.of(function, given)
    assert message in str(refused.value)


def test_a_type_that_cannot_be_found_is_refused() -> None:
    def late(*, x: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(PluginError, match="the type 'Nowhere' of the argument x cannot be read"):
        Signature.of(late, ())


@pytest.mark.parametrize(
    ("kind", "name", "canonical"),
    [
        ("label", "random", "uniform-random"),
        ("label", "uniform-random:", "uniform-random"),
        ("label", "random:seed=48", "uniform-random"),
        ("label", "random:seed=007", "uniform-random:seed=7"),
        ("label", "random:seed=run", "uniform-random:seed=run"),
        ("label", "gaussian-composition:seed=run", "gaussian-composition:seed=run"),
        ("label", "normal-dim:seed=3,dimension=50", "normal-dim:50,seed=3"),
        ("label", "scaled:scaled:random:seed=48", "scaled:scaled:uniform-random"),
        ("label", "category-smoothed:smoothing=0.20", "category-smoothed:0.2"),
        ("label", "bert:bert-base-uncased", "bert"),
        ("label", "glove:words=first", "glove"),
        ("backbone", "timm:resnet18,size=64,pretrained", "timm:resnet18,pretrained,size=64"),
        ("backbone", "timm:resnet18,pretrained=no", "timm:resnet18"),
        ("evaluator", "attacks-adaptive:standard,eps=0.25+0.5+1+2+4+8", "attacks-adaptive"),
        ("evaluator", "attacks-paper:paper", "attacks-paper"),
    ],
)
def test_names_that_mean_the_same_have_one_form(kind: str, name: str, canonical: str) -> None:
    assert plugins().canonical(kind, name) == canonical == plugins().canonical(kind, canonical)


def test_usage_shows_every_argument_at_its_default() -> None:
    usages = {name: entry.usage for name, entry in plugins().labels.items()}
    assert usages["uniform-random"] == "uniform-random:seed=48"
    assert usages["gaussian-composition"] == "gaussian-composition:seed=0"
    assert usages["normal-dim"] == "normal-dim:DIMENSION,seed=48"
    assert usages["glove"] == "glove[:PATH,words=first]"
    assert plugins().backbones["timm"].usage == "timm:NAME[,pretrained,size=N]"


@pytest.mark.parametrize("kind", ["label", "backbone", "evaluator"])
def test_nothing_that_is_built_in_takes_an_argument_that_is_not_declared(kind: str) -> None:
    for name in getattr(plugins(), f"{kind}s"):
        entry, _ = plugins().find(kind, name)
        if not entry.signature.first:
            with pytest.raises(InputError, match=r"takes no argument|unknown argument"):
                plugins().read(kind, f"{name}:zzz")
            with pytest.raises((InputError, UnknownName)):
                plugins().read(kind, f"{name}:zzz=1")
