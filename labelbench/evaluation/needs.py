"""What an evaluator may ask for."""

from __future__ import annotations

from dataclasses import dataclass, field

from labelbench.runs import RunSpec


@dataclass(frozen=True)
class Needs:
    """What an evaluator asks for; it is given nothing else.

    Attributes:
        trainings: runs whose networks it looks at. None at all for an evaluator that looks at labels alone: it is
            then asked once for each label of each data set.
        snapshots: shares of training, above 0 to 1, after which it wants to see each network.
        passes: about how often each test image passes through a network, a gradient counted as three; the time left
            that a run shows follows from it.
    """

    trainings: tuple[RunSpec, ...] = ()
    snapshots: tuple[float, ...] = ()
    passes: float = field(default=1.0, compare=False)

    @property
    def labels_alone(self) -> bool:
        """Whether nothing is asked for but the labels, which every measurement has."""
        return not self.trainings
