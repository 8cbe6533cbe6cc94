"""The axes that accuracy under attack is drawn on: two units of epsilon, which never share one."""

from __future__ import annotations

from labelbench import Axes, Section

ROBUSTNESS = Section(
    "Robustness",
    "How much accuracy is left under attack? The paper's attacks and those that follow the decoder, side by side.",
    order=10,
)
NORMALISED = Axes(
    "accuracy-epsilon",
    "Accuracy under attack, at the paper's epsilons",
    "epsilon",
    "normalised units",
    note="Accuracy is over all test images; epsilon is the largest change of a normalised pixel.",
)
PIXELS = Axes(
    "accuracy-epsilon-pixels",
    "Accuracy under attack, at small epsilons",
    "epsilon",
    "1/255 of the pixel range",
    log=True,
    note="Accuracy is over all test images; epsilon is the largest change of a pixel.",
)
