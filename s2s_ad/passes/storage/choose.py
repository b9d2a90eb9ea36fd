"""Decides, loop by loop, what is kept for the reverse sweep and what is computed again.

Keeping costs the memory of a value, computing again the time; both are counted in elements. The
choice is a minimum cut between what cannot be computed again and what the reverse sweep reads.
Values that come from outside the loop, and its index, are there anyway.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from s2s_ad.ir import Assign, Const, For, Var
from s2s_ad.operations.calls import SAVED
from s2s_ad.operations.indexing import SLICE, TUPLE
from s2s_ad.operations.result_types import is_basic_index
from s2s_ad.operations.support import IDENTITY
from s2s_ad.passes.storage.max_flow import Graph
from s2s_ad.passes.storage.places import Place, Places
from s2s_ad.passes.storage.regions import Regions
from s2s_ad.types import Array, Items, ListOf, Number, Slice, Static, Type

SYMBOLIC_SIZE = 100  # what a size counts that has no number
UNKNOWN = SYMBOLIC_SIZE**2  # what an array of unknown rank counts
ARITHMETIC = 0.4  # the price of one cheap operation, as a part of the memory of its result
FUNCTION = 5.0  # the same for `exp` and its like, called on a number
CHEAP = frozenset(
    {"+", "-", "*", "/", "-x", "+x", "abs", "numpy.abs", "<", "<=", ">", ">=", "==", "!=",
     "notx", "&", "|", "~x", "numpy.where", "numpy.maximum", "numpy.minimum", "numpy.sign",
     "numpy.square", "builtins.abs", "numpy.logical_not", "numpy.logical_and",
     "numpy.logical_or", "//", "%", "builtins.float", "builtins.int", "builtins.bool"}
)  # fmt: skip
FREE_OPERATIONS = (TUPLE, SLICE, IDENTITY)


@dataclass(frozen=True)
class Choice:
    """For one loop body: what is kept, and what is computed again, in the order of the program."""

    kept: tuple[Var, ...]
    again: tuple[Var, ...]


def choose(places: Places, regions: Regions, region: Place, wanted: Iterable[Var]) -> Choice:
    """How the `wanted` variables of a region get to the reverse sweep."""
    graph = Graph()
    seen: set[Var] = set()
    pending = list(wanted)
    for var in pending:
        graph.connect((var, "out"), "sink", inf)
    graph.connect("source", "sink", 0.0)
    while pending:
        var = pending.pop()
        if var in seen:
            continue
        seen.add(var)
        graph.connect((var, "in"), (var, "out"), memory_of(var.type))
        price = price_of(places, regions, var)
        graph.connect("source", (var, "in"), price)
        if price < inf:
            for operand in operands_of_variable(places, regions, var):
                if places.region(places.home[operand]) == region and not is_free(places, operand):
                    graph.connect((operand, "out"), (var, "in"), inf)
                    pending.append(operand)
    beyond = graph.beyond_cut("source", "sink")
    kept = [var for var in seen if (var, "out") in beyond and (var, "in") not in beyond]
    again = [var for var in seen if (var, "in") in beyond]
    return Choice(
        tuple(sorted(kept, key=places.order.__getitem__)),
        tuple(sorted(again, key=places.order.__getitem__)),
    )


def operands_of_variable(places: Places, regions: Regions, var: Var) -> list[Var]:
    """What computing a variable again takes from the same loop or those around it."""
    if regions.final_array(var) is not None:
        index = regions.index_of(var)
        return [index] if isinstance(index, Var) else []
    statement = places.made_by.get(var)
    if not isinstance(statement, Assign):
        return []
    return [operand for operand in statement.operands if isinstance(operand, Var)]


def is_free(places: Places, var: Var) -> bool:
    """Whether the variable is a loop's index, which the reverse loop has too, or given there."""
    if var in places.given:
        return True
    home = places.home[var]
    loop = places.statements.get(home[-1][0]) if home else None
    return isinstance(loop, For) and loop.body.parameters[0] == var


def price_of(places: Places, regions: Regions, var: Var) -> float:
    """What computing a variable again costs, given its operands."""
    if var in places.overwritten:
        return inf
    if regions.final_array(var) is not None:
        return ARITHMETIC / 2
    statement = places.made_by.get(var)
    if not isinstance(statement, Assign) or len(statement.targets) != 1:
        return inf
    op = statement.op
    if op in FREE_OPERATIONS or op.shape_only or op.name in ("builtins.len", "numpy.shape"):
        return 0.01
    if op.effect or op.update:
        return inf
    if op.view_of:
        is_copy = op.name == "getitem" and not is_basic_index(statement.operands[1].type)
        return memory_of(var.type) * ARITHMETIC if is_copy else ARITHMETIC / 2
    whole = isinstance(var.type, Number) and var.type.kind == "int" and op.callee is None
    is_square = op.name == "**" and statement.operands[1] == Const(2)
    if whole or is_square or op.name in CHEAP:
        # Python's integers know no bounds, the elements of a tape do
        return memory_of(var.type) * ARITHMETIC
    if op.elementwise:
        # the same in every trip: a tape would hold copies
        factor = ARITHMETIC if is_invariant(places, var) else FUNCTION
        return memory_of(var.type) * factor
    return inf


def is_invariant(places: Places, var: Var) -> bool:
    """Whether a variable of a loop is computed from what is outside of the loop only."""
    statement = places.made_by.get(var)
    if not isinstance(statement, Assign):
        return False
    region = places.region(places.home[var])
    return all(
        places.region(places.home[operand]) != region or is_invariant(places, operand)
        for operand in statement.operands
        if isinstance(operand, Var)
    )


def memory_of(type: Type) -> float:
    """How many elements a value has; what cannot be kept costs without limit."""
    match type:
        case Static() if type == SAVED:
            return UNKNOWN
        case Items() | Slice() | Static():
            return inf
        case ListOf():
            return UNKNOWN
        case Array(shape=None):
            return UNKNOWN
        case Array(shape=shape):
            count = 1.0
            for size in shape or ():
                count *= SYMBOLIC_SIZE if size.constant is None else max(1, size.constant)
            return count
    return 1.0


__all__ = ["Choice", "choose", "is_free", "memory_of", "price_of"]
