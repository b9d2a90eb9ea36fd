"""Stores into arrays of adjoints: what is cleared and then added to is stored at once."""

from __future__ import annotations

from s2s_ad.ir import Assign, Atom, Const
from s2s_ad.operations.indexing import ADDITEM, SETITEM, no_repeats
from s2s_ad.operations.support import BROADCAST_TO
from s2s_ad.passes.algebra.context import Context, number
from s2s_ad.types import scalar_like

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
    """`g[i] = g[i]` changes nothing, nor does `g[i] = v` behind `g[i] = v`."""
    base, index, value = statement.operands
    found = context.defined_by(value, "getitem")
    if found is not None and found.operands == (base, index):
        return base
    before = context.defined_by(base, SETITEM.name)
    if before is None or before.operands[1] != index or not no_repeats(before.operands):
        return None
    if before.operands[2] == value:
        return base
    if not context.is_single(base) or before.role == "primal":
        return None
    return context.assign(SETITEM, before.operands[0], index, value)


def add_nothing(context: Context, statement: Assign) -> Atom | None:
    """`g[i] += 0.0`: a zero adjoint is no contribution."""
    return statement.operands[0] if number(statement.operands[2]) == 0 else None


def let_store_broadcast(context: Context, statement: Assign) -> Atom | None:
    """A store puts one number everywhere by itself."""
    base, index, value = statement.operands
    found = context.defined_by(value, BROADCAST_TO.name)
    if found is None or not scalar_like(found.operands[0].type):
        return None
    return context.assign(statement.op, base, index, found.operands[0])


def read_what_was_stored(context: Context, statement: Assign) -> Atom | None:
    """`g[i]` behind `g[i] = v` is v."""
    base, index = statement.operands
    found = context.defined_by(base, SETITEM.name)
    if found is None or found.operands[1] != index or not no_repeats(found.operands):
        return None
    value = found.operands[2]
    return value if value.type == statement.target.type else None


REWRITINGS = [
    (("getitem",), read_what_was_stored, False),
    ((ADDITEM.name,), store_what_was_cleared, False),
    ((SETITEM.name,), store_what_is_there, False),
    ((ADDITEM.name,), add_nothing, False),
    ((ADDITEM.name, SETITEM.name), let_store_broadcast, False),
]
