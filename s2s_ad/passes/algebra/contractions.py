"""Sums of products as products of arrays: `np.sum(a * b)` is `np.vdot(a, b)`, `(g[:, None] *
x).sum(0)` is `g @ x`.
"""

from __future__ import annotations

from s2s_ad.ir import Assign, Atom, Const
from s2s_ad.operations.result_types import constant, normal_axes
from s2s_ad.passes.algebra.context import Context
from s2s_ad.passes.algebra.products import Product, factors_of, may_reorder, put_together
from s2s_ad.types import ONE, Array, rank_of, scalar_like, shape_of

NO_AXIS = Const(None)
FALSE = Const(False)


def factors_out_of_sum(context: Context, statement: Assign) -> Atom | None:
    """np.sum(c * x) is c * np.sum(x) for what is constant along the axes: numbers, signs, rows."""
    x, axis, keepdims = statement.operands
    if not context.is_single(x):
        return None
    product = factors_of(context, x)
    if not may_reorder(product, x):
        return None
    outside = Product(product.coefficient, [], [])
    inside = Product()
    for source, out, kept in (
        (product.numerators, outside.numerators, inside.numerators),
        (product.denominators, outside.denominators, inside.denominators),
    ):
        for atom in source:
            (out if is_constant_along(atom, x, axis, keepdims) else kept).append(atom)
    nothing_out = outside.coefficient == 1.0 and not outside.numerators and not outside.denominators
    if nothing_out or not inside.numerators:
        return None
    summand = put_together(context, inside)
    if summand.type != x.type or shape_of(x.type) is None:
        if any(not scalar_like(atom.type) for atom in outside.numerators + outside.denominators):
            return None
        if summand.type != x.type:
            return None
    outside.numerators.append(context.assign(statement.op, summand, axis, keepdims))
    return put_together(context, outside)


def is_constant_along(atom: Atom, x: Atom, axis: Atom, keepdims: Atom) -> bool:
    """Whether a factor is the same for all elements that are summed, and fits the result."""
    if scalar_like(atom.type):
        return True
    shape, whole = shape_of(atom.type), shape_of(x.type)
    if shape is None or whole is None or not shape:
        return False
    axes = normal_axes(constant(axis, "axis"), len(whole))
    if keepdims != FALSE:
        return len(shape) == len(whole) and all(shape[k] == ONE for k in axes)
    return sorted(axes) == list(range(len(whole) - len(shape)))


def sum_to_product(context: Context, statement: Assign) -> Atom | None:
    """The sum of an elementwise product of two arrays, as a product of vectors or of a matrix and a
    vector.
    """
    x, axis, keepdims = statement.operands
    if not context.is_single(x) or keepdims != FALSE:
        return None
    product = context.defined_by(x, "*")
    if product is None or product.role == "primal":
        return None
    left, right = product.operands
    if not (isinstance(left.type, Array) and isinstance(right.type, Array)):
        return None
    if left.type.dtype != right.type.dtype or left.type.dtype not in ("f64", "f32"):
        return None
    rank = rank_of(x.type)
    if rank == 1 and left.type == right.type and left.type.dtype == "f64":
        return context.assign("numpy.vdot", left, right)
    if rank == 2 and axis != NO_AXIS:
        (place,) = axes if len(axes := normal_axes(constant(axis, "axis"), 2)) == 1 else (None,)
        for matrix, vector in ((left, right), (right, left)):
            if shape_of(matrix.type) != shape_of(x.type):
                continue
            if place == 1 and shape_of(vector.type) == shape_of(x.type)[1:]:  # type: ignore[index]
                return context.assign("@", matrix, vector)
            column = _column(context, vector)
            if place == 0 and column is not None:
                return context.assign("@", column, matrix)
    return None


def _column(context: Context, atom: Atom) -> Atom | None:
    """g, where the atom is g[:, None]."""
    found = context.defined_by(atom, "numpy.expand_dims", "getitem")
    if found is None or rank_of(found.operands[0].type) != 1:
        return None
    index = found.operands[1]
    wanted = Const((slice(None), None)) if found.op.name == "getitem" else None
    if wanted is not None:
        return found.operands[0] if index == wanted else None
    return found.operands[0] if constant(index, "axis") in (1, -1) else None


REWRITINGS = [
    (("numpy.sum",), factors_out_of_sum, False),
    (("numpy.sum",), sum_to_product, False),
]
