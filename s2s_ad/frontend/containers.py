"""Lists, dicts and records, which are objects: they change, and under all of their names.

A container has an identity; what it holds now is kept in `Memory.contents`. A list whose length is
not known when compiling is `Growing`: a list of the IR for each leaf of its items (a list of pairs
of floats is two lists of floats).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import libcst as cst

from s2s_ad.frontend.joins import Joiner
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.rows import (
    as_rows,
    element_of,
    fitting,
    length_of_row,
    note_row,
    note_taken,
    store_in_row,
)
from s2s_ad.frontend.values import Container, Growing, Identity, Value, ViewOf
from s2s_ad.frontend.writes import lose, refuse_lasting, refuse_lost
from s2s_ad.ir import Assign, Atom, Const, Structure, Var, tuple_of
from s2s_ad.operations.lists import (
    APPEND,
    DISPLAY,
    LENGTH,
    POP,
    SET_ITEM,
    item_operation,
    new_list,
    taken_type,
)
from s2s_ad.types import ListOf, Number, Type, is_numeric

Kind = TypeVar("Kind", Structure, Growing, Container)


def container(
    lowering: Lowering,
    kind: str,
    items: Sequence[Value],
    keys: Sequence[object] | None = None,
    constructor: str = "",
) -> Structure:
    """A new container; tuples have no identity, since they never change."""
    keys = tuple(range(len(items)) if keys is None else keys)
    if kind == "tuple":
        return Structure(kind, keys, tuple(items), constructor)
    return named(lowering, Structure(kind, keys, tuple(items), constructor))


def named(lowering: Lowering, structure: Kind) -> Kind:
    """The same container as an object of its own."""
    memory = lowering.memory
    memory.time += 1
    made = replace(structure, identity=Identity(memory.time))
    memory.contents[made.identity] = made
    return made


def refreshed(lowering: Lowering, structure: Container, node: cst.CSTNode) -> Container:
    """What a container holds now, all the way down."""
    memory = lowering.memory
    if isinstance(structure.identity, ViewOf):
        return _shown(lowering, structure, node)
    if structure.identity is not None:
        if structure.identity in memory.lost:
            raise refuse_lost(lowering, [structure.identity], node)
        structure = memory.contents.get(structure.identity, structure)
    items = tuple(
        refreshed(lowering, item, node) if isinstance(item, Container) else item
        for item in structure.items
    )
    if all(new is old for new, old in zip(items, structure.items, strict=True)):
        return structure
    return replace(structure, items=items)


def view_of(lowering: Lowering, items: Structure, part: str) -> Structure:
    """`d.values()`, `d.keys()` or `d.items()` as a tuple that follows the dict."""
    shown: dict[str, tuple[Value, ...]] = {
        "values": items.items,
        "keys": tuple(map(Const, items.keys)),
        "items": tuple(
            tuple_of((Const(key), value))
            for key, value in zip(items.keys, items.items, strict=True)
        ),
    }
    found = tuple_of(shown[part])
    of, memory = items.identity, lowering.memory
    if of is None:
        return found
    identity = memory.views.setdefault((of, part), ViewOf(of.born, True, of, part))
    memory.overlap(identity, of)
    return replace(found, identity=identity)


def _shown(lowering: Lowering, view: Container, node: cst.CSTNode) -> Structure:
    """A view as its dict is now."""
    identity = view.identity
    latest = refreshed(lowering, lowering.memory.contents[identity.of], node)
    assert isinstance(latest, Structure)
    return view_of(lowering, latest, identity.part)


def change(lowering: Lowering, before: Container, after: Container, node: cst.CSTNode) -> None:
    """A container holds something else from now on."""
    memory, identity = lowering.memory, before.identity
    if identity is None or identity.fixed:
        what = "a tuple" if before.kind == "tuple" else "a container that may be one of several"
        raise lowering.refuse(
            "write-in-place",
            f"{what} cannot be changed here",
            node,
            help="make a new one: `list(...)`, `dict(...)`",
        )
    if memory.outlives(identity):
        raise refuse_lasting(lowering, node)
    memory.contents[identity] = replace(after, identity=identity)
    memory.changed.add(identity)
    lose(lowering, memory.overlaps.get(identity, ()), node)


def without_objects(value: Any) -> Any:
    """The value with containers that have no identity."""
    if isinstance(value, Container):
        items = tuple(without_objects(item) for item in value.items)
        return replace(value, items=items, identity=None)
    return value


def identities(value: Any) -> list[Identity]:
    """The objects in a value."""
    found: list[Identity] = []
    if isinstance(value, Container):
        found += [value.identity] if value.identity is not None else []
        for item in value.items:
            found += identities(item)
    return found


def as_objects(lowering: Lowering, value: Container, objects: Sequence[Any]) -> Container:
    """The value with objects in the place of lists, dicts and records without identity. Which ones
    they are is not known: they may be any of `objects`, and cannot be changed.
    """
    if value.identity is not None:
        return value
    items = tuple(
        as_objects(lowering, item, objects) if isinstance(item, Container) else item
        for item in value.items
    )
    value = replace(value, items=items)
    if value.kind == "tuple":
        return value
    memory = lowering.memory
    memory.time += 1
    identity = Identity(memory.time, fixed=True)
    for each in objects:
        for other in identities(each):
            for others in [*memory.overlaps.values()]:
                if other in others:  # what makes that one unknown makes this one unknown
                    others.add(identity)
            memory.overlap(identity, other)
    value = replace(value, identity=identity)
    memory.contents[identity] = value
    return value


def mark_lasting(lowering: Lowering, value: Value) -> None:
    """What is no call's own: it may be read, but not changed."""
    memory = lowering.memory
    memory.catch_up(lowering)
    memory.lasting.update(identities(value))
    for leaf in leaves_of(value):
        if isinstance(leaf, Var):
            memory.lasting |= memory.where.get(leaf, frozenset())


