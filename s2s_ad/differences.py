"""Derivatives by difference quotients, with an estimate of their own error.

A line is a function of one float, the distance along a direction. The step is not fixed: quotients
of steps that are halved are extrapolated (Richardson; the table is that of Ridders, Adv. Eng.
Software 4, 1982), and the entry is taken for which truncation, seen in the table, and rounding, the
measured noise of the function over the step, are smallest together. Where no step is good enough,
smaller ones are tried until rounding alone would be worse than what was found.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Line = Callable[[float], float]
EPSILON = float(np.finfo(np.float64).eps)
FIRST_STEP = 2.0**-4
STEPS = 6  # in one table; the last is 2^-5 of the first
TABLES = 7


@dataclass(frozen=True)
class Estimate:
    """A derivative and how far from the truth it is thought to be; infinitely far: not known."""

    value: float
    error: float


UNKNOWN = Estimate(math.nan, math.inf)


@dataclass(frozen=True)
class Slopes:
    """The derivative at 0 by central quotients; where there is none, also what each side has.

    `typical` is how fast the function changes hereabouts: a slope that is far smaller is none.
    """

    central: Estimate
    typical: float = 0.0
    left: Estimate | None = None
    right: Estimate | None = None

    @property
    def is_kink(self) -> bool:
        return self.left is not None


def noise_of(line: Line) -> float:
    """How far values near 0 scatter about a smooth function, by differences of high order.

    The method is that of Moré and Wild (SIAM J. Sci. Comput. 33, 2011) with two spacings in place
    of its search for one: at 2^-20, differences of order four and more of a smooth function are
    below rounding; 2^-30 is for what changes faster. Each side is measured by itself, for there may
    be a kink or a jump between them.
    """
    measured = []
    for spacing in (0.37 * 2.0**-20, 0.37 * 2.0**-30):
        for side in (-spacing, spacing):
            values = np.array([line(side * place) for place in range(1, 9)])
            # steps that the function does not see at all tell nothing of its noise
            seen = len(set(values.tolist())) > 4 or spacing > 2.0**-24
            if seen and np.all(np.isfinite(values)):
                measured.append(_scatter(values))
    return min(measured, default=EPSILON * abs(line(0.0)))


def _scatter(values: np.ndarray) -> float:
    largest = float(np.max(np.abs(values)))
    if largest == 0.0:
        return 0.0
    table, found = values / largest, []
    for order in range(1, 7):
        table = np.diff(table)
        weight = math.factorial(order) ** 2 / math.factorial(2 * order)
        if order >= 4:
            found.append(math.sqrt(weight * float(np.mean(table * table))))
    return max(EPSILON, min(found)) * largest


def slopes(line: Line, noise: float, goal: float) -> Slopes:
    """The derivative at 0; a kink is recognised by second differences and looked at from both
    sides.
    """
    here = line(0.0)
    seen: dict[float, float] = {}

    def at(step: float) -> float:
        if step not in seen:
            seen[step] = line(step)
        return seen[step]

    central = _converged(lambda step: (at(step) - at(-step)) / (2.0 * step), 4.0, noise, goal)
    around = [abs(at(step) - here) / FIRST_STEP for step in (FIRST_STEP, -FIRST_STEP)]
    typical = max([1e-6 * abs(here), *filter(math.isfinite, around)])
    if not _bends(at, here, noise):
        return Slopes(central, typical)
    right = _converged(lambda step: (at(step) - here) / step, 2.0, noise, goal)
    left = _converged(lambda step: (here - at(-step)) / step, 2.0, noise, goal)
    known = [side for side in (left, right) if side.error < 0.01 * max(abs(side.value), typical)]
    if len(known) == 2 and not abs(right.value - left.value) > 10.0 * (right.error + left.error):
        return Slopes(central, typical)
    if known:
        return Slopes(central, typical, left if left in known else UNKNOWN,
                      right if right in known else UNKNOWN)  # fmt: skip
    return Slopes(UNKNOWN, typical)


def _bends(at: Line, here: float, noise: float) -> bool:
    """Whether the slopes of both sides stay apart as the step shrinks, as they do at a kink."""
    gaps = []
    for step in (2.0**-16, 2.0**-19):
        gap = (at(step) - 2.0 * here + at(-step)) / step
        if not math.isfinite(gap):
            return True  # one side is outside the domain: look from both
        gaps.append((abs(gap), 8.0 * noise / step))
    (wide, _), (near, rounding) = gaps
    # over an eighth of the step a smooth function would have an eighth of the gap
    return near > rounding and near > 0.5 * wide


def _converged(quotient: Line, factor: float, noise: float, goal: float) -> Estimate:
    """The limit of a quotient as its step goes to 0."""
    best, first = UNKNOWN, FIRST_STEP
    for _ in range(TABLES):
        steps = [first * 0.5**place for place in range(STEPS)]
        found = _extrapolated([quotient(step) for step in steps], steps, factor, noise)
        if found.error < best.error:
            best = found
        if best.error <= goal * abs(best.value) or best.error <= noise / steps[-1]:
            break
        first = steps[-1] / 2.0
    return best


def _extrapolated(
    quotients: Sequence[float], steps: Sequence[float], factor: float, noise: float
) -> Estimate:
    """The best entry of the table; `factor` is by what halving the step shrinks the first error.

    Quotients that are not finite are those of steps that left the domain: the table begins after.
    """
    best = UNKNOWN
    row: list[float] = []
    for quotient, step in zip(quotients, steps, strict=True):
        if not math.isfinite(quotient):
            row = []
            continue
        new, power = [quotient], factor
        for column, before in enumerate(row):
            better = new[column] + (new[column] - before) / (power - 1.0)
            truncation = max(abs(better - new[column]), abs(better - before))
            error = truncation + 2.0 * noise / step + 4.0 * EPSILON * abs(better)
            if error < best.error:
                best = Estimate(better, error)
            new.append(better)
            power *= factor
        row = new
    return best


def complex_step(line: Callable[[complex], complex], reference: Estimate) -> Estimate:
    """The derivative by one imaginary step, which has no cancellation; UNKNOWN if the function does
    not take complex numbers, or is not analytic, which is seen by comparing with `reference`.
    """
    step = 1e-30
    try:
        moved = line(1j * step)
    except (TypeError, ValueError, ArithmeticError, AttributeError, IndexError):
        return UNKNOWN
    value = float(np.imag(moved)) / step
    if not abs(value - reference.value) <= 10.0 * reference.error:
        return UNKNOWN
    return Estimate(value, 16.0 * EPSILON * abs(value))
