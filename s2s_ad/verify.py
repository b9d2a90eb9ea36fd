"""Compares derivatives with difference quotients of the function itself, and with each other.

What comes in: a `Subject`, the function with its derivatives as they were generated, and a point.
What goes out: a `Row` for each direction, with the relative error of the derivative, the estimated
error of the reference, and a verdict: `agrees`; `wrong`; `kink` where the slopes of both sides
differ and the derivative lies between them; `unclear` where the reference says too little.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from s2s_ad.differences import (
    EPSILON,
    UNKNOWN,
    Estimate,
    Line,
    Slopes,
    complex_step,
    noise_of,
    slopes,
)
from s2s_ad.points import (
    Direction,
    as_tangent,
    copied,
    dot,
    element_name,
    float_leaves,
    moved,
    weighted,
    widened,
)

AGREES, WRONG, KINK, UNCLEAR = "agrees", "wrong", "kink", "unclear"
TOLERANCE = 1e-6
# Elements compared one by one; of larger arrays as many, drawn.
ELEMENTS = 24
# An error of the reference, relative to the derivative, that would hide a wrong derivative
TOO_ROUGH = 1e-2


@dataclass(frozen=True)
class Subject:
    """A function and what was generated for it.

    All take the arguments as one list. `reverse` also takes weights, one for each float leaf of the
    result, and gives the value (None if the mode has none) and for each of `wrt` its adjoint;
    `forward` takes a tangent for each of `wrt` and gives the value and its tangent.
    """

    primal: Callable[[list[Any]], Any]
    names: tuple[str, ...]  # of the parameters, by place
    wrt: tuple[int, ...]
    reverse: Callable[[list[Any], list[Any]], tuple[Any, Sequence[Any]]] | None = None
    forward: Callable[[list[Any], list[Any]], tuple[Any, Any]] | None = None


@dataclass(frozen=True)
class Row:
    """One comparison. `error` and `reference_error` are relative to the derivative, or where that
    nearly vanishes to how fast the function changes nearby; `worst` names the element that is
    furthest off, with both numbers.
    """

    point: int
    mode: str
    direction: str
    error: float
    reference_error: float
    verdict: str
    worst: str = ""


@dataclass(frozen=True)
class Settings:
    tolerance: float = TOLERANCE
    elements: int = ELEMENTS
    complex_step: bool = False


class NoValue(Exception):
    """The function has no finite value at a point; the message says what it has."""


@dataclass(frozen=True)
class _Compared:
    name: str
    found: float
    slopes: Slopes
    rounding: float  # an error that the derivative may have by its own precision

    @property
    def size(self) -> float:
        reference = self.slopes.central.value
        return max(abs(self.found), abs(reference) if math.isfinite(reference) else 0.0)

    def badness(self, tolerance: float) -> float:
        """How far off, in units of what is allowed: above 1 is too far."""
        off = self.off
        if off == 0.0:
            return 0.0
        allowed = tolerance * self.size + 10.0 * self.slopes.central.error + self.rounding
        return off / allowed if allowed and math.isfinite(off) else math.inf

    @property
    def off(self) -> float:
        reference = self.slopes.central.value
        return 0.0 if self.found == reference else abs(self.found - reference)

    def verdict(self, tolerance: float, scale: float) -> str:
        sides = [side for side in (self.slopes.left, self.slopes.right) if side is not None]
        known = [side for side in sides if math.isfinite(side.error)]
        if known:
            slack = tolerance * self.size + self.rounding
            low = min(side.value - 10.0 * side.error for side in known) - slack
            high = max(side.value + 10.0 * side.error for side in known) + slack
            return KINK if low <= self.found <= high else WRONG
        error = self.slopes.central.error
        finite = max((x for x in (scale, self.size) if math.isfinite(x)), default=0.0)
        if not 10.0 * error <= TOO_ROUGH * max(finite, self.slopes.typical):
            return UNCLEAR
        return AGREES if self.badness(tolerance) <= 1.0 else WRONG


# At one point ------------------------------------------------------------------------------------


def verify_at(
    subject: Subject,
    arguments: Sequence[Any],
    number: int,
    generator: np.random.Generator,
    settings: Settings = Settings(),
) -> list[Row]:
    """Compare at a point. Raises NoValue if the function is not defined there."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return list(_Point(subject, list(arguments), number, generator, settings).rows())


