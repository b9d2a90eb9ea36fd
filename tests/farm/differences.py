"""Slopes by difference quotients, apart from those of `s2s_ad.differences`: evidence of our own.

Central quotients of halved steps are extrapolated twice (Richardson); of the extrapolations the one
is taken whose neighbour agrees best. Smaller and smaller steps get past kinks that are near; one
that lies at the point itself is told by the quotients of the two sides.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

STEPS = tuple(2.0**-power for power in range(5, 22, 2))
EPSILON = 2.0**-52


@dataclass(frozen=True)
class Slope:
    """A slope, how far it may be off, and how far the slopes of the two sides are apart."""

    value: float
    error: float
    gap: float = 0.0

    def is_kink(self, least: float) -> bool:
        return self.gap > least


def slope(line: Callable[[float], float]) -> Slope:
    """The slope at 0. Its error is infinite where no quotients settle."""
    here = line(0.0)
    values = []
    for step in STEPS:
        try:
            values.append((line(step), line(-step)))
        except (ArithmeticError, ValueError, IndexError, UnboundLocalError):
            values.append((math.nan, math.nan))
    quotients = [(up - down) / (2.0 * h) for (up, down), h in zip(values, STEPS, strict=True)]
    once = [(16.0 * fine - coarse) / 15.0 for coarse, fine in _pairs(quotients)]
    twice = [(256.0 * fine - coarse) / 255.0 for coarse, fine in _pairs(once)]
    best = Slope(math.nan, math.inf)
    for place, value in enumerate(twice):
        rounding = 4.0 * EPSILON * max(abs(here), 1.0) / STEPS[place + 2]
        error = max(abs(value - once[place + 1]), abs(value - once[place])) + rounding
        if error < best.error:
            best = Slope(value, error)
    (up, down), step = values[-1], STEPS[-1]
    gap = abs((up - 2.0 * here + down) / step)
    return Slope(best.value, best.error, gap)


def _pairs(values: list[float]) -> list[tuple[float, float]]:
    return list(pairwise(values))
