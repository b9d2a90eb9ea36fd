"""Rules of batching for what has axes and shapes: reductions along an axis, other orders of axes,
other shapes, joins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from s2s_ad.ir import Assign, Atom, Const
from s2s_ad.operations.result_types import normal_axes
from s2s_ad.operations.support import BROADCAST_TO
from s2s_ad.passes.batch.context import (
    CannotBatch,
    Context,
    Operands,
    Rule,
    behind,
    raised,
    rank_before,
    same,
)
from s2s_ad.types import rank_of

# Axes ---------------------------------------------------------------------------------------------


def _axis(statement: Assign, operands: Operands, name: str = "axis") -> Any:
    atom = operands[name]
    if not isinstance(atom, Const):
        raise CannotBatch(f"an axis of `{statement.op.name}` that is computed")
    return atom.value


def with_axis(operand: str = "x", none: str = "all") -> Rule:
    """A rule for operations with an `axis`; what None stands for, all axes or the flat array."""

    def rule(context: Context, statement: Assign, operands: Operands) -> Atom | None:
        if any(
            atom in context.batched and name != operand
            for name, atom in zip(operands, statement.operands, strict=True)
        ):
            return None
        rank = rank_before(statement, operand)
        axis = _axis(statement, operands)
        if rank is None:
            return None
        if axis is None and none == "flat" and rank != 1:
            return None
        if axis is None:
            if rank == 0:
                return operands[operand]
            axis = tuple(range(rank)) if rank > 1 else 0
        given = {**operands, "axis": behind(axis, rank)}
        return context.builder.assign(statement.op, *given.values())

    return rule


def with_axes(*names: str) -> Rule:
    """A rule for operations that name axes of `x`: each goes one further."""

    def rule(context: Context, statement: Assign, operands: Operands) -> Atom | None:
        rank = rank_before(statement, "x")
        if rank is None:
            return None
        given = dict(operands)
        for name in names:
            given[name] = behind(_axis(statement, operands, name), rank)
        return context.builder.assign(statement.op, *given.values())

    return rule


def last_two(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    """What works on the last two axes works on rows of matrices as it is."""
    rank = rank_before(statement, "x" if "x" in operands else next(iter(operands)))
    return None if rank is None or rank < 2 else same(context, statement, operands)


def transpose(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    rank = rank_before(statement, "x")
    if rank is None:
        return None
    axes = _axis(statement, operands, "axes") if "axes" in operands else None
    order = tuple(range(rank))[::-1] if axes is None else normal_axes(tuple(axes), rank)
    if order == tuple(range(rank)):
        return operands["x"]
    if order == (1, 0):
        return context.call("ndarray.mT", operands["x"])
    axes = Const((0, *(axis + 1 for axis in order)))
    return context.call("numpy.transpose", operands["x"], axes)


def expand_dims(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    rank, axis = rank_before(statement, "x"), _axis(statement, operands)
    if rank is None:
        return None
    more = len(axis) if isinstance(axis, tuple) else 1
    return context.builder.assign(statement.op, operands["x"], behind(axis, rank + more))


def diag(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    """The diagonals of rows of matrices."""
    if rank_before(statement, "x") != 2:
        return None
    return context.call("numpy.diagonal", operands["x"], operands["k"], Const(1), Const(2))


# Shapes -------------------------------------------------------------------------------------------


def reshape(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    return _reshaped(context, statement, operands["x"])


def _reshaped(context: Context, statement: Assign, rows: Atom) -> Atom | None:
    """Rows in the shape that the statement's target has."""
    if rank_of(rows.type) is None or rank_of(statement.target.type) is None:
        return None
    return context.call("numpy.reshape", rows, context.shape(statement.target.type))


def broadcast_to(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    rank = rank_of(statement.target.type)
    if rank is None or rank_before(statement, "x") is None:
        return None
    rows = raised(context, operands["x"], rank)
    return context.builder.assign(BROADCAST_TO, rows, context.shape(statement.target.type))


def fill(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    """`np.full` and `np.full_like` with a value for each direction."""
    if statement.operands[1] not in context.batched or rank_before(statement, "fill_value") is None:
        return None
    rank = rank_of(statement.target.type)
    if rank is None:
        return None
    rows = raised(context, operands["fill_value"], rank)
    return context.builder.assign(BROADCAST_TO, rows, context.shape(statement.target.type))


# Joins --------------------------------------------------------------------------------------------


def _lifted_arrays(context: Context, statement: Assign, skip: tuple[str, ...]) -> list[Atom]:
    names = statement.op.operand_names(len(statement.operands))
    return [
        context.lifted(atom)
        for name, atom in zip(names, statement.operands, strict=True)
        if name not in skip
    ]


def join(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    """`np.concatenate` and `np.stack`."""
    rank = rank_of(statement.target.type)
    if rank is None:
        return None
    arrays = _lifted_arrays(context, statement, ("axis",))
    axis = behind(_axis(statement, operands), rank)
    return context.builder.assign(statement.op, *arrays, axis)


def join_as(name: str, axes: Mapping[int, tuple[str, int]]) -> Rule:
    """`np.hstack` and its like, by the rank of the arrays: which join, and along which axis."""

    def rule(context: Context, statement: Assign, operands: Operands) -> Atom | None:
        ranks = {rank_of(atom.type) for atom in statement.operands}
        rank = ranks.pop()
        if ranks or rank is None or rank not in axes:
            return None
        joint, axis = axes[rank]
        arrays = _lifted_arrays(context, statement, ())
        return context.call(joint, *arrays, Const(axis))

    return rule


def display(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    """`np.array([a, b])`"""
    items = _lifted_arrays(context, statement, ("layout", "dtype"))
    if len({rank_of(item.type) for item in items}) != 1 or rank_of(items[0].type) is None:
        return None
    stacked = context.call("numpy.stack", *items, Const(1))
    if len(operands["layout"].value) == 1:  # type: ignore[union-attr]  # a constant
        return stacked
    return _reshaped(context, statement, stacked)
