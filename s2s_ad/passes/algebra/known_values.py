"""Values that were computed before, in other words: a mean with its axis kept beside the mean
without, a sum of which another one is a multiple.
"""

from __future__ import annotations

from s2s_ad.ir import Assign, Atom, Const
from s2s_ad.operations.support import EXPAND_DIMS
from s2s_ad.passes.algebra.context import Context
from s2s_ad.passes.algebra.contractions import FALSE, is_constant_along
from s2s_ad.types import shape_of


def use_known_mean(context: Context, statement: Assign) -> Atom | None:
    """`np.mean(x, axis=k, keepdims=True)` where the mean without `keepdims` is at hand."""
    x, axis, keepdims = statement.operands
    if keepdims != Const(True) or axis == Const(None):
        return None
    known = context.computed("numpy.mean", x, axis, FALSE)
    return None if known is None else context.assign(EXPAND_DIMS, known, axis)


def use_known_sum(context: Context, statement: Assign) -> Atom | None:
    """`np.sum(g * c * z, axis=0)` is `c * s` where `s = np.sum(g * z, axis=0)` is at hand."""
    x, axis, keepdims = statement.operands
    scaled = _sum_of_scaled(context, statement)
    made = context.defined_by(x, "*")
    if scaled is not None or made is None or not context.is_single(x):
        return scaled
    for product, other in (made.operands, made.operands[::-1]):
        inner = context.defined_by(product, "*")
        if inner is None or inner.role == "primal":
            continue
        for kept, out in (inner.operands, inner.operands[::-1]):
            if not is_constant_along(out, x, axis, keepdims):
                continue
            summand = context.computed("*", kept, other) or context.computed("*", other, kept)
            known = summand and context.computed(statement.op.name, summand, axis, keepdims)
            if known is not None:
                return context.assign("*", known, out)
    return None


def _sum_of_scaled(context: Context, statement: Assign) -> Atom | None:
    """`np.sum(c * x, axis=0)` is `c * s` where `s = np.sum(x, axis=0)` is at hand; also `x / c`."""
    product, axis, keepdims = statement.operands
    made = context.defined_by(product, "*", "/")
    if made is None or shape_of(product.type) is None:
        return None
    pairs = [made.operands] if made.op.name == "/" else [made.operands, made.operands[::-1]]
    for x, out in pairs:
        if x.type == product.type and is_constant_along(out, x, axis, keepdims):
            known = context.computed(statement.op.name, x, axis, keepdims)
            if known is not None:
                return context.assign(made.op, known, out)
    return None


REWRITINGS = [
    (("numpy.mean",), use_known_mean, False),
    (("numpy.sum",), use_known_sum, False),
]
