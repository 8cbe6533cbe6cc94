"""The label `glove`: the word vector of each class name, as its file has it (paper, section 4.2)."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from labelbench import InputError, LabelSet, MachineError, Unavailable, current_settings
from labelbench_labels.fetching import disk_errors, fetch, readable_size, sha256_of
from labelbench_labels.word_vectors import Vectors, read_vectors
from labelbench_labels.words import refuse_equal

if TYPE_CHECKING:
    from labelbench import Dataset

# The vectors of the paper, and the archive in which their authors publish them.
VECTORS = "glove.6B.50d.txt"
VECTORS_SHA256 = "d8f717f8dd4b545cb7f418ef9f3d0c3e6e68a6f48b97d32f8b7aae40cb31f96f"
ARCHIVE_URL = "https://nlp.stanford.edu/data/glove.6B.zip"
ARCHIVE_SHA256 = "617afb2fe6cbd085c235baf7a465b96f4112bd7f7ccb2b2cbd649fed9cbcf2fb"
ARCHIVE_SIZE = 862_182_613
_ANOTHER = "another file: glove:PATH"
Words = Literal["first", "mean"]


CITATION = """@inproceedings{pennington2014glove,
  title     = {{GloVe}: Global Vectors for Word Representation},
  author    = {Pennington, Jeffrey and Socher, Richard and Manning, Christopher D.},
  booktitle = {Proceedings of EMNLP},
  year      = {2014}
}"""


class Glove:
    """Word vector of each class name, raw; words=mean for all words of longer names (section 4.2).

    Targets are ``(C, width)``, as the file has them. The file is text, a line for each word: the word and ``width``
    numbers, separated by spaces; a first line with two whole numbers (count and width) is skipped. Names are read in
    words, split at spaces, hyphens and underscores; a word that the file does not have is looked for in lower case.
    ``words=first`` (the default, as the paper's files) takes the vector of the first word, ``words=mean`` the mean of
    all of them. Without a path the vectors are the paper's, ``glove.6B.50d.txt``, from ``--labels-dir`` or the cache
    folder, else fetched.

    Raises:
        InputError: the file is not there or is no such text; a word is not in it; two classes get equal vectors.
        Unavailable: the paper's vectors are not here and cannot be fetched.
    """

    def __call__(self, dataset: Dataset, path: Path | None = None, *, words: Words = "first") -> LabelSet:
        """The label set of one file."""
        self.check(dataset, path)
        names, choice_of_words = dataset.class_names, words
        groups = [_words_of(name, choice_of_words) for name in names]
        wanted = frozenset(form for group in groups for word in group for form in (word, word.lower()))
        vectors = read_vectors(path or default_vectors(), wanted)
        found = [_found(vectors, name, group, choice_of_words) for name, group in zip(names, groups, strict=True)]
        targets = np.stack([np.mean([vectors.of[word] for word in group], axis=0) for group in found])
        targets = targets.astype(np.float32)
        advice = "rename one" if choice_of_words == "mean" else "use words=mean, or rename one"
        refuse_equal("glove", targets, names, found, advice)
        return LabelSet(
            targets,
            provenance={
                "citation": CITATION,
                "recipe": "word vectors",
                "file": vectors.path.name,
                "sha256": vectors.sha256,
                "published_file": vectors.sha256 == VECTORS_SHA256,
                "width": vectors.width,
                "words": choice_of_words,
                "read_as": {
                    name: " ".join(group) for name, group in zip(names, found, strict=True) if " ".join(group) != name
                },
            },
        )

    @staticmethod
    def check(dataset: Dataset | None, path: Path | None = None, *, words: Words = "first") -> None:
        """Refuse a file that is not there."""
        if path is not None and not path.is_file():
            raise InputError(f"glove: {path} is no file; expected a text file with lines 'word v1 v2 ...'")

    def fetch(self, path: Path | None = None, *, words: Words = "first") -> str:
        """Fetch the paper's vectors unless they are here; needs no data set.

        Returns:
            A line that says where they are.

        Raises:
            InputError: a file is named that is not there.
            MachineError: offline, or the network or the disk refuses.
        """
        self.check(None, path)
        return f"glove: the vectors are in {path or default_vectors()}"


def default_vectors() -> Path:
    """The paper's vectors ``glove.6B.50d.txt`` in the labels folder or in ``glove`` of the cache folder, else fetched.

    The archive (862 MB) is checked, the one file is taken out of it and checked, and the archive is removed.

    Raises:
        Unavailable: offline, and neither they nor their archive are here.
        MachineError: the network or the disk refuses.
    """
    settings = current_settings()
    folder = settings.cache_dir / "glove"
    for path in [*([settings.labels_dir / VECTORS] if settings.labels_dir else []), folder / VECTORS]:
        if path.is_file():
            return path
    archive = folder / ARCHIVE_URL.rpartition("/")[2]
    if settings.offline and not archive.is_file():
        raise Unavailable(
            f"glove: {VECTORS} is not on this machine and labelbench is offline; place it, or {archive.name} "
            f"({readable_size(ARCHIVE_SIZE)}, {ARCHIVE_URL}), in {folder}, or name {_ANOTHER}"
        )
    fetch(ARCHIVE_URL, archive, ARCHIVE_SHA256, ARCHIVE_SIZE)
    if not (folder / VECTORS).is_file():  # another process may have been here meanwhile
        _take_out(archive, VECTORS, folder / VECTORS, VECTORS_SHA256)
    archive.unlink(missing_ok=True)
    return folder / VECTORS


def _words_of(name: str, choice_of_words: str) -> list[str]:
    words = [word for word in re.split(r"[\s_-]+", name) if word]
    if not words:
        raise InputError(f"glove: class {name!r} has no word; expected a name of words, rename its folder")
    return words[:1] if choice_of_words == "first" else words


def _found(vectors: Vectors, name: str, words: list[str], choice_of_words: str) -> list[str]:
    """The words as the file writes them."""
    found = []
    for word in words:
        form = word if word in vectors.of else word.lower()
        if form not in vectors.of:
            alternative = "words=first or " if word != words[0] else ""
            raise InputError(
                f"glove: class {name!r} needs the word {word!r} (words={choice_of_words}), which is not among the "
                f"{vectors.count} words of {vectors.path}; rename the class, or use {alternative}{_ANOTHER}"
            )
        found.append(form)
    return found


def _take_out(archive: Path, name: str, target: Path, sha256: str) -> None:
    """Extract one file of a zip archive under its final name once it is whole and has the expected hash."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with disk_errors(target):
            try:
                with zipfile.ZipFile(archive) as files, files.open(name) as source, temporary.open("wb") as copy:
                    shutil.copyfileobj(source, copy, 1 << 20)
            except (zipfile.BadZipFile, KeyError) as error:
                raise MachineError(
                    f"{archive} holds no {name} that can be read ({error}); remove it and run again"
                ) from error
            found = sha256_of(temporary)
            if found != sha256:
                raise MachineError(
                    f"{name} of {archive} has SHA-256 {found}, expected {sha256}; remove it and run again"
                )
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
