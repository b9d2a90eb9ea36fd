"""`zip`: several things gone through side by side, up to the end of the shortest.

Where all are known item by item, so are the rows; otherwise they are counted, as the rows of an
array are.
"""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from s2s_ad.frontend.containers import container, grown
from s2s_ad.frontend.expressions import lower_expression
from s2s_ad.frontend.iteration import (
    Counted,
    Iteration,
    Known,
    Target,
    check_unchanged,
    columns_of,
    items_of,
    not_iterable,
    number_of,
    plainly,
    size_of,
    sources_of,
)
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import atom
from s2s_ad.frontend.values import Value
from s2s_ad.ir import Atom, Const, tuple_of


def zipped(lowering: Lowering, node: cst.Call, target: Target = None) -> Iteration:
    plain, is_strict = _without_strict(lowering, node)
    columns = columns_of(lowering, plain, target)
    if is_strict:
        _equal_lengths(lowering, columns, node)
    if all(isinstance(column, list) for column in columns):
        rows = zip(*[column for column in columns if isinstance(column, list)], strict=False)
        return Known([tuple_of(list(row)) for row in rows], sources_of(*columns))
    if any(isinstance(column, list) for column in columns):
        found = _zip_with_known(lowering, columns, node)
        if found is not None:
            return found
    counted = [plainly(lowering, _counted(lowering, each, node), node) for each in columns]
    length = counted[0].trip[1]
    for column in counted[1:]:
        length = _shorter(lowering, length, column.trip[1], node)
    return Counted(
        (Const(0), length, Const(1)),
        lambda index: tuple_of([column.item(index) for column in counted]),
    )


def _without_strict(lowering: Lowering, node: cst.Call) -> tuple[cst.Call, bool]:
    """The call without its option `strict`, and whether that is set."""
    options = [each for each in node.args if each.keyword is not None]
    if not options:
        return node, False
    value = lower_expression(lowering, options[0].value)
    if len(options) > 1 or not isinstance(value, Const) or not isinstance(value.value, bool):
        raise not_iterable(lowering, node)
    plain = [each for each in node.args if each.keyword is None]
    return node.with_changes(args=plain), value.value


def _equal_lengths(lowering: Lowering, columns: Sequence[Iteration], node: cst.CSTNode) -> None:
    """`zip(..., strict=True)` raises where the lengths differ; here before the first item."""
    from s2s_ad.frontend.guards import raise_if

    lengths = [
        Const(len(each)) if isinstance(each, list) else plainly(lowering, each, node).trip[1]
        for each in columns
    ]
    for length in lengths[1:]:
        sizes = [size_of(lowering, each) for each in (lengths[0], length)]
        if None in sizes or sizes[0] != sizes[1]:
            test = lowering.assign(lowering.operation("!="), [lengths[0], length], node)
            raise_if(lowering, test, None, node, 'ValueError("zip() arguments differ in length")')


def _counted(lowering: Lowering, column: Iteration, node: cst.CSTNode) -> Counted:
    """Items that are known one by one, counted as those of an array."""
    if isinstance(column, Counted):
        return column
    listed = container(lowering, "tuple", column)
    items = items_of(lowering, grown(lowering, listed, None, node), node)

    def at(index: Atom) -> Value:
        check_unchanged(lowering, column, node)
        return items.item(index)

    return Counted(items.trip, at, sources_of(column))


def _zip_with_known(
    lowering: Lowering, columns: list[Iteration], node: cst.CSTNode
) -> list[Value] | None:
    """Containers beside arrays, whose lengths are known; None where they are not."""
    lengths: list[int] = []
    parts: list[Iteration] = []
    for column in columns:
        if isinstance(column, Counted):
            column = plainly(lowering, column, node)
            known = number_of(lowering, column.trip[1])
            if known is None:
                return None
            lengths.append(known)
        else:
            lengths.append(len(column))
        parts.append(column)
    rows = [
        tuple_of([part.item(Const(k)) if isinstance(part, Counted) else part[k] for part in parts])
        for k in range(min(lengths))
    ]
    return Known(rows, sources_of(*columns))


def _shorter(lowering: Lowering, left: Atom, right: Atom, node: cst.CSTNode) -> Atom:
    """The smaller of two lengths."""
    from s2s_ad.frontend.branches import select

    sizes = [size_of(lowering, atom) for atom in (left, right)]
    if None not in sizes and sizes[0] == sizes[1]:
        return left
    known = [number_of(lowering, atom) for atom in (left, right)]
    if known[0] is not None and known[1] is not None:
        return Const(min(known[0], known[1]))
    test = lowering.assign(lowering.operation("<"), [right, left], node)
    chosen = select(lowering, test, lambda: right, lambda: left, node)
    return atom(lowering, chosen, node)


__all__ = ["zipped"]
