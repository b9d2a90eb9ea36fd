"""Values that were computed before, in other words: a mean with its axis kept beside the mean
without, a sum of which another one is a multiple.
"""

from __future__ import annotations

from collections.abc import Iterator

from s2s_ad.ir import Assign, Atom, Const, Var
from s2s_ad.operations.support import EXPAND_DIMS
from s2s_ad.passes.algebra.context import Context
from s2s_ad.passes.algebra.contractions import FALSE, is_constant_along

MOST_BACK = 200  # statements that are looked through


def use_known_mean(context: Context, statement: Assign) -> Atom | None:
    """`np.mean(x, axis=k, keepdims=True)` where the mean without `keepdims` is at hand."""
    x, axis, keepdims = statement.operands
    if keepdims != Const(True) or axis == Const(None):
        return None
    known = _computed(context, "numpy.mean", x, axis, FALSE)
    return None if known is None else context.assign(EXPAND_DIMS, known, axis)


def use_known_sum(context: Context, statement: Assign) -> Atom | None:
    """`np.sum(g * c * z, axis=0)` is `c * s` where `s = np.sum(g * z, axis=0)` is at hand."""
    x, axis, keepdims = statement.operands
    made = context.defined_by(x, "*")
    if made is None or not context.is_single(x):
        return None
    for product, other in (made.operands, made.operands[::-1]):
        inner = context.defined_by(product, "*")
        if inner is None or inner.role == "primal":
            continue
        for kept, out in (inner.operands, inner.operands[::-1]):
            if not is_constant_along(out, x, axis, keepdims):
                continue
            summand = _computed(context, "*", kept, other) or _computed(context, "*", other, kept)
            known = summand and _computed(context, statement.op.name, summand, axis, keepdims)
            if known is not None:
                return context.assign("*", known, out)
    return None


def _computed(context: Context, name: str, *operands: Atom) -> Var | None:
    """The value of an operation that stands before in this block."""
    for statement in _before(context):
        if statement.op.name == name and statement.operands == operands:
            return statement.target
    return None


def _before(context: Context) -> Iterator[Assign]:
    for statement in reversed(context.statements[-MOST_BACK:]):
        if isinstance(statement, Assign) and len(statement.targets) == 1:
            yield statement


REWRITINGS = [
    (("numpy.mean",), use_known_mean, False),
    (("numpy.sum",), use_known_sum, False),
]
