"""Calls that change an array: `out=`, `np.add.at`, `x.fill`, `x.sort`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import libcst as cst

from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import array_operand, atom, current, static_operand
from s2s_ad.frontend.subscripts import index_value
from s2s_ad.frontend.values import Value
from s2s_ad.frontend.writes import write
from s2s_ad.ir import Atom, Const, Operation, Structure, Var
from s2s_ad.operations.indexing import ADD_AT, SETITEM
from s2s_ad.operations.result_types import is_basic_index
from s2s_ad.types import Array, Type, is_boolean, shape_of

if TYPE_CHECKING:
    from s2s_ad.frontend.arguments import Arguments

WHOLE = Const(Ellipsis)


def into(
    lowering: Lowering, target: Value, value: Value, node: cst.CSTNode, broadcasts: bool = False
) -> Value:
    """`out=target`: the result is stored there, and is what the call gives.

    Only elementwise functions take one that the result broadcasts to.
    """
    if isinstance(target, Structure) and len(target.items) == 1:
        target = target.items[0]
    base = _array(lowering, target, node)
    result = atom(lowering, value, node)
    known = None not in (shape_of(base.type), shape_of(result.type))
    if known and not broadcasts and not same_shape(lowering, base.type, result.type):
        raise lowering.refuse(
            "unsupported-argument",
            f"`out` is of type {base.type}, and the result of type {result.type}",
            node,
            help="NumPy needs an array of the result's shape",
        )
    write(lowering, SETITEM, base, WHOLE, result, node)
    return current(lowering, base, node)


def into_where(
    lowering: Lowering,
    target: Value,
    mask: Value,
    op: Operation,
    operands: Sequence[Value],
    node: cst.CSTNode,
) -> Value:
    """`np.divide(x, y, out=target, where=mask)`: stored, and computed, where the mask holds."""
    if isinstance(target, Structure) and len(target.items) == 1:
        target = target.items[0]
    base, where = _array(lowering, target, node), array_operand(lowering, mask, node)
    if not is_boolean(where.type) or not same_shape(lowering, base.type, where.type):
        raise lowering.refuse(
            "unsupported-argument",
            "the mask has the shape of the array",
            node,
            help="use `np.where`",
        )
    getitem, spread = lowering.operation("getitem"), lowering.operation("numpy.broadcast_to")
    picked: list[Atom] = []
    for operand in operands:
        x = array_operand(lowering, operand, node)
        if shape_of(x.type) != () and not same_shape(lowering, base.type, x.type):
            sizes = lowering.assign(lowering.operation("numpy.shape"), [base], node)
            x = lowering.assign(spread, [x, sizes], node)
        if shape_of(x.type) != ():
            x = lowering.assign(getitem, [x, where], node)
        picked.append(x)
    write(lowering, SETITEM, base, where, lowering.assign(op, picked, node), node)
    return current(lowering, base, node)


def same_shape(lowering: Lowering, first: Type, second: Type) -> bool:
    """Whether two arrays have the same shape, or will have it once the entry has checked that."""
    shapes = shape_of(first), shape_of(second)
    if shapes[0] is None or shapes[1] is None or len(shapes[0]) != len(shapes[1]):
        return False
    return all(lowering.sizes.unify(a, b) for a, b in zip(*shapes, strict=True))  # type: ignore[arg-type]


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
            from s2s_ad.frontend.calls_ufuncs import changed_at

            changed_at({"*": "multiply", "/": "divide"}[symbol])(lowering, arguments, name)
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


def _partition(lowering: Lowering, receiver: Atom, arguments: Arguments) -> Value:
    node = arguments.node
    place = static_operand(lowering, arguments.take(0, "kth", Const(None)), node)
    axis = static_operand(lowering, arguments.take(1, "axis", Const(-1)), node)
    if arguments.keywords or len(arguments.positional) > 2:
        raise lowering.refuse("unsupported-argument", "only `axis` is supported here", node)
    op = lowering.operation("numpy.partition")
    changed = lowering.assign(op, [receiver, place, axis, Const(op.defaults["kind"])], node)
    write(lowering, SETITEM, _array(lowering, receiver, node), WHOLE, changed, node)
    return Const(None)


CHANGING: dict[str, Callable[[Lowering, Atom, Arguments], Value]] = {
    "fill": _fill,
    "sort": _sort,
    "partition": _partition,
}
UPDATES: dict[str, Callable[[Lowering, Arguments, str], Value]] = {
    "numpy.add.at": _at("+"),
    "numpy.subtract.at": _at("-"),
    "numpy.multiply.at": _at("*"),
    "numpy.divide.at": _at("/"),
}
