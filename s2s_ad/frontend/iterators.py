"""Calls that give something to go through: `zip`, `map`, `filter`, `itertools.product`, ...

`HANDLERS` lists them. Those that count numbers or walk along what they are given are in
`iteration.py`; here are those that call functions, or arrange what is known.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import libcst as cst

from s2s_ad.frontend.equalities import items_of_tuple
from s2s_ad.frontend.expressions import lower_expression
from s2s_ad.frontend.iteration import (
    Counted,
    Iteration,
    Known,
    Target,
    columns_of,
    enumerated,
    iteration,
    not_iterable,
    range_of,
    sources_of,
    turned_round,
    written_out,
)
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import array_operand, atom
from s2s_ad.frontend.values import Value
from s2s_ad.frontend.zips import zipped
from s2s_ad.ir import Atom, Const, Structure, Var, tuple_of
from s2s_ad.operations.shaping import DIMENSION
from s2s_ad.types import is_integer, rank_of, scalar_like


def _map(lowering: Lowering, node: cst.Call, target: Target = None) -> Iteration:
    """`map(f, p, q)`: the function is called for each item when it is reached."""
    from s2s_ad.frontend.arguments import Arguments
    from s2s_ad.frontend.calls import call

    if len(node.args) < 2 or any(argument.star or argument.keyword for argument in node.args):
        raise not_iterable(lowering, node)
    function = lower_expression(lowering, node.args[0].value)
    if len(node.args) == 2:
        rows = iteration(lowering, node.args[1].value)
    else:
        rows = zipped(lowering, node.with_changes(args=node.args[1:]))

    def called(row: Value) -> Value:
        several = len(node.args) > 2 and isinstance(row, Structure)
        given = list(row.items) if several else [row]  # type: ignore[union-attr]
        return call(lowering, function, Arguments(given, {}, {}, node), "")

    if isinstance(rows, list):
        return Known([called(row) for row in rows], sources_of(rows))
    return replace(rows, item=lambda index: called(rows.item(index)))


def _filter(lowering: Lowering, node: cst.Call, target: Target = None) -> Iteration:
    """`filter(f, p)`, where what it takes is known."""
    from s2s_ad.frontend.arguments import Arguments
    from s2s_ad.frontend.branches import truth
    from s2s_ad.frontend.calls import call

    found = iteration(lowering, node.args[1].value) if len(node.args) == 2 else None
    if not isinstance(found, list):
        raise not_iterable(lowering, node)
    test = lower_expression(lowering, node.args[0].value)
    taken: list[Value] = []
    for item in found:
        value = item
        if test != Const(None):
            value = call(lowering, test, Arguments([item], {}, {}, node), "")
        holds = truth(lowering, value, node)
        if not isinstance(holds, Const):
            raise lowering.refuse(
                "not-constant",
                "which items this takes is known only when the module runs",
                node,
                help="write a loop with an `if`",
            )
        taken += [item] if holds.value else []
    return Known(taken, sources_of(found))


def _arranged(
    arrange: Callable[..., Iterable[Sequence[Value]]],
) -> Callable[..., Iteration]:
    """`itertools.product(p, q)`, `combinations(p, 2)`: tuples of what is known."""

    def handler(lowering: Lowering, node: cst.Call, target: Target = None) -> Iteration:
        columns: list[list[Value]] = []
        options: dict[str, int] = {}
        for place, argument in enumerate(node.args):
            key = argument.keyword.value if argument.keyword is not None else ""
            if key or (place and arrange is not itertools.product):
                value = lower_expression(lowering, argument.value)
                if not isinstance(value, Const) or not isinstance(value.value, int):
                    raise not_iterable(lowering, node)
                options[key or "r"] = value.value
                continue
            items = written_out(lowering, iteration(lowering, argument.value))
            if items is None:
                raise not_iterable(lowering, node)
            columns.append(items)
        try:
            rows = [tuple_of(list(row)) for row in arrange(*columns, **options)]
        except (TypeError, ValueError) as problem:
            raise lowering.refuse("bad-call", str(problem), node) from None
        return rows  # type: ignore[return-value]

    return handler


def _chain(lowering: Lowering, node: cst.Call, target: Target = None) -> Iteration:
    """`itertools.chain(p, q)`"""
    columns = [written_out(lowering, column) for column in columns_of(lowering, node)]
    if None in columns:
        raise not_iterable(lowering, node)
    return [item for column in columns if column is not None for item in column]


def _indices(lowering: Lowering, node: cst.Call, target: Target = None) -> Iteration:
    """`np.ndindex(A.shape)`, `np.ndindex(n, m)`: all indices, the last one running fastest."""
    if not node.args or any(argument.keyword for argument in node.args):
        raise not_iterable(lowering, node)
    values = [lower_expression(lowering, argument.value) for argument in node.args]
    if any(argument.star for argument in node.args) and len(values) > 1:
        raise not_iterable(lowering, node)
    if len(values) == 1:
        values = items_of_tuple(lowering, values[0], node) or values
    sizes = [atom(lowering, value, node) for value in values]
    if not all(scalar_like(size.type) and is_integer(size.type) for size in sizes):
        raise not_iterable(lowering, node)
    return _places(lowering, sizes, node)


def _with_indices(lowering: Lowering, node: cst.Call, target: Target = None) -> Iteration:
    """`np.ndenumerate(A)`: each index, and the element there as it is when it is reached."""
    from s2s_ad.frontend.writes import now

    if len(node.args) != 1 or node.args[0].star:
        raise not_iterable(lowering, node)
    array = array_operand(lowering, lower_expression(lowering, node.args[0].value), node)
    rank = rank_of(array.type)
    if not rank or not isinstance(array, Var):
        raise not_iterable(lowering, node)
    sizes = [lowering.assign(DIMENSION, [array, Const(axis)], node) for axis in range(rank)]
    places = _places(lowering, sizes, node)
    getitem = lowering.operation("getitem")

    def item(number: Atom) -> Value:
        index = places.item(number)
        assert isinstance(index, Structure)
        place = atom(lowering, index, node) if rank > 1 else index.items[0]
        return tuple_of(
            [index, lowering.assign(getitem, [now(lowering, array, node), place], node)]
        )

    return replace(places, item=item)


def _places(lowering: Lowering, sizes: Sequence[Atom], node: cst.CSTNode) -> Counted:
    """The indices of an array of these sizes, counted in one loop."""
    times, quotient, remainder = (lowering.operation(symbol) for symbol in ("*", "//", "%"))
    count = sizes[0]
    for size in sizes[1:]:
        count = lowering.assign(times, [count, size], node)

    def index(number: Atom) -> Structure:
        rest, found = number, list[Value]()
        for size in reversed(sizes[1:]):
            found.insert(0, lowering.assign(remainder, [rest, size], node))
            rest = lowering.assign(quotient, [rest, size], node)
        return tuple_of([rest, *found])

    return Counted((Const(0), count, Const(1)), index)


HANDLERS: dict[str, Callable[[Lowering, cst.Call, Target], Iteration]] = {
    "builtins.range": range_of,
    "builtins.enumerate": enumerated,
    "builtins.zip": zipped,
    "builtins.reversed": turned_round,
    "builtins.map": _map,
    "builtins.filter": _filter,
    "itertools.product": _arranged(itertools.product),
    "itertools.combinations": _arranged(itertools.combinations),
    "itertools.permutations": _arranged(itertools.permutations),
    "itertools.combinations_with_replacement": _arranged(itertools.combinations_with_replacement),
    "itertools.chain": _chain,
    "numpy.ndindex": _indices,
    "numpy.ndenumerate": _with_indices,
}
