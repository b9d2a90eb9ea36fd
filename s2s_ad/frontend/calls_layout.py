"""The order in which the elements of an array are read: `reshape`, `ravel` and `flatten`.

In Fortran's order the first index runs fastest, which is C's order of the transposed array. Orders
that depend on how an array lies in memory ("A" and "K") are refused: its type does not say that.
"""

from __future__ import annotations

from s2s_ad.frontend.arguments import Arguments, no_more
from s2s_ad.frontend.calls_tools import known, operand, unsupported
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import static_operand
from s2s_ad.frontend.values import Value
from s2s_ad.ir import Atom, Const, Structure, tuple_of
from s2s_ad.operations.arrays import COPY


def lower_reshape(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.reshape(a, shape, order)`"""
    x = operand(lowering, arguments, 0, "a")
    shape = arguments.take(1, "shape", arguments.keywords.pop("newshape", Const(None)))
    order = _order(lowering, arguments, 2)
    no_more(lowering, arguments)
    return _reshaped(lowering, x, shape, order, arguments, name)


def lower_reshape_method(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`x.reshape(2, 3)` and `x.reshape((2, 3))`"""
    x = operand(lowering, arguments, 0, "x")
    order = _order(lowering, arguments)
    sizes = arguments.rest(1) or [arguments.keywords.pop("shape", Const(None))]
    no_more(lowering, arguments)
    shape = sizes[0] if len(sizes) == 1 else tuple_of(sizes)
    return _reshaped(lowering, x, shape, order, arguments, name)


def lower_ravel(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.ravel(a, order)`"""
    x = operand(lowering, arguments, 0, "a")
    order = _order(lowering, arguments, 1)
    no_more(lowering, arguments)
    return _ravelled(lowering, x, order, arguments, name)


def lower_flatten_method(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`x.flatten(order)`, which always copies."""
    x = operand(lowering, arguments, 0, "x")
    order = _order(lowering, arguments, 1)
    no_more(lowering, arguments)
    flat = _ravelled(lowering, x, order, arguments, "")
    return lowering.assign(COPY, [flat], arguments.node, name)


def _order(lowering: Lowering, arguments: Arguments, position: int | None = None) -> str:
    """ "C" or "F"."""
    given = (
        arguments.keywords.pop("order", Const("C"))
        if position is None
        else arguments.take(position, "order", Const("C"))
    )
    order = known(lowering, given, "order", arguments.node)
    if order not in ("C", "F"):
        raise unsupported(
            lowering,
            f"the order {order!r} depends on how the array lies in memory, which is not known here",
            arguments.node,
            'write `order="C"` or `order="F"`',
        )
    return str(order)


def _ravelled(lowering: Lowering, x: Atom, order: str, arguments: Arguments, name: str) -> Atom:
    node = arguments.node
    if order == "F":
        x = lowering.assign(lowering.operation("numpy.transpose"), [x, Const(None)], node)
    return lowering.assign(lowering.operation("numpy.ravel"), [x], node, name)


def _reshaped(
    lowering: Lowering, x: Atom, shape: Value, order: str, arguments: Arguments, name: str
) -> Atom:
    node = arguments.node
    reshape = lowering.operation("numpy.reshape")
    if order == "C":
        return lowering.assign(reshape, [x, static_operand(lowering, shape, node)], node, name)
    if isinstance(shape, Const) and isinstance(shape.value, tuple):
        shape = Const(shape.value[::-1])
    elif isinstance(shape, Structure):
        shape = tuple_of(shape.items[::-1])
    elif not (isinstance(shape, Const) and isinstance(shape.value, int)):
        raise unsupported(
            lowering, "the sizes are needed one by one here", node, "write `(n, m)` for the shape"
        )
    transpose = lowering.operation("numpy.transpose")
    turned = lowering.assign(transpose, [x, Const(None)], node)
    filled = lowering.assign(reshape, [turned, static_operand(lowering, shape, node)], node)
    return lowering.assign(transpose, [filled, Const(None)], node, name)
