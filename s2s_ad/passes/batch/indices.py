"""Rules of batching for indices: what is picked from rows, and stored into them."""

from __future__ import annotations

from s2s_ad.ir import Assign, Atom, Const, Var
from s2s_ad.operations.indexing import TUPLE
from s2s_ad.operations.result_types import is_basic_index
from s2s_ad.passes.batch.context import Context, Operands, raised, rank_before
from s2s_ad.types import Items, Type, is_boolean, is_integer, rank_of


def index_for_rows(context: Context, index: Atom) -> Atom | None:
    """The index behind a `:`; None if NumPy would put its axes elsewhere."""
    parts: list[Atom] = [index]
    if isinstance(index, Const) and isinstance(index.value, tuple):
        parts = [Const(part) for part in index.value]
    elif isinstance(index, Var) and isinstance(index.type, Items):
        made = context.definitions.get(index)
        if made is None or made.op is not TUPLE:
            return None
        parts = list(made.operands)
    types = tuple(part.type for part in parts)
    if not all(is_basic_index(type) for type in types) and not _stays_in_place(types):
        return None
    every = Const(slice(None))
    if all(isinstance(part, Const) for part in parts):
        return Const((slice(None), *(part.value for part in parts if isinstance(part, Const))))
    return context.builder.assign(TUPLE, every, *parts)


def _stays_in_place(types: tuple[Type, ...]) -> bool:
    """Whether arrays and integers of an index stand next to each other, so that the result's axes
    stand where theirs stood.
    """
    picks = [is_integer(type) or is_boolean(type) for type in types]
    places = [place for place, pick in enumerate(picks) if pick]
    return places == list(range(places[0], places[-1] + 1))


def getitem(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    if statement.operands[1] in context.batched or rank_before(statement, "x") is None:
        return None
    index = index_for_rows(context, operands["i"])
    return None if index is None else context.call("getitem", operands["x"], index)


def store(context: Context, statement: Assign, operands: Operands) -> Atom | None:
    """A store into the rows, of a value for each direction or the same for all."""
    x, i, v = statement.operands
    if i in context.batched or rank_before(statement, "x") is None:
        return None
    index = index_for_rows(context, i)
    if index is None:
        return None
    rows = context.lifted(x)
    value = operands["v"]
    place = rank_of(_place_type(context, rows, index))
    if place is None or (v in context.batched and rank_of(v.type) is None):
        return None
    if v in context.batched:
        if (rank_of(v.type) or 0) > place - 1:
            return None
        value = raised(context, value, place - 1)
    return context.builder.assign(statement.op, rows, index, value)


def _place_type(context: Context, rows: Atom, index: Atom) -> Type:
    mark = len(context.builder.statements)
    type = context.call("getitem", rows, index).type
    del context.builder.statements[mark:]
    return type


__all__ = ["getitem", "store"]