class _Point:
    """The comparisons at one point; they share the value, its weights and its noise."""

    def __init__(
        self,
        subject: Subject,
        arguments: list[Any],
        number: int,
        generator: np.random.Generator,
        settings: Settings,
    ) -> None:
        self.subject, self.arguments, self.number = subject, arguments, number
        self.generator, self.settings = generator, settings
        self.value = value_at(subject, arguments)
        shapes = [np.shape(leaf) for _, leaf in float_leaves(self.value)]
        single = shapes == [()]
        self.weights = [np.float64(1.0)] if single else [self._drawn(shape) for shape in shapes]
        self.wide = self._wide_arguments()
        self.leaves = [
            (place, name, leaf)
            for place in subject.wrt
            for name, leaf in float_leaves(arguments[place], subject.names[place])
        ]
        self.units = [_unit(leaf) for _, _, leaf in self.leaves]
        coarsest = [
            float(np.finfo(leaf.dtype).eps)
            if isinstance(leaf, np.ndarray | np.generic)
            else EPSILON
            for _, leaf in [*float_leaves(arguments), *float_leaves(self.value)]
        ]
        self.epsilon = max(coarsest, default=EPSILON)
        self.tolerance = max(settings.tolerance, 1e3 * self.epsilon)
        self.everywhere = [
            self._drawn(np.shape(leaf)) * unit
            for (_, _, leaf), unit in zip(self.leaves, self.units, strict=True)
        ]
        self.noise = noise_of(self.line(self.everywhere))

    def _drawn(self, shape: tuple[int, ...]) -> Any:
        """Numbers of either sign, none of them small: an error of one element shows in the sum."""
        signs = self.generator.integers(0, 2, size=shape) * 2.0 - 1.0
        return signs * self.generator.uniform(0.5, 1.0, size=shape)

    def _wide_arguments(self) -> list[Any]:
        wide: list[Any] = widened(self.arguments)
        try:
            self.subject.primal(copied(wide))
        except Exception:
            return self.arguments  # it insists on single precision
        return wide

    def line(self, direction: Direction) -> Line:
        """The weighted result along a direction; NaN where the function raises."""

        def value(step: float) -> float:
            try:
                result = self.subject.primal(self._moved(direction, step))
                return float(weighted(result, self.weights))
            except Exception:
                return math.nan

        return value

    def _moved(self, direction: Direction, step: float | complex) -> list[Any]:
        supply = iter(direction)
        arguments = [copied(argument) for argument in self.wide]
        for place in self.subject.wrt:
            parts = [next(supply) for _ in float_leaves(self.wide[place])]
            arguments[place] = moved(self.wide[place], parts, step)
        return arguments

    def reference(self, direction: Direction) -> Slopes:
        goal = self.tolerance / 100.0
        found = slopes(self.line(direction), self.noise, goal)
        if self.settings.complex_step and not found.is_kink:
            sharper = complex_step(
                lambda step: complex(
                    weighted(self.subject.primal(self._moved(direction, step)), self.weights)
                ),
                found.central,
            )
            if sharper is not UNKNOWN:
                return Slopes(sharper, found.typical)
        return found

    # Rows

    def rows(self) -> Iterator[Row]:
        adjoints: Direction | None = None
        if self.subject.reverse is not None:
            before = copied(self.arguments)
            value, found = self.subject.reverse(before, list(self.weights))
            yield from self._promises("reverse", before, value)
            adjoints = self._listed(found)
            yield from self._reverse_rows(adjoints)
        if self.subject.forward is not None:
            yield from self._forward_rows(adjoints)

    def _listed(self, found: Sequence[Any]) -> Direction:
        """The adjoints' leaves as arrays of the shapes of the arguments'. Raises ValueError."""
        listed = [leaf for gradient in found for _, leaf in float_leaves(gradient)]
        shapes = [np.shape(leaf) for leaf in listed]
        expected = [np.shape(leaf) for _, _, leaf in self.leaves]
        if shapes != expected:
            raise ValueError(f"the gradients have the shapes {shapes}, the arguments {expected}")
        return [np.asarray(leaf, np.float64) for leaf in listed]

    def _promises(self, mode: str, arguments: list[Any], value: Any) -> Iterator[Row]:
        """What holds to the last bit: the arguments as they were, the value as the primal's."""
        if not same_bits(arguments, self.arguments):
            yield Row(self.number, mode, "arguments as they were", math.inf, 0.0, WRONG)
        if value is not None:
            same = same_bits(value, self.value)
            verdict, error = (AGREES, 0.0) if same else (WRONG, math.inf)
            yield Row(self.number, mode, "value, to the last bit", error, 0.0, verdict)

    def _reverse_rows(self, adjoints: Direction) -> Iterator[Row]:
        for place, (_, name, leaf) in enumerate(self.leaves):
            unit, gradient = self.units[place], adjoints[place]
            largest = float(np.max(np.abs(gradient), initial=0.0)) * unit
            indices = list(np.ndindex(np.shape(leaf)))
            chosen = self._chosen(indices)
            compared = [
                _Compared(
                    element_name(name, index),
                    float(gradient[index]) * unit,
                    self.reference(self._element(place, index)),
                    64.0 * self.epsilon * largest,
                )
                for index in chosen
            ]
            yield self._row("reverse", _described(name, len(chosen), indices), compared, unit)
        along, terms = dot(adjoints, self.everywhere)
        whole = _Compared("", along, self.reference(self.everywhere), 64.0 * self.epsilon * terms)
        yield self._row("reverse", "everything, at random", [whole])

    def _chosen(self, indices: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
        if len(indices) <= self.settings.elements:
            return indices
        drawn = self.generator.choice(len(indices), self.settings.elements, replace=False)
        return [indices[place] for place in sorted(map(int, drawn))]

    def _element(self, place: int, index: tuple[int, ...]) -> Direction:
        direction = [np.zeros(np.shape(leaf)) for _, _, leaf in self.leaves]
        direction[place][index] = self.units[place]
        return direction

    def _forward_rows(self, adjoints: Direction | None) -> Iterator[Row]:
        assert self.subject.forward is not None
        groups = [("everything, at random", self.everywhere)]
        if len(self.leaves) > 1 and adjoints is None:
            groups += [
                (f"{name}, at random", self._only(place))
                for place, (_, name, _) in enumerate(self.leaves)
            ]
        for label, direction in groups:
            before = copied(self.arguments)
            value, tangent = self.subject.forward(before, self._tangents(direction))
            if direction is self.everywhere:
                yield from self._promises("forward", before, value)
            products = [
                (np.asarray(leaf, np.float64), weight)
                for (_, leaf), weight in zip(float_leaves(tangent), self.weights, strict=True)
            ]
            along, terms = dot([x for x, _ in products], [w for _, w in products])
            rounding = 64.0 * self.epsilon * terms
            compared = _Compared("", along, self.reference(direction), rounding)
            yield self._row("forward", label, [compared])
            if direction is self.everywhere and adjoints is not None:
                yield self._identity(along, adjoints, terms)

    def _only(self, chosen: int) -> Direction:
        return [
            part if place == chosen else np.zeros_like(part)
            for place, part in enumerate(self.everywhere)
        ]

    def _tangents(self, direction: Direction) -> list[Any]:
        supply = iter(direction)
        return [
            as_tangent(
                self.arguments[place], [next(supply) for _ in float_leaves(self.arguments[place])]
            )
            for place in self.subject.wrt
        ]

    def _identity(self, along: float, adjoints: Direction, terms: float) -> Row:
        """<w, J v> = <J^T w, v>: both modes are exact, so they agree to rounding."""
        back, more = dot(adjoints, self.everywhere)
        rounding = 1e4 * self.epsilon * max(terms, more)
        # a long program rounds more often than the terms of the product tell
        slack = Estimate(back, 0.0)
        compared = _Compared("", along, Slopes(slack), rounding)
        row = self._row("dot product", "forward against reverse", [compared], tolerance=1e-9)
        return replace(row, worst=f"{along:.10g}, in reverse {back:.10g}")

    def _row(
        self,
        mode: str,
        label: str,
        compared: Sequence[_Compared],
        unit: float = 1.0,
        tolerance: float = 0.0,
    ) -> Row:
        tolerance = max(tolerance, 1e3 * self.epsilon) if tolerance else self.tolerance
        if not compared:
            return Row(self.number, mode, label, 0.0, 0.0, AGREES)
        scale = max(one.size for one in compared)
        order = (AGREES, KINK, UNCLEAR, WRONG)

        def rank(one: _Compared) -> tuple[int, float]:
            return order.index(one.verdict(tolerance, scale)), one.badness(tolerance)

        worst = max(compared, key=rank)
        size = max(worst.size, worst.slopes.typical) or 1.0
        return Row(
            self.number,
            mode,
            label,
            worst.off / size if math.isfinite(worst.off) else math.inf,
            max(one.slopes.central.error for one in compared)
            / (max(scale, worst.slopes.typical) or 1.0),
            worst.verdict(tolerance, scale),
            _told(worst, unit),
        )


def _told(compared: _Compared, unit: float) -> str:
    """Both numbers, and at a kink the slopes of both sides."""
    reference = compared.slopes.central.value / unit
    name = f"{compared.name}: " if compared.name else ""
    text = f"{name}{compared.found / unit:.10g}, by differences {reference:.10g}"
    left, right = compared.slopes.left, compared.slopes.right
    if left is not None and right is not None:
        text += f" ({left.value / unit:.6g} from the left, {right.value / unit:.6g} from the right)"
    return text


def _described(name: str, chosen: int, indices: Sequence[object]) -> str:
    if len(indices) == 1 and indices[0] == ():
        return name
    of = f"{chosen} of {len(indices)}" if chosen < len(indices) else str(chosen)
    return f"{name} ({of} element{'' if of == '1' else 's'})"


def _unit(leaf: Any) -> float:
    """A typical size of the elements, 1 where all are 0: steps are relative to it."""
    finite = np.abs(np.asarray(leaf, np.float64))
    largest = float(np.max(finite, initial=0.0))
    return largest if largest > 0.0 and math.isfinite(largest) else 1.0


def value_at(subject: Subject, arguments: Sequence[Any]) -> Any:
    """The value of the function. Raises NoValue unless it is finite and has floats."""
    try:
        value = subject.primal(copied(list(arguments)))
    except Exception as problem:
        raise NoValue(f"{type(problem).__name__}: {problem}") from problem
    leaves = [leaf for _, leaf in float_leaves(value)]
    if not leaves:
        raise NoValue(f"the result, of type {type(value).__name__}, holds no floats")
    if not all(np.all(np.isfinite(leaf)) for leaf in leaves):
        raise NoValue("the value is not finite")
    return value


def same_bits(left: Any, right: Any) -> bool:
    """Whether the floats of two values are the same to the last bit; NaN is itself."""
    ours, theirs = list(float_leaves(left)), list(float_leaves(right))
    return len(ours) == len(theirs) and all(
        np.shape(a) == np.shape(b) and np.asarray(a).tobytes() == np.asarray(b).tobytes()
        for (_, a), (_, b) in zip(ours, theirs, strict=True)
    )


def failures(rows: Sequence[Row]) -> list[str]:
    """What speaks against a derivative: wrong rows, and parameters that no row confirms."""
    found = [
        f"point {row.point}, {row.mode}, {row.direction}: {row.worst or 'not so'}"
        for row in rows
        if row.verdict == WRONG
    ]
    confirmed = {(row.mode, row.direction) for row in rows if row.verdict == AGREES}
    for row in rows:
        key = row.mode, row.direction
        if row.verdict == UNCLEAR and key not in confirmed:
            confirmed.add(key)
            found.append(
                f"{row.mode}, {row.direction}: nowhere confirmed; the differences are too rough "
                f"({row.reference_error:.1e} of the derivative)"
            )
    if not rows:
        found.append("nothing was compared")
    return found
