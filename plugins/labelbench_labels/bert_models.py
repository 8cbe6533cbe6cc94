"""Where the files of a BERT-like model lie on this machine, and how they get there."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelbench import InputError, MachineError, Unavailable, current_settings
from labelbench_labels.fetching import fetch, readable_size

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


@dataclass(frozen=True)
class RemoteFile:
    """A file of a model on its server.

    Attributes:
        name: below the model's folder.
        size: in bytes, or None if unknown.
        sha256: in hexadecimal, or None where the server does not tell.
    """

    name: str
    size: int | None
    sha256: str | None


@dataclass(frozen=True)
class RemoteModel:
    """A model on its server, at one revision."""

    name: str
    revision: str
    files: tuple[RemoteFile, ...]

    @property
    def size(self) -> int:
        """Of all its files together, in bytes, as far as known."""
        return sum(file.size or 0 for file in self.files)


# The paper's model. Its tokenizer's defaults are right without further files.
_PAPER_MODEL = RemoteModel(
    "google-bert/bert-base-uncased",
    "86b5e0934494bd15c9632b12f734a8a67f723594",
    (
        RemoteFile("config.json", 570, "7160e1553ad2ca51d8c1cb066be533db31826e12d173824c1bb0cb1a4f187d20"),
        RemoteFile("vocab.txt", 231_508, "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"),
        RemoteFile(_WEIGHTS, 440_449_768, "68d45e234eb4a928074dfd868cead0219ab85354cc53d20e772753c6bb9169d3"),
    ),
)
_PINNED = {DEFAULT_MODEL: _PAPER_MODEL, _PAPER_MODEL.name: _PAPER_MODEL}


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
        Unavailable: the model is not here, and labelbench is offline or the server does not have it.
        MachineError: the network or the disk refuses.
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

    The files of ``bert-base-uncased`` are pinned by their hashes. Those of another model are what its server lists
    at the first attempt; of them, the weights have hashes. Weights come last: where they lie, all is there.

    Raises:
        Unavailable: offline; or the server does not list the model.
        InputError: the model has no safetensors weights or no vocabulary.
        MachineError: the network or the disk refuses.
    """
    folder = _own_folder(model)
    remote = _PINNED.get(model)
    if current_settings().offline:
        names = [file.name for file in remote.files] if remote else ["config.json", "its vocabulary", _WEIGHTS]
        size = f" ({readable_size(remote.size)})" if remote else ""
        here = f" (bert:./{model} for the folder of that name)" if Path(model).is_dir() else ""
        raise Unavailable(
            f"bert: the model {model!r}{size} is not on this machine and labelbench is offline; place "
            f"{', '.join(names[:-1])} and {names[-1]} in {folder}, or name a folder that holds them: bert:FOLDER{here}"
        )
    remote = remote or _listed(model, folder / "files.json")
    for file in remote.files:
        url = f"{_endpoint()}/{remote.name}/resolve/{remote.revision}/{file.name}"
        fetch(url, folder / file.name, file.sha256, file.size)
    return folder


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
    names = dict.fromkeys([model, *(name for name, pinned in _PINNED.items() if pinned is _PINNED.get(model))])
    try:
        found = [try_to_load_from_cache(name, "config.json") for name in names]
    except HFValidationError as error:
        raise InputError(f"bert: {model!r} is no name of a model: {error}") from error
    return [Path(path).parent for path in found if isinstance(path, str)]


def _endpoint() -> str:
    """The server of models, or the mirror that this usual variable names."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def _listed(model: str, target: Path) -> RemoteModel:
    """What the server lists of a model, kept at ``target`` so that an interrupted fetch goes on with one revision."""
    try:
        fetch(f"{_endpoint()}/api/models/{model}?blobs=true", target, None, None)
    except MachineError as error:
        raise Unavailable(
            f"bert: no list of the files of model {model!r} (is the name right? a model that needs a login must be "
            f"downloaded by yourself and named as bert:FOLDER): {error}"
        ) from error
    try:
        listing = json.loads(target.read_bytes())
        revision = str(listing["sha"])
        files = {entry["rfilename"]: _remote_file(entry) for entry in listing["siblings"]}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        target.unlink()
        raise Unavailable(f"bert: the server's list of the files of {model!r} cannot be read: {error!r}") from error
    weights = [_WEIGHTS] if _WEIGHTS in files else sorted(name for name in files if _SHARD.fullmatch(name))
    words = [name for name in _VOCABULARIES if name in files]
    if not weights or not words:
        target.unlink()
        lacking = "safetensors weights (pickled ones are never loaded)" if not weights else "vocabulary"
        raise InputError(f"bert: the model {model!r} has no {lacking}; name another one: bert:MODEL or bert:FOLDER")
    settings = [name for name in (*_SETTINGS, _INDEX) if name in files and not (name == _INDEX and _WEIGHTS in files)]
    return RemoteModel(model, revision, tuple(files[name] for name in (*settings, *words, *weights)))


def _remote_file(entry: dict[str, Any]) -> RemoteFile:
    return RemoteFile(entry["rfilename"], entry.get("size"), (entry.get("lfs") or {}).get("sha256"))
