"""Plugins that each break one promise: distribution -> (source, what the user is told)."""

from __future__ import annotations

from textwrap import dedent

_LABEL = """
import numpy as np
import labelbench

def provide(dataset):
    "A label."
    count = dataset.num_classes
{body}

@labelbench.hookimpl
def register_labels():
    return {{"{name}": provide}}
"""


def label_plugin(name: str, body: str) -> str:
    """A plugin whose label ``name`` is made by ``body``, which sees ``dataset``, ``count`` and numpy."""
    indented = "\n".join(f"    {line}" for line in dedent(body).strip().splitlines())
    return _LABEL.format(name=name, body=indented)


GOOD = label_plugin(
    "good",
    """
    return labelbench.LabelSet(np.eye(count) * 80, provenance={"recipe": "one-hot, 0 and 80"})
    """,
)

# What a check finds: label -> (how it is made, words of the failure).
FOUND_BY_A_CHECK = {
    "wrong-shape": (
        "return labelbench.LabelSet(np.random.RandomState(0).rand(count, 30, 30))",
        ["contract", "label targets have shape (2, 30, 30)", "expected (classes, length) or", "side a multiple of 16"],
    ),
    "nan": (
        "return labelbench.LabelSet(np.where(np.eye(count) > 0, np.nan, 0))",
        ["contract", "label targets hold 2 value(s) that are not finite", "expected numbers", "ends there"],
    ),
    "dice": (
        "return labelbench.LabelSet(np.random.default_rng().uniform(0, 80, (count, 8)), provenance={'recipe': 'x'})",
        ["repeatable", "two calls for made-up-2 gave different targets", "seed the randomness"],
    ),
    "hash-order": (
        """
        order = [hash(name) % 997 for name in dataset.class_names]
        return labelbench.LabelSet(np.array(order)[:, None] + np.eye(count), provenance={"recipe": "hashes"})
        """,
        ["processes", "other hash seeds", "disagree on the targets for made-up-2", "iterate over no set"],
    ),
    "rows-of-nobody": (
        """
        seed = sum(index * len(name) for index, name in enumerate(dataset.class_names))
        targets = np.random.RandomState(seed).uniform(0, 80, (count, 16))
        return labelbench.LabelSet(targets, provenance={"recipe": "noise", "seed": seed})
        """,
        ["order", "two class names of made-up-10 were exchanged, and rows of other classes changed", "class_names[i]"],
    ),
    "network": (
        """
        from urllib.request import urlopen
        return labelbench.LabelSet(np.frombuffer(urlopen("http://labels.example/targets").read()))
        """,
        ["network", "it asked for labels.example", "expected no network", "raise labelbench.Unavailable"],
    ),
    "global-state": (
        """
        np.random.seed(7)
        return labelbench.LabelSet(np.random.uniform(0, 80, (count, 8)), provenance={"recipe": "noise", "seed": 7})
        """,
        ["global state", "numpy.random changed", "expected all as it was", "numpy.random.RandomState(seed)"],
    ),
    "slow": (
        """
        import time
        time.sleep(600)
        """,
        ["time", "building targets for 2 classes of made-up-2 was given up after 3 s", "--time-limit"],
    ),
    "raising": (
        "return labelbench.LabelSet(np.eye(count) / (count - 2 or 1 // 0))",
        ["contract", "label 'raising' (raising 1.0) failed: ZeroDivisionError", "ends there"],
    ),
    "wrong-type": (
        "return np.eye(count)",
        ["contract", "'wrong-type' (wrong-type 1.0) returned ndarray; expected labelbench.LabelSet"],
    ),
    "ending": (
        "import os; os._exit(7)",
        ["process", "building targets for 2 classes of made-up-2 ended the process with code 7", "must not stop"],
    ),
    "huge": (
        "return labelbench.LabelSet(np.eye(count) * 1e6, provenance={'recipe': 'one-hot'})",
        ["scale", "reach 1e+06", "expected values up to 10,000", "scaled:NAME"],
    ),
    "unsaid": (
        "return labelbench.LabelSet(np.eye(count))",
        ["provenance", "is empty", "expected how the targets were made"],
    ),
    "untrue": (
        "return labelbench.LabelSet(np.eye(count), provenance={'recipe': 'one-hot', 'loss': 'mse'})",
        ["provenance", "says \"loss\": 'mse' for made-up-2, and the targets have 'smooth-l1'", "correct it"],
    ),
    "no-json": (
        "return labelbench.LabelSet(np.eye(count), provenance={'recipe': np.arange(3)})",
        ["provenance", "cannot be written as JSON", "tolist()"],
    ),
    "one-identity": (
        "return labelbench.LabelSet(np.eye(count), provenance={'recipe': 'one-hot', 'identity': 'mine'})",
        ["provenance", 'the same "identity" for different targets', "expected one for each"],
    ),
}

