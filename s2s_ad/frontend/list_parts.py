"""Parts and sums of lists of unknown length: `p[a:b]` and `p + q`, which are new lists.

Only of numbers and arrays: a list that an item may be changed in would have to be known in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import libcst as cst

from s2s_ad.frontend.containers import (
    common_template,
    container,
    grown,
    holding,
    item_of,
    named,
    with_item,
)
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import current
from s2s_ad.frontend.values import Container, Growing, Value
from s2s_ad.ir import Atom, Const, Structure, Var
from s2s_ad.operations.lists import ADD_LISTS, JOINED, SET_SLICE, SLICED, ZERO_ITEMS
from s2s_ad.types import ListOf


def list_parameter(lowering: Lowering, var: Var) -> Growing:
    """A list of any length that the function is given."""
    assert isinstance(var.type, ListOf)
    item = var.type.item
    template: Value = Var("item", item)
    if isinstance(item, ListOf):
        row = Var("item", item.item)
        template = Growing("growing", (0,), (Var("item", item),), item=row)
    made = named(lowering, Growing("growing", (0,), (var,), item=template))
    lowering.memory.lists[var.name] = made.identity
    if isinstance(item, ListOf):  # the caller may have given one row twice
        lowering.memory.shared_rows.add(made.identity)
    return made


def part_of(lowering: Lowering, items: Growing, part: Atom, node: cst.CSTNode) -> Growing | None:
    """`l[a:b]`; None if the items are containers."""
    if not isinstance(items.item, Var | Const):
        return None
    taken = lowering.assign(SLICED, [items.items[0], part], node)
    return named(lowering, holding(items, [taken]))


def joined(
    lowering: Lowering, left: Container, right: Container, node: cst.CSTNode
) -> Growing | None:
    """`p + q`, where one at least is of unknown length; None if the items are of no one kind."""
    if not {left.kind, right.kind} <= {"list", "growing"}:
        return None
    template = common_template(lowering, [left, right])
    if not isinstance(template, Var | Const):
        return None
    lists = []
    for each in (left, right):
        made = grown(lowering, each, template, node) if isinstance(each, Structure) else each
        lists.append(made.items[0])
    whole = Growing("growing", (0,), (lists[0],), item=template)
    return named(lowering, holding(whole, [lowering.assign(JOINED, lists, node)]))


def without(
    lowering: Lowering, items: Growing, place: int, node: cst.CSTNode
) -> tuple[Growing, Value] | None:
    """What `l.pop(place)` leaves and gives, `place` counted from the front."""
    rest = part_of(lowering, items, Const(slice(place + 1, None)), node)
    if rest is None:
        return None
    taken = item_of(lowering, items, Const(place), node)
    if place:
        before = part_of(lowering, items, Const(slice(None, place)), node)
        rest = None if before is None else joined(lowering, before, rest, node)
    return None if rest is None else (rest, taken)


def with_stars(
    lowering: Lowering, values: Sequence[Value], stars: Sequence[bool], node: cst.CSTNode
) -> Container | None:
    """`[*p, a]`; None if no list of unknown length is among what is unpacked."""
    values = [current(lowering, value, node) for value in values]
    unpacked = [value for value, star in zip(values, stars, strict=True) if star]
    if not any(isinstance(value, Growing) for value in unpacked):
        return None
    whole: Container | None = None
    for value, star in zip(values, stars, strict=True):
        if star and not isinstance(value, Container):
            return None
        part = value if star else container(lowering, "list", [value])
        assert isinstance(part, Container)
        if isinstance(whole, Growing) and isinstance(part, Structure):
            for item in part.items:
                whole = with_item(lowering, whole, None, item, node)
            whole = named(lowering, whole)
        else:
            whole = part if whole is None else joined(lowering, whole, part, node)
        if whole is None:
            return None
    if isinstance(whole, Growing) and len(values) == 1:
        return part_of(lowering, whole, Const(slice(None)), node)
    return whole


def store_part(
    lowering: Lowering, items: Container, part: Atom, values: Value, node: cst.CSTNode
) -> Container:
    """`l[a:b] = p`: of lists of known length, or where `p` is known to be as long as the part."""
    key = part.value if isinstance(part, Const) else None
    if isinstance(items, Structure) and isinstance(values, Structure) and isinstance(key, slice):
        changed = list(items.items)
        if key.step in (None, 1) or len(changed[key]) == len(values.items):
            changed[key] = values.items
            return replace(items, keys=tuple(range(len(changed))), items=tuple(changed))
    source = _part_taken(lowering, values)
    if isinstance(items, Growing) and isinstance(values, Growing) and source is not None:
        base, place = source
        if base == items.items[0] and _is_same_part(lowering, place, part):
            lists = [items.items[0], part, values.items[0]]
            return holding(items, [lowering.assign(SET_SLICE, lists, node)])
    if isinstance(items, Growing) and isinstance(key, slice) and isinstance(values, Container):
        whole = _around(lowering, items, key, values, node)
        if whole is not None:
            return whole
    raise lowering.refuse(
        "write-in-place",
        "a part of a list is replaced by what may have another length",
        node,
        help="make a new list of its parts: `[*p[:a], *q, *p[b:]]`",
    )


def _around(
    lowering: Lowering, items: Growing, part: slice, values: Container, node: cst.CSTNode
) -> Growing | None:
    """`[*l[:a], *values, *l[b:]]`, what `l[a:b] = values` makes of a list of any length; None where
    it is not known that a is not behind b, or the items are of no one kind.
    """
    start, stop = part.start or 0, part.stop
    ordered = stop is None or (start <= stop and (start < 0) == (stop < 0))
    if part.step not in (None, 1) or not ordered:
        return None
    whole: Container | None = part_of(lowering, items, Const(slice(None, start)), node)
    pieces = [values]
    if stop is not None:
        rest = part_of(lowering, items, Const(slice(stop, None)), node)
        if rest is None:
            return None
        pieces.append(rest)
    for piece in pieces:
        whole = None if whole is None else joined(lowering, whole, piece, node)
    return whole if isinstance(whole, Growing) else None


def _part_taken(lowering: Lowering, values: Value) -> tuple[Atom, Atom] | None:
    """The part of a list that a list was computed from, item by item."""
    taken = values.items[0] if isinstance(values, Growing) else None
    while isinstance(taken, Var):
        made = lowering.definition(taken)
        if made is not None and made.op is SLICED:
            return made.operands[0], made.operands[1]
        if made is None or made.op not in (ADD_LISTS, ZERO_ITEMS):
            return None
        taken = made.operands[0]
    return None


def _is_same_part(lowering: Lowering, one: Atom, other: Atom) -> bool:
    if isinstance(one, Var) and isinstance(other, Var):
        made = [lowering.definition(each) for each in (one, other)]
        return None not in made and made[0].operands == made[1].operands  # type: ignore[union-attr]
    return one == other


__all__ = ["joined", "part_of", "store_part", "with_stars", "without"]
