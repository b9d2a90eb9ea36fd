"""Branches: `if` statements, conditional expressions, `and`, `or`, chained comparisons.

Both branches are lowered from the same state; whatever differs at their ends becomes a target of
the `If`. A test that is known when compiling leaves one branch only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import libcst as cst

from s2s_ad.diagnostics import Span
from s2s_ad.frontend import jumps
from s2s_ad.frontend.blocks import (
    DEAD,
    JUMPS,
    MISSING,
    Found,
    Merge,
    Path,
    alike,
    at_end,
    capture,
    changed_places,
    extend,
    hint_for,
    lower_path,
    put,
    settled,
)
from s2s_ad.frontend.containers import common_template, grown, length_of
from s2s_ad.frontend.expressions import lower_expression
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import atom, current
from s2s_ad.frontend.protocols import check_truth_of_held, truth_of_object
from s2s_ad.frontend.values import Container, FreeVariable, Growing, Refused, Unsettled, Value
from s2s_ad.ir import Atom, Block, Const, If, Structure, Var
from s2s_ad.types import Items, Number, Static

VALUE = "<value>"  # a pseudo-name: what a branch of an expression gives
Action = Callable[[], None]


def lower_if(lowering: Lowering, node: cst.If, rest: Sequence[cst.CSTNode] = ()) -> None:
    """Lower an `if`; `rest` is what follows it in its suite, and belongs to where it goes on."""
    from s2s_ad.frontend.guards import guard

    lowering.statements.append(header(lowering, node, node.test))
    if guard(lowering, node):
        return
    test = truth(lowering, lower_expression(lowering, node.test), node.test)
    then = jumps.statements_of(node.body)
    orelse: Sequence[cst.CSTNode] = ()
    if isinstance(node.orelse, cst.If):
        orelse = [node.orelse]
    elif node.orelse is not None:
        orelse = jumps.statements_of(node.orelse.body)
    if isinstance(test, Const):
        jumps.lower_suite(lowering, [*(then if test.value else orelse), *rest])
        return
    if len(rest) == 1 and isinstance(rest[0], cst.Return | cst.Break | cst.Continue):
        # as short as a test whether to reach it
        then, orelse, rest = [*then, *rest], [*orelse, *rest], ()
    ways = [partial(jumps.lower_suite, lowering, suite) for suite in (then, orelse)]
    lower_ways(lowering, test, (ways[0], ways[1]), node, rest)


def lower_ways(
    lowering: Lowering,
    test: Atom,
    ways: tuple[Action, Action],
    node: cst.CSTNode,
    rest: Sequence[cst.CSTNode] = (),
) -> None:
    """Two ways on from a test that only the module knows, and then what follows them."""
    paths = _both(lowering, test, *ways)
    if any(path.left == jumps.YES for path in paths):
        # where one side always leaves, what follows belongs to the other
        for path, other in (paths, reversed(paths)):
            if path.left != jumps.YES:
                with _between(lowering, as_outside=other.end.is_dead):
                    extend(lowering, path, partial(_follow, lowering, rest, node))
        rest = ()
    if any(path.refused for path in paths):
        raise Refused()
    merge(lowering, test, Merge(lowering, paths, node, test))
    if DEAD not in lowering.frame.names:
        _follow(lowering, rest, node)


def _follow(lowering: Lowering, rest: Sequence[cst.CSTNode], node: cst.CSTNode) -> None:
    """Go on with the rest, where this path has not left."""
    left = jumps.has_left(lowering)
    if left == jumps.NO:
        jumps.lower_suite(lowering, rest)
    elif left != jumps.YES and rest:
        choose(lowering, left, lambda: None, lambda: jumps.go_on(lowering, rest), node)


def header(lowering: Lowering, node: cst.CSTNode, last: cst.CSTNode) -> Span:
    """The place of a compound statement: its first line, up to `last`."""
    whole, end = lowering.span(node), lowering.span(last)
    return Span(whole.file, whole.line, whole.column, end.end_line, end.end_column)


def choose(lowering: Lowering, test: Atom, then: Action, orelse: Action, node: cst.CSTNode) -> None:
    """Lower two actions as the branches of an `If`; afterwards the state is what both give."""
    if isinstance(test, Const):
        (then if test.value else orelse)()
        return
    paths = _both(lowering, test, then, orelse)
    if any(path.refused for path in paths):
        raise Refused()
    merge(lowering, test, Merge(lowering, paths, node, test))


def _both(lowering: Lowering, test: Atom, then: Action, orelse: Action) -> tuple[Path, Path]:
    """Two actions, each lowered into a path of its own, on which the test is known."""

    def knowing(value: bool, action: Action) -> Action:
        def run() -> None:
            names = lowering.frame.names
            names.update({flag: Const(value) for flag in JUMPS if names.get(flag) == test})
            action()

        return run

    with _between(lowering):
        first = lower_path(lowering, knowing(True, then))
    # a branch that raises is no way through: what the other one needs, all paths need
    with _between(lowering, as_outside=first.end.is_dead):
        second = lower_path(lowering, knowing(False, orelse))
    return first, second


@contextmanager
def _between(lowering: Lowering, as_outside: bool = False) -> Iterator[None]:
    """Code that not every path runs: nothing may be assumed for all of them."""
    sizes = lowering.sizes
    outside = sizes.assume, lowering.branches, lowering.choices
    if not as_outside:
        sizes.assume, lowering.branches, lowering.choices = False, outside[1] + 1, outside[2] + 1
    try:
        yield
    finally:
        sizes.assume, lowering.branches, lowering.choices = outside


def merge(lowering: Lowering, test: Atom, merge: Merge) -> None:
    """Append the `If` of two paths."""
    start = replace(capture(lowering), time=merge.time)  # what a path made is none of the other's
    first, second = merge.paths
    if first.end.is_dead and second.end.is_dead:
        _append(lowering, test, merge)
        lowering.frame.names[DEAD] = jumps.YES
        return
    places = list(
        dict.fromkeys(
            place
            for path in merge.paths
            if not path.end.is_dead
            for place in changed_places(lowering, start, path.end)
        )
    )
    sides: list[list[Found]] = []
    for path in merge.paths:
        if path.end.is_dead:
            sides.append([MISSING] * len(places))
            continue
        with at_end(lowering, path):
            sides.append([settled(lowering, path.end.at(place), merge.node) for place in places])
    _grow(lowering, merge, sides)
    lost = frozenset[Any]().union(*(path.end.lost for path in merge.paths if not path.end.is_dead))
    hints = [hint_for(lowering, place) for place in places]
    for place, hint, left, right in zip(places, hints, *sides, strict=True):
        settled_both = not isinstance(left, Unsettled) and not isinstance(right, Unsettled)
        if place[0] == "heap" and settled_both:
            value = merge.structures(left, right, hint, in_place=True)
        else:
            value = merge.merged(left, right, hint)
        put(lowering, place, value)
    merge.settle_memory()
    lowering.memory.lost |= lost
    _append(lowering, test, merge)


LISTS = ("list", "growing")


def _grow(lowering: Lowering, merge: Merge, sides: list[list[Found]]) -> None:
    """Lists that have another length on each path become ones of unknown length."""
    for k, ends in enumerate(list(zip(*sides, strict=True))):
        lists = [end for end in ends if isinstance(end, Container)]
        if len(lists) < 2 or alike(*lists) or any(x.kind not in LISTS for x in lists):
            continue
        template = common_template(lowering, lists)
        for side, path, end in zip(sides, merge.paths, lists, strict=True):
            if template is not None:
                with at_end(lowering, path):
                    side[k] = grown(lowering, end, template, merge.node)


def _append(lowering: Lowering, test: Atom, merge: Merge) -> None:
    blocks = [
        Block((), tuple(path.statements), tuple(given))
        for path, given in zip(merge.paths, merge.given, strict=True)
    ]
    span = lowering.span(merge.node)
    if isinstance(merge.node, cst.If):
        span = header(lowering, merge.node, merge.node.test)
    elif isinstance(merge.node, cst.MatchCase):
        span = header(lowering, merge.node, merge.node.guard or merge.node.pattern)
    if not merge.targets and not any(block.statements for block in blocks):
        return
    lowering.builder.statements.append(
        If(tuple(merge.targets), test, blocks[0], blocks[1], span, lowering.builder.role)
    )
    lowering.memory.catch_up(lowering)


# Expressions --------------------------------------------------------------------------------------


def select(
    lowering: Lowering,
    test: Atom,
    then: Callable[[], Value],
    orelse: Callable[[], Value],
    node: cst.CSTNode,
    name: str = "",
) -> Value:
    """The value of the branch that is taken."""
    if isinstance(test, Const):
        return then() if test.value else orelse()
    key = name or VALUE
    before = lowering.frame.names.get(key)

    def giving(action: Callable[[], Value]) -> Action:
        def run() -> None:
            lowering.frame.names[key] = action()

        return run

    choose(lowering, test, giving(then), giving(orelse), node)
    value = lowering.frame.names.pop(key)
    if before is not None:
        lowering.frame.names[key] = before
    return current(lowering, value, node)


def conditional(lowering: Lowering, node: cst.IfExp, name: str) -> Value:
    test = truth(lowering, lower_expression(lowering, node.test), node.test)
    return select(
        lowering,
        test,
        lambda: lower_expression(lowering, node.body),
        lambda: lower_expression(lowering, node.orelse),
        node,
        name,
    )


def and_or(lowering: Lowering, node: cst.BooleanOperation, name: str) -> Value:
    """Python's `and` and `or`: the value of an operand, the second one computed only if needed."""
    left = lower_expression(lowering, node.left)
    test = truth(lowering, left, node.left)

    def right() -> Value:
        return lower_expression(lowering, node.right)

    if isinstance(node.operator, cst.And):
        return select(lowering, test, right, lambda: left, node, name)
    return select(lowering, test, lambda: left, right, node, name)


def truth(lowering: Lowering, value: Value, node: cst.CSTNode) -> Atom:
    """The value as a test: a constant where that is known when compiling."""
    value = current(lowering, value, node)
    if isinstance(value, Growing):
        return lowering.assign(
            lowering.operation(">"), [length_of(lowering, value, node), Const(0)], node
        )
    if isinstance(value, Structure):
        asked = truth_of_object(lowering, value, node) if value.kind == "record" else None
        if asked is not None:
            return truth(lowering, asked, node)
        return Const(bool(value.items) or value.kind == "record")
    if isinstance(value, Const):
        return Const(bool(value.value))
    if not isinstance(value, Var):
        if isinstance(value, FreeVariable):
            check_truth_of_held(lowering, value, node)
        return Const(True)  # functions, modules and objects
    match value.type:
        case Static("None"):
            return Const(False)
        case Items(items):
            return Const(bool(items))
        case Number("int", size) if size is not None:
            known = lowering.sizes.resolve(size).constant
            return value if known is None else Const(bool(known))
    return atom(lowering, value, node)


__all__ = ["choose", "conditional", "header", "lower_if", "lower_ways", "select", "truth"]
