"""The public names and where they are defined: what type checkers see, and what is loaded when a name is first used."""

from .api import load_results as load_results, run as run
from .plugins.arguments import Between as Between, LabelName as LabelName, Rest as Rest
from .attacks.attack import Attack as Attack, AttackResult as AttackResult
from .attacks.engine import run_attack as run_attack
from .attacks.folding import folded as folded
from .attacks.freezing import frozen as frozen
from .attacks.loop import GradientSource as GradientSource
from .attacks.losses import loss_named as loss_named
from .datasets import Dataset as Dataset, Images as Images, Split as Split
from .errors import (
    InputError as InputError,
    LabelbenchError as LabelbenchError,
    MachineError as MachineError,
    PluginError as PluginError,
    Unavailable as Unavailable,
    UnknownName as UnknownName,
)
from .evaluation.context import Context as Context
from .evaluation.evaluator import Evaluator as Evaluator
from .evaluation.needs import Needs as Needs
from .evaluation.scores import Measurement as Measurement, Score as Score, wilson_interval as wilson_interval
from .evaluation.shown import (
    Axes as Axes,
    Curve as Curve,
    Headline as Headline,
    Scatter as Scatter,
    Section as Section,
    Strip as Strip,
)
from .exchange.loading import load_network as load_network
from .exchange.measuring import measure as measure
from .plugins.hookspecs import hookimpl as hookimpl
from .images.dividing import divided as divided
from .images.fitting import ImageFit as ImageFit
from .images.folders import ImageFolder as ImageFolder
from .images.listing import content_hash as content_hash
from .images.source import ImageSource as ImageSource
from .images.zips import ImageZip as ImageZip
from .labels import LabelSet as LabelSet
from .leaderboard.records import ScoreRecord as ScoreRecord, ScoreTable as ScoreTable
from .networks import Network as Network
from .optimizers import SGD as SGD, Muon as Muon
from .recipes import Recipe as Recipe
from .plugins.lookup import find_dataset as find_dataset, label as label
from .runs import RunSpec as RunSpec, derived_seed as derived_seed
from .settings import Settings as Settings, current_settings as current_settings
from .suite import Suite as Suite
from .training.result import Trained as Trained
from .training.start import split_indices as split_indices

__version__: str
