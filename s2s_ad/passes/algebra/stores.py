"""Stores into arrays of adjoints: what is cleared and then added to is stored at once."""

from __future__ import annotations

from s2s_ad.ir import Assign, Atom, Const
from s2s_ad.operations.indexing import ADDITEM, SETITEM, no_repeats
from s2s_ad.passes.algebra.context import Context

MOST_STEPS = 20


def store_what_was_cleared(context: Context, statement: Assign) -> Atom | None:
    """`g[i] = 0.0; g[j] += a; g[i] += b` is `g[i] = b; g[j] += a`: sums do not mind the order, and
    nobody reads what is between.
    """
    base, index, value = statement.operands
    between: list[Assign] = []
    while len(between) < MOST_STEPS:
        found = context.defined_by(base, SETITEM.name, ADDITEM.name)
        if found is None or not context.is_single(base) or not no_repeats(statement.operands):
            return None
        base = found.operands[0]
        if found.op is SETITEM:
            if found.operands[1:] != (index, Const(0.0)):
                return None
            result: Atom = context.assign(SETITEM, base, index, value)
            for other in reversed(between):
                result = context.assign(ADDITEM, result, *other.operands[1:])
            return result
        between.append(found)
    return None


def store_what_is_there(context: Context, statement: Assign) -> Atom | None:
    """`g[i] = g[i]` changes nothing."""
    base, index, value = statement.operands
    found = context.defined_by(value, "getitem")
    return base if found is not None and found.operands == (base, index) else None


REWRITINGS = [
    ((ADDITEM.name,), store_what_was_cleared, False),
    ((SETITEM.name,), store_what_is_there, False),
]