# Lists of unknown length --------------------------------------------------------------------------


def leaves_of(value: Value) -> list[Value]:
    if isinstance(value, Container):
        return [leaf for item in value.items for leaf in leaves_of(item)]
    return [value]


def numeric_leaves(value: Value) -> list[Atom]:
    return [
        leaf
        for leaf in leaves_of(value)
        if isinstance(leaf, Var) or (isinstance(leaf, Const) and is_numeric(leaf.type))
    ]


def filled(template: Value, atoms: Sequence[Atom]) -> Value:
    """The template with other atoms at its numeric leaves."""
    supply = list(atoms)

    def build(value: Value) -> Value:
        if isinstance(value, Container):
            return replace(value, items=tuple(build(item) for item in value.items), identity=None)
        if isinstance(value, Var) or (isinstance(value, Const) and is_numeric(value.type)):
            return supply.pop(0)
        return value

    return build(template)


def item_type(type: Type) -> Type:
    """The type of an item, what is known of one integer forgotten."""
    return Number("int") if isinstance(type, Number) and type.kind == "int" else type


def item_template(lowering: Lowering, items: Sequence[Value], joiner: Joiner) -> Value | None:
    """One value with a variable for each leaf, of the type that fits all items; None if there is
    none.
    """
    if not items:
        return None
    if any(not alike(items[0], item) for item in items[1:]):
        items = as_rows(items, joiner)
    types = [item_type(atom.type) for atom in numeric_leaves(items[0])]
    for item in items[1:]:
        if not alike(items[0], item):
            return None
        for place, atom in enumerate(numeric_leaves(item)):
            joined = joiner.strict(types[place], item_type(atom.type))
            if joined is None:
                return None
            types[place] = joined
    types = [lowering.sizes.resolve_type(joiner.renewed(type)) for type in types]
    return filled(items[0], [Var("item", type) for type in types])


def is_leaf(value: Value) -> bool:
    """Whether it is a number or an array."""
    return isinstance(value, Var) or (isinstance(value, Const) and is_numeric(value.type))


