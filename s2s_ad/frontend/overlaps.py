"""Stores of a part of an array into another part of it.

NumPy stores by way of a copy where the two may overlap, but for vectors: those it copies element by
element, and where their strides differ (`S[1] = S[:, 3]`, `x[::2] = x[:4]`) elements that were
stored already are read. What comes out is not what the statement says, and has another derivative:
such stores are refused, unless the parts are seen to be apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libcst as cst
import numpy as np

from s2s_ad.ir import Atom, Const, Var
from s2s_ad.operations.indexing import SLICE, TUPLE
from s2s_ad.operations.result_types import is_basic_index
from s2s_ad.types import Array, rank_of

if TYPE_CHECKING:
    from s2s_ad.frontend.lower import Lowering

MOVES = (
    *("ndarray.T", "ndarray.mT", "numpy.transpose", "numpy.matrix_transpose"),
    *("numpy.moveaxis", "numpy.swapaxes"),
)
NOTHING = Const(None)


@dataclass(frozen=True)
class _Slice:
    start: Atom
    stop: Atom
    step: Atom

    @property
    def stride(self) -> int | None:
        """The step, where it is known."""
        value = self.step.value if isinstance(self.step, Const) else 0
        return 1 if value is None else value if isinstance(value, int) and value else None


SOMEWHERE = Const("somewhere")
EVERYTHING = _Slice(NOTHING, NOTHING, NOTHING)
_Part = _Slice | Atom  # of one axis: a slice, or the number of an element


def refuse_overlap(
    lowering: Lowering, base: Var, index: Atom, value: Atom, node: cst.CSTNode
) -> None:
    """Raise DifferentiationError for a store between two vectors in one array that may overlap in
    such a way.
    """
    memory = lowering.memory
    memory.catch_up(lowering)
    if not (isinstance(value, Var) and isinstance(value.type, Array) and memory.meet(value, base)):
        return
    if not is_basic_index(index.type):
        return
    getitem = lowering.operation("getitem")
    if rank_of(getitem.infer(lowering.builder.sizes, (base, index))) != 1:
        return
    target, source = _view(lowering, base, index), _view(lowering, value)
    if target is not None and source is not None:
        if len(target) != len(source) or _are_apart(lowering, target, source):
            return
        if _same_order(target, source) or _meet_at_one_place(target, source):
            return
    raise lowering.refuse(
        "write-through-view",
        "NumPy stores element by element here, and may read what it has stored just before",
        node,
        help="take a copy of what is stored (`.copy()`)",
    )


def _is_whole(lowering: Lowering, var: Var) -> bool:
    memory = lowering.memory
    return memory.whole.get(var, var) in memory.where.get(var, frozenset())


def _view(lowering: Lowering, var: Var, index: Atom | None = None) -> list[_Part] | None:
    """Which part of each axis of its allocation a view takes; None if that is not seen."""
    found = _axes(lowering, var)
    if found is not None and index is not None:
        found = _taken(lowering, *found, index, var)
    return None if found is None else found[0]


def _axes(lowering: Lowering, var: Var) -> tuple[list[_Part], list[int]] | None:
    """The same, and which axes of the allocation those of the view are."""
    if _is_whole(lowering, var):
        rank = rank_of(var.type)
        return None if rank is None else ([EVERYTHING] * rank, list(range(rank)))
    made = lowering.memory.made_by.get(var)
    source = made[0].operands[0] if made is not None else None
    inner = _axes(lowering, source) if isinstance(source, Var) else None
    if made is None or inner is None or not isinstance(source, Var):
        return None
    parts, order = inner
    op, more = made[0].op, made[0].operands[1:]
    if op.name == "getitem":
        return _taken(lowering, parts, order, more[0], source)
    constants = [atom.value for atom in more if isinstance(atom, Const)]
    if op.name in MOVES and len(constants) == len(more):
        # where the axes go is seen on an array with an axis of each length
        moved = op.evaluate(np.empty(range(len(order))), *constants)
        return parts, [order[axis] for axis in moved.shape]
    return None


def _taken(
    lowering: Lowering, parts: list[_Part], order: list[int], index: Atom, array: Var
) -> tuple[list[_Part], list[int]] | None:
    given = _parts(lowering, index, array)
    if given is None or len(given) != len(order):
        return None
    parts, left = list(parts), []
    for axis, part in zip(order, given, strict=True):
        parts[axis] = _within(parts[axis], part)
        if isinstance(part, _Slice):
            left.append(axis)
    return parts, left


def _within(outer: _Part, part: _Part) -> _Part:
    """A part of a slice: where it begins is not followed but for slices of everything."""
    if outer == EVERYTHING:
        return part
    assert isinstance(outer, _Slice)
    if not isinstance(part, _Slice):
        return SOMEWHERE
    steps = [outer.stride, part.stride]
    step = None if None in steps else (steps[0] or 0) * (steps[1] or 0)
    return _Slice(SOMEWHERE, SOMEWHERE, SOMEWHERE if step is None else Const(step))


def _parts(lowering: Lowering, index: Atom, array: Var) -> list[_Part] | None:
    """What an index takes of each axis."""
    rank = rank_of(array.type)
    made = lowering.memory.made_by.get(index) if isinstance(index, Var) else None
    given: tuple[Atom, ...] = (index,)
    if made is not None and made[0].op is TUPLE:
        given = made[0].operands
    elif isinstance(index, Const) and isinstance(index.value, tuple):
        given = tuple(map(Const, index.value))
    parts: list[_Part] = []
    for atom in given:
        part = _part(lowering, atom)
        if part is None:
            return None
        if part == Const(Ellipsis):
            parts += [EVERYTHING] * ((rank or 0) - len(given) + 1)
        else:
            parts.append(part)
    return None if rank is None else parts + [EVERYTHING] * (rank - len(parts))


def _part(lowering: Lowering, atom: Atom) -> _Part | None:
    if isinstance(atom, Const):
        if isinstance(atom.value, slice):
            given = atom.value
            return _Slice(Const(given.start), Const(given.stop), Const(given.step))
        return None if atom.value is None else atom
    made = lowering.memory.made_by.get(atom)
    return _Slice(*made[0].operands) if made is not None and made[0].op is SLICE else atom


def _are_apart(lowering: Lowering, one: list[_Part], other: list[_Part]) -> bool:
    """Whether two parts have no element in common, by an axis along which they are apart."""
    pairs = [*zip(one, other, strict=True), *zip(other, one, strict=True)]
    for left, right in pairs:
        if isinstance(left, _Slice):
            continue
        if not isinstance(right, _Slice):
            if _are_two_places(left, right):
                return True
            continue
        if right.stride is None or right.stride < 0:
            continue
        above = _distance(lowering, right.start, left)
        below = _distance(lowering, left, right.stop)
        if (above is not None and above > 0) or (below is not None and below >= 0):
            return True
    return False


def _are_two_places(left: Atom, right: Atom) -> bool:
    """Whether two numbers of elements, counted from the same end, are different."""
    if not (isinstance(left, Const) and isinstance(right, Const)) or SOMEWHERE in (left, right):
        return False
    return left != right and (left.value < 0) == (right.value < 0)


def _distance(lowering: Lowering, left: Atom, right: Atom) -> int | None:
    """left - right, where that is seen; both are counted from the beginning."""
    (left_base, left_more), (right_base, right_more) = (
        _sum(lowering, left),
        _sum(lowering, right),
    )
    if left_base != right_base or not {NOTHING, SOMEWHERE}.isdisjoint((left, right)):
        return None
    if left_base is None and (left_more < 0 or right_more < 0):
        return None
    return left_more - right_more


def _sum(lowering: Lowering, atom: Atom) -> tuple[Var | None, int]:
    """A variable and what is added to it."""
    if isinstance(atom, Const):
        return None, atom.value if isinstance(atom.value, int) else 0
    made = lowering.memory.made_by.get(atom)
    if made is not None and made[0].op.name in ("+", "-"):
        first, second = made[0].operands
        if isinstance(second, Const) and isinstance(second.value, int) and isinstance(first, Var):
            return first, second.value if made[0].op.name == "+" else -second.value
    return atom, 0


def _same_order(one: list[_Part], other: list[_Part]) -> bool:
    """Whether both are taken along one axis with the same step, or with steps of two signs."""
    for left, right in zip(one, other, strict=True):
        if isinstance(left, _Slice) != isinstance(right, _Slice):
            return False
        if isinstance(left, _Slice) and isinstance(right, _Slice):
            if left.stride is None or right.stride is None:
                return False
            if left.stride != right.stride and (left.stride < 0) == (right.stride < 0):
                return False
    return True


def _meet_at_one_place(one: list[_Part], other: list[_Part]) -> bool:
    """`S[i] = S[:, i]`: the element in both is stored into itself."""
    if len(one) != 2:
        return False
    for (row, along), (down, column) in ((one, other), (other, one)):
        if not isinstance(row, _Slice) and isinstance(along, _Slice) and along == down:
            return row == column != SOMEWHERE and along.stride is not None
    return False


__all__ = ["refuse_overlap"]
