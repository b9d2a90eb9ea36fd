"""Every mode on one program: what each says of a derivative, beside what the others say of it.

A Jacobian by tangents is the one by pullbacks, and both are what a tangent and a pullback say in
one direction; a Hessian is symmetric, its products are those of `hvp`, and they are the
differences of the gradient. `scripts/every_mode.py` runs it over all programs there are, tests over
the cheap ones.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from s2s_ad import grad, hessian, hvp, jacobian, jvp, vjp
from tests.farm.differences import slope
from tests.numerics import is_floating, leaves_of, like, rebuilt

DOUBLE, SINGLE = 1e-10, 2e-3
MANY = 2  # directions at once


class Disagreement(AssertionError):
    """Two modes say something different of one derivative."""


@dataclass
class Program:
    """A function at a point; the arguments at `places` are differentiated."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    level: int = 1
    wrt: tuple[str, ...] | None = None  # every argument with floats, if None
    places: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        names = list(inspect.signature(self.function).parameters)
        self.places = tuple(
            place
            for place, (name, argument) in enumerate(zip(names, self.arguments, strict=False))
            if (name in self.wrt if self.wrt else any(map(is_floating, leaves_of(argument))))
        )
        self.generator = np.random.default_rng(11)
        self.value = self.function(*copy.deepcopy(self.arguments))
        floats = [np.asarray(x) for x in leaves_of([self.value, self.moving]) if is_floating(x)]
        self.exact = DOUBLE if all(x.dtype == np.float64 for x in floats) else SINGLE

    @property
    def moving(self) -> list[Any]:
        return [self.arguments[place] for place in self.places]

    @property
    def is_scalar(self) -> bool:
        return is_floating(self.value) and np.ndim(self.value) == 0

    # Directions -----------------------------------------------------------------------------------

    def drawn(self, value: Any, rows: int = 0) -> Any:
        """A direction for each float of a value, None for what is none; with a leading axis for
        many.
        """

        def leaf(x: Any) -> Any:
            if not is_floating(x):
                return None
            shape = (rows, *np.shape(x)) if rows else np.shape(x)
            numbers = self.generator.uniform(-1.0, 1.0, shape)
            return numbers.astype(np.asarray(x).dtype) if rows else like(x, numbers)

        return rebuilt(value, iter([leaf(x) for x in leaves_of(value)]))

    def at_places(self, directions: Sequence[Any]) -> tuple[Any, ...]:
        """Directions of all arguments from those of the ones that move."""
        found = [None] * len(self.arguments)
        for place, direction in zip(self.places, directions, strict=True):
            found[place] = direction
        return tuple(found)

    @cached_property
    def directions(self) -> list[Any]:
        return [self.drawn(value) for value in self.moving]

    # First order ----------------------------------------------------------------------------------

    def jacobian(self, direction: str) -> list[Any]:
        """The blocks of the Jacobian, for each leaf of the result and then of the arguments."""
        made = jacobian(self.function, wrt=self.places, direction=direction, level=self.level)
        return leaves_of(made(*copy.deepcopy(self.arguments)))

    def check_first(self) -> None:
        forward, reverse = self.jacobian("forward"), self.jacobian("reverse")
        self.same("Jacobians by tangents and by pullbacks", forward, reverse)
        along = self.at_places(self.directions)
        value, moved = jvp(self.function, self.arguments, along, level=self.level)
        self.same("values", leaves_of(value), leaves_of(self.value), exact=0.0)
        self.same("Jacobian times a direction, and jvp", self.times(forward), leaves_of(moved))
        _, pullback = vjp(self.function, *self.arguments, level=self.level)
        adjoint = self.drawn(self.value)
        pulled = leaves_of([pullback(adjoint)[place] for place in self.places])
        self.same("Jacobian from the left, and vjp", self.from_the_left(reverse, adjoint), pulled)

    def times(self, jacobian: Sequence[Any], result: Any = None) -> list[Any]:
        """A Jacobian times the directions: for each leaf of the result how it moves."""
        blocks = iter(jacobian)
        directions = leaves_of(self.directions)
        moved: list[Any] = []
        for leaf in leaves_of(self.value if result is None else result):
            total = np.zeros(np.shape(leaf))
            for direction in directions:
                block = next(blocks) if is_floating(leaf) or direction is not None else None
                if is_floating(leaf) and direction is not None:
                    total = total + np.tensordot(block, direction, axes=np.ndim(direction))
            moved.append(total if is_floating(leaf) else None)
        return moved

    def from_the_left(self, jacobian: Sequence[Any], adjoint: Any) -> list[Any]:
        """An adjoint times a Jacobian: the adjoint of each leaf of the arguments."""
        arguments = leaves_of(self.moving)
        totals: list[Any] = [np.zeros(np.shape(x)) if is_floating(x) else None for x in arguments]
        blocks = iter(jacobian)
        for weight in leaves_of(adjoint):
            for place, argument in enumerate(arguments):
                block = next(blocks)
                if weight is not None and is_floating(argument):
                    totals[place] = totals[place] + np.tensordot(
                        weight, block, axes=np.ndim(weight)
                    )
        return totals

    def check_many(self) -> None:
        """Many directions at once are the directions one by one."""
        rows = [self.drawn(value, MANY) for value in self.moving]
        along = self.at_places(rows)
        _, moved = jvp(self.function, self.arguments, along, many=True, level=self.level)
        _, pullback = vjp(self.function, *self.arguments, many=True, level=self.level)
        adjoints = self.drawn(self.value, MANY)
        pulled = pullback(adjoints)
        _, single = vjp(self.function, *self.arguments, level=self.level)
        for row in range(MANY):
            one = self.at_places(
                [self.row(r, row, v) for r, v in zip(rows, self.moving, strict=True)]
            )
            _, expected = jvp(self.function, self.arguments, one, level=self.level)
            self.same("tangents", self.row_leaves(moved, row), leaves_of(expected))
            adjoint = self.row(adjoints, row, self.value)
            self.same("adjoints", self.row_leaves(pulled, row), leaves_of(single(adjoint)))

    def direction_of(self, rows: Sequence[Any], number: int) -> list[Any]:
        return [self.row(r, number, v) for r, v in zip(rows, self.moving, strict=True)]

    def row(self, rows: Any, number: int, value: Any) -> Any:
        pairs = zip(leaves_of(rows), leaves_of(value), strict=True)
        leaves = [None if r is None else like(x, r[number]) for r, x in pairs]
        return rebuilt(rows, iter(leaves))

    @staticmethod
    def row_leaves(rows: Any, number: int) -> list[Any]:
        leaves = leaves_of(rows)
        return [np.asarray(x)[number] if is_floating(x) and np.ndim(x) else x for x in leaves]

    # Second order ---------------------------------------------------------------------------------

    def check_second(self) -> None:
        made = hessian(self.function, wrt=self.places, level=self.level)
        blocks = leaves_of(made(*copy.deepcopy(self.arguments)))
        arguments = leaves_of(self.moving)
        count = len(arguments)
        for row in range(count):
            for column in range(row + 1):
                one, other = blocks[row * count + column], blocks[column * count + row]
                if one is not None:
                    rank = np.ndim(arguments[row])
                    turned = np.moveaxis(
                        np.asarray(other),
                        range(np.ndim(arguments[column]), np.ndim(other)),
                        range(rank),
                    )
                    self.same("Hessian and its transpose", [one], [turned])
        along = self.at_places(self.directions)
        products = leaves_of([x for x in self.product(along) if x is not None])
        expected = self.times(blocks, self.moving)
        self.same("Hessian times a direction, and hvp", expected, products)
        rows = [self.drawn(value, MANY) for value in self.moving]
        many = self.product(self.at_places(rows), many=True)
        for row in range(MANY):
            one = self.at_places(
                [self.row(r, row, v) for r, v in zip(rows, self.moving, strict=True)]
            )
            self.same("products", self.row_leaves(many, row), leaves_of(self.product(one)))
        if self.exact == DOUBLE:
            self.check_against_differences(products)

    def product(self, along: Any, many: bool = False) -> Any:
        return hvp(self.function, self.arguments, along, level=self.level, many=many)

    def check_against_differences(self, products: Sequence[Any]) -> None:
        """The curvature along the directions is the difference of slopes along them."""
        first = grad(self.function, wrt=self.places)
        directions = leaves_of(self.directions)

        def dotted(leaves: Sequence[Any]) -> float:
            pairs = zip(leaves, directions, strict=True)
            return float(sum(np.sum(x * d) for x, d in pairs if d is not None))

        def line(step: float) -> float:
            pairs = zip(leaves_of(self.moving), directions, strict=True)
            moved = [x if d is None else x + step * d for x, d in pairs]
            arguments = list(copy.deepcopy(self.arguments))
            for place, value in zip(self.places, rebuilt(self.moving, iter(moved)), strict=True):
                arguments[place] = value
            return dotted(leaves_of(first(*arguments)))

        expected, found = slope(line), dotted(products)
        if not expected.error < 1e-4 * max(1.0, abs(expected.value)):
            return  # a kink is near
        far = abs(found - expected.value)
        bound = 20.0 * expected.error + 1e-8 * max(1.0, abs(found))
        if not far <= bound and not expected.is_kink(1e-5 * max(1.0, abs(found))):
            raise Disagreement(f"curvature {found}, by differences of the slope {expected}")

    # Agreement ------------------------------------------------------------------------------------

    def same(
        self, what: str, found: Sequence[Any], expected: Sequence[Any], exact: float | None = None
    ) -> None:
        """Raise Disagreement unless two lists of leaves agree to rounding."""
        if len(found) != len(expected):
            raise Disagreement(f"{what}: {len(found)} leaves are not {len(expected)}")
        exact = self.exact if exact is None else exact
        floats = [np.abs(x) for x in (*found, *expected) if is_floating(x) and np.size(x)]
        scale = max([1.0, *(float(np.max(x[np.isfinite(x)], initial=0.0)) for x in floats)])
        for one, other in zip(found, expected, strict=True):
            if one is None or other is None or not (is_floating(one) and is_floating(other)):
                ok = (one is None) == (other is None) or not np.any(one if other is None else other)
            else:
                ok = np.shape(one) == np.shape(other) and np.allclose(
                    one, other, 0.0, exact * scale, equal_nan=True
                )
            if not ok:
                raise Disagreement(f"{what}: {one!r} is not {other!r}")


def check_every_mode(
    function: Callable[..., Any],
    arguments: Sequence[Any],
    levels: Sequence[int] = (0, 1),
    wrt: tuple[str, ...] | None = None,
) -> None:
    """Raise Disagreement where modes differ; DifferentiationError where one refuses."""
    for level in levels:
        program = Program(function, tuple(arguments), level, wrt)
        program.check_first()
        program.check_many()
        if program.is_scalar:
            program.check_second()