def alike(left: Value, right: Value) -> bool:
    """Whether two items have one structure."""
    if isinstance(left, Growing) and isinstance(right, Growing):
        return is_leaf(left.item) and is_leaf(right.item)
    if isinstance(left, Growing) or isinstance(right, Growing):
        return False
    if isinstance(left, Container) and isinstance(right, Container):
        return (
            (left.kind, left.keys, left.constructor) == (right.kind, right.keys, right.constructor)
            and len(left.items) == len(right.items)
            and all(alike(*pair) for pair in zip(left.items, right.items, strict=True))
        )
    numeric = [is_leaf(value) for value in (left, right)]
    return all(numeric) or (not any(numeric) and left == right)


def common_template(lowering: Lowering, lists: Sequence[Container]) -> Value | None:
    """The template of the items of several lists."""
    items: list[Value] = []
    for each in lists:
        items += [each.item] if isinstance(each, Growing) else each.items
    return item_template(lowering, items, Joiner(lowering.sizes))


def grown(
    lowering: Lowering, structure: Container, template: Value | None, node: cst.CSTNode
) -> Growing:
    """A list as one of unknown length."""
    if isinstance(structure, Growing):
        return structure
    if template is None:
        template = item_template(lowering, structure.items, Joiner(lowering.sizes))
    if structure.kind not in ("list", "tuple") or template is None:
        raise lowering.refuse(
            "not-constant",
            f"the items of this {structure.kind} are of different kinds, and it is not known which "
            "one is meant",
            node,
            help="use constant indices, or items of one kind",
        )
    items = [fitting(lowering, template, item, node) for item in structure.items]
    for item in items:
        _holds(lowering, structure, item, node)
    columns = [numeric_leaves(item) for item in items]
    lists: list[Value] = []
    for place, leaf in enumerate(numeric_leaves(template)):
        if columns:
            lists.append(lowering.assign(DISPLAY, [column[place] for column in columns], node))
        else:
            lists.append(lowering.assign(new_list(leaf.type), [], node))
    return Growing(
        "growing",
        tuple(range(len(lists))),
        tuple(lists),
        identity=structure.identity,
        item=template,
    )


def _holds(lowering: Lowering, items: Container, value: Value, node: cst.CSTNode) -> None:
    """A list of unknown length holds containers as they are: none of them may change later."""
    for identity in identities(value):
        if items.identity is None:
            raise lowering.refuse(
                "not-constant", "which of several containers this is is not known", node
            )
        note_row(lowering, identity, items.identity)
        # one way only: what is done to the list leaves what it holds as it is
        lowering.memory.overlaps.setdefault(identity, set()).add(items.identity)


def item_of(lowering: Lowering, items: Growing, index: Atom, node: cst.CSTNode) -> Value:
    if items.identity in lowering.memory.lost:
        raise refuse_lost(lowering, [items.identity], node)
    element = element_of(lowering, items, index, node)
    if element is not None:
        return element
    lists = [_list(leaf) for leaf in items.items]
    atoms = [lowering.assign(item_operation(leaf.type), [leaf, index], node) for leaf in lists]
    taken = _one_of(lowering, filled(items.item, atoms), items)
    note_taken(lowering, taken, items, index)
    return taken


def _one_of(lowering: Lowering, value: Value, items: Growing) -> Value:
    """An item of a list of unknown length, which is one of the containers that the list holds: a
    change of any of them makes it unknown.
    """
    if not isinstance(value, Container) or items.identity is None:
        return value
    memory = lowering.memory
    taken = as_objects(lowering, value, [])
    held_by = [others for others in memory.overlaps.values() if items.identity in others]
    for others in held_by:
        others.update(identities(taken))
    return taken


def length_of(lowering: Lowering, items: Growing, node: cst.CSTNode) -> Atom:
    if not items.items:
        raise lowering.refuse("not-constant", "how long this list is is not known", node)
    length = length_of_row(lowering, items, node)
    return lowering.assign(LENGTH, [_list(items.items[0])], node) if length is None else length


