"""What a loop or comprehension goes through: items one by one where they are known, or numbers to
count and what each of them stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import libcst as cst

from s2s_ad.frontend.blocks import same_items
from s2s_ad.frontend.containers import item_of, length_of, refreshed
from s2s_ad.frontend.expressions import lower_expression
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import atom
from s2s_ad.frontend.protocols import check_items_of_object
from s2s_ad.frontend.values import Container, Growing, Named, Numbers, Value, ViewOf
from s2s_ad.ir import Atom, Const, Structure, Var, tuple_of
from s2s_ad.operations.support import GREATER, RANGE_LENGTH, SMALLER
from s2s_ad.types import Array, Number, Size, scalar_like

MOST_ITEMS = 64  # of a `range` that is written out


@dataclass(frozen=True)
class Counted:
    """`range(*trip)`, and the item that a number of it stands for; lowered in the loop's body.

    `name` is what the user calls the number itself, if anything.
    """

    trip: tuple[Atom, Atom, Atom]
    item: Callable[[Atom], Value]
    sources: list[Container] = field(default_factory=list)
    name: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether it counts 0, 1, 2, ..."""
        return self.trip[0] == Const(0) and self.trip[2] == Const(1)

    @property
    def is_natural(self) -> bool:
        """Whether all its numbers are known to be 0 or more."""
        start, stop, step = (getattr(atom.type, "value", None) for atom in self.trip)
        if step is None or step.constant is None:
            return False
        if step.constant > 0:
            return start is not None and start.is_natural
        return stop is not None and (stop + 1).is_natural


class Known(list[Value]):
    """Items that are known, and the containers that they were taken from."""

    def __init__(self, items: Iterable[Value], sources: Sequence[Container]) -> None:
        super().__init__(items)
        self.sources = [source for source in sources if source.identity is not None]


Iteration = list[Value] | Counted


def sources_of(*found: Iteration) -> list[Container]:
    """The containers whose items are gone through."""
    return [
        source for each in found if isinstance(each, Known | Counted) for source in each.sources
    ]


def check_unchanged(
    lowering: Lowering, found: Iteration, node: cst.CSTNode, place: int = 0
) -> None:
    """Python sees what happens to a list that it goes through; the items here are those it had.

    `place` is that of the next item: those of a dict that were gone through may have changed.
    """
    for source in sources_of(found):
        latest = lowering.memory.contents.get(source.identity)
        if isinstance(source.identity, ViewOf):
            shown = refreshed(lowering, source, node)
            latest = replace(shown, keys=shown.keys[place:], items=shown.items[place:])
            source = replace(source, keys=source.keys[place:], items=source.items[place:])
        if latest is None or (source.kind == "dict" and latest.keys == source.keys):
            continue  # a dict is gone through by its keys
        if not same_items(latest, source):
            raise lowering.refuse(
                "write-in-place",
                "a container is changed while a loop goes through it",
                node,
                help="go through a copy of it, or through the numbers of a `range`",
            )


Target = cst.CSTNode | None
"""What the items are bound to: names for values, where there are names."""


def iteration(lowering: Lowering, node: cst.BaseExpression, target: Target = None) -> Iteration:
    """What `for target in node` goes through. Its parts are evaluated here, once."""
    if isinstance(node, cst.Call):
        function = lower_expression(lowering, node.func)
        from s2s_ad.frontend.iterators import HANDLERS

        handler = HANDLERS.get(function.name) if isinstance(function, Named) else None
        if handler is not None:
            return handler(lowering, node, target)
    named = isinstance(node, cst.Subscript) and isinstance(node.value, cst.Name)
    if named and isinstance(node, cst.Subscript) and len(node.slice) == 1:
        part = node.slice[0].slice
        base = lower_expression(lowering, node.value) if isinstance(part, cst.Slice) else None
        if isinstance(base, Growing) and isinstance(part, cst.Slice):
            return _slice(lowering, base, part, node)
    if isinstance(node, cst.GeneratorExp):
        lowering.consumed.add(node)
    return through_value(lowering, lower_expression(lowering, node), node, target)


def through_value(
    lowering: Lowering, value: Value, node: cst.CSTNode, target: Target = None
) -> Iteration:
    if isinstance(value, Growing):
        return items_of(lowering, value, node)
    if isinstance(value, Numbers):
        return Counted(value.bounds, lambda index: index, name=_name(target))
    if isinstance(value, Structure):
        if value.kind == "record":
            check_items_of_object(lowering, value, node)
        keys: list[Value] = [Const(key) for key in value.keys]
        return Known(keys if value.kind == "dict" else value.items, [value])
    if isinstance(value, Const) and isinstance(value.value, tuple | str):
        return [Const(item) for item in value.value]
    if isinstance(value, Var) and isinstance(value.type, Array):
        if value.type.shape is None:
            raise lowering.refuse(
                "unknown-rank",
                "going through an array needs its rank",
                node,
                help="annotate the parameter with its shape, or give it with `--arg`",
            )
        return _rows(lowering, value, node, _name(target))
    raise not_iterable(lowering, node)


