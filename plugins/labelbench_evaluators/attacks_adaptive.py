"""Accuracy under attacks that follow the decoder: the worst case of many, and whether it can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from labelbench import (
    Between,
    Context,
    Curve,
    Evaluator,
    Headline,
    InputError,
    Measurement,
    Needs,
    RunSpec,
    Strip,
    hookimpl,
)
from labelbench_evaluators.attack_axes import NORMALISED, PIXELS, ROBUSTNESS

if TYPE_CHECKING:
    from collections.abc import Callable

# From what next to no network notices to what no usually trained one survives.
EPSILONS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
_HEADLINE = 1.0
# As counted on networks that read two thirds of CIFAR-10 right.
_PASSES = {"quick": 400.0, "standard": 1500.0, "strong": 8000.0}


@dataclass(frozen=True)
class AdaptiveAttacks(Evaluator):
    """The worst case, image by image, over losses, targets and random starts, in pixels and in the paper's units.

    Attributes:
        strength: ``"quick"``, ``"standard"`` or ``"strong"``.
        epsilons: in 1/255 of the range of pixels, rising.
        autoattack: whether AutoAttack's gradient attacks (Croce and Hein 2020) are tried as well.
    """

    version: ClassVar[int] = 2
    strength: str = "standard"
    epsilons: tuple[float, ...] = EPSILONS
    autoattack: bool = False
    explanations = MappingProxyType(
        {
            "adaptive": "accuracy that no attack of many breaks, image by image, within epsilon / 255 in pixels",
            "paper": "accuracy that the strongest of the paper's four attacks leaves within the same epsilon / 255",
            "at-paper-epsilon": "adaptive accuracy within the paper's epsilons, which are in normalised units",
            "noise": "accuracy that no draw of random noise within epsilon / 255 breaks",
            "overstated": "accuracy that the paper's strongest attack leaves beyond the adaptive one; flag over 10 %",
            "saturated-loss": "clean images on which a loss has no gradient although the margin has one; flag over 1 %",
            "masked-gradients": "survivors of all gradients that noise, Square or a transfer breaks; flag over 2 %",
        }
    )
    curves = (
        # Without an attack the paper's protocol and plain accuracy are the same number.
        Curve("at-paper-epsilon", NORMALISED, "adaptive", ("attacks-paper/fgsm-untargeted/0", "accuracy/nearest")),
        Curve("paper", PIXELS, "strongest of the paper's attacks"),
        Curve("adaptive", PIXELS, "adaptive"),
        Curve("noise", PIXELS, "random noise"),
    )
    pictures = (
        Strip(
            "adversarial-images",
            "Adversarial images",
            *("example_images", "example_read", "example_epsilon"),
            unit="1/255 of the pixel range",
            scale=255.0,
            note="Test images that are read right, and what the first attack of the preset makes of them at the "
            "smallest epsilon that breaks them, else at the largest.",
        ),
    )
    section = ROBUSTNESS

    @property
    def headline(self) -> tuple[Headline, ...]:  # type: ignore[override]
        """The epsilon that is nearest to 1/255, at which an adaptive attack leaves something of most networks."""
        epsilon = min(self.epsilons, key=lambda each: abs(each - _HEADLINE))
        return (
            Headline(
                f"adaptive/{epsilon:g}", f"adaptive {epsilon:g}/255", "Robustness, worst of many adaptive attacks"
            ),
        )

    def needs(self, run: RunSpec) -> Needs:
        """The network itself, and that of category labels for the transfer."""
        category = transfer_run(run)
        return Needs((run, category) if category else (run,), passes=_PASSES[self.strength])

    def evaluate(self, context: Context) -> Measurement:
        """All attacks of the preset; every attack is a part of its own.

        Raises:
            Unavailable: AutoAttack is asked for and cannot be imported.
        """
        from labelbench_evaluators.attack_report import measure

        category = transfer_run(context.run)
        return measure(context, self.strength, self.epsilons, category, autoattack=self.autoattack)


def transfer_run(run: RunSpec) -> RunSpec | None:
    """The training with category labels at settings that no label was tuned to, the same one for every label.

    None if ``run`` is that training, or was trained elsewhere.
    """
    if run.weights:
        return None
    files = tuple((path, sha256) for path, sha256 in run.files if path in run.dataset or path in run.backbone)
    category = replace(run, label="category", files=files, recipe=run.recipe.untuned)
    return None if category == run else category


def attacks_adaptive(
    strength: Literal["quick", "standard", "strong"] = "standard",
    *,
    eps: Annotated[tuple[float, ...], Between(1e-6, 255)] = EPSILONS,
    autoattack: bool = False,
) -> AdaptiveAttacks:
    """Worst case of many attacks through the decoder; eps in 1/255; autoattack adds AutoAttack, if installed.

    Raises:
        InputError: epsilons that do not rise.
    """
    if sorted(set(eps)) != list(eps):
        given = "+".join(f"{epsilon:g}" for epsilon in eps)
        raise InputError(f"evaluator attacks-adaptive: eps is {given}; expected rising numbers, as in 0.5+1+2")
    return AdaptiveAttacks(strength, eps, autoattack)


@hookimpl
def register_evaluators() -> Mapping[str, Callable[..., Evaluator]]:
    """The adaptive attack."""
    return {"attacks-adaptive": attacks_adaptive}