def _list(leaf: Value) -> Var:
    assert isinstance(leaf, Var)
    return leaf


def with_item(
    lowering: Lowering, items: Growing, index: Atom | None, value: Value, node: cst.CSTNode
) -> Growing:
    """The list with an item stored (`index` given) or appended."""
    from s2s_ad.frontend.operands import current

    value = fitting(lowering, items.item, current(lowering, value, node), node)
    if not alike(items.item, value):
        raise lowering.refuse(
            "changes-kind",
            "the items of a list of unknown length have to be of one kind",
            node,
            help="use a list for each kind",
        )
    _holds(lowering, items, value, node)
    lists: list[Value] = []
    for leaf, atom in zip(items.items, numeric_leaves(value), strict=True):
        operands = [_list(leaf), atom] if index is None else [_list(leaf), index, atom]
        name = _list(leaf).name if not _list(leaf).is_temporary else ""
        op = APPEND if index is None else SET_ITEM
        changed = lowering.assign(op, operands, node, name)
        lists.append(changed)
    return holding(items, lists)


def holding(items: Growing, lists: Sequence[Value]) -> Growing:
    """The list with other lists of the IR, whose items may have other types."""
    types = [leaf.type.item for leaf in map(_list, lists) if isinstance(leaf.type, ListOf)]
    item = filled(items.item, [Var("item", type) for type in types])
    return replace(items, items=tuple(lists), item=item)


def popped(lowering: Lowering, items: Growing, node: cst.CSTNode) -> tuple[Growing, Value]:
    lists: list[Value] = []
    atoms: list[Atom] = []
    names = lowering.builder.names
    for leaf in items.items:
        before = _list(leaf)
        assert isinstance(before.type, ListOf)
        top = names.temporary(taken_type(lowering.sizes, [before]))
        rest = (
            names.fresh(before.name, before.type)
            if not before.is_temporary
            else (names.temporary(before.type))
        )
        lowering.builder.statements.append(
            Assign((top, rest), POP, (before,), lowering.span(node), lowering.builder.role)
        )
        atoms.append(top)
        lists.append(rest)
    return replace(items, items=tuple(lists)), filled(items.item, atoms)


# Methods ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """A call of a method that changes a list or dict."""

    lowering: Lowering
    receiver: Container
    arguments: tuple[Value, ...]
    node: cst.CSTNode

    def put(self, items: Sequence[Value]) -> None:
        after = replace(self.receiver, keys=tuple(range(len(items))), items=tuple(items))
        change(self.lowering, self.receiver, after, self.node)


def _append(call: Call) -> Value:
    (value,) = call.arguments
    receiver = call.receiver
    if isinstance(receiver, Growing):
        changed = with_item(call.lowering, receiver, None, value, call.node)
        change(call.lowering, receiver, changed, call.node)
    else:
        call.put([*receiver.items, value])
    return Const(None)


def _extend(call: Call) -> Value:
    from s2s_ad.frontend.list_parts import joined

    (values,) = call.arguments
    if isinstance(values, Growing):
        longer = joined(call.lowering, call.receiver, values, call.node)
        if longer is not None:
            change(call.lowering, call.receiver, longer, call.node)
            return Const(None)
    if not isinstance(values, Container) or isinstance(values, Growing):
        raise call.lowering.refuse(
            "not-constant", "only a container of known length can be added", call.node
        )
    receiver = call.receiver
    if not isinstance(receiver, Growing):
        call.put([*receiver.items, *values.items])
        return Const(None)
    for value in values.items:
        receiver = with_item(call.lowering, receiver, None, value, call.node)
    change(call.lowering, call.receiver, receiver, call.node)
    return Const(None)