def _name(target: Target) -> str:
    return target.value if isinstance(target, cst.Name) and target.value != "_" else ""


def parts_of(target: Target, count: int) -> list[Target]:
    """What the items of a tuple are bound to."""
    if isinstance(target, cst.Tuple | cst.List) and len(target.elements) == count:
        return [element.value for element in target.elements]
    return [None] * count


def _rows(lowering: Lowering, array: Var, node: cst.CSTNode, name: str) -> Counted:
    """The rows of an array: those of the array that it was, as they are when they are reached."""
    from s2s_ad.frontend.writes import now

    length = lowering.assign(lowering.operation("builtins.len"), [array], node)

    def row(index: Atom) -> Value:
        latest = now(lowering, array, node)
        return lowering.assign(lowering.operation("getitem"), [latest, index], node, name=name)

    return Counted((Const(0), length, Const(1)), row)


def items_of(lowering: Lowering, items: Growing, node: cst.CSTNode) -> Counted:
    length = length_of(lowering, items, node)

    def at(index: Atom) -> Value:
        check_unchanged(lowering, counted, node)
        return item_of(lowering, items, index, node)

    counted = Counted((Const(0), length, Const(1)), at, [items])
    return counted


def _slice(lowering: Lowering, items: Growing, part: cst.Slice, node: cst.CSTNode) -> Counted:
    """`l[a:b]` of a list of unknown length, for constant bounds and steps 1 and -1."""
    bounds = [
        Const(None) if bound is None else atom(lowering, lower_expression(lowering, bound), bound)
        for bound in (part.lower, part.upper, part.step)
    ]
    values: list[Any] = [bound.value if isinstance(bound, Const) else "" for bound in bounds]
    if "" in values or (values[2] not in (None, 1) and values != [None, None, -1]):
        from s2s_ad.frontend.list_parts import part_of
        from s2s_ad.operations.indexing import SLICE

        place = lowering.assign(SLICE, bounds, node)
        taken = part_of(lowering, items, place, node)
        if taken is not None:
            return items_of(lowering, taken, node)
    return part_of_list(lowering, items, slice(*values), node)


def part_of_list(lowering: Lowering, items: Growing, part: slice, node: cst.CSTNode) -> Counted:
    """The items of a slice: with bounds that are not known (""), it is refused."""
    values = [part.start, part.stop, part.step]
    turned = part.step == -1 and values[:2] == [None, None]
    if "" in values or (part.step not in (None, 1) and not turned):
        raise lowering.refuse(
            "not-constant",
            "this slice of a list of unknown length is not supported",
            node,
            help="go through the numbers of a `range`",
        )
    length = length_of(lowering, items, node)
    whole = items_of(lowering, items, node)
    if turned:
        last = _minus(lowering, length, 1, node)
        return Counted((last, Const(-1), Const(-1)), whole.item, whole.sources)
    start = _bound(lowering, part.start or 0, length, node)
    stop = length if part.stop is None else _bound(lowering, part.stop, length, node)
    return Counted((start, stop, Const(1)), whole.item, whole.sources)


def _bound(lowering: Lowering, value: int, length: Atom, node: cst.CSTNode) -> Atom:
    """A bound of a slice as Python moves it into a list."""
    if value == 0:
        return Const(0)
    if value > 0:
        return lowering.assign(SMALLER, [Const(value), length], node)
    return lowering.assign(GREATER, [_minus(lowering, length, -value, node), Const(0)], node)


def written_out(lowering: Lowering, found: Iteration) -> list[Value] | None:
    """What is gone through, item by item, where that is known and short."""
    if isinstance(found, list):
        return found
    numbers = known_trips(lowering, found)
    if numbers is None or len(numbers) > MOST_ITEMS:
        return None
    return [found.item(Const(number)) for number in numbers]


def range_of(lowering: Lowering, node: cst.Call, target: Target = None) -> Iteration:
    values = [lower_expression(lowering, argument.value) for argument in node.args]
    return through_value(lowering, numbers_of(lowering, values, node), node, target)


def numbers_of(lowering: Lowering, values: Sequence[Value], node: cst.Call) -> Numbers:
    """`range` of these bounds."""
    bounds: list[Atom] = []
    plain = len(values) == len(node.args)  # no `*bounds`
    for place, value in enumerate(values):
        argument = node.args[place] if plain else node
        bound = atom(lowering, value, argument)
        if not scalar_like(bound.type) or not str(bound.type).startswith(("i", "u", "bool")):
            raise lowering.refuse(
                "bad-index",
                f"`range` needs integers, not {bound.type}",
                argument,
                help="make it an integer, or annotate the parameter `int`",
            )
        bounds.append(bound)
    if not 1 <= len(bounds) <= 3:
        raise lowering.refuse("bad-call", "`range` takes one to three arguments", node)
    if len(bounds) == 1:
        bounds.insert(0, Const(0))
    if len(bounds) == 2:
        bounds.append(Const(1))
    return Numbers((bounds[0], bounds[1], bounds[2]))


