"""Views: how what is written to one gets back into the array, and what is a view for certain.

`np.reshape` and `np.ravel` give a view where the layout allows it. Of an array that the function
made, or of one axis, that is known; of an argument the module asks (`A.flags.c_contiguous`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import libcst as cst

from s2s_ad.ir import Atom, Const, Operation, Var
from s2s_ad.operations.indexing import SETITEM
from s2s_ad.operations.support import CONTIGUOUS, NUMPY_SHAPE
from s2s_ad.types import Array

if TYPE_CHECKING:
    from s2s_ad.frontend.lower import Lowering
    from s2s_ad.frontend.writes import Memory

TURNED = (
    *("ndarray.T", "ndarray.mT", "numpy.matrix_transpose", "numpy.linalg.matrix_transpose"),
    *("numpy.swapaxes", "numpy.flip", "numpy.fliplr", "numpy.flipud"),
)
"""Views whose operation undoes itself."""
RESHAPED = (
    *("numpy.expand_dims", "numpy.squeeze", "numpy.reshape", "numpy.ravel"),
    *("numpy.atleast_1d", "numpy.atleast_2d", "numpy.atleast_3d", "ndarray.flat"),
)
"""Views with the same elements in the same order."""
IN_ROWS = (
    *("numpy.zeros", "numpy.ones", "numpy.empty", "numpy.full", "numpy.eye", "numpy.identity"),
    *("numpy.ravel", "ndarray.copy"),
)
"""Operations whose arrays lie row by row, whatever they are made of."""


def put_back(
    lowering: Lowering,
    op: Operation,
    operands: Sequence[Atom],
    source: Var,
    changed: Var,
    node: cst.CSTNode,
) -> Var | None:
    """What `source` becomes where a view of it does; `operands` are those behind the array. None
    for views that cannot be written to.
    """
    if op.name == "getitem":
        return lowering.assign(SETITEM, [source, operands[0], changed], node)
    if op.name in RESHAPED:
        shape = lowering.assign(NUMPY_SHAPE, [source], node)
        return lowering.assign(lowering.operation("numpy.reshape"), [changed, shape], node)
    back = _way_back(op, operands)
    return None if back is None else lowering.assign(op, [changed, *back], node)


def _way_back(op: Operation, operands: Sequence[Atom]) -> list[Atom] | None:
    """The operands with which the operation undoes itself."""
    if op.name in TURNED:
        return list(operands)
    if op.name == "numpy.moveaxis":
        return [operands[1], operands[0]]
    if op.name in ("numpy.transpose", "numpy.permute_dims") and isinstance(operands[0], Const):
        axes = operands[0].value
        if axes is None:
            return list(operands)
        order = [axis % len(axes) for axis in axes]
        return [Const(tuple(order.index(k) for k in range(len(order))))]
    if op.name == "numpy.rot90" and isinstance(operands[0], Const):
        return [Const(-operands[0].value), *operands[1:]]
    return None


# Layout -------------------------------------------------------------------------------------------


def ask_layouts(lowering: Lowering, parameters: Sequence[Var]) -> None:
    """Ask of each array among the arguments whether it lies row by row."""
    memory = lowering.memory
    for parameter in parameters:
        if isinstance(parameter.type, Array) and parameter.type.shape:
            lies_so = lowering.builder.assign(CONTIGUOUS, parameter)
            memory.in_rows[parameter] = lies_so
            memory.taken_again.add(lies_so)  # to be left out where nobody reads it


def is_view(memory: Memory, op: Operation, source: Atom) -> Atom | None:
    """Whether a reshaped array is a view for certain: a flag, or None where it is not known."""
    if not isinstance(source, Var) or not isinstance(source.type, Array):
        return None
    shape = source.type.shape
    if op.name == "numpy.reshape" and shape is not None and len(shape) == 1:
        return Const(True)  # whatever the distance between its elements
    return _lies_in_rows(memory, source)


def _lies_in_rows(memory: Memory, array: Var) -> Atom | None:
    where = memory.where.get(array, frozenset())
    root = memory.whole.get(array, array)
    made = memory.made_by.get(root)
    if len(where) != 1 or root not in where:
        return None
    if root in memory.in_rows or made is None:
        return memory.in_rows.get(root)
    statement, _ = made
    shape = root.type.shape if isinstance(root.type, Array) else None
    is_new = not statement.op.view_of
    if statement.op.name in IN_ROWS or (is_new and shape is not None and len(shape) == 1):
        return Const(True)
    arrays = [x for x in statement.operands if isinstance(x, Var) and isinstance(x.type, Array)]
    if statement.op.elementwise and arrays:
        known = [_lies_in_rows(memory, each) for each in arrays]
        return Const(True) if all(flag == Const(True) for flag in known) else None
    return None


__all__ = ["RESHAPED", "TURNED", "ask_layouts", "is_view", "put_back"]