def _pop(call: Call) -> Value:
    receiver = call.receiver
    place = call.arguments[0] if call.arguments else Const(-1)
    if receiver.kind == "dict" and call.arguments:
        key = place.value if isinstance(place, Const) else None
        if key in receiver.keys:
            at = receiver.keys.index(key)
            after = replace(
                receiver,
                keys=receiver.keys[:at] + receiver.keys[at + 1 :],
                items=receiver.items[:at] + receiver.items[at + 1 :],
            )
            change(call.lowering, receiver, after, call.node)
            taken: Value = receiver.items[at]
            return taken
        if len(call.arguments) > 1 and isinstance(place, Const):
            return call.arguments[1]
    elif isinstance(receiver, Growing):
        if place == Const(-1):
            shorter, top = popped(call.lowering, receiver, call.node)
            change(call.lowering, receiver, shorter, call.node)
            return top
        if isinstance(place, Const) and isinstance(place.value, int) and place.value >= 0:
            from s2s_ad.frontend.list_parts import without

            found = without(call.lowering, receiver, place.value, call.node)
            if found is not None:
                change(call.lowering, receiver, found[0], call.node)
                return found[1]
    elif isinstance(place, Const) and -len(receiver.items) <= place.value < len(receiver.items):
        items = list(receiver.items)
        value: Value = items.pop(place.value)
        call.put(items)
        return value
    raise call.lowering.refuse("not-constant", "which item this takes is not known here", call.node)


def _insert(call: Call) -> Value:
    from s2s_ad.frontend.list_parts import joined

    place, value = call.arguments
    if isinstance(call.receiver, Growing) and place == Const(0):
        longer = joined(
            call.lowering, container(call.lowering, "list", [value]), call.receiver, call.node
        )
        if longer is not None:
            change(call.lowering, call.receiver, longer, call.node)
            return Const(None)
    if isinstance(call.receiver, Growing) or not isinstance(place, Const):
        raise call.lowering.refuse(
            "not-constant", "where this is inserted is not known here", call.node
        )
    items = list(call.receiver.items)
    items.insert(place.value, value)
    call.put(items)
    return Const(None)


def _part(call: Call, part: slice) -> Growing:
    """A part of a list of unknown length."""
    from s2s_ad.frontend.list_parts import part_of

    assert isinstance(call.receiver, Growing)
    found = part_of(call.lowering, call.receiver, Const(part), call.node)
    if found is None:
        message = "a list of unknown length that holds containers cannot be copied or turned round"
        raise call.lowering.refuse(
            "not-constant", message, call.node, help="go through the numbers of a `range`"
        )
    return found


def _reverse(call: Call) -> Value:
    if isinstance(call.receiver, Growing):
        turned = _part(call, slice(None, None, -1))
        change(call.lowering, call.receiver, turned, call.node)
        return Const(None)
    call.put(call.receiver.items[::-1])
    return Const(None)


def _clear(call: Call) -> Value:
    if isinstance(call.receiver, Growing):
        raise call.lowering.refuse("not-constant", "how long this list is is not known", call.node)
    change(call.lowering, call.receiver, replace(call.receiver, keys=(), items=()), call.node)
    return Const(None)


def _copy(call: Call) -> Value:
    receiver = call.receiver
    if isinstance(receiver, Growing):
        return _part(call, slice(None))
    return named(call.lowering, receiver)


def _setdefault(call: Call) -> Value:
    key = call.arguments[0]
    if not isinstance(key, Const):
        raise call.lowering.refuse("not-constant", "a key has to be a constant", call.node)
    receiver = call.receiver
    if key.value in receiver.keys:
        found: Value = receiver.items[receiver.keys.index(key.value)]
        return found
    value = call.arguments[1] if len(call.arguments) > 1 else Const(None)
    keys, items = (*receiver.keys, key.value), (*receiver.items, value)
    change(call.lowering, receiver, replace(receiver, keys=keys, items=items), call.node)
    return value


