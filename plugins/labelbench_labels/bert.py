"""The label `bert`: what a language model makes of each class name (paper, section 3.1)."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from labelbench import InputError, LabelSet, Rest, content_hash
from labelbench_labels.bert_models import DEFAULT_MODEL, check_model, is_folder, model_folder, weight_files
from labelbench_labels.dense import RANGE
from labelbench_labels.words import refuse_equal

if TYPE_CHECKING:
    from labelbench import Dataset

# Tokens of [CLS] word [SEP]; longer names keep as many.
KEPT_TOKENS = 3
# Part of a label's identity: raised when the steps below change what comes out.
_PIPELINE = 1
_ANOTHER = "name another model: bert:MODEL or bert:FOLDER"
# Keys of config.json that leave the hidden states as they are.
_NOTES = ("_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version")


CITATION = """@inproceedings{devlin2019bert,
  title     = {{BERT}: Pre-training of Deep Bidirectional Transformers for Language Understanding},
  author    = {Devlin, Jacob and Chang, Ming-Wei and Lee, Kenton and Toutanova, Kristina},
  booktitle = {Proceedings of NAACL-HLT},
  year      = {2019}
}"""


class Bert:
    """Last hidden state of a language model, or of a folder with one, for each class name, 0 to 80 (section 3.1).

    Targets are ``(C, side, side)``: of ``[CLS] word [SEP]``, or of the first three tokens of longer names, the hidden
    vectors row by row (three of 768 make 48x48); see :func:`targets_of`. A folder is written with a
    slash.

    Raises:
        InputError: transformers is missing; no usable model is named; a name has unknown tokens; two
            classes get equal labels; three hidden vectors make no square.
        Unavailable: the model is not here and cannot be fetched.
    """

    def __call__(self, dataset: Dataset, model: Annotated[str, Rest] = DEFAULT_MODEL) -> LabelSet:
        """The label set of one model."""
        transformers = _transformers()
        folder = model_folder(model)
        model_name = f"folder {folder.name}" if is_folder(model) else model
        reading = _read(transformers, folder, dataset.class_names, model_name)
        targets = targets_of(reading.states)
        refuse_equal(
            "bert", targets, dataset.class_names, reading.tokens, "rename one, or name another model: bert:MODEL"
        )
        weights = {path.name: content_hash(path) for path in weight_files(folder)}
        return LabelSet(
            targets,
            provenance={
                "citation": CITATION,
                "recipe": "last hidden state of [CLS] word [SEP]",
                "model": model_name,
                "weights_sha256": weights,
                "transformers": str(transformers.__version__),
                "cut": {
                    name: list(tokens[:KEPT_TOKENS])
                    for name, tokens in zip(dataset.class_names, reading.tokens, strict=True)
                    if len(tokens) > KEPT_TOKENS
                },
                "identity": _identity(folder, weights, reading.ids),
            },
        )

    @staticmethod
    def check(dataset: Dataset, model: str = DEFAULT_MODEL) -> None:
        """Refuse what can be no model."""
        check_model(model)

    def fetch(self, model: Annotated[str, Rest] = DEFAULT_MODEL) -> str:
        """Fetch a model unless it is here; needs no data set.

        Returns:
            A line that says where it is.

        Raises:
            InputError: no usable model is named.
            MachineError: offline, or the network or the disk refuses.
        """
        return f"bert: {model} is in {model_folder(model)}"


def targets_of(states: np.ndarray) -> np.ndarray:
    """The paper's matrices from hidden states: outliers set to 0, then all of them brought to 0..80 together.

    A value v is an outlier if ``|v| > mean + 2 std`` of all values of all classes, in float64.

    Args:
        states: ``(C, tokens, hidden)`` floating point; ``tokens * hidden`` is the square of a multiple of 16.

    Returns:
        ``(C, side, side)`` float32, 0 to 80; all 0 if all values are equal.
    """
    side = math.isqrt(states.shape[1] * states.shape[2])
    values = states.reshape(len(states), side, side).astype(np.float64)
    values[np.abs(values) > values.mean() + 2 * values.std()] = 0
    values -= values.min()
    return (values / (values.max() or 1.0) * RANGE).astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Reading:
    """Class names as a model reads them: token ids, their texts, and hidden states ``(C, 3, hidden)`` float32."""

    ids: list[list[int]]
    tokens: list[list[str]]
    states: np.ndarray


def _transformers() -> Any:
    try:
        return import_module("transformers")
    except ModuleNotFoundError as error:
        if error.name != "transformers":
            raise InputError(f"bert: transformers cannot be imported: {error}; install it again") from error
        raise InputError("bert needs the package transformers; pip install 'labelbench[text]'") from error


def _read(transformers: Any, folder: Path, names: Sequence[str], model_name: str) -> _Reading:
    """Read every name by itself, as the paper does, in float32 on the CPU."""
    import torch

    tokenizer, model = _load(transformers, folder, model_name)
    _check_hidden_size(model_name, int(model.config.hidden_size))
    if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):
        raise InputError(
            f"bert: the tokenizer of {model_name} knows no words, only {len(tokenizer)} special tokens; "
            "expected its vocabulary in tokenizer.json or vocab.txt beside the weights"
        )
    ids, tokens, states = [], [], []
    for name in names:
        ids.append([int(number) for number in tokenizer(name)["input_ids"]])
        tokens.append([str(token) for token in tokenizer.convert_ids_to_tokens(ids[-1])])
        _check_tokens(model_name, tokenizer, int(model.config.vocab_size), name, ids[-1], tokens[-1])
        with torch.inference_mode():
            hidden = model(input_ids=torch.tensor([ids[-1]])).last_hidden_state
        states.append(hidden[0, :KEPT_TOKENS].numpy())
    return _Reading(ids, tokens, np.stack(states))


def _load(transformers: Any, folder: Path, model_name: str) -> tuple[Any, Any]:
    """Tokenizer and model, in evaluation mode and float32; no code or pickle of the folder is run."""
    import torch

    local = {"local_files_only": True, "trust_remote_code": False}
    try:
        with _quiet(transformers), torch.random.fork_rng(devices=[]):
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **local)
            model, report = transformers.AutoModel.from_pretrained(
                folder, use_safetensors=True, output_loading_info=True, attn_implementation="eager", **local
            )
    except Exception as error:  # whatever a damaged file makes transformers raise, the folder is to blame
        reason = " ".join(str(error).split())
        raise InputError(
            f"bert: {model_name} cannot be loaded ({type(error).__name__}: {reason}); {_ANOTHER}"
        ) from error
    # Weights that a file lacks are drawn at random. The pooler is not part of the hidden states.
    lacking = sorted(key for key in report["missing_keys"] if not key.startswith("pooler."))
    if lacking:
        raise InputError(
            f"bert: the weights of {model_name} lack {len(lacking)} tensors, such as {lacking[0]}; {_ANOTHER}"
        )
    return tokenizer, model.float().eval()


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Neither notes nor progress bars of transformers for the block."""
    logging = transformers.utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _check_hidden_size(model_name: str, hidden: int) -> None:
    side = math.isqrt(KEPT_TOKENS * hidden)
    if side * side != KEPT_TOKENS * hidden or side % 16:
        raise InputError(
            f"bert: {model_name} has hidden size {hidden}, and three vectors of it make no square with a side that is "
            "a multiple of 16; expected hidden size 768 (48x48) or 3072 (96x96)"
        )


