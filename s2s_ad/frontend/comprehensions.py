"""Comprehensions and generators: loops that append to a list, or add up."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import libcst as cst

from s2s_ad.frontend.branches import choose, truth
from s2s_ad.frontend.containers import call_method, container, refreshed
from s2s_ad.frontend.expressions import lower_expression
from s2s_ad.frontend.iteration import (
    Counted,
    Iteration,
    check_unchanged,
    iteration,
    known_trips,
    plainly,
)
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import atom, current
from s2s_ad.frontend.values import PastItem, Value
from s2s_ad.ir import Atom, Const
from s2s_ad.types import BOOL

MOST_ITEMS = 64
# what goes through something in one place
Clause = cst.Call | cst.Tuple | cst.List | cst.Subscript | cst.BinaryOperation


def comprehension(lowering: Lowering, node: cst.ListComp | cst.GeneratorExp) -> Value:
    """`[f(a) for a in p if a > 0]`; a generator only where it is gone through, once and at once."""
    if isinstance(node, cst.GeneratorExp) and node not in lowering.consumed:
        raise refuse_generator(lowering, node)
    result = container(lowering, "list", [])

    def append() -> None:
        value = lower_expression(lowering, node.elt)
        call_method(lowering, refreshed(lowering, result, node), "append", [value], node)

    through(lowering, node.for_in, append, isinstance(node, cst.ListComp))
    return refreshed(lowering, result, node)


def refuse_generator(lowering: Lowering, node: cst.CSTNode) -> Exception:
    return lowering.refuse(
        "unsupported-syntax",
        "a generator that is kept computes its items later, and only once",
        node,
        help="write a list: `[...]` in the place of `(...)`",
    )


def dict_comprehension(lowering: Lowering, node: cst.DictComp) -> Value:
    entries: dict[object, Value] = {}

    def add() -> None:
        key = lower_expression(lowering, node.key)
        if not isinstance(key, Const) or lowering.branches > depth:
            raise lowering.refuse("not-constant", "a key has to be a constant", node.key)
        entries[key.value] = lower_expression(lowering, node.value)

    depth = lowering.branches
    through(lowering, node.for_in, add, to_the_end=True)
    return container(lowering, "dict", tuple(entries.values()), tuple(entries))


def through(
    lowering: Lowering, clause: cst.CompFor, action: Callable[[], None], to_the_end: bool = False
) -> None:
    """Do something for each item; the names of the targets are local.

    Functions that are made in it read its names when they are called: behind it they see the last
    item, where that is a constant, and it is known that all were gone through (`to_the_end`).
    """
    items: dict[str, Value] = {}
    lowering.frame.items.append(items)
    try:
        names = _through(lowering, clause, items, action)
    finally:
        lowering.frame.items.pop()
    for name, value in items.items():
        if not (to_the_end and name in names and isinstance(value, Const)):
            items[name] = PastItem()


def _through(
    lowering: Lowering, clause: cst.CompFor, items: dict[str, Value], action: Callable[[], None]
) -> set[str]:
    """Do something for each item of one clause, and give its targets. What the names of all clauses
    of a comprehension stand for is noted in `items`.
    """
    from s2s_ad.frontend.resolve import target_names

    if clause.asynchronous is not None:
        raise lowering.refuse(
            "unsupported-syntax", "`async for` is not supported", clause, help="write a plain `for`"
        )
    found = iteration(lowering, clause.iter, clause.target)
    names = target_names(clause.target)
    outer = {name: lowering.frame.names.get(name) for name in names}

    def with_item() -> None:
        items.update({name: lowering.frame.names[name] for name in names})
        _conditions(lowering, clause, 0, items, action)

    each(lowering, clause, found, with_item)
    for name, value in outer.items():
        if value is None:
            lowering.frame.names.pop(name, None)
        else:
            lowering.frame.names[name] = value
    return names


def collected(lowering: Lowering, found: Counted, node: Clause) -> Value:
    """`list(p)` of what is gone through."""
    from s2s_ad.frontend.loops import lower_clause

    result = container(lowering, "list", [])

    def trip(index: Atom | None) -> None:
        assert index is not None
        items = refreshed(lowering, result, node)
        call_method(lowering, items, "append", [found.item(index)], node)

    lower_clause(lowering, node, found, trip)
    return refreshed(lowering, result, node)


def sum_of(lowering: Lowering, found: Iteration, start: Value, node: cst.Call) -> Value:
    """`sum(p)` of what is gone through, from left to right."""
    total = folded(lowering, found, start, partial(_plus, lowering, node), node)
    return start if total is None else total


def folded(
    lowering: Lowering,
    found: Iteration,
    start: Value | None,
    step: Callable[[Value, Value], Value],
    node: cst.Call,
) -> Value | None:
    """What a step makes of one item after the other; without a start, the first item is it. None if
    there is neither.
    """
    from s2s_ad.frontend.loops import lower_clause

    names, key = lowering.frame.names, f"<fold {id(node)}>"
    if isinstance(found, list):
        for item in found:
            start = item if start is None else step(start, item)
        return start
    if start is None:
        found, start = _without_first(lowering, found, node)
    names[key] = start

    def trip(index: Atom | None) -> None:
        assert index is not None and isinstance(found, Counted)
        so_far = current(lowering, lowering.frame.names[key], node)
        lowering.frame.names[key] = step(so_far, found.item(index))

    lower_clause(lowering, node, found, trip)
    return current(lowering, names.pop(key), node)


def _without_first(lowering: Lowering, found: Counted, node: cst.Call) -> tuple[Counted, Value]:
    """What comes behind the first item, and that item."""
    counted = plainly(lowering, found, node)
    rest = Counted((Const(1), counted.trip[1], Const(1)), counted.item, found.sources)
    return rest, counted.item(Const(0))


def _plus(lowering: Lowering, node: cst.CSTNode, before: Value, item: Value) -> Value:
    value = atom(lowering, item, node)
    return lowering.assign(lowering.operation("+"), [atom(lowering, before, node), value], node)


def quantified(lowering: Lowering, node: cst.GeneratorExp | cst.ListComp, wanted: bool) -> Value:
    """`any(t for a in p)` (`wanted`) and `all(...)`: what is behind the first such item is not
    looked at.
    """
    key = f"<any {id(node)}>"
    names = lowering.frame.names
    names[key] = Const(not wanted)

    def look() -> None:
        test = truth(lowering, lower_expression(lowering, node.elt), node.elt)
        plain = lowering.operation("builtins.bool")
        is_known = isinstance(test, Const) or test.type == BOOL
        lowering.frame.names[key] = test if is_known else lowering.assign(plain, [test], node.elt)

    def action() -> None:
        found = atom(lowering, lowering.frame.names[key], node)
        ways = (lambda: None, look) if wanted else (look, lambda: None)
        choose(lowering, found, *ways, node)

    through(lowering, node.for_in, action)
    return names.pop(key)


def _conditions(
    lowering: Lowering,
    clause: cst.CompFor,
    place: int,
    items: dict[str, Value],
    action: Callable[[], None],
) -> None:
    """The conditions of a clause from a place on, the clauses in it, and then the action."""
    if place < len(clause.ifs):
        condition = clause.ifs[place].test
        test = truth(lowering, lower_expression(lowering, condition), condition)
        rest = partial(_conditions, lowering, clause, place + 1, items, action)
        choose(lowering, test, rest, lambda: None, clause.ifs[place])
    elif clause.inner_for_in is not None:
        _through(lowering, clause.inner_for_in, items, action)
    else:
        action()


def each(
    lowering: Lowering, clause: cst.CompFor, found: Iteration, action: Callable[[], None]
) -> None:
    from s2s_ad.frontend.loops import lower_clause
    from s2s_ad.frontend.statements import bind

    def with_item(item: Value) -> None:
        bind(lowering, clause.target, item)
        action()

    if isinstance(found, Counted):
        numbers = known_trips(lowering, found)
        if numbers is None or len(numbers) > MOST_ITEMS:

            def trip(index: Atom | None) -> None:
                assert index is not None
                with_item(found.item(index))

            lower_clause(lowering, clause, found, trip)
            return
        for number in numbers:
            with_item(found.item(Const(number)))
        return
    for place, item in enumerate(found):
        check_unchanged(lowering, found, clause.iter, place)
        with_item(item)


def total(lowering: Lowering, node: cst.GeneratorExp | cst.ListComp, start: Value) -> Value:
    """`sum(f(a) for a in p)`, from left to right."""
    key = f"<total {id(node)}>"
    lowering.frame.names[key] = start

    def add() -> None:
        item = lower_expression(lowering, node.elt)
        names = lowering.frame.names
        names[key] = _plus(lowering, node, names[key], item)

    through(lowering, node.for_in, add)
    return lowering.frame.names.pop(key)
