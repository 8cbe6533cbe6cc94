"""Finding plugins: distributions written into a folder on the path, and a fresh process that looks at them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from labelbench.errors import UnknownName
from labelbench.plugins.entries import Broken, Entry, Origin, Plugins

LOOK = """
import json, signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
from labelbench.plugins.discovery import plugins
found = plugins()
print(json.dumps({
    "names": {kind: {name: str(entry.origin) for name, entry in getattr(found, kind).items()}
              for kind in ("labels", "backbones", "evaluators")},
    "broken": [[broken.origin.plugin, str(broken.origin), broken.reason] for broken in found.broken],
    "loaded": [origin.plugin for origin in found.loaded],
    "disturbing": [[one.origin.plugin, one.reason] for one in found.disturbing],
}))
"""
# A plugin that works, told apart by its label's name.
GOOD = """
import labelbench

@labelbench.hookimpl
def register_labels():
    return {"LABEL": provide}

def provide(dataset):
    "A label."
"""


@dataclass(frozen=True)
class Found:
    """What a fresh process found, without what is built in."""

    labels: dict[str, str]
    backbones: dict[str, str]
    evaluators: dict[str, str]
    broken: list[tuple[str, str, str]]
    loaded: list[str]
    disturbing: list[tuple[str, str]]
    stdout: str
    core_labels: frozenset[str]

    def reason(self, plugin: str) -> str:
        """Why the plugin, or its one refused name, cannot be used."""
        (reason,) = [reason for name, _, reason in self.broken if name == plugin]
        assert reason
        assert "\n" not in reason
        return reason


class Site:
    """A folder on the path with distributions in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, plugin: str, code: str, entry: str | None = None, distribution: str | None = None) -> None:
        """A distribution ``DISTRIBUTION 1.0`` with one module and one entry point."""
        module = f"{plugin.replace('-', '_')}_module"
        (self.folder / f"{module}.py").write_text(dedent(code))
        info = self.folder / f"{(distribution or plugin).replace('-', '_')}-1.0.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution or plugin}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[labelbench]\n{plugin} = {entry or module}\n")

    def look(self, selection: str | None = None) -> Found:
        """What a fresh process finds, with LABELBENCH_PLUGINS set to ``selection`` unless None."""
        environment = {**os.environ, "PYTHONPATH": str(self.folder)}
        if selection is not None:
            environment["LABELBENCH_PLUGINS"] = selection
        done = subprocess.run([sys.executable, "-c", LOOK], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout.splitlines()[-1])
        core = "labelbench "
        names = {
            kind: {name: origin for name, origin in entries.items() if not origin.startswith(core)}
            for kind, entries in answer["names"].items()
        }
        built_in = {plugin for plugin, origin, _ in answer["broken"] if origin.startswith(core)}
        return Found(
            **names,
            broken=[(plugin, origin, why) for plugin, origin, why in answer["broken"] if plugin not in built_in],
            loaded=answer["loaded"],
            disturbing=[tuple(one) for one in answer["disturbing"]],
            stdout=done.stdout,
            core_labels=frozenset(answer["names"]["labels"]) - frozenset(names["labels"]),
        )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A folder on the path with one plugin that works, to see that no other plugin stops it."""
    site = Site(tmp_path)
    site.install("zzz-good", GOOD.replace("LABEL", "good"))
    return site


def hook(returned: str, name: str = "register_labels") -> str:
    """A plugin whose one hook returns what is written in ``returned``."""
    return f"""
import labelbench

@labelbench.hookimpl
def {name}():
    return {returned}

def provide(dataset):
    ...
