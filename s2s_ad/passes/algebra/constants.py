"""Products with arrays of one number: sums, which need neither the array nor a product.

The adjoint of `np.sum` is such an array, so that they stand wherever a sum follows a product.
"""

from __future__ import annotations

from s2s_ad.ir import Assign, Atom, Const
from s2s_ad.operations.support import BROADCAST_TO
from s2s_ad.passes.algebra.broadcasts import shape_atom
from s2s_ad.passes.algebra.context import Context
from s2s_ad.types import scalar_like, shape_of


def outer_with_constant(context: Context, statement: Assign) -> Atom | None:
    """`np.outer` of copies of c and w is c * w in every row."""
    left, right = statement.operands
    number = constant_array(context, left)
    if number is None or len(shape_of(right.type) or ()) != 1:
        return None
    shape = shape_atom(context, statement.target)
    if shape is None:
        return None
    return context.assign(BROADCAST_TO, context.assign("*", number, right), shape)


def product_with_constant(context: Context, statement: Assign) -> Atom | None:
    """`A @ B` where all of B is c: every column is c times the sums of the rows of A."""
    left, right = statement.operands
    ranks = [len(shape_of(operand.type) or ()) for operand in (left, right)]
    shape = shape_of(statement.target.type)
    if shape is None or not set(ranks) <= {1, 2}:
        return None
    number = constant_array(context, right)
    if number is not None:
        axis, other, keep = Const(ranks[0] - 1), left, ranks == [2, 2]
    else:
        number = constant_array(context, left)
        axis, other, keep = Const(0), right, False
    if number is None:
        return None
    sums = context.assign("numpy.sum", other, axis, Const(keep))
    scaled = context.assign("*", number, sums)
    if shape_of(scaled.type) == shape:
        return scaled
    whole = shape_atom(context, statement.target)
    return None if whole is None else context.assign(BROADCAST_TO, scaled, whole)


def constant_array(context: Context, atom: Atom) -> Atom | None:
    """The number that all elements of an array are, if it was made of one."""
    found = context.defined_by(atom, BROADCAST_TO.name)
    if found is None or found.role == "primal" or not scalar_like(found.operands[0].type):
        return None
    return found.operands[0]


REWRITINGS = [
    (("numpy.outer",), outer_with_constant, False),
    (("@",), product_with_constant, False),
]
