from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labelbench.errors import InputError
from labelbench.suite import Suite, parse_seeds, suite_names


@pytest.mark.parametrize("name", suite_names())
def test_every_shipped_suite_loads(name: str) -> None:
    suite = Suite.load(name)
    assert suite.name == name
    assert {column.split("/")[0] for column in suite.headline} <= set(suite.evaluators)


def test_the_paper_suite_is_the_papers() -> None:
    suite = Suite.load("paper")
    assert suite.datasets == ("cifar10", "cifar100")
    assert suite.backbones == ("vgg19", "resnet32", "resnet110")
    assert (suite.recipe.name, suite.recipe.epochs, len(suite.seeds)) == ("paper", 600, 3)


@pytest.mark.parametrize(("text", "seeds"), [("1", (0,)), (3, (0, 1, 2)), ("3,7", (3, 7)), ("5,", (5,)), ("2,2", (2,))])
def test_seeds_are_a_count_or_a_list(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["1000000000000000000000", "", "0", "-1", "a", "1;2", "1,-2", ","])
def test_wrong_seeds_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="seeds"):
        parse_seeds(text)


@pytest.mark.parametrize("seeds", [2.5, True, [0.5], []])
def test_seeds_of_another_kind_are_refused(seeds: Any) -> None:
    with pytest.raises(InputError, match="seeds"):
        Suite.load("quick").changed(seeds=seeds)


COMPLETE = 'dataset="digits"\nlabel="category"\nbackbone="resnet8"\nevaluator="accuracy"\n'


def test_a_file_names_its_own_suite(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(COMPLETE + 'seeds=[4, 9]\nepochs=3\nrecipe={base="quick", batch-size=32}\ntrain-fraction=0.5\n')
    suite = Suite.load(str(file))
    assert (suite.name, suite.seeds, suite.labels) == ("mine", (4, 9), ("category",))
    assert (suite.recipe.epochs, suite.recipe.batch_size, suite.train_fraction) == (3, 32, 0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (COMPLETE + "epoch = 3", "unknown key in suite file {file}: 'epoch'; did you mean epochs"),
        ("dataset = [", "suite file {file} is not valid TOML"),
        (COMPLETE + "epochs = 'many'", "suite file {file}: epochs is 'many'; expected int"),
        (COMPLETE + "train-fraction = 2", "train-fraction is 2; expected a share above 0, at most 1"),
        (COMPLETE + "numerics = 'fats'", "unknown numerics 'fats'; did you mean fast"),
        ("dataset = 'digits'", "names no labels"),
        (COMPLETE.replace('"category"', "[1]"), "label [1]: 1 is no name; expected text"),
        ("dataset = true", "dataset is True; expected list or str"),
    ],
)
def test_wrong_files_are_refused_in_words(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        Suite.load(str(file))
    assert message.format(file=file) in str(caught.value)


def test_a_file_of_an_editor_that_marks_its_encoding_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    text = 'dataset = "digits"\nlabel = "category"\nbackbone = "resnet8"\nevaluator = "accuracy"\n'
    path.write_text(text, encoding="utf-8-sig")
    assert Suite.load(str(path)).labels == ("category",)


def test_files_that_are_not_there_or_not_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.toml: No such file"):
        Suite.load(str(tmp_path / "nowhere.toml"))
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"binary\.toml"):
        Suite.load(str(tmp_path / "binary.toml"))


def test_an_unknown_suite_names_its_neighbours() -> None:
    with pytest.raises(InputError, match="did you mean paper"):
        Suite.load("papr")


def test_a_suite_takes_from_its_base_what_it_does_not_give(tmp_path: Path) -> None:
    assert Suite.load("paper-fast").labels == Suite.load("paper").labels
    assert Suite.load("paper-fast").recipe.name == "paper-fast"
    parent, child = tmp_path / "parent.toml", tmp_path / "child.toml"
    parent.write_text(COMPLETE + "seeds = 2\nepochs = 3\ndescription = 'of the parent'\n")
    child.write_text(f"base = '{parent}'\nlabel = 'speech'\nrecipe = 'quick'\n")
    suite = Suite.load(str(child))
    assert (suite.name, suite.labels, suite.backbones, suite.seeds) == ("child", ("speech",), ("resnet8",), (0, 1))
    # The epochs belong to the parent's recipe.
    assert (suite.recipe.epochs, suite.description) == (12, "")


def test_a_suite_that_is_its_own_base_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "loop.toml"
    file.write_text(f"base = '{file}'\n")
    with pytest.raises(InputError, match="is its own base"):
        Suite.load(str(file))


@pytest.mark.parametrize("name", ["quick", "paper-fast", "paper-tuned", "trial"])
def test_the_tuned_suites_have_the_best_of_their_grid_for_every_label(name: str) -> None:
    suite = Suite.load(name)
    assert suite.tuning and not suite.untuned
    for label in suite.labels:
        best = suite.tuning.best(label)
        assert best == (suite.recipe_of(label).learning_rate,) and suite.recipe_of(label).tuning == suite.tuning.words
    assert len({suite.recipe_of(label).comparable for label in suite.labels}) == 1


def test_the_protocol_of_the_paper_has_one_rate_for_all_labels() -> None:
    assert Suite.load("paper").tuning is None and not Suite.load("paper").recipes