"""


def test_a_plugin_registers_by_its_entry_point_beside_what_is_built_in(site: Site) -> None:
    found = site.look()
    assert found.labels == {"good": "zzz-good 1.0"}
    assert found.broken == []
    assert "zzz-good" in found.loaded
    assert found.core_labels


def test_one_plugin_may_register_labels_backbones_and_evaluators(site: Site) -> None:
    site.install(
        "all",
        """
        import labelbench

        @labelbench.hookimpl
        def register_labels():
            return {"own-label": lambda dataset: None}

        @labelbench.hookimpl
        def register_backbones():
            return {"own-backbone": lambda size: None}

        @labelbench.hookimpl
        def register_evaluators():
            return {"own-evaluator": lambda: None}
        """,
    )
    found = site.look()
    assert found.labels == {"good": "zzz-good 1.0", "own-label": "all 1.0"}
    assert (found.backbones, found.evaluators) == ({"own-backbone": "all 1.0"}, {"own-evaluator": "all 1.0"})


# What is wrong with a plugin, and what its reason says.
BAD_CODE = [
    ("import a_library_that_is_not_installed", ["ModuleNotFoundError", "a_library_that_is_not_installed"]),
    ("raise ImportError('libfoo.so: cannot open')", ["ImportError: libfoo.so: cannot open"]),
    ("def register_labels(:", ["SyntaxError"]),
    ("1 / 0", ["ZeroDivisionError"]),
    ("import sys\nsys.exit(3)", ["it ended the process: sys.exit(3)"]),
    ("raise ValueError('first line\\nsecond line')", ["ValueError: first line second line"]),
    ("", ["no hook implementation", "@labelbench.hookimpl"]),
    ("def register_labels():\n    return {}", ["no hook implementation", "@labelbench.hookimpl"]),
    (hook("{'x': provide}", "register_label"), ["unknown hook 'register_label'"]),
    (
        "import labelbench\n@labelbench.hookimpl\ndef register_labels(dataset):\n    return {}",
        ["register_labels", "dataset"],
    ),
    (hook("[provide]"), ["register_labels() returned list", "expected a dict"]),
    (hook("provide"), ["register_labels() returned function", "expected a dict"]),
    (hook("1 / 0"), ["ZeroDivisionError"]),
    (hook("exit(3)"), ["it ended the process: sys.exit(3)"]),
    ("raise KeyboardInterrupt", ["KeyboardInterrupt"]),
    ("raise GeneratorExit", ["GeneratorExit"]),
    (hook("{'a:b': provide}"), ["the name 'a:b'", "without colon, comma"]),
    (hook("{'a,b': provide}"), ["the name 'a,b'", "without colon, comma"]),
    (hook("{'': provide}"), ["the name ''", "printable text"]),
    (hook("{' x': provide}"), ["the name ' x'", "spaces around"]),
    (hook("{'a\\nb': provide}"), ["the name 'a\\nb'", "printable text"]),
    (hook("{3: provide}"), ["the name 3", "printable text"]),
    (hook("{'x': 3}"), ["register_labels() returned int for 'x'", "x(dataset, *, key: type = default)"]),
    (hook("{'x': lambda: None}"), ["'x' cannot be called as x(dataset, *, key: type = default)", "too many"]),
    (hook("{'x': lambda dataset, argument: None}"), ["'x' cannot be called as", "the argument argument has no type"]),
    (hook("{'x': lambda: None}", "register_backbones"), ["'x' cannot be called as x(size, *, key: type = default)"]),
    (hook("{'x': lambda a: None}", "register_evaluators"), ["'x' cannot be called as x(*, key: type = default)"]),
]
BAD_ENTRY_POINTS = [
    ("a_module_that_is_not_there", ["ModuleNotFoundError", "a_module_that_is_not_there"]),
    ("entry_1_module:nothing", ["AttributeError", "nothing"]),
    ("not a module!", ["entry point", "not a module!"]),
]


@pytest.fixture(scope="module")
def all_bad(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What is found where every bad plugin is installed, and a good one after them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("LABELBENCH_PLUGINS", raising=False)
        site = Site(tmp_path_factory.mktemp("bad"))
        for index, (code, _) in enumerate(BAD_CODE):
            site.install(f"code-{index}", code)
        for index, (entry, _) in enumerate(BAD_ENTRY_POINTS):
            site.install(f"entry-{index}", GOOD, entry=entry)
        site.install("zzz-good", GOOD.replace("LABEL", "good"))
        return site.look()


def test_bad_plugins_stop_neither_a_good_one_nor_what_is_built_in(all_bad: Found) -> None:
    assert all_bad.labels == {"good": "zzz-good 1.0"}
    assert (all_bad.backbones, all_bad.evaluators) == ({}, {})
    assert all_bad.core_labels
    assert len(all_bad.broken) == len(BAD_CODE) + len(BAD_ENTRY_POINTS)
    assert not {name for name, _, _ in all_bad.broken} & set(all_bad.loaded)
    assert "zzz-good" in all_bad.loaded


@pytest.mark.parametrize(("index", "told"), list(enumerate(told for _, told in BAD_CODE)))
def test_a_plugin_that_breaks_the_contract_is_set_apart_with_its_reason(
    all_bad: Found, index: int, told: list[str]
) -> None:
    reason = all_bad.reason(f"code-{index}")
    assert all(part in reason for part in told), reason


@pytest.mark.parametrize(("index", "told"), list(enumerate(told for _, told in BAD_ENTRY_POINTS)))
def test_an_entry_point_that_names_nothing_is_set_apart_with_its_reason(
    all_bad: Found, index: int, told: list[str]
) -> None:
    reason = all_bad.reason(f"entry-{index}")
    assert all(part in reason for part in told), reason


def test_what_a_plugin_with_a_refused_name_registers_beside_it_is_not_used(site: Site) -> None:
    site.install("aaa-bad", hook("{'fine': provide, 'a:b': provide}"))
    assert site.look().labels == {"good": "zzz-good 1.0"}


@pytest.mark.parametrize(
    "callable_",
    ["lambda *arguments: None", "type('Own', (), {'__call__': lambda self, dataset, *, seed=0: None})()", "str.upper"],
)
def test_anything_that_can_be_called_as_the_hook_says_is_taken(site: Site, callable_: str) -> None:
    site.install("other", hook(f"{{'x': {callable_}}}"))
    assert site.look().labels == {"good": "zzz-good 1.0", "x": "other 1.0"}


def test_two_third_parties_with_one_name_are_both_refused_it_and_both_named(site: Site) -> None:
    site.install("one", hook("{'same': provide, 'of-one': provide}"))
    site.install("two", hook("{'same': provide, 'of-two': provide}"))
    found = site.look()
    assert found.labels == {"good": "zzz-good 1.0", "of-one": "one 1.0", "of-two": "two 1.0"}
    assert "label 'same' is registered twice and refused to both" in found.reason("one")
    assert "two 1.0" in found.reason("one")
    assert "one 1.0" in found.reason("two")


def test_what_a_plugin_changes_in_the_process_while_it_is_loaded_is_put_back_and_told(site: Site) -> None:
    site.install(
        "rude",
        GOOD.replace("LABEL", "rude")
        + """
