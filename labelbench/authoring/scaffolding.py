"""Begin a plugin: a folder that installs, passes its checks and runs as it is, from the files in ``templates``."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from labelbench.errors import InputError, UnknownName
from labelbench.files import disk_errors
from labelbench.plugins.discovery import plugins
from labelbench.plugins.entries import KINDS

_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_LONGEST = 40
_SUFFIX = ".template"
# In the templates these stand for the name, the name as part of a module, and the kind.
_PLAIN, _MODULE, _KIND = "example-name", "example_name", "example-kind"
_COMMANDS = {
    "label": "labelbench tune --label {0} --output tuned.toml\n"
    "labelbench run --suite tuned.toml --label category --label {0}",
    "backbone": "labelbench run --backbone resnet8 --backbone {} --label category",
    "evaluator": "labelbench run --label category --label speech --evaluator accuracy --evaluator {}",
    "dataset": "labelbench run --dataset digits --dataset {} --label category --label constant",
}


def begin_plugin(kind: str, name: str, parent: Path) -> Path:
    """Write the folder of a plugin with one label, backbone, evaluator or data set that works.

    Args:
        kind: ``"label"``, ``"backbone"``, ``"evaluator"`` or ``"dataset"``.
        name: of what it adds; the folder has the same name, its distribution is ``labelbench-NAME``.
        parent: folder that it is written into.

    Returns:
        The folder, complete.

    Raises:
        UnknownName: no such kind.
        InputError: a name that cannot be used or is taken, or a folder that is there.
        MachineError: the disk refuses; nothing is left behind.
    """
    if kind not in KINDS:
        raise UnknownName("kind of plugin", kind, KINDS, "as in: labelbench new label NAME")
    _check_name(kind, name)
    folder = parent / name
    if folder.exists() or folder.is_symlink():
        raise InputError(f"{folder} is there already; choose another name, or another folder to begin in")
    partial = parent / f".{name}.{os.getpid()}.partial"
    with disk_errors("cannot write", folder):
        try:
            for path, text in _rendered(kind, name):
                file = partial / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
            partial.rename(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    return folder


def _check_name(kind: str, name: str) -> None:
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        better = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")[:_LONGEST].strip("-")
        hint = f", such as {better}" if _NAME.fullmatch(better) else ""
        raise InputError(
            f"{name!r} cannot name {_article(kind)} and its package; expected lower-case letters, digits and single "
            f"hyphens, a letter first, {_LONGEST} at most{hint}"
        )
    taken = getattr(plugins(), f"{kind}s").get(name)
    if taken:
        raise InputError(f"{kind} {name!r} is taken by {taken.origin}; choose another name (labelbench list {kind}s)")
    package = f"labelbench-{name}"
    if find_spec(package.replace("-", "_")) or _is_installed(package):
        raise InputError(f"a package {package} is installed already; choose another name, or uninstall it first")


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _is_installed(package: str) -> bool:
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True


def _rendered(kind: str, name: str) -> Iterator[tuple[PurePosixPath, str]]:
    """Path within the folder, and text, of every file."""
    templates = files("labelbench.authoring") / "templates"
    article = re.compile(rf"\ban {_KIND}")
    command = _COMMANDS[kind].format(name)
    for part in ("common", kind):
        for path, template in _files_below(templates / part):
            text = template.read_text(encoding="utf-8").replace("example-command", command)
            text = article.sub(_article(kind), text).replace(_KIND, kind)
            yield PurePosixPath(_named(path.removesuffix(_SUFFIX), name)), _named(text, name)


def _files_below(folder: Traversable, above: str = "") -> Iterator[tuple[str, Traversable]]:
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        # A package holds no hidden files: this one's folder is named without its dot.
        name = ".github" if item.name == "github" else item.name
        if item.is_dir():
            yield from _files_below(item, f"{above}{name}/")
        elif name.endswith(_SUFFIX):
            yield f"{above}{name}", item


def _named(text: str, name: str) -> str:
    return text.replace(_PLAIN, name).replace(_MODULE, name.replace("-", "_"))
