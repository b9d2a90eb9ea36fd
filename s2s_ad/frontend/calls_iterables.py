"""Calls that go through what they are given: `sum`, `max`, `reduce`, `sorted`, `list`, ...

They take the call as it is written, so that `max(f(a) for a in p)` or `list(zip(p, q))` need no
list of what they go through. `lower_consumer` gives None for every other call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import libcst as cst

from s2s_ad.frontend import comprehensions
from s2s_ad.frontend.arguments import Arguments
from s2s_ad.frontend.branches import select, truth
from s2s_ad.frontend.containers import change, container, refreshed
from s2s_ad.frontend.expressions import lower_expression
from s2s_ad.frontend.iteration import Counted, Iteration, iteration, through_value, written_out
from s2s_ad.frontend.iterators import HANDLERS as ITERATORS
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import array_operand, atom, static
from s2s_ad.frontend.values import Container, FreeVariable, Growing, Named, Value
from s2s_ad.ir import Atom, Const, Structure, Var, tuple_of
from s2s_ad.types import Array, Number, Scalar, is_float, scalar_like


def lower_consumer(lowering: Lowering, node: cst.Call, name: str) -> Value | None:
    """The value of a call of one of `CONSUMERS`; None if it is something else."""
    function = function_named(lowering, node)
    handler = CONSUMERS.get(function)
    if handler is None or not node.args or any(argument.star for argument in node.args):
        return None
    return handler(lowering, node, function)


def function_named(lowering: Lowering, node: cst.Call) -> str:
    """The library's name of what is called; "" for anything else. Nothing is computed for it."""
    attributes: list[str] = []
    root: cst.CSTNode = node.func
    while isinstance(root, cst.Attribute):
        attributes.insert(0, root.attr.value)
        root = root.value
    value = _meaning(lowering, root.value) if isinstance(root, cst.Name) else None
    for attribute in attributes:
        if isinstance(value, Named):
            value = Named(f"{value.name}.{attribute}")
        elif isinstance(value, FreeVariable) and value.attribute is not None:
            value = value.attribute(attribute)
        else:
            return ""
    return value.name if isinstance(value, Named) else ""


def _meaning(lowering: Lowering, name: str) -> Value | None:
    found = lowering.frame.names.get(name)
    if found is None and name not in lowering.frame.locals:
        found = lowering.frame.scope.lookup(name)
    return found


def items_of_iterator(lowering: Lowering, node: cst.BaseExpression) -> list[Value] | None:
    """What `zip(p, q)` and the like give when all of it is taken at once; None for other calls."""
    if not isinstance(node, cst.Call) or function_named(lowering, node) not in ITERATORS:
        return None
    return written_out(lowering, iteration(lowering, node))


# Lists --------------------------------------------------------------------------------------------


def _listed(lowering: Lowering, node: cst.Call, function: str) -> Value | None:
    """`list(range(n))`, `tuple(zip(a, b))`: where what is gone through is known."""
    kind = function.rpartition(".")[2]
    inner = node.args[0].value
    if len(node.args) != 1:
        return None
    if not isinstance(inner, cst.Call) or function_named(lowering, inner) not in ITERATORS:
        return None
    found = iteration(lowering, inner)
    known = written_out(lowering, found)
    if known is not None:
        return container(lowering, kind, known)
    if kind == "tuple":
        return None
    assert isinstance(found, Counted)
    return comprehensions.collected(lowering, found, node)


def _dict(lowering: Lowering, node: cst.Call, function: str) -> Value | None:
    """`dict(zip(names, values), a=b)`"""
    entries: dict[object, Value] = {}
    for place, argument in enumerate(node.args):
        if argument.keyword is not None:
            entries[argument.keyword.value] = lower_expression(lowering, argument.value)
            continue
        inner = argument.value
        given = items_of_iterator(lowering, inner)
        value = lower_expression(lowering, inner) if given is None else tuple_of(given)
        if place or not isinstance(value, Structure):
            raise lowering.refuse("not-constant", "a dict of known keys is needed", argument)
        if value.kind == "dict":
            entries.update(zip(value.keys, value.items, strict=True))
        for pair in value.items if value.kind != "dict" else ():
            items = pair.items if isinstance(pair, Structure) else ()
            key = static(items[0]) if len(items) == 2 else None
            if key is None:
                raise lowering.refuse("not-constant", "a key has to be a constant", argument)
            entries[key.value] = items[1]
    return container(lowering, "dict", tuple(entries.values()), tuple(entries))


# Folds --------------------------------------------------------------------------------------------


def _sum(lowering: Lowering, node: cst.Call, function: str) -> Value | None:
    """`sum(f(a) for a in p)`, `sum(map(f, p))`, `sum(l[1:])`"""
    if len(node.args) > 2:
        return None
    through = node.args[0].value
    is_part = isinstance(through, cst.Subscript) and isinstance(through.value, cst.Name)
    is_iterator = isinstance(through, cst.Call) and function_named(lowering, through) in ITERATORS
    is_generator = isinstance(through, cst.GeneratorExp | cst.ListComp)
    if not (is_part or is_iterator or is_generator):
        return None
    start: Value = Const(0)
    if len(node.args) == 2:
        start = lower_expression(lowering, node.args[1].value)
    if isinstance(through, cst.GeneratorExp | cst.ListComp):
        return comprehensions.total(lowering, through, start)
    return comprehensions.sum_of(lowering, iteration(lowering, through), start, node)