import os, sys, random, warnings, numpy
os.chdir("/")
random.seed(3)
numpy.random.seed(3)
warnings.simplefilter("error")
numpy.seterr(all="raise")
print("loaded!")
sys.stdout = open(os.devnull, "w")
""",
    )
    site.install(
        "torchy",
        GOOD.replace("LABEL", "torchy")
        + """
import torch
torch.set_default_dtype(torch.float64)
torch.set_grad_enabled(False)
torch.backends.mkldnn.set_flags(False)
torch.use_deterministic_algorithms(True)
""",
    )
    found = site.look()
    assert found.labels == {"good": "zzz-good 1.0", "rude": "rude 1.0", "torchy": "torchy 1.0"}
    assert found.disturbing == [
        ("rude", "changed the current folder, Python's random, filters of all warnings, numpy.random, numpy's error "
         "handling when it was loaded; that was put back"),
        ("torchy", "changed torch's default dtype, torch's gradient mode, torch's deterministic algorithms, torch's "
         "use of oneDNN when it was loaded; that was put back"),
    ]  # fmt: skip
    assert "loaded!" not in found.stdout


def test_a_name_may_be_a_label_and_a_backbone(site: Site) -> None:
    site.install("one", hook("{'same': lambda a: None}"))
    site.install("two", hook("{'same': lambda a: None}", "register_backbones"))
    found = site.look()
    assert (found.labels["same"], found.backbones["same"]) == ("one 1.0", "two 1.0")
    assert found.broken == []


def test_a_name_of_the_core_stays_the_core_s(site: Site) -> None:
    name = sorted(site.look().core_labels)[0]
    site.install("taker", hook(f"{{{name!r}: provide, 'own': provide}}"))
    found = site.look()
    assert name in found.core_labels
    assert found.labels == {"good": "zzz-good 1.0", "own": "taker 1.0"}
    assert f"label {name!r} is built in" in found.reason("taker")


def test_old_metadata_under_another_spelling_counts_once(site: Site) -> None:
    info = site.folder / "zzz.Good.egg-info"
    info.mkdir()
    (info / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: zzz_Good\nVersion: 0.9\n")
    (info / "entry_points.txt").write_text("[labelbench]\nzzz-good = zzz_good_module\n")
    found = site.look()
    assert set(found.labels) == {"good"}
    assert found.broken == []


def test_a_distribution_that_is_on_the_path_twice_counts_once(site: Site, tmp_path: Path) -> None:
    again = Site(tmp_path / "again")
    again.folder.mkdir()
    again.install("zzz-good", GOOD.replace("LABEL", "good"))
    found = Site(Path(f"{site.folder}{os.pathsep}{again.folder}")).look()
    assert found.labels == {"good": "zzz-good 1.0"}
    assert found.broken == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda info: (info / "METADATA").unlink(),
        lambda info: (info / "METADATA").write_text(""),
        lambda info: (info / "entry_points.txt").write_text("[labelbench]\nno equals sign\n"),
        lambda info: (info / "entry_points.txt").write_bytes(b"\xff\xfe[labelbench]"),
    ],
    ids=["no metadata", "empty metadata", "no entry points that can be read", "no text"],
)
def test_a_damaged_installation_stops_nothing(site: Site, damage: Callable[[Path], object]) -> None:
    site.install("aaa-bad", GOOD.replace("LABEL", "of-bad"))
    damage(site.folder / "aaa_bad-1.0.dist-info")
    found = site.look()
    assert found.labels["good"] == "zzz-good 1.0"
    assert found.core_labels


def test_an_installation_whose_entry_points_cannot_be_read_is_told(site: Site) -> None:
    site.install("aaa-bad", GOOD.replace("LABEL", "of-bad"))
    (site.folder / "aaa_bad-1.0.dist-info" / "entry_points.txt").write_text("[labelbench]\nno equals sign\n")
    ((_, origin, reason),) = site.look().broken
    assert origin == "aaa-bad 1.0"
    assert "entry_points.txt of this installation cannot be read" in reason
    assert site.look("zzz-good").broken == []


class TestSelection:
    @pytest.fixture(autouse=True)
    def _two_more(self, site: Site) -> None:
        site.install("one", hook("{'of-one': provide}"))
        site.install("two", "raise RuntimeError('was loaded')")

    def test_without_the_variable_all_plugins_are_loaded(self, site: Site) -> None:
        found = site.look()
        assert sorted(found.labels) == ["good", "of-one"]
        assert "was loaded" in found.reason("two")

    def test_only_plugins_named_in_it_are_loaded_beside_what_is_built_in(self, site: Site) -> None:
        found = site.look("one, zzz-good")
        assert sorted(found.labels) == ["good", "of-one"]
        assert found.broken == []
        assert sorted(site.look("one").labels) == ["of-one"]
        assert found.core_labels

    def test_empty_it_means_what_is_built_in_alone(self, site: Site) -> None:
        found = site.look("")
        assert (found.labels, found.broken) == ({}, [])
        assert found.core_labels

    def test_a_name_in_it_that_is_not_installed_is_told(self, site: Site) -> None:
        found = site.look("one,three")
        assert sorted(found.labels) == ["of-one"]
        assert found.reason("three") == "named in LABELBENCH_PLUGINS, not installed"


class TestFind:
    ENTRY = Entry("speech", print, Origin("speech-labels", "labelbench", "1.0"))

    def plugins(self, *broken: Broken) -> Plugins:
        return Plugins(labels={"speech": self.ENTRY}, backbones={}, evaluators={}, datasets={}, broken=broken)

    @pytest.mark.parametrize(
        ("name", "argument"),
        [("speech", ""), ("speech:", ""), ("speech:wav=DIR", "wav=DIR"), ("speech:a:b,c", "a:b,c")],
    )
    def test_what_follows_the_first_colon_is_the_argument(self, name: str, argument: str) -> None:
        assert self.plugins().find("label", name) == (self.ENTRY, argument)

    def test_an_unknown_name_is_answered_with_near_ones(self) -> None:
        with pytest.raises(UnknownName, match="unknown label 'speach'; did you mean speech"):
            self.plugins().find("label", "speach:x")

    def test_and_with_the_broken_plugins_that_may_have_had_it(self) -> None:
        with pytest.raises(UnknownName, match=r"unknown backbone 'x'.*1 broken plugin.*labelbench list plugins"):
            self.plugins(Broken(self.ENTRY.origin, "why")).find("backbone", "x")


def test_an_entry_is_summed_up_by_the_first_line_of_its_function_or_of_its_class() -> None:
    class Provider:
        """One line.

        More.
        """

        def __call__(self, dataset: object) -> None:
            """Another line."""

    origin = Origin("plugin", "distribution", "1.0")
    assert Entry("x", Provider(), origin).summary == "One line."
    assert Entry("x", lambda dataset: None, origin).summary == ""
