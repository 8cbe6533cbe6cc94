"""Training as `labelbench run` does it.

``python our_loop.py BACKBONE MODE THREADS STEPS`` prints images per second, timed after three steps. It runs by
itself, as a run does.
"""

from __future__ import annotations

import sys

from labelbench.machine.numerics import resolve_numerics
from labelbench.optimizers import SGD
from labelbench.recipes import Recipe
from labelbench.running.estimate import training_rate
from labelbench.running.materials import Materials
from labelbench.runs import RunSpec

if __name__ == "__main__":
    backbone, mode, threads, steps = sys.argv[1:]
    numerics = resolve_numerics(mode, "cpu", int(threads))
    run = RunSpec("digits", "speech", backbone, 0, recipe=Recipe(optimizer=SGD(0.01)), numerics=numerics)
    print(training_rate(run, Materials(), int(steps)))
