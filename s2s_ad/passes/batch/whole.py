"""Rules of batching that make the statement themselves: what only reads shapes is the same for all
directions, and lists give items with the leading axis.
"""

from __future__ import annotations

from collections.abc import Callable

from s2s_ad.ir import Assign, Atom, Const
from s2s_ad.operations import catalogue
from s2s_ad.operations.indexing import TUPLE
from s2s_ad.operations.lists import (
    ADD_AT,
    ADD_ROWS,
    AS_LISTS,
    ITEM_AT,
    JOINED,
    POP,
    ROW,
    ROW_LENGTH,
    ROWS,
    SET_AT,
    SET_SLICE,
    SLICED,
    TO_ARRAY,
)
from s2s_ad.operations.support import DIMENSION, IDENTITY
from s2s_ad.passes.batch.context import CannotBatch, Context, behind, dtype_constant
from s2s_ad.passes.sizes import can_compute, compute
from s2s_ad.types import dtype_of, rank_of, size_of

WholeRule = Callable[[Context, Assign], bool]

# What only reads shapes ---------------------------------------------------------------------------


def _dimensions(context: Context, atom: Atom) -> list[Atom] | None:
    return context.dimensions(atom.type, atom)


def shape(context: Context, statement: Assign) -> bool:
    found = _dimensions(context, statement.operands[0])
    if found is None:
        return False
    context.builder.append(TUPLE, (statement.target,), *found)
    return True


def dimension(context: Context, statement: Assign) -> bool:
    x = statement.operands[0]
    rank = rank_of(x.type)
    axis = statement.operands[1].value if len(statement.operands) > 1 else 0  # type: ignore
    if rank is None:
        return False
    place = behind(axis, rank)
    context.builder.append(DIMENSION, (statement.target,), context.batched[x], place)
    return True


def size(context: Context, statement: Assign) -> bool:
    count = size_of(statement.operands[0].type)
    if count is None or not can_compute(count, context.parameters):
        return False
    found = compute(context.builder.assign, count, context.parameters)
    context.builder.append(IDENTITY, (statement.target,), found)
    return True


def ndim(context: Context, statement: Assign) -> bool:
    rank = rank_of(statement.operands[0].type)
    if rank is None:
        return False
    context.builder.append(IDENTITY, (statement.target,), Const(rank))
    return True


def filled_like(name: str) -> WholeRule:
    def rule(context: Context, statement: Assign) -> bool:
        found = _dimensions(context, statement.operands[0])
        if found is None:
            return False
        whole = Const(()) if not found else context.together(found)
        op = catalogue().operations[f"numpy.{name}"]
        dtype = dtype_constant(dtype_of(statement.target.type))
        context.builder.append(op, (statement.target,), whole, dtype)
        return True

    return rule


# Lists --------------------------------------------------------------------------------------------


def pop(context: Context, statement: Assign) -> bool:
    rows = context.batched[statement.operands[0]]
    made = tuple(
        context.builder.names.fresh(target.name, context.type(target.type))
        for target in statement.targets
    )
    context.builder.append(POP, made, rows)
    context.batched.update(zip(statement.targets, made, strict=True))
    return True


def refuse(context: Context, statement: Assign) -> bool:
    raise CannotBatch(f"`{statement.op.name}` of items that depend on the direction")


def list_length(context: Context, statement: Assign) -> bool:
    operands = map(context.now, statement.operands)
    context.builder.append(statement.op, statement.targets, *operands)
    return True


# The tables ---------------------------------------------------------------------------------------

WHOLE_RULES: dict[str, WholeRule] = {
    "ndarray.shape": shape,
    "numpy.shape": shape,
    "ndarray.shape[]": dimension,
    "builtins.len": dimension,
    "ndarray.size": size,
    "numpy.size": size,
    "ndarray.ndim": ndim,
    "numpy.ndim": ndim,
    "numpy.zeros_like": filled_like("zeros"),
    "numpy.ones_like": filled_like("ones"),
    "numpy.empty_like": filled_like("empty"),
    "list.length": list_length,
    POP.name: pop,
    TO_ARRAY.name: refuse,
    ROWS.name: refuse,
    "helper.repeated": refuse,
    "list.sum": refuse,
    **{op.name: refuse for op in (ROW, ROW_LENGTH, ITEM_AT, SET_AT, ADD_AT, ADD_ROWS, AS_LISTS)},
    **{op.name: refuse for op in (SLICED, SET_SLICE, JOINED)},
}
SHAPES = {
    *("ndarray.shape", "numpy.shape", "ndarray.shape[]", "builtins.len", "list.length"),
    *("numpy.zeros_like", "numpy.ones_like", "numpy.empty_like"),
    *("ndarray.size", "numpy.size", "ndarray.ndim", "numpy.ndim"),
}
