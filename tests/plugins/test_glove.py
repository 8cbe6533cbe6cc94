"""The label made of word vectors, on small vectors files."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from labelbench import InputError, LabelSet, MachineError, Unavailable, UnknownName, label
from labelbench.datasets import Dataset
from labelbench.plugins.lookup import find_dataset
from labelbench_labels import glove as glove_module
from labelbench_labels.glove import VECTORS, Glove
from labelbench_labels.text import register_labels


def glove(dataset: Dataset, argument: str) -> LabelSet:
    return label(f"glove:{argument}", dataset)


LINES = """the 0.1 0.2 0.3
cat 1 2 3
sweet 4 -5 6.5
pepper 5 5 5.5
. . . 7 8 9
maple 1e-3 0.25 2.2271
"""


def animals(*names: str) -> Dataset:
    return Dataset("test", names, (32, 32))


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    path = tmp_path / "vectors.txt"
    path.write_text(LINES)
    return path


def test_each_class_gets_the_vector_of_its_word_as_the_file_has_it(vectors: Path) -> None:
    labels = glove(animals("cat", "maple"), str(vectors))
    assert labels.targets.tolist() == np.float32([[1, 2, 3], [1e-3, 0.25, 2.2271]]).tolist()
    assert labels.loss == "smooth-l1"


def test_longer_names_take_the_first_word_unless_the_mean_is_asked_for(vectors: Path) -> None:
    names = animals("cat", "sweet pepper")
    assert glove(names, str(vectors)).targets[1].tolist() == [4, -5, 6.5]
    assert glove(names, f"{vectors},words=first").targets[1].tolist() == [4, -5, 6.5]
    assert glove(names, f"{vectors},words=mean").targets[1].tolist() == [4.5, 0, 6]


def test_names_are_split_at_hyphens_and_underscores_and_found_in_lower_case(vectors: Path) -> None:
    labels = glove(animals("Cat", "sweet-pepper", "Maple_tree"), str(vectors))
    assert labels.targets[:, 0].tolist() == np.float32([1, 4, 1e-3]).tolist()
    assert labels.provenance["read_as"] == {"Cat": "cat", "sweet-pepper": "sweet", "Maple_tree": "maple"}


def test_a_word_is_taken_as_written_before_it_is_taken_in_lower_case(vectors: Path) -> None:
    vectors.write_text(LINES + "Cat 9 9 9\n")
    assert glove(animals("Cat", "sweet"), str(vectors)).targets[0].tolist() == [9, 9, 9]


def test_a_header_with_count_and_width_is_skipped(vectors: Path) -> None:
    without = glove(animals("cat", "maple"), str(vectors))
    vectors.write_text("6 3\n" + LINES)
    assert (glove(animals("cat", "maple"), str(vectors)).targets == without.targets).all()


def test_words_of_the_file_may_hold_spaces(vectors: Path) -> None:
    vectors.write_text(LINES.replace("cat 1 2 3", "cat at home 8 8 8\ncat 1 2 3"))
    assert glove(animals("cat", "sweet"), str(vectors)).targets[0].tolist() == [1, 2, 3]


def test_of_equal_words_the_first_counts(vectors: Path) -> None:
    vectors.write_text(LINES + "cat 9 9 9\n")
    assert glove(animals("cat", "sweet"), str(vectors)).targets[0].tolist() == [1, 2, 3]


def test_the_record_tells_the_file_by_its_hash(vectors: Path) -> None:
    record = glove(animals("cat", "maple"), f"{vectors},words=mean").provenance
    assert record["sha256"] == hashlib.sha256(LINES.encode()).hexdigest()
    assert (record["file"], record["width"], record["words"]) == ("vectors.txt", 3, "mean")
    assert record["published_file"] is False


def test_a_changed_file_is_read_again(vectors: Path) -> None:
    before = glove(animals("cat", "maple"), str(vectors))
    vectors.write_text(LINES.replace("cat 1 2 3", "cat 1 2 33"))
    after = glove(animals("cat", "maple"), str(vectors))
    assert before.targets[0].tolist() != after.targets[0].tolist()


# One folder for all examples: every example writes its file anew.
@pytest.fixture(scope="module")
def module_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("vectors")


@given(values=arrays(np.float32, st.tuples(st.just(2), st.integers(2, 60)), elements=st.floats(-1e9, 1e9, width=32)))
def test_any_float32_of_any_width_is_read_bit_for_bit(module_folder: Path, values: np.ndarray) -> None:
    assume((values[0] != values[1]).any())
    path = module_folder / f"{hashlib.sha256(values.tobytes()).hexdigest()}.txt"
    lines = [f"{word} {' '.join(map(str, row))}\n" for word, row in zip(("cat", "dog"), values, strict=True)]
    path.write_text("".join(lines))
    assert (glove(animals("cat", "dog"), str(path)).targets == values).all()


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_official_vectors_in_a_vectors_file_are_the_label_bit_for_bit(name: str, shared: Path, tmp_path: Path) -> None:
    official = np.load(shared / "labels" / "official" / f"{name}_glove.npy", allow_pickle=False)
    dataset = find_dataset(name)
    words = [class_name.split()[0] for class_name in dataset.class_names]
    path = tmp_path / "vectors.txt"
    path.write_text("".join(f"{word} {' '.join(map(str, row))}\n" for word, row in zip(words, official, strict=True)))
    assert (glove(dataset, str(path)).targets == official).all()


def test_a_class_word_that_the_file_lacks_is_named_with_its_class_and_the_option(vectors: Path) -> None:
    with pytest.raises(InputError, match=r"class 'dog' needs the word 'dog' \(words=first\).*vectors\.txt"):
        glove(animals("cat", "dog"), str(vectors))
    with pytest.raises(InputError, match=r"'maple tree' needs the word 'tree' \(words=mean\).*use words=first"):
        glove(animals("cat", "maple tree"), f"{vectors},words=mean")


def test_classes_with_one_first_word_are_refused_and_the_mean_advised(vectors: Path) -> None:
    with pytest.raises(InputError, match=r"'sweet' .*'sweet pepper' .*words=mean"):
        glove(animals("sweet", "sweet pepper"), str(vectors))
    assert len(glove(animals("sweet", "sweet pepper"), f"{vectors},words=mean").targets) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("the 1 2 3\ncat 1 2\nmaple 1 2 3\n", r"line 2 of .* is 'cat 1 2'.*a word and 3 numbers"),
        ("the 1 2 3\ndog 1 2\ncat 1 2 3\n", r"line 2 of .* is 'dog 1 2'.*a word and 3 numbers"),
        ("the 1 2 3\ncat 1 two 3\n", "line 2 of .*a word and 3 numbers"),
        ("the 1 2 3\ncat 1 nan 3\n", "line 2 of .*a word and 3 numbers"),
        ("6 4\ncat 1 2 3\n", "line 2 of .*a word and 4 numbers"),
        ("hello world\n", "line 1 of .*a word and numbers"),
        ("word\n", "line 1 of .*a word and numbers"),
        ("", "holds no vectors"),
        ("\n\n", "holds no vectors"),
        ("6 3\n", "holds no vectors"),
        ("PK\x03\x04\x00", "line 1 of .*a word and numbers"),
    ],
)
def test_a_file_that_is_no_vectors_file_is_refused_by_its_line(vectors: Path, text: str, told: str) -> None:
    vectors.write_text(text)
    with pytest.raises(InputError, match=told) as caught:
        glove(animals("cat", "maple"), str(vectors))
    assert "\n" not in str(caught.value)


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.txt is no file; expected a text file"):
        glove(animals("cat", "dog"), str(tmp_path / "nowhere.txt"))


def test_a_class_name_without_a_word_is_refused(vectors: Path) -> None:
    with pytest.raises(InputError, match="class '-' has no word"):
        glove(animals("cat", "-"), str(vectors))


def test_wrong_options_are_refused(vectors: Path) -> None:
    with pytest.raises(UnknownName, match="'last'; known: first, mean"):
        glove(animals("cat", "maple"), f"{vectors},words=last")
    with pytest.raises(UnknownName, match="unknown argument of label glove 'word'"):
        glove(animals("cat", "maple"), f"{vectors},word=first")


class TestWithoutAPath:
    def test_the_labels_folder_and_then_the_cache_are_searched(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LABELBENCH_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("LABELBENCH_LABELS", str(tmp_path / "labels"))
        in_cache, in_labels = tmp_path / "cache" / "glove" / VECTORS, tmp_path / "labels" / VECTORS
        for path, lines in ((in_cache, LINES), (in_labels, LINES.replace("cat 1 2 3", "cat 3 2 1"))):
            path.parent.mkdir(parents=True)
            path.write_text(lines)
        assert glove(animals("cat", "maple"), "").targets[0].tolist() == [3, 2, 1]
        in_labels.unlink()
        assert glove(animals("cat", "maple"), "words=mean").targets[0].tolist() == [1, 2, 3]

    def test_offline_the_message_says_what_to_place_where(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LABELBENCH_CACHE", str(tmp_path / "cache"))
        with pytest.raises(
            Unavailable, match=r"glove\.6B\.50d\.txt is not on this machine.*offline.*862\.2 MB"
        ) as caught:
            glove(animals("cat", "maple"), "")
        assert str(tmp_path / "cache" / "glove") in str(caught.value)
        assert not (tmp_path / "cache").exists()


class TestFetching:
    @pytest.fixture(autouse=True)
    def asked(self, tmp_path: Path, serve: Callable[[Path], Any], monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """What is asked of a real server on the loopback address that has a small archive of vectors."""
        monkeypatch.setenv("LABELBENCH_CACHE", str(tmp_path / "cache"))
        archive = tmp_path / "served" / "glove.zip"
        archive.parent.mkdir()
        with zipfile.ZipFile(archive, "w") as files:
            files.writestr(VECTORS, LINES)
            files.writestr("glove.6B.100d.txt", "cat 1\n")
        monkeypatch.setattr(glove_module, "ARCHIVE_SIZE", archive.stat().st_size)
        monkeypatch.setattr(glove_module, "ARCHIVE_SHA256", hashlib.sha256(archive.read_bytes()).hexdigest())
        monkeypatch.setattr(glove_module, "VECTORS_SHA256", hashlib.sha256(LINES.encode()).hexdigest())
        server = serve(archive.parent)
        monkeypatch.setattr(glove_module, "ARCHIVE_URL", f"{server.url}glove.zip")
        asked: list[str] = server.asked
        return asked

    def test_a_run_fetches_the_archive_and_keeps_the_one_file(self, tmp_path: Path) -> None:
        labels = glove(animals("cat", "maple"), "")
        assert labels.targets[0].tolist() == [1, 2, 3]
        assert labels.provenance["published_file"] is True
        assert [path.name for path in (tmp_path / "cache" / "glove").glob("[!.]*")] == [VECTORS]

    def test_fetch_needs_no_data_set_and_fetches_once(self, asked: list[str], tmp_path: Path) -> None:
        assert str(tmp_path / "cache" / "glove" / VECTORS) in Glove().fetch()
        Glove().fetch()
        assert asked == ["/glove.zip"]

    def test_an_archive_placed_by_hand_is_used_offline(
        self, asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LABELBENCH_OFFLINE", "1")
        placed = tmp_path / "cache" / "glove" / "glove.zip"
        placed.parent.mkdir(parents=True)
        placed.write_bytes((tmp_path / "served" / "glove.zip").read_bytes())
        assert glove(animals("cat", "maple"), "").targets[0].tolist() == [1, 2, 3]
        assert asked == []

    def test_vectors_with_another_hash_are_never_under_the_final_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(glove_module, "VECTORS_SHA256", "0" * 64)
        with pytest.raises(MachineError, match="SHA-256"):
            Glove().fetch()
        assert [path.name for path in (tmp_path / "cache" / "glove").glob("[!.]*")] == ["glove.zip"]

    def test_an_archive_with_another_hash_is_refused_and_removed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(glove_module, "ARCHIVE_SHA256", "0" * 64)
        with pytest.raises(MachineError, match="SHA-256"):
            Glove().fetch()
        assert list((tmp_path / "cache" / "glove").glob("[!.]*")) == []


def test_the_plugin_registers_bert_and_glove_each_with_a_way_to_fetch() -> None:
    registered = register_labels()
    assert sorted(registered) == ["bert", "glove"]
    assert all(callable(provider.fetch) and type(provider).__doc__ for provider in registered.values())


def test_importing_the_plugin_loads_neither_torch_nor_transformers() -> None:
    check = "import sys, labelbench_labels.text; print({'torch', 'transformers', 'huggingface_hub'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
