"""labelbench: what happens to an image classifier when the label it learns to output changes.

This module is what plugins, scripts and notebooks import, and nothing else. Names are loaded when they are first
used, so that importing it loads neither torch nor any other heavy library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labelbench.api import load_results, run
    from labelbench.arguments import Between, LabelName, Rest
    from labelbench.attacks.attack import Attack, AttackResult
    from labelbench.attacks.engine import run_attack
    from labelbench.attacks.folding import folded
    from labelbench.attacks.freezing import frozen
    from labelbench.attacks.loop import GradientSource
    from labelbench.attacks.losses import loss_named
    from labelbench.datasets import Dataset, Images, Split
    from labelbench.errors import InputError, LabelbenchError, MachineError, PluginError, Unavailable, UnknownName
    from labelbench.evaluation.context import Context
    from labelbench.evaluation.evaluator import Evaluator
    from labelbench.evaluation.needs import Needs
    from labelbench.evaluation.scores import Measurement, Score, wilson_interval
    from labelbench.evaluation.shown import Axes, Curve, Headline, Scatter, Section, Strip
    from labelbench.exchange.loading import load_network
    from labelbench.exchange.measuring import measure
    from labelbench.hookspecs import hookimpl
    from labelbench.images.dividing import divided
    from labelbench.images.fitting import ImageFit
    from labelbench.images.folders import ImageFolder
    from labelbench.images.listing import content_hash
    from labelbench.images.source import ImageSource
    from labelbench.images.zips import ImageZip
    from labelbench.labels import LabelSet
    from labelbench.leaderboard.records import ScoreRecord, ScoreTable
    from labelbench.networks import Network
    from labelbench.optimizers import SGD, Muon
    from labelbench.recipes import Recipe
    from labelbench.registry import find_dataset, label
    from labelbench.runs import RunSpec, derived_seed
    from labelbench.settings import Settings, current_settings
    from labelbench.suite import Suite
    from labelbench.training.result import Trained
    from labelbench.training.start import split_indices

__version__ = "0.1.0"

_HOME = {
    "Attack": "attacks.attack",
    "AttackResult": "attacks.attack",
    "Between": "arguments",
    "Axes": "evaluation.shown",
    "Context": "evaluation.context",
    "Curve": "evaluation.shown",
    "Dataset": "datasets",
    "Evaluator": "evaluation.evaluator",
    "GradientSource": "attacks.loop",
    "Headline": "evaluation.shown",
    "ImageFit": "images.fitting",
    "ImageFolder": "images.folders",
    "ImageSource": "images.source",
    "ImageZip": "images.zips",
    "Images": "datasets",
    "InputError": "errors",
    "LabelName": "arguments",
    "LabelSet": "labels",
    "LabelbenchError": "errors",
    "MachineError": "errors",
    "Measurement": "evaluation.scores",
    "Needs": "evaluation.needs",
    "Network": "networks",
    "PluginError": "errors",
    "Muon": "optimizers",
    "Recipe": "recipes",
    "Rest": "arguments",
    "SGD": "optimizers",
    "RunSpec": "runs",
    "Scatter": "evaluation.shown",
    "Score": "evaluation.scores",
    "ScoreRecord": "leaderboard.records",
    "ScoreTable": "leaderboard.records",
    "Section": "evaluation.shown",
    "Settings": "settings",
    "Split": "datasets",
    "Strip": "evaluation.shown",
    "Suite": "suite",
    "Trained": "training.result",
    "Unavailable": "errors",
    "UnknownName": "errors",
    "content_hash": "images.listing",
    "current_settings": "settings",
    "derived_seed": "runs",
    "divided": "images.dividing",
    "find_dataset": "registry",
    "folded": "attacks.folding",
    "frozen": "attacks.freezing",
    "hookimpl": "hookspecs",
    "label": "registry",
    "load_network": "exchange.loading",
    "load_results": "api",
    "measure": "exchange.measuring",
    "loss_named": "attacks.losses",
    "run": "api",
    "run_attack": "attacks.engine",
    "split_indices": "training.start",
    "wilson_interval": "evaluation.scores",
}

__all__ = [
    "SGD",
    "Attack",
    "AttackResult",
    "Axes",
    "Between",
    "Context",
    "Curve",
    "Dataset",
    "Evaluator",
    "GradientSource",
    "Headline",
    "ImageFit",
    "ImageFolder",
    "ImageSource",
    "ImageZip",
    "Images",
    "InputError",
    "LabelName",
    "LabelSet",
    "LabelbenchError",
    "MachineError",
    "Measurement",
    "Muon",
    "Needs",
    "Network",
    "PluginError",
    "Recipe",
    "Rest",
    "RunSpec",
    "Scatter",
    "Score",
    "ScoreRecord",
    "ScoreTable",
    "Section",
    "Settings",
    "Split",
    "Strip",
    "Suite",
    "Trained",
    "Unavailable",
    "UnknownName",
    "content_hash",
    "current_settings",
    "derived_seed",
    "divided",
    "find_dataset",
    "folded",
    "frozen",
    "hookimpl",
    "label",
    "load_network",
    "load_results",
    "loss_named",
    "measure",
    "run",
    "run_attack",
    "split_indices",
    "wilson_interval",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'labelbench' has no attribute {name!r}")
    value = getattr(import_module(f"labelbench.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
