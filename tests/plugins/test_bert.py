"""The label made by a language model, through the real transformers on a small BERT with random weights."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from labelbench import InputError, LabelSet, Unavailable, label
from labelbench.datasets import Dataset
from labelbench_labels import bert_models
from labelbench_labels.bert import Bert, targets_of


def bert(dataset: Dataset, argument: str) -> LabelSet:
    return label(f"bert:{argument}", dataset)


SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = ("cat", "dog", "frog", "sweet", "pepper", "light", "##house", "s", "##h", "##ip")
VOCABULARY = [*SPECIAL, *WORDS]


def animals(*names: str) -> Dataset:
    return Dataset("test", names, (32, 32))


def save_bert(folder: Path, seed: int = 0, **changes: Any) -> Path:
    """A BERT with random weights and the vocabulary above, saved as any BERT is."""
    transformers = pytest.importorskip("transformers", reason="the extra 'text' is not installed")
    config = {
        "vocab_size": len(VOCABULARY),
        "hidden_size": 768,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "intermediate_size": 16,
        "max_position_embeddings": 16,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.BertModel(transformers.BertConfig(**{**config, **changes}))
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    return folder


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_bert(tmp_path_factory.mktemp("bert") / "small")


@pytest.fixture
def model(saved: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return shutil.copytree(saved, tmp_path / "model")


def reason(given: Path | str, *names: str) -> str:
    """The one line with which names are refused."""
    with pytest.raises(InputError) as caught:
        bert(animals(*names), str(given))
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestTargets:
    def test_are_the_paper_formula_on_the_hidden_states_of_cls_word_sep(self, saved: Path) -> None:
        from transformers import BertModel

        names = ("cat", "dog", "sweet pepper", "ship")
        tokens = ["[CLS] cat [SEP]", "[CLS] dog [SEP]", "[CLS] sweet pepper [SEP]", "[CLS] s ##h ##ip [SEP]"]
        network = BertModel.from_pretrained(saved, attn_implementation="eager").eval()
        values = np.empty((4, 48, 48))
        for row, text in zip(values, tokens, strict=True):
            ids = torch.tensor([[VOCABULARY.index(token) for token in text.split()]])
            with torch.no_grad():
                row[:] = network(ids)[0][:, :3].reshape(48, 48)
        values[np.abs(values) > np.mean(values) + 2 * np.std(values)] = 0
        expected = (values - np.min(values)) / (np.max(values) - np.min(values)) * 80
        labels = bert(animals(*names), str(saved))
        np.testing.assert_allclose(labels.targets, expected, atol=1e-3)
        assert (labels.shape, labels.loss) == ((48, 48), "smooth-l1")

    def test_span_0_to_80_exactly(self, saved: Path) -> None:
        targets = bert(animals("cat", "dog", "frog"), str(saved)).targets
        assert (targets.min(), targets.max()) == (0, 80)

    def test_are_equal_whenever_they_are_made_again_and_draw_no_random_number(self, saved: Path) -> None:
        state = torch.get_rng_state()
        first, again = (bert(animals("cat", "sweet pepper"), str(saved)) for _ in range(2))
        assert first.sha256 == again.sha256
        assert torch.equal(torch.get_rng_state(), state)

    def test_of_a_name_do_not_depend_on_how_its_letters_are_cased(self, saved: Path) -> None:
        upper, lower = bert(animals("CAT", "Dog"), str(saved)), bert(animals("cat", "dog"), str(saved))
        assert (upper.targets == lower.targets).all()

    def test_of_a_wider_model_are_wider(self, tmp_path: Path) -> None:
        folder = save_bert(tmp_path / "wide", hidden_size=3072)
        assert bert(animals("cat", "dog"), str(folder)).shape == (96, 96)


@given(states=arrays(np.float32, (3, 3, 768), elements=st.floats(-100, 100, width=32), fill=st.floats(-1, 1, width=32)))
def test_outliers_become_what_zero_becomes_and_the_rest_keeps_its_order(states: np.ndarray) -> None:
    targets = targets_of(states)
    values = states.reshape(3, 48, 48).astype(np.float64)
    outliers = np.abs(values) > values.mean() + 2 * values.std()
    zeros = targets[outliers | (values == 0)]
    assert zeros.size == 0 or (zeros == zeros[0]).all()
    order = np.argsort(values[~outliers], kind="stable")
    assert (np.diff(targets[~outliers][order]) >= 0).all()
    assert targets.min() == 0
    assert targets.max() in (0, 80)


class TestRecord:
    def test_says_how_names_of_several_tokens_were_cut(self, saved: Path) -> None:
        record = bert(animals("cat", "sweet pepper", "ship", "lighthouse"), str(saved)).provenance
        assert record["cut"] == {
            "sweet pepper": ["[CLS]", "sweet", "pepper"],
            "ship": ["[CLS]", "s", "##h"],
            "lighthouse": ["[CLS]", "light", "##house"],
        }

    def test_names_model_version_and_weights_by_hash(self, saved: Path) -> None:
        import transformers

        record = bert(animals("cat", "dog"), str(saved)).provenance
        weights = hashlib.sha256((saved / "model.safetensors").read_bytes()).hexdigest()
        assert record["weights_sha256"] == {"model.safetensors": weights}
        assert record["transformers"] == transformers.__version__
        assert record["model"] == "folder small"
        assert json.loads(json.dumps(dict(record))) == record

    def test_identity_is_that_of_weights_and_tokens_wherever_they_lie(self, saved: Path, model: Path) -> None:
        config = json.loads((model / "config.json").read_text())
        (model / "config.json").write_text(json.dumps({**config, "transformers_version": "1.0"}))
        labels = bert(animals("cat", "dog"), str(saved))
        assert bert(animals("cat", "dog"), str(model)).identity == labels.identity
        assert labels.identity != labels.sha256

    def test_identity_differs_for_other_weights_settings_or_names(
        self, saved: Path, model: Path, tmp_path: Path
    ) -> None:
        config = json.loads((model / "config.json").read_text())
        (model / "config.json").write_text(json.dumps({**config, "layer_norm_eps": 1e-3}))
        others = save_bert(tmp_path / "others", seed=1)
        labels = [
            bert(animals("cat", "dog"), str(saved)),
            bert(animals("cat", "dog"), str(others)),
            bert(animals("cat", "dog"), str(model)),
            bert(animals("cat", "frog"), str(saved)),
            bert(animals("dog", "cat"), str(saved)),
        ]
        assert len({label.identity for label in labels}) == len(labels)


class TestRefused:
    def test_a_name_with_unknown_tokens(self, saved: Path) -> None:
        text = reason(saved, "cat", "zebra")
        assert "class 'zebra'" in text
        assert "[CLS] [UNK] [SEP]" in text

    def test_classes_with_equal_labels(self, saved: Path) -> None:
        text = reason(saved, "cat", "dog", "Cat")
        assert "'cat'" in text
        assert "'Cat'" in text
        assert "equal labels" in text

    def test_a_tokenizer_that_knows_no_words(self, model: Path) -> None:
        (model / "vocab.txt").write_text("\n".join(SPECIAL) + "\n")
        assert "knows no words, only 5 special tokens" in reason(model, "cat", "dog")

    def test_a_folder_without_a_vocabulary(self, model: Path) -> None:
        (model / "vocab.txt").unlink()
        assert "holds no vocabulary (tokenizer.json or vocab.txt)" in reason(model, "cat", "dog")

    def test_a_tokenizer_of_another_model(self, model: Path) -> None:
        (model / "vocab.txt").write_text("\n".join([*VOCABULARY, "zebra"]) + "\n")
        assert "belong together" in reason(model, "cat", "zebra")

    def test_pickled_weights(self, model: Path) -> None:
        (model / "model.safetensors").rename(model / "pytorch_model.bin")
        assert "pickled weights such as pytorch_model.bin are never loaded" in reason(model, "cat", "dog")

    def test_damaged_weights(self, model: Path) -> None:
        weights = model / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
        assert "cannot be loaded" in reason(model, "cat", "dog")

    def test_weights_that_would_be_drawn_at_random(self, model: Path) -> None:
        from safetensors.torch import load_file, save_file

        tensors = load_file(model / "model.safetensors")
        del tensors["embeddings.word_embeddings.weight"]
        save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
        assert "lack 1 tensors, such as embeddings.word_embeddings.weight" in reason(model, "cat", "dog")

    @pytest.mark.parametrize("hidden_size", [32, 48])
    def test_a_hidden_size_whose_vectors_make_no_square_of_sixteens(self, hidden_size: int, tmp_path: Path) -> None:
        text = reason(save_bert(tmp_path / "narrow", hidden_size=hidden_size), "cat", "dog")
        assert f"hidden size {hidden_size}" in text
        assert "expected hidden size 768 (48x48) or 3072 (96x96)" in text

    def test_code_that_comes_with_a_model(self, model: Path) -> None:
        config = json.loads((model / "config.json").read_text())
        auto_map = {"AutoConfig": "code.Config", "AutoModel": "code.Model"}
        (model / "config.json").write_text(json.dumps({**config, "model_type": "own", "auto_map": auto_map}))
        (model / "code.py").write_text("raise SystemExit('code of the folder was run')")
        assert "cannot be loaded" in reason(model, "cat", "dog")

    @pytest.mark.parametrize("given", ["./nowhere", "/nowhere/at/all", "~/nowhere/", "a/b/c"])
    def test_a_folder_that_is_not_there(self, given: str) -> None:
        pytest.importorskip("transformers", reason="the extra 'text' is not installed")
        assert f"{given} is no folder" in reason(given, "cat", "dog")

    @pytest.mark.parametrize("given", ["two words", "-x", "a,b"])
    def test_a_name_that_no_model_can_have(self, given: str) -> None:
        pytest.importorskip("transformers", reason="the extra 'text' is not installed")
        assert f"{given!r} is no name of a model" in reason(given, "cat", "dog")

    def test_all_without_transformers_with_the_command_that_installs_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "transformers", None)
        assert "pip install 'labelbench[text]'" in reason("", "cat", "dog")


def test_weights_without_the_pooler_are_enough(model: Path, saved: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = {key: value for key, value in load_file(model / "model.safetensors").items() if "pooler" not in key}
    save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
    names = animals("cat", "dog")
    state = torch.get_rng_state()
    assert (bert(names, str(model)).targets == bert(names, str(saved)).targets).all()
    assert torch.equal(torch.get_rng_state(), state)


def test_weights_of_half_precision_are_computed_with_in_float32(model: Path, saved: Path) -> None:
    from safetensors.torch import load_file, save_file

    halved = {key: value.bfloat16() for key, value in load_file(saved / "model.safetensors").items()}
    config = json.loads((model / "config.json").read_text())
    targets = []
    for dtype in (torch.bfloat16, torch.float32):
        tensors = {key: value.to(dtype) for key, value in halved.items()}
        save_file(tensors, model / "model.safetensors", metadata={"format": "pt"})
        (model / "config.json").write_text(json.dumps({**config, "dtype": str(dtype).removeprefix("torch.")}))
        targets.append(bert(animals("cat", "dog"), str(model)).targets)
    assert (targets[0] == targets[1]).all()


def test_weights_in_several_files_are_the_same_label(saved: Path, tmp_path: Path) -> None:
    from transformers import BertModel

    folder = tmp_path / "shards"
    BertModel.from_pretrained(saved).save_pretrained(folder, max_shard_size="5MB")
    shutil.copy(saved / "vocab.txt", folder)
    labels = bert(animals("cat", "dog"), str(folder))
    assert len(labels.provenance["weights_sha256"]) > 1
    assert (labels.targets == bert(animals("cat", "dog"), str(saved)).targets).all()
    next(folder.glob("model-00001-*")).unlink()
    assert "lacks the weights model-00001-of-" in reason(folder, "cat", "dog")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty caches of labelbench and of transformers."""
    pytest.importorskip("transformers", reason="the extra 'text' is not installed")
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("LABELBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.usefixtures("cache")
class TestByName:
    def test_offline_the_message_says_what_to_place_where(self, cache: Path) -> None:
        with pytest.raises(Unavailable, match=r"'bert-base-uncased' \(440\.7 MB\) is not on this machine") as caught:
            bert(animals("cat", "dog"), "")
        place = f"place config.json, vocab.txt and model.safetensors in {cache / 'bert' / 'bert-base-uncased'}"
        assert place in str(caught.value)
        assert not cache.exists()

    @pytest.mark.parametrize(("argument", "folder"), [("", "bert-base-uncased"), ("org/small-bert", "org--small-bert")])
    def test_files_placed_there_are_used(self, argument: str, folder: str, cache: Path, saved: Path) -> None:
        shutil.copytree(saved, cache / "bert" / folder)
        labels = bert(animals("cat", "dog"), argument)
        assert labels.provenance["model"] == (argument or "bert-base-uncased")
        assert labels.identity == bert(animals("cat", "dog"), str(saved)).identity

    def test_files_in_the_cache_of_transformers_are_used(self, tmp_path: Path, saved: Path) -> None:
        store = tmp_path / "hub" / "models--bert-base-uncased"
        (store / "refs").mkdir(parents=True)
        (store / "refs" / "main").write_text("0" * 40)
        shutil.copytree(saved, store / "snapshots" / ("0" * 40))
        assert bert(animals("cat", "dog"), "").identity == bert(animals("cat", "dog"), str(saved)).identity
        assert str(store) in Bert().fetch("google-bert/bert-base-uncased")

    def test_a_bare_word_means_a_model_also_where_a_folder_has_that_name(
        self, model: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(model.parent)
        with pytest.raises(Unavailable, match=r"bert:\./model for the folder of that name"):
            bert(animals("cat", "dog"), "model")
        assert bert(animals("cat", "dog"), "./model").shape == (48, 48)
        monkeypatch.chdir(model.parent.parent)
        assert bert(animals("cat", "dog"), f"{model.parent.name}/model").shape == (48, 48)


class TestFetching:
    LISTED = ("config.json", "vocab.txt", "model.safetensors")

    @pytest.fixture(autouse=True)
    def asked(
        self,
        cache: Path,
        saved: Path,
        tmp_path: Path,
        serve: Callable[[Path], Any],
        monkeypatch: pytest.MonkeyPatch,
    ) -> list[str]:
        """What is asked of a real server on the loopback address that stands in for the server of models."""
        root = tmp_path / "served"
        shutil.copytree(saved, root / "org" / "small" / "resolve" / "abc")
        self.listing = root / "api" / "models" / "org" / "small"
        self.listing.parent.mkdir(parents=True)
        self.list_files(saved, *self.LISTED)
        server = serve(root)
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        asked: list[str] = server.asked
        return asked

    def list_files(self, saved: Path, *names: str) -> None:
        """Write the server's list; large files have their hash in it, as on the real server."""
        siblings: list[dict[str, Any]] = [{"rfilename": ".gitattributes", "size": 10}]
        for name in names:
            data = (saved / name).read_bytes() if (saved / name).is_file() else b""
            lfs = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
            siblings.append({"rfilename": name, "size": len(data), **({"lfs": lfs} if len(data) > 9999 else {})})
        self.listing.write_text(json.dumps({"id": "org/small", "sha": "abc", "siblings": siblings}))

    def test_a_run_fetches_a_model_that_it_names_once_at_one_revision(
        self, asked: list[str], cache: Path, saved: Path
    ) -> None:
        labels = bert(animals("cat", "dog"), "org/small")
        assert labels.identity == bert(animals("cat", "dog"), str(saved)).identity
        assert asked[0].startswith("/api/models/org/small?")
        assert asked[1:] == [f"/org/small/resolve/abc/{name}" for name in self.LISTED]
        assert {path.name for path in (cache / "bert" / "org--small").glob("[!.]*")} == set(self.LISTED)
        before = len(asked)
        assert str(cache / "bert" / "org--small") in Bert().fetch("org/small")
        assert len(asked) == before

    def test_an_interrupted_fetch_goes_on_and_weights_with_another_hash_are_removed(
        self, asked: list[str], cache: Path, tmp_path: Path, saved: Path
    ) -> None:
        weights = tmp_path / "served" / "org" / "small" / "resolve" / "abc" / "model.safetensors"
        weights.write_bytes(bytes(weights.stat().st_size))
        with pytest.raises(Unavailable, match=r"model\.safetensors has another SHA-256"):
            Bert().fetch("org/small")
        assert {path.name for path in (cache / "bert" / "org--small").glob("[!.]*")} == set(self.LISTED[:-1])
        shutil.copy(saved / "model.safetensors", weights)
        Bert().fetch("org/small")
        assert bert(animals("cat", "dog"), "org/small").shape == (48, 48)

    def test_the_model_of_the_paper_is_pinned_by_hashes(self, asked: list[str], cache: Path, tmp_path: Path) -> None:
        name, revision = bert_models._PAPER_MODEL, bert_models._REVISION
        folder = tmp_path / "served" / name / "resolve" / revision
        folder.mkdir(parents=True)
        (folder / "config.json").write_bytes(b"{}")
        with pytest.raises(Unavailable, match=r"config\.json has another SHA-256"):
            bert(animals("cat", "dog"), "")
        assert asked == [f"/{name}/resolve/{revision}/config.json"]
        assert list((cache / "bert" / "bert-base-uncased").glob("[!.]*")) == []

    @pytest.mark.parametrize(
        ("names", "lacking"),
        [
            (("config.json", "vocab.txt", "pytorch_model.bin"), "no safetensors weights"),
            (("config.json", "model.safetensors"), "no vocabulary"),
        ],
    )
    def test_a_model_without_what_a_label_needs_is_not_fetched(
        self, names: tuple[str, ...], lacking: str, asked: list[str], saved: Path
    ) -> None:
        self.list_files(saved, *names)
        with pytest.raises(InputError, match=f"'org/small' has {lacking}"):
            Bert().fetch("org/small")
        assert len(asked) == 1

    @pytest.mark.parametrize("model", ["org/small", "org/unknown"])
    def test_a_model_that_the_server_does_not_have_or_list_is_named_in_one_line(self, model: str) -> None:
        self.listing.write_text("not JSON")
        with pytest.raises(Unavailable, match=f"model '{model}' cannot be fetched .is the name right") as caught:
            Bert().fetch(model)
        assert "\n" not in str(caught.value)

    def test_a_folder_is_told_to_be_there(self, asked: list[str], saved: Path) -> None:
        assert str(saved) in Bert().fetch(str(saved))
        assert asked == []
