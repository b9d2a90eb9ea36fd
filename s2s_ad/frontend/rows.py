"""Lists of unknown length that hold lists of numbers.

A list that is taken out of one is a copy in the IR; which place it came from is known, so that its
elements are read and written where they are. A write to an element is one to the list that holds
the row: every other name of a row is lost by it, and where two rows may be one list it is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

import libcst as cst

from s2s_ad.frontend.joins import Joiner
from s2s_ad.frontend.values import Container, Growing, Identity, Value
from s2s_ad.frontend.writes import lose
from s2s_ad.ir import Atom, Const, Structure, Var
from s2s_ad.operations.lists import DISPLAY, ITEM_AT, ROW_LENGTH, SET_AT, SET_ITEM, new_list
from s2s_ad.types import INT, ListOf, Number, Type, is_numeric, shape_of

if TYPE_CHECKING:
    from s2s_ad.frontend.lower import Lowering


@dataclass(frozen=True)
class Origin:
    """Where a row was taken from: a list, as it was then, and the index."""

    holder: Identity
    lists: tuple[Any, ...]
    index: Atom


# Rows of one kind ---------------------------------------------------------------------------------


def is_number(value: Value) -> TypeGuard[Atom]:
    if not isinstance(value, Var | Const):
        return False
    return is_numeric(value.type) and shape_of(value.type) == ()


def as_rows(items: Sequence[Value], joiner: Joiner) -> Sequence[Value]:
    """Lists of numbers, of whatever lengths, as lists of unknown length; others as they are."""
    rows: list[Value] = []
    for item in items:
        type = _row_type(item, joiner)
        if type is not None:
            row = (Var("item", ListOf(type)),)
            rows.append(Growing("growing", (0,), row, item=Var("item", type)))
        elif not (isinstance(item, Structure) and item.kind == "list" and not item.items):
            return items
    return rows or items


def _row_type(item: Value, joiner: Joiner) -> Type | None:
    if isinstance(item, Growing) and is_number(item.item):
        found: Type = item.item.type
        return found
    if not isinstance(item, Structure) or item.kind != "list" or not item.items:
        return None
    types = [_open(each.type) for each in item.items if is_number(each)]
    if len(types) < len(item.items):
        return None
    joined: Type | None = types[0]
    for type in types[1:]:
        joined = None if joined is None else joiner.strict(joined, type)
    return joined


def _open(type: Type) -> Type:
    return INT if isinstance(type, Number) and type.kind == "int" else type


def fitting(lowering: Lowering, template: Value, value: Value, node: cst.CSTNode) -> Value:
    """A list of numbers as one of unknown length, where the template is one."""
    if not isinstance(template, Growing) or not is_number(template.item):
        return value
    if not isinstance(value, Structure) or value.kind != "list":
        return value
    if not all(is_number(item) for item in value.items):
        return value
    if value.items:
        row = lowering.assign(DISPLAY, list(value.items), node)
    else:
        row = lowering.assign(new_list(template.item.type), [], node)
    return Growing("growing", (0,), (row,), identity=value.identity, item=template.item)


# Whose rows they are ------------------------------------------------------------------------------


def note_row(lowering: Lowering, row: Identity, holder: Identity) -> None:
    """A list is put into another one. One that has a name besides, or that another list holds, may
    be changed there, and may be two rows at once.
    """
    memory = lowering.memory
    holders = memory.overlaps.get(row, set()) | {
        h for h, taken in memory.rows.items() if row in taken
    }
    if row.fixed or holders or _is_named(lowering, row):
        memory.shared_rows |= {holder, *holders}
    memory.rows.setdefault(holder, set()).add(row)


def _is_named(lowering: Lowering, identity: Identity) -> bool:
    """Whether a name, a function or another container leads to an object."""
    values: list[Any] = [value for frame in lowering.frames for value in frame.names.values()]
    values += [held for key, held in lowering.memory.contents.items() if key is not identity]
    seen: set[int] = set()
    while values:
        value = values.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if getattr(value, "identity", None) is identity:
            return True
        if isinstance(value, Container):
            values += value.items
        for attribute in ("closure", "defaults", "keywords"):
            values += getattr(value, attribute, {}).values()
        for attribute in ("bound", "positional", "arguments"):
            values += getattr(value, attribute, ())
        values += [
            getattr(value, name) for name in ("receiver", "function") if hasattr(value, name)
        ]
    return False


def note_taken(lowering: Lowering, row: Value, items: Growing, index: Atom) -> None:
    """A row has been taken out of a list."""
    if not isinstance(row, Container) or row.identity is None or items.identity is None:
        return
    memory = lowering.memory
    memory.rows.setdefault(items.identity, set()).add(row.identity)
    memory.origins[row.identity] = Origin(items.identity, items.items, index)


def _holder(lowering: Lowering, row: Container) -> tuple[Growing, Atom] | None:
    """The list that a row is still in as it was taken, and its index; None if that is not known."""
    memory = lowering.memory
    origin = memory.origins.get(row.identity) if row.identity is not None else None
    whole = None if origin is None else memory.contents.get(origin.holder)
    if origin is None or not isinstance(whole, Growing) or whole.items != origin.lists:
        return None
    return None if origin.holder in memory.lost else (whole, origin.index)


# Elements -----------------------------------------------------------------------------------------


def element_of(lowering: Lowering, row: Growing, index: Atom, node: cst.CSTNode) -> Atom | None:
    """`l[i][j]`, read where it is."""
    found = _holder(lowering, row)
    if found is None or not is_number(row.item):
        return None
    whole, place = found
    return lowering.assign(ITEM_AT, [whole.items[0], place, index], node)


def length_of_row(lowering: Lowering, row: Growing, node: cst.CSTNode) -> Atom | None:
    """`len(l[i])`"""
    found = _holder(lowering, row)
    if found is None or not is_number(row.item):
        return None
    whole, place = found
    return lowering.assign(ROW_LENGTH, [whole.items[0], place], node)


def store_in_row(
    lowering: Lowering, row: Container, key: Atom, value: Value, node: cst.CSTNode
) -> bool:
    """`l[i][j] = v`; False where it is not known which list that is."""
    from s2s_ad.frontend.containers import change, holding
    from s2s_ad.frontend.operands import atom, known_index

    found = _holder(lowering, row)
    if found is None or found[0].identity in lowering.memory.shared_rows:
        return False
    whole, place = found
    given = atom(lowering, value, node)
    lists = list(whole.items)
    if isinstance(row, Growing) and is_number(row.item) and is_number(given):
        lists[0] = _changed(lowering, lists[0], SET_AT, [place, key, given], node)
    elif isinstance(row, Structure) and row.kind == "list" and is_number(given):
        known = known_index(key)
        if known is None or not all(is_number(item) for item in row.items):
            return False
        if not -len(row.items) <= known < len(row.items):
            return False
        column = known % len(row.items)
        lists[column] = _changed(lowering, lists[column], SET_ITEM, [place, given], node)
    else:
        return False
    change(lowering, whole, holding(whole, lists), node)
    lose(lowering, lowering.memory.rows.get(whole.identity, ()), node)
    return True


def _changed(
    lowering: Lowering, before: Var, op: Any, operands: list[Atom], node: cst.CSTNode
) -> Var:
    name = "" if before.is_temporary else before.name
    return lowering.assign(op, [before, *operands], node, name)


__all__ = [
    "as_rows",
    "element_of",
    "fitting",
    "length_of_row",
    "note_row",
    "note_taken",
    "store_in_row",
]