def _quantified(lowering: Lowering, node: cst.Call, function: str) -> Value | None:
    """`any(a > 0 for a in p)`, `all(...)`"""
    through = node.args[0].value
    if len(node.args) != 1 or not isinstance(through, cst.GeneratorExp):
        return None
    return comprehensions.quantified(lowering, through, function == "builtins.any")


def _reduce(lowering: Lowering, node: cst.Call, function: str) -> Value | None:
    """`functools.reduce(f, p, start)`"""
    from s2s_ad.frontend.calls import call

    if not 2 <= len(node.args) <= 3 or any(argument.keyword for argument in node.args):
        raise lowering.refuse("bad-call", "`reduce` takes a function, items and a start", node)
    step = lower_expression(lowering, node.args[0].value)
    found = iteration(lowering, node.args[1].value)

    def apply(so_far: Value, item: Value) -> Value:
        return call(lowering, step, Arguments([so_far, item], {}, {}, node), "")

    start = None
    if len(node.args) == 3:
        start = lower_expression(lowering, node.args[2].value)
    result = comprehensions.folded(lowering, found, start, apply, node)
    if result is None:
        raise lowering.refuse("bad-call", "`reduce` of nothing needs a start", node)
    return result


def _extreme(lowering: Lowering, node: cst.Call, function: str) -> Value | None:
    """`max(p)`, `min(p, key=f)` of what is gone through: the first of those that are equal."""
    by_name = {argument.keyword.value for argument in node.args if argument.keyword is not None}
    if len(node.args) - len(by_name) != 1 or not by_name <= {"key", "default"}:
        return None
    given = {argument.keyword.value: argument.value for argument in node.args if argument.keyword}
    key = lower_expression(lowering, given["key"]) if "key" in given else None
    found, is_kept = _gone_through(lowering, node.args[0].value)
    if found is None:
        return None
    pairs = _with_keys(lowering, found, key, node, is_kept)
    better = partial(_better, lowering, ">" if function == "builtins.max" else "<", node)
    best = comprehensions.folded(lowering, pairs, None, better, node)
    if isinstance(best, Structure):
        place: Value = best.items[0]
        if isinstance(found, Counted) and is_kept:
            return found.item(atom(lowering, place, node))
        return place
    if "default" in given:
        return lower_expression(lowering, given["default"])
    word = function.rpartition(".")[2]
    raise lowering.refuse("bad-call", f"`{word}` of nothing needs a default", node)


def _gone_through(lowering: Lowering, node: cst.BaseExpression) -> tuple[Iteration | None, bool]:
    """What a single argument is gone through as, and whether its items are still there afterwards;
    None if it is a number.
    """
    if isinstance(node, cst.Call) and function_named(lowering, node) in ITERATORS:
        return iteration(lowering, node), False
    value = lower_expression(lowering, node)
    is_number = isinstance(value, Var | Const) and scalar_like(value.type)
    return None if is_number else through_value(lowering, value, node), True


def _with_keys(
    lowering: Lowering, found: Iteration, key: Value | None, node: cst.Call, by_place: bool
) -> Iteration:
    """Pairs of the items, or of their places, and what they are compared by."""

    def pair(item: Value, place: Value | None = None) -> Value:
        by = item if key is None else _key_of(lowering, key, item, node)
        return tuple_of((item if place is None else place, by))

    if isinstance(found, Counted):
        counted = found

        def at(index: Atom) -> Value:
            return pair(counted.item(index), index if by_place else None)

        return Counted(found.trip, at, found.sources)
    return [pair(item) for item in found]


def _key_of(lowering: Lowering, key: Value, item: Value, node: cst.Call) -> Value:
    from s2s_ad.frontend.calls import call

    return call(lowering, key, Arguments([item], {}, {}, node), "")


def _better(lowering: Lowering, symbol: str, node: cst.Call, best: Value, pair: Value) -> Value:
    assert isinstance(best, Structure) and isinstance(pair, Structure)
    keys = [static(best.items[1]), static(pair.items[1])]
    if keys[0] is not None and keys[1] is not None:
        old, new = keys[0].value, keys[1].value
        return pair if (new > old if symbol == ">" else new < old) else best
    atoms = [atom(lowering, value.items[1], node) for value in (pair, best)]
    if not all(scalar_like(each.type) for each in atoms):
        raise lowering.refuse(
            "unsupported-syntax",
            f"`{lowering.code(node.func)}` is supported for numbers",
            node,
            help=f"use `np.{lowering.code(node.func)}`, which works on arrays",
        )
    test = truth(lowering, lowering.assign(lowering.operation(symbol), atoms, node), node)
    return select(lowering, test, lambda: pair, lambda: best, node)


# Sorting ------------------------------------------------------------------------------------------


