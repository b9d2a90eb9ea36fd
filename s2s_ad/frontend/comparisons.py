"""Comparisons: of numbers and arrays, chained, `is`, `in`."""

from __future__ import annotations

import operator
from collections.abc import Callable

import libcst as cst

from s2s_ad.frontend.branches import select, truth
from s2s_ad.frontend.equalities import compared
from s2s_ad.frontend.expressions import (
    COMPARISONS,
    OPERATORS,
    arithmetic_operand,
    lower_all,
    lower_expression,
)
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.objects import with_operator
from s2s_ad.frontend.operands import current
from s2s_ad.frontend.protocols import check_items_of_object
from s2s_ad.frontend.values import Container, Named, UserFunction, Value
from s2s_ad.ir import Const, Structure, Var
from s2s_ad.types import Array, Number, is_numeric


def comparison(lowering: Lowering, node: cst.Comparison, name: str) -> Value:
    """`a < b <= c`: what is in the middle is computed once, and the rest only if needed."""
    left, right = lower_all(lowering, [node.left, node.comparisons[0].comparator])
    return _from(lowering, node, 0, left, right, name)


def _from(
    lowering: Lowering, node: cst.Comparison, place: int, left: Value, right: Value, name: str
) -> Value:
    target = node.comparisons[place]
    left_node = node.comparisons[place - 1].comparator if place else node.left
    left = current(lowering, left, left_node)  # what is on the right may have written to it
    last = place == len(node.comparisons) - 1
    found = _compared(lowering, node, target, left, right, left_node, name if last else "")
    if last:
        return found

    def rest() -> Value:
        following = lower_expression(lowering, node.comparisons[place + 1].comparator)
        return _from(lowering, node, place + 1, right, following, "")

    return select(lowering, truth(lowering, found, node), rest, lambda: found, node, name)


def _compared(
    lowering: Lowering,
    node: cst.Comparison,
    target: cst.ComparisonTarget,
    left: Value,
    right: Value,
    left_node: cst.BaseExpression,
    name: str,
) -> Value:
    symbol = OPERATORS.get(type(target.operator).__name__)
    match target.operator:
        case cst.Is():
            return _identity(lowering, node, left, right, True)
        case cst.IsNot():
            return _identity(lowering, node, left, right, False)
        case cst.In():
            return _membership(lowering, node, left, right)
        case cst.NotIn():
            found = truth(lowering, _membership(lowering, node, left, right), node)
            return select(lowering, found, lambda: Const(False), lambda: Const(True), node)
    assert symbol is not None
    made = with_operator(lowering, symbol, [left, right], node)
    if made is not None:
        return made
    known = _decided(lowering, symbol, left, right) or compared(lowering, symbol, left, right, node)
    if known is not None:
        return known
    operands = [
        arithmetic_operand(lowering, left, left_node),
        arithmetic_operand(lowering, right, target.comparator),
    ]
    return lowering.assign(lowering.operation(symbol), operands, node, name)


def _decided(lowering: Lowering, symbol: str, left: Value, right: Value) -> Const | None:
    """The comparison of two constants, or of sizes, where it can be decided when compiling."""
    compare: Callable[[object, object], bool] = getattr(operator, COMPARISONS[symbol])
    if isinstance(left, Const) and isinstance(right, Const):
        numbers = isinstance(left.value, int | float) and isinstance(right.value, int | float)
        if not left.text and not right.text and (numbers or symbol in ("==", "!=")):
            return Const(bool(compare(left.value, right.value)))
        return None
    if isinstance(left, Var | Const) and isinstance(right, Var | Const):
        types = left.type, right.type
        if isinstance(types[0], Number) and isinstance(types[1], Number):
            sizes = [type.value for type in types if isinstance(type, Number)]
            if sizes[0] is not None and sizes[1] is not None:
                resolve = lowering.sizes.resolve
                difference = (resolve(sizes[0]) - resolve(sizes[1])).constant
                if difference is not None:
                    return Const(bool(compare(difference, 0)))
        if symbol in ("==", "!=") and not all(is_numeric(type) for type in types):
            known = [isinstance(value, Const) for value in (left, right)]
            if any(known):  # a number is no string, and not None
                return Const(symbol == "!=")
    return None


def _identity(
    lowering: Lowering, node: cst.Comparison, left: Value, right: Value, wanted: bool
) -> Value:
    """`x is None` and the like, decided when compiling."""
    fixed = (Const, Named, UserFunction)
    none = Const(None)
    if none in (left, right) or (isinstance(left, fixed) and isinstance(right, fixed)):
        return Const((left == right) is wanted)
    if isinstance(left, Container) and isinstance(right, Container) and left.identity is not None:
        lowering.memory.told_apart.add(frozenset((left.identity, right.identity)))
        return Const((left.identity is right.identity) is wanted)
    if isinstance(left, Var) and isinstance(right, Var) and _are_apart(lowering, left, right):
        return Const(not wanted)
    raise lowering.refuse(
        "unsupported-syntax",
        "which object this is is known only when the module runs",
        node,
        help="compare what the objects hold, or hand over a flag that says so",
    )


def _are_apart(lowering: Lowering, left: Var, right: Var) -> bool:
    """Whether two arrays are known to be two: they share no memory, and are no two arguments."""
    memory = lowering.memory
    memory.catch_up(lowering)
    if not (isinstance(left.type, Array) and isinstance(right.type, Array)):
        return False
    outside = {*lowering.parameters, *lowering.hidden_variables()}
    given = [not outside.isdisjoint(memory.roots(each)) for each in (left, right)]
    return not all(given) and not memory.meet(left, right)


def _membership(lowering: Lowering, node: cst.Comparison, left: Value, right: Value) -> Value:
    """`x in (a, b)`, `key in d`."""
    if (
        isinstance(right, Const)
        and isinstance(right.value, str | tuple)
        and isinstance(left, Const)
    ):
        return Const(left.value in right.value)
    if not isinstance(right, Structure):
        raise lowering.refuse(
            "unsupported-syntax",
            "`in` is supported for containers of known items",
            node,
            help="write the comparisons out",
        )
    if right.kind == "record":
        check_items_of_object(lowering, right, node)
    if right.kind == "dict":
        if not isinstance(left, Const):
            raise lowering.refuse("not-constant", "a key has to be a constant", node)
        return Const(left.value in right.keys)
    return _any_equal(lowering, node, left, list(right.items))


def _any_equal(lowering: Lowering, node: cst.Comparison, left: Value, items: list[Value]) -> Value:
    if not items:
        return Const(False)
    found = equality(lowering, node, left, items[0])
    return select(
        lowering,
        truth(lowering, found, node),
        lambda: Const(True),
        lambda: _any_equal(lowering, node, left, items[1:]),
        node,
    )


def equality(lowering: Lowering, node: cst.CSTNode, left: Value, right: Value) -> Value:
    """`left == right`"""
    decided = _decided(lowering, "==", left, right)
    if decided is not None:
        return decided
    operands = [arithmetic_operand(lowering, value, node) for value in (left, right)]
    return lowering.assign(lowering.operation("=="), operands, node)
