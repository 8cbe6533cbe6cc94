"""Labels made of words: `bert` (contextual vectors of a language model) and `glove` (static word vectors)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from labelbench import LabelSet, hookimpl
from labelbench_labels.bert import Bert
from labelbench_labels.glove import Glove


@hookimpl
def register_labels() -> Mapping[str, Callable[..., LabelSet]]:
    """Both labels; ``provider.fetch()`` fetches what they need without a data set and says what it did."""
    return {"bert": Bert(), "glove": Glove()}