def enumerated(lowering: Lowering, node: cst.Call, target: Target = None) -> Iteration:
    if not 1 <= len(node.args) <= 2:
        raise not_iterable(lowering, node)
    counter, items = parts_of(target, 2)
    inner = iteration(lowering, node.args[0].value, items)
    start: Atom = Const(0)
    if len(node.args) == 2:
        start = atom(lowering, lower_expression(lowering, node.args[1].value), node)
    plus = lowering.operation("+")

    def number(index: Atom) -> Atom:
        if start == Const(0):
            return index
        if isinstance(start, Const) and isinstance(index, Const):
            return Const(start.value + index.value)
        return lowering.assign(plus, [start, index], node)

    if isinstance(inner, list):
        rows = [tuple_of([number(Const(place)), item]) for place, item in enumerate(inner)]
        return Known(rows, sources_of(inner))
    counted = plainly(lowering, inner, node)
    return Counted(
        counted.trip,
        lambda index: tuple_of([number(index), counted.item(index)]),
        name=_name(counter) if start == Const(0) else "",
    )


def columns_of(lowering: Lowering, node: cst.Call, target: Target = None) -> list[Iteration]:
    """What each argument gives when it is gone through; `*rows` stands for several."""
    from s2s_ad.frontend.unpacking import star_items

    columns: list[Iteration] = []
    targets = parts_of(target, len(node.args))
    for argument, part in zip(node.args, targets, strict=True):
        if argument.star == "*":
            value = lower_expression(lowering, argument.value)
            rows = star_items(lowering, value, None, argument)
            columns += [through_value(lowering, row, argument) for row in rows]
        else:
            columns.append(iteration(lowering, argument.value, part))
    return columns


def turned_round(lowering: Lowering, node: cst.Call, target: Target = None) -> Iteration:
    if len(node.args) != 1:
        raise not_iterable(lowering, node)
    inner = iteration(lowering, node.args[0].value, target)
    if isinstance(inner, list):
        return Known(inner[::-1], sources_of(inner))
    start, stop, step = inner.trip
    if step in (Const(1), Const(-1)):
        sign = step.value  # type: ignore[union-attr]
        first, last = (_minus(lowering, bound, sign, node) for bound in (stop, start))
        return Counted((first, last, Const(-sign)), inner.item, name=inner.name)
    counted = plainly(lowering, inner, node)
    first = _minus(lowering, counted.trip[1], 1, node)
    return Counted((first, Const(-1), Const(-1)), counted.item)


def _minus(lowering: Lowering, bound: Atom, amount: int, node: cst.CSTNode) -> Atom:
    if isinstance(bound, Const):
        return Const(bound.value - amount)
    symbol, amount = ("-", amount) if amount > 0 else ("+", -amount)
    return lowering.assign(lowering.operation(symbol), [bound, Const(amount)], node)


def plainly(lowering: Lowering, counted: Counted, node: cst.CSTNode) -> Counted:
    """The same items, counted 0, 1, 2, ..."""
    if counted.is_plain:
        return counted
    start, stop, step = counted.trip
    length: Atom
    if all(isinstance(bound, Const) for bound in counted.trip):
        length = Const(len(range(*(bound.value for bound in counted.trip))))  # type: ignore[union-attr]
    else:
        length = lowering.assign(RANGE_LENGTH, [start, stop, step], node)

    def item(index: Atom) -> Value:
        scaled = index
        if step != Const(1):
            scaled = lowering.assign(lowering.operation("*"), [index, step], node)
        if start != Const(0):
            scaled = lowering.assign(lowering.operation("+"), [start, scaled], node)
        return counted.item(scaled)

    return Counted((Const(0), length, Const(1)), item)


def size_of(lowering: Lowering, atom: Atom) -> Size | None:
    value = atom.type.value if isinstance(atom.type, Number) else None
    return None if value is None else lowering.sizes.resolve(value)


def number_of(lowering: Lowering, atom: Atom) -> int | None:
    size = size_of(lowering, atom)
    return None if size is None else size.constant


def known_trips(lowering: Lowering, counted: Counted) -> range | None:
    """The numbers, where they are known when compiling."""
    bounds = [number_of(lowering, bound) for bound in counted.trip]
    if None in bounds or bounds[2] == 0:
        return None
    return range(*(bound for bound in bounds if bound is not None))


def not_iterable(lowering: Lowering, node: cst.CSTNode) -> Exception:
    return lowering.refuse(
        "not-iterable",
        f"it is not known how to go through `{lowering.code(node)}`",
        node,
        help="go through a `range`, an array, a list or a tuple",
    )


__all__ = [
    "Counted",
    "Iteration",
    "Known",
    "check_unchanged",
    "columns_of",
    "enumerated",
    "items_of",
    "iteration",
    "known_trips",
    "not_iterable",
    "number_of",
    "numbers_of",
    "plainly",
    "range_of",
    "size_of",
    "sources_of",
    "through_value",
    "turned_round",
    "written_out",
]
