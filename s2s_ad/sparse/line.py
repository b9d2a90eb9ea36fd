"""One line of the IR with what is known of its operands: what the rules of patterns look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from s2s_ad.ir import Atom, Const, Operation, Var
from s2s_ad.operations.result_types import normal_axes
from s2s_ad.sparse.index_sets import NONE, IndexSets, Numbers
from s2s_ad.sparse.values import (
    Known,
    NotTold,
    Several,
    Spread,
    Value,
    leaves_of,
    sets_of,
    shape_of_value,
)
from s2s_ad.types import (
    DTYPES,
    SHORT_DTYPES,
    Array,
    Items,
    ListOf,
    Size,
    Sizes,
    Type,
    TypeProblem,
    dtype_of,
    is_float,
    is_numeric,
    shape_of,
)


@dataclass(frozen=True, eq=False)
class Line:
    """An operation, its operands, and what is known of them."""

    op: Operation
    operands: tuple[Atom, ...]
    values: tuple[Value, ...]
    sets: IndexSets

    @cached_property
    def names(self) -> tuple[str, ...]:
        return self.op.operand_names(len(self.operands))

    def place(self, name: str) -> int | None:
        return self.names.index(name) if name in self.names else None

    def known(self, name: str) -> Any:
        """The value of an operand. Raises NotTold if it is not known."""
        value = self.values[self.names.index(name)]
        if not isinstance(value, Known):
            raise NotTold(f"`{name}` of `{self.spelled}` is not known")
        return value.value

    def is_known(self, place: int) -> bool:
        return isinstance(self.values[place], Known)

    @property
    def spelled(self) -> str:
        return self.op.call.rstrip("([") or self.op.name

    def carries(self, place: int) -> bool:
        """Whether an operand is one that derivatives are of: a float."""
        return is_float(self.operands[place].type)

    @cached_property
    def everything(self) -> int:
        """The union of all that the operands depend on, at least `NONE`."""
        numbers = [
            self.sets.union_of_all(leaf)
            for place, value in enumerate(self.values)
            if self.carries(place)
            for leaf in leaves_of(value)
        ]
        return self.sets.union([NONE, *numbers])

    def stand_in(self, place: int) -> Any:
        """Something of the shape and dtype of an operand, whatever its elements."""
        value = self.values[place]
        if isinstance(value, Known):
            return value.value
        dtype = np.dtype(DTYPES[dtype_of(self.operands[place].type)])
        shape = shape_of_value(value)
        return np.broadcast_to(np.zeros((), dtype), shape) if shape else dtype.type(0)

    # Types with the sizes of this run

    def result_shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the results, by the types of the operation. Raises NotTold."""
        atoms = [
            _concrete(atom, value) for atom, value in zip(self.operands, self.values, strict=True)
        ]
        try:
            found = self.op.infer(Sizes(), atoms)
        except TypeProblem as problem:
            raise NotTold(str(problem)) from None
        types = found.items if isinstance(found, Items) and self.op.results else (found,)
        return [self._numbers(type) for type in types]

    def _numbers(self, type: Type) -> tuple[int, ...]:
        shape = shape_of(type) if is_numeric(type) else None
        sizes = [None] if shape is None else [size.constant for size in shape]
        if any(size is None for size in sizes):
            raise NotTold(
                f"the shape of `{self.spelled}` depends on numbers that are not known",
                "let shapes and indices depend on integers only, whose values are given",
            )
        return tuple(size for size in sizes if size is not None)

    def filled(self, number: int) -> Value:
        """The results, each element of them with the same set."""
        shapes = self.result_shapes()
        constant = self.op.constant_results
        made = [
            Spread(np.full(shape, NONE if name in constant else number, np.int64))
            for name, shape in zip(self.op.result_names, shapes, strict=False)
        ]
        return made[0] if len(made) == 1 else Several(tuple(made))

    def axes(self, rank: int) -> tuple[int, ...] | None:
        """The axes that `axis` names, all for None; no tuple where that is not known."""
        place = self.place("axis")
        if place is None or not self.is_known(place):
            return None
        axis = self.known("axis")
        if axis is None:
            return tuple(range(rank))
        try:
            return normal_axes(axis, rank)
        except TypeProblem:
            return None

    def moving(self) -> list[int]:
        """The places of the operands that are floats and may depend on inputs."""
        return [
            place
            for place, value in enumerate(self.values)
            if not isinstance(value, Known) and self.carries(place)
        ]

    def numbers(self, place: int) -> Numbers:
        return sets_of(self.values[place])


def _concrete(atom: Atom, value: Value) -> Atom:
    """An operand whose type has the sizes that this run gives it."""
    if isinstance(atom, Const):
        return atom
    if isinstance(value, Known):
        if isinstance(value.value, np.ndarray):
            return Var("known", Array(SHORT_DTYPES[value.value.dtype.name], _sizes(value)))
        return Var("known", atom.type) if isinstance(value.value, np.generic) else _constant(value)
    if isinstance(atom.type, Array):
        return Var("spread", Array(atom.type.dtype, _sizes(value)))
    if isinstance(atom.type, ListOf | Items):
        raise NotTold(f"`{atom}` is not known")
    return Var("spread", atom.type)


def _constant(value: Known) -> Const:
    return Const(_plain(value.value))


def _plain(value: Any) -> Any:
    """NumPy's integers as Python's, within tuples and slices."""
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in value)
    if isinstance(value, slice):
        return slice(_plain(value.start), _plain(value.stop), _plain(value.step))
    return value


def _sizes(value: Value) -> tuple[Size, ...]:
    return tuple(Size.of(size) for size in shape_of_value(value))


def several(results: Sequence[Value]) -> Value:
    return results[0] if len(results) == 1 else Several(tuple(results))


__all__ = ["Line", "several"]