def _check_tokens(
    model_name: str, tokenizer: Any, vocabulary: int, name: str, ids: list[int], tokens: list[str]
) -> None:
    if tokenizer.unk_token in tokens:
        raise InputError(
            f"bert: the tokenizer of {model_name} does not know all of class {name!r} (it reads {' '.join(tokens)}); "
            "rename the class or name another model: bert:MODEL"
        )
    if len(ids) < KEPT_TOKENS:
        raise InputError(
            f"bert: the tokenizer of {model_name} makes {len(ids)} tokens of class {name!r} ({' '.join(tokens)}); "
            "expected three or more, as of [CLS] word [SEP]"
        )
    if max(ids) >= vocabulary:
        raise InputError(
            f"bert: the tokenizer of {model_name} gives token {max(ids)} for class {name!r} and the model has "
            f"{vocabulary}; expected a tokenizer and weights that belong together"
        )


def _identity(folder: Path, weights: dict[str, str], ids: list[list[int]]) -> str:
    """Hash of what decides the hidden states; their last bits differ between machines."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    settings = {key: value for key, value in config.items() if key not in _NOTES}
    decisive = json.dumps([_PIPELINE, sorted(weights.values()), settings, ids], sort_keys=True)
    return f"bert {hashlib.sha256(decisive.encode()).hexdigest()}"