def _sorted(lowering: Lowering, node: cst.Call, function: str) -> Value | None:
    """`sorted(p, key=f, reverse=True)`: a new list."""
    positional = [argument for argument in node.args if argument.keyword is None]
    named = {a.keyword.value: a.value for a in node.args if a.keyword is not None}
    if len(positional) != 1 or not named.keys() <= {"key", "reverse"}:
        raise lowering.refuse("bad-call", "`sorted` takes what to sort, `key` and `reverse`", node)
    given = {name: lower_expression(lowering, value) for name, value in named.items()}
    known = items_of_iterator(lowering, node.args[0].value)
    value = lower_expression(lowering, node.args[0].value) if known is None else tuple_of(known)
    if isinstance(value, Structure) and value.kind == "dict":
        value = tuple_of([Const(key) for key in value.keys])
    return sorted_list(lowering, value, given.get("key"), given.get("reverse"), node)


def sorted_list(
    lowering: Lowering, value: Value, key: Value | None, reverse: Value | None, node: cst.Call
) -> Container:
    """The list of the items in order: a known order where the keys are known, else of floats."""
    backwards = Const(False) if reverse is None else static(reverse)
    if backwards is None:
        raise lowering.refuse("not-constant", "which way this sorts is not known here", node)
    if isinstance(value, Structure):
        by = value.items if key is None else [_key_of(lowering, key, v, node) for v in value.items]
        keys = [static(item) for item in by]
        if None not in keys:
            places = sorted(
                range(len(keys)),
                key=lambda place: keys[place].value,  # type: ignore[union-attr]
                reverse=bool(backwards.value),
            )
            return container(lowering, "list", [value.items[place] for place in places])
    if key is not None:
        raise lowering.refuse(
            "not-constant",
            "the order that a key gives is known only when the module runs",
            node,
            help="sort an array: `x[np.argsort(keys)]`",
        )
    return _sorted_floats(lowering, value, bool(backwards.value), node)


def _sorted_floats(lowering: Lowering, value: Value, backwards: bool, node: cst.Call) -> Container:
    """Floats in order, as a list of what they were: Python numbers or scalars of NumPy."""
    types = _types_of_items(value)
    array = array_operand(lowering, value, node) if types else None
    is_row = (
        array is not None and isinstance(array.type, Array) and len(array.type.shape or ()) == 1
    )
    if not is_row or len(types) != 1 or not is_float(array.type):  # type: ignore[union-attr]
        raise lowering.refuse(
            "unsupported-argument",
            "sorting is supported for floats of one kind, and for what is known",
            node,
            help="use `np.sort` or `np.argsort` on an array",
        )
    negate = lowering.operation("-x")
    assert array is not None
    if backwards:  # equal items stay in their order
        array = lowering.assign(negate, [array], node)
    array = lowering.assign(
        lowering.operation("numpy.sort"), [array, Const(-1), Const("stable")], node
    )
    if backwards:
        array = lowering.assign(negate, [array], node)
    rows = through_value(lowering, array, node)
    assert isinstance(rows, Counted)

    def item(index: Atom) -> Value:
        found = rows.item(index)
        if not isinstance(types[0], Number):
            return found
        return lowering.assign(
            lowering.operation("builtins.float"), [atom(lowering, found, node)], node
        )

    counted = Counted(rows.trip, item)
    known = written_out(lowering, counted)
    if known is not None:
        return container(lowering, "list", known)
    listed = comprehensions.collected(lowering, counted, node)
    assert isinstance(listed, Container)
    return listed


def _types_of_items(value: Value) -> list[object]:
    """The kinds of number that what is gone through holds, each once."""
    items: Sequence[Value] = (value,)
    if isinstance(value, Structure):
        items = value.items
    elif isinstance(value, Growing):
        items = (value.item,)
    found: list[object] = []
    for item in items:
        if not isinstance(item, Var | Const):
            return []
        kind = Scalar(item.type.dtype) if isinstance(item.type, Array) else item.type
        found += [] if kind in found else [kind]
    return found


def sort_in_place(lowering: Lowering, receiver: Container, arguments: Arguments) -> Value:
    """`l.sort(key=f, reverse=True)`"""
    node = arguments.node
    if arguments.positional or not arguments.keywords.keys() <= {"key", "reverse"}:
        raise lowering.refuse("bad-call", "`sort` takes `key` and `reverse`", node)
    given = arguments.keywords
    made = sorted_list(lowering, receiver, given.get("key"), given.get("reverse"), node)
    change(lowering, receiver, refreshed(lowering, made, node), node)
    return Const(None)


CONSUMERS: dict[str, Callable[[Lowering, cst.Call, str], Value | None]] = {
    "builtins.list": _listed,
    "builtins.tuple": _listed,
    "builtins.dict": _dict,
    "builtins.sum": _sum,
    "builtins.any": _quantified,
    "builtins.all": _quantified,
    "builtins.max": _extreme,
    "builtins.min": _extreme,
    "builtins.sorted": _sorted,
    "functools.reduce": _reduce,
}


__all__ = ["items_of_iterator", "lower_consumer", "sort_in_place"]
