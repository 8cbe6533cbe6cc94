"""Where the files of a BERT-like model lie on this machine, and how they get there."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from labelbench import InputError, Unavailable, current_settings
from labelbench_labels.fetching import readable_size, sha256_of

DEFAULT_MODEL = "bert-base-uncased"

_WEIGHTS = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")
# Any one of these is a vocabulary; the rest of the second tuple says how it is applied.
_VOCABULARIES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
)
_SETTINGS = ("config.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "merges.txt")
_MODEL_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")


# The paper's model at one revision, the SHA-256 of each of its files, and their size together. Its tokenizer's defaults
# are right without further files.
_PAPER_MODEL, _REVISION = "google-bert/bert-base-uncased", "86b5e0934494bd15c9632b12f734a8a67f723594"
_PAPER_FILES = {
    "config.json": "7160e1553ad2ca51d8c1cb066be533db31826e12d173824c1bb0cb1a4f187d20",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
    _WEIGHTS: "68d45e234eb4a928074dfd868cead0219ab85354cc53d20e772753c6bb9169d3",
}
_PAPER_SIZE = 440_681_846
_PAPER_NAMES = (DEFAULT_MODEL, _PAPER_MODEL)


def is_folder(model: str) -> bool:
    """Whether a model is a folder: it is one and is written with a slash, or can be nothing else.

    A bare word always means a model, so that a name does not change its meaning with the working folder.
    """
    path = Path(model).expanduser()
    return ("/" in model or os.sep in model) and (path.is_dir() or not _MODEL_NAME.fullmatch(model))


def check_model(model: str) -> None:
    """Refuse a folder that holds no model, and a name that no model can have.

    Raises:
        InputError: what was given, and what was expected.
    """
    if is_folder(model):
        missing = _missing(Path(model).expanduser())
        if missing:
            raise InputError(
                f"bert: {model} {missing}; expected a folder with config.json, a vocabulary and {_WEIGHTS}, "
                "as save_pretrained() writes it"
            )
    elif not _MODEL_NAME.fullmatch(model):
        raise InputError(
            f"bert: {model!r} is no name of a model; expected bert:MODEL or bert:FOLDER with a slash in it"
        )


def model_folder(model: str) -> Path:
    """The folder with a model's ``config.json``, vocabulary and safetensors weights; fetched if they are missing.

    Args:
        model: a folder written with a slash, or the name of a model, which is looked for in ``bert/MODEL`` of the
            cache folder and in the cache that transformers fills.

    Raises:
        InputError: no such folder, no model in it, or a name that no model can have.
        Unavailable: the model is not here and cannot be fetched.
    """
    check_model(model)
    if is_folder(model):
        return Path(model).expanduser()
    for folder in (_own_folder(model), *_hub_folders(model)):
        if not _missing(folder):
            return folder
    return fetch_model(model)


def fetch_model(model: str) -> Path:
    """Fetch a model's files into ``bert/MODEL`` of the cache folder; what is there already is kept.

    The files of ``bert-base-uncased`` are pinned by their hashes. Those of another model are what its server lists; of
    them, the weights have hashes. Weights come last: where they lie, all is there.

    Raises:
        Unavailable: offline; or the server does not have the model, cannot be reached, or sends something else.
        InputError: the model has no safetensors weights or no vocabulary.
    """
    folder, pinned = _own_folder(model), model in _PAPER_NAMES
    if current_settings().offline:
        size = f" ({readable_size(_PAPER_SIZE)})" if pinned else ""
        words = "vocab.txt" if pinned else "its vocabulary"
        here = f" (bert:./{model} for the folder of that name)" if Path(model).is_dir() else ""
        raise Unavailable(
            f"bert: the model {model!r}{size} is not on this machine and labelbench is offline; place config.json, "
            f"{words} and {_WEIGHTS} in {folder}, or name a folder that holds them: bert:FOLDER{here}"
        )
    from huggingface_hub import HfApi

    # The server of models, or the mirror that this usual variable names, as it is now.
    hub = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)
    name, revision, files = _PAPER_MODEL, _REVISION, _PAPER_FILES
    try:
        if not pinned:
            listed = hub.model_info(model, files_metadata=True)
            hashes = {one.rfilename: one.lfs.sha256 if one.lfs else "" for one in listed.siblings or ()}
            name, revision, files = model, str(listed.sha), _needed(model, hashes)
        for file, sha256 in files.items():
            path = Path(hub.hf_hub_download(name, file, revision=revision, local_dir=folder))
            if sha256 and sha256_of(path) != sha256:
                path.unlink()
                raise ValueError(f"{file} has another SHA-256 than expected, and was removed")
    except InputError:
        raise
    except Exception as error:  # network, server and disk fail in many ways
        raise Unavailable(
            f"bert: the model {model!r} cannot be fetched (is the name right? a model that needs a login must be "
            f"downloaded by yourself and named as bert:FOLDER): {' '.join(str(error).split())[:300]}"
        ) from error
    return folder


def _needed(model: str, hashes: dict[str, str]) -> dict[str, str]:
    """Of the files that a server lists those that a label is made from, weights last, with their hashes."""
    weights = [_WEIGHTS] if _WEIGHTS in hashes else sorted(name for name in hashes if _SHARD.fullmatch(name))
    words = [name for name in _VOCABULARIES if name in hashes]
    if not weights or not words:
        lacking = "safetensors weights (pickled ones are never loaded)" if not weights else "vocabulary"
        raise InputError(f"bert: the model {model!r} has no {lacking}; name another one: bert:MODEL or bert:FOLDER")
    settings = [name for name in _SETTINGS if name in hashes]
    index = [_INDEX] if weights != [_WEIGHTS] and _INDEX in hashes else []
    return {name: hashes[name] for name in (*settings, *words, *index, *weights)}


def weight_files(folder: Path) -> list[Path]:
    """The files that hold the weights: ``model.safetensors``, or the shards that its index names."""
    if (folder / _WEIGHTS).is_file():
        return [folder / _WEIGHTS]
    index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
    return [folder / name for name in sorted(set(index["weight_map"].values()))]


def _missing(folder: Path) -> str:
    """What keeps a folder from being a model, or an empty text."""
    if not folder.is_dir():
        return "is no folder"
    if not (folder / "config.json").is_file():
        return "holds no config.json"
    try:
        lost = [path.name for path in weight_files(folder) if not path.is_file()]
    except OSError:
        return f"holds no {_WEIGHTS} (pickled weights such as pytorch_model.bin are never loaded)"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"has a damaged {_INDEX}"
    if lost:
        return f"lacks the weights {', '.join(lost)}"
    if not any((folder / name).is_file() for name in _VOCABULARIES):
        return "holds no vocabulary (tokenizer.json or vocab.txt)"
    return ""


def _own_folder(model: str) -> Path:
    return current_settings().cache_dir / "bert" / model.replace("/", "--")


def _hub_folders(model: str) -> list[Path]:
    """Snapshots of a model in the cache that transformers fills."""
    try:
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError
    except ImportError:
        return []
    try:
        names = _PAPER_NAMES if model in _PAPER_NAMES else (model,)
        found = [try_to_load_from_cache(name, "config.json") for name in names]
    except HFValidationError as error:
        raise InputError(f"bert: {model!r} is no name of a model: {error}") from error
    return [Path(path).parent for path in found if isinstance(path, str)]