def _update(call: Call) -> Value:
    (others,) = call.arguments
    receiver = call.receiver
    if not isinstance(others, Container) or others.kind != "dict":
        raise call.lowering.refuse("not-constant", "a dict of known keys is needed", call.node)
    entries = dict(zip(receiver.keys, receiver.items, strict=True))
    entries.update(zip(others.keys, others.items, strict=True))
    after = replace(receiver, keys=tuple(entries), items=tuple(entries.values()))
    change(call.lowering, receiver, after, call.node)
    return Const(None)


# Each with how many arguments it takes.
LIST_METHODS: dict[str, tuple[Callable[[Call], Value], tuple[int, ...]]] = {
    "append": (_append, (1,)),
    "extend": (_extend, (1,)),
    "insert": (_insert, (2,)),
    "pop": (_pop, (0, 1)),
    "reverse": (_reverse, (0,)),
    "clear": (_clear, (0,)),
    "copy": (_copy, (0,)),
}
DICT_METHODS: dict[str, tuple[Callable[[Call], Value], tuple[int, ...]]] = {
    "update": (_update, (1,)),
    "pop": (_pop, (1, 2)),
    "setdefault": (_setdefault, (1, 2)),
    "clear": (_clear, (0,)),
    "copy": (_copy, (0,)),
}


def call_method(
    lowering: Lowering, receiver: Container, name: str, values: Sequence[Value], node: cst.CSTNode
) -> Value | None:
    """Call a method that changes a container, or copies it; None if it has no such method."""
    methods = DICT_METHODS if receiver.kind == "dict" else LIST_METHODS
    found = methods.get(name) if receiver.kind in ("list", "growing", "dict") else None
    if found is None or len(values) not in found[1]:
        return None
    method: Callable[[Call], Value] = found[0]
    return method(Call(lowering, receiver, tuple(values), node))


def store(lowering: Lowering, base: Container, key: Atom, value: Value, node: cst.CSTNode) -> None:
    """`l[i] = v`, `d[k] = v`"""
    from s2s_ad.frontend.operands import known_index

    known = known_index(key)
    if store_in_row(lowering, base, key, value, node):
        return
    if base.kind == "dict":
        if not isinstance(key, Const):
            raise lowering.refuse("not-constant", "a key has to be a constant", node)
        entries = dict(zip(base.keys, base.items, strict=True)) | {key.value: value}
        after = replace(base, keys=tuple(entries), items=tuple(entries.values()))
        change(lowering, base, after, node)
    elif base.kind in ("list", "growing") and not is_numeric(key.type):
        from s2s_ad.frontend.list_parts import store_part

        change(lowering, base, store_part(lowering, base, key, value, node), node)
    elif isinstance(base, Growing) or known is None:
        if isinstance(key, Const) and not isinstance(key.value, int):
            raise lowering.refuse("bad-index", "an item has to be assigned by its number", node)
        if base.kind not in ("list", "growing"):
            raise lowering.refuse("write-in-place", f"a {base.kind} cannot be changed", node)
        change(
            lowering,
            base,
            with_item(lowering, grown(lowering, base, None, node), key, value, node),
            node,
        )
    else:
        if not -len(base.items) <= known < len(base.items):
            raise lowering.refuse(
                "bad-index", f"index {known} is out of range for {len(base.items)} items", node
            )
        items = list(base.items)
        items[known] = value
        change(lowering, base, replace(base, items=tuple(items)), node)


def remove(lowering: Lowering, base: Container, key: Atom, node: cst.CSTNode) -> None:
    """`del l[i]`, `del l[a:b]`, `del d[k]`"""
    part = key.value if isinstance(key, Const) else None
    if isinstance(part, slice) and base.kind == "list":
        items = list(base.items)
        del items[part]
        change(
            lowering, base, replace(base, keys=tuple(range(len(items))), items=tuple(items)), node
        )
    elif call_method(lowering, base, "pop", [key], node) is None:
        raise lowering.refuse("write-in-place", f"a {base.kind} cannot be changed", node)


__all__ = [
    "call_method",
    "change",
    "container",
    "grown",
    "item_of",
    "length_of",
    "refreshed",
    "remove",
    "store",
]