# What is found when plugins are loaded: name that is asked for -> (distributions and sources, words of the answer).
FOUND_WHEN_LOADED = {
    "twin": (
        {"twin-one": label_plugin("twin", "return None"), "twin-two": label_plugin("twin", "return None")},
        ["plugin twin-one (twin-one 1.0) cannot be used", "label 'twin' is registered twice and refused to both"],
    ),
    "misspelt": (
        {"misspelt": GOOD.replace("register_labels", "register_label").replace('"good"', '"misspelt"')},
        ["plugin misspelt (misspelt 1.0) cannot be used", "unknown hook 'register_label'"],
    ),
    "old": (
        {"old": GOOD.replace("(dataset)", "(dataset, argument)").replace('"good"', '"old"')},
        [
            "plugin old (old 1.0) cannot be used",
            "'old' cannot be called as old(dataset, *, key",
            "argument has no type",
        ],
    ),
    "broken-import": (
        {"broken-import": "import a_module_that_is_not_there"},
        ["plugin broken-import (broken-import 1.0) cannot be used", "No module named 'a_module_that_is_not_there'"],
    ),
}

# What plugins do when they are loaded.
_WHEN_LOADED = {
    "changes-folder": "import os; os.chdir('/')",
    "doubles": "import torch; torch.set_default_dtype(torch.float64)",
    "no-gradients": "import torch; torch.set_grad_enabled(False)",
    "no-onednn": "import torch; torch.backends.mkldnn.set_flags(False)",
    "one-thread": "import torch; torch.set_num_threads(3); torch.use_deterministic_algorithms(True)",
    "low-precision": "import torch; torch.set_float32_matmul_precision('medium')",
    "warnings-are-errors": "import warnings; warnings.simplefilter('error')",
    "errors-raise": "np.seterr(all='raise')",
    "prints": "import sys; print('loud ' * 100); sys.stdout.write('more'); sys.stdout = open('/dev/null', 'w')",
    "seeds": "import random, torch; random.seed(1); np.random.seed(1); torch.manual_seed(1)",
    "deaf": "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)",
    "slow-import": "import time; time.sleep(1)",
    "exits-at-once": "import sys; sys.exit(0)",
    "interrupts-at-once": "raise KeyboardInterrupt",
}
# What labels do when they are built.
_WHEN_CALLED = {
    "raises": "raise ValueError('no')",
    "exits": "import sys; sys.exit(0)",
    "interrupts": "raise KeyboardInterrupt",
    "closes": "raise GeneratorExit",
    "not-finite": "return labelbench.LabelSet(np.full((count, 4), np.nan))",
    "no-label": "return 3",
    "recursive": "return labelbench.label('recursive', dataset)",
}
_EVALUATOR = """
import labelbench

class Hostile(labelbench.Evaluator):
    def evaluate(self, context):
        {body}
        return labelbench.Measurement((labelbench.Score("x", 1.0),))

@labelbench.hookimpl
def register_evaluators():
    return {{"{name}": Hostile}}
"""
_WHEN_EVALUATED = {
    "ev-exits": "import sys; sys.exit(0)",
    "ev-interrupts": "raise KeyboardInterrupt",
    "ev-doubles": "import torch, os; torch.set_default_dtype(torch.float64); os.chdir('/'); torch.manual_seed(3)",
    "ev-asks": "context.trained(context.run.of_labels)",
    "ev-spoils": "context.labels.targets.setflags(write=True); context.labels.targets[:] = 0",
}
_ROBUST = "return labelbench.LabelSet(np.eye(count) * 80, provenance={'recipe': 'x'})"

# Plugins that do what none should, each a distribution of its own: name -> source.
HOSTILE = {
    **{name: f"{label_plugin(name, _ROBUST)}\n{code}\n" for name, code in _WHEN_LOADED.items()},
    **{name: label_plugin(name, body) for name, body in _WHEN_CALLED.items()},
    **{name: _EVALUATOR.format(name=name, body=body) for name, body in _WHEN_EVALUATED.items()},
}
# The names of them that a run can ask for: labels and evaluators that fail, and one of each that works once put back.
HOSTILE_LABELS = (*_WHEN_CALLED, "doubles")
HOSTILE_EVALUATORS = tuple(_WHEN_EVALUATED)
