"""Calls that give something to go through: `zip`, `map`, `filter`, `itertools.product`, ...

`HANDLERS` lists them. Those that count numbers or walk along what they are given are in
`iteration.py`; here are those that call functions, or arrange what is known.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import libcst as cst

from s2s_ad.frontend.expressions import lower_expression
from s2s_ad.frontend.iteration import (
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
from s2s_ad.frontend.values import Value
from s2s_ad.frontend.zips import zipped
from s2s_ad.ir import Const, Structure, tuple_of


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
}
