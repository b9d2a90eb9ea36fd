"""Calls that change an array: `out=`, `np.add.at`, `x.fill`, `x.sort`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import libcst as cst

from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import array_operand, atom, current, static_operand
from s2s_ad.frontend.subscripts import index_value
from s2s_ad.frontend.values import Value
from s2s_ad.frontend.writes import write
from s2s_ad.ir import Atom, Const, Structure, Var
from s2s_ad.operations.indexing import ADD_AT, SETITEM
from s2s_ad.operations.result_types import is_basic_index
from s2s_ad.types import Array

if TYPE_CHECKING:
    from s2s_ad.frontend.arguments import Arguments

WHOLE = Const(Ellipsis)


def into(lowering: Lowering, target: Value, value: Value, node: cst.CSTNode) -> Value:
    """`out=target`: the result is stored there, and is what the call gives."""
    if isinstance(target, Structure) and len(target.items) == 1:
        target = target.items[0]
    base = _array(lowering, target, node)
    write(lowering, SETITEM, base, WHOLE, atom(lowering, value, node), node)
    return current(lowering, base, node)


def _array(lowering: Lowering, value: Value, node: cst.CSTNode) -> Var:
    base = atom(lowering, value, node)
    if not isinstance(base, Var) or not isinstance(base.type, Array):
        raise lowering.refuse("not-an-array", "an array is needed here, to be written to", node)
    return base


def _at(symbol: str) -> Callable[[Lowering, Arguments, str], Value]:
    """`np.add.at(x, i, v)` and the like, where every repeat of an index counts."""

    def lower(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        node = arguments.node
        if len(arguments.positional) != 3 or arguments.keywords:
            raise lowering.refuse("bad-call", "an array, an index and values are needed", node)
        first, where, given = arguments.positional
        base, value = _array(lowering, first, node), array_operand(lowering, given, node)
        index = index_value(lowering, where, node)
        if symbol == "+":
            write(lowering, ADD_AT, base, index, value, node)
        elif symbol == "-":
            value = lowering.assign(lowering.operation("-x"), [value], node)
            write(lowering, ADD_AT, base, index, value, node)
        elif is_basic_index(index.type):
            item = lowering.assign(lowering.operation("getitem"), [base, index], node)
            changed = lowering.assign(lowering.operation(symbol), [item, value], node)
            write(lowering, SETITEM, base, index, changed, node)
        else:
            raise lowering.refuse(
                "unsupported-argument",
                "indices that may repeat are supported in `np.add.at` only",
                node,
                help="write a loop over the indices",
            )
        return Const(None)

    return lower


def _fill(lowering: Lowering, receiver: Atom, arguments: Arguments) -> Value:
    node = arguments.node
    value = atom(lowering, arguments.take(0, "value", Const(None)), node)
    write(lowering, SETITEM, _array(lowering, receiver, node), WHOLE, value, node)
    return Const(None)


def _sort(lowering: Lowering, receiver: Atom, arguments: Arguments) -> Value:
    node = arguments.node
    axis = static_operand(lowering, arguments.take(0, "axis", Const(-1)), node)
    op = lowering.operation("numpy.sort")
    if arguments.keywords:
        raise lowering.refuse("unsupported-argument", "only `axis` is supported here", node)
    defaults = [Const(op.defaults[name]) for name in op.parameters[2:]]
    changed = lowering.assign(op, [receiver, axis, *defaults], node)
    write(lowering, SETITEM, _array(lowering, receiver, node), WHOLE, changed, node)
    return Const(None)


CHANGING: dict[str, Callable[[Lowering, Atom, Arguments], Value]] = {"fill": _fill, "sort": _sort}
UPDATES: dict[str, Callable[[Lowering, Arguments, str], Value]] = {
    "numpy.add.at": _at("+"),
    "numpy.subtract.at": _at("-"),
    "numpy.multiply.at": _at("*"),
    "numpy.divide.at": _at("/"),
}
