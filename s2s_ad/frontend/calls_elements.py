"""Calls of a function for each element, line or index: `np.vectorize`, `np.apply_along_axis`,
`np.fromfunction`; and the grids of indices, `np.mgrid` and `np.ogrid`.
"""

from __future__ import annotations

import libcst as cst

from s2s_ad.frontend.arguments import Arguments, no_more
from s2s_ad.frontend.calls_several import broadcast
from s2s_ad.frontend.calls_tools import (
    NOTHING,
    Function,
    apply,
    known,
    known_rank,
    operand,
    operate,
    unsupported,
)
from s2s_ad.frontend.definitions import expand
from s2s_ad.frontend.expressions import lower_expression
from s2s_ad.frontend.float_results import gives_floats
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import array_operand, static_operand
from s2s_ad.frontend.values import Named, Partial, UserFunction, Value
from s2s_ad.ir import Atom, Const, Structure, tuple_of
from s2s_ad.operations.arrays import RANGE
from s2s_ad.types import dtype_of, is_float, is_integer

OF_ELEMENTS = "numpy.vectorize()"
"""What `np.vectorize(f)` gives, as a function to be called with f before the arguments."""
ALONG_AXIS = (
    *("sum", "mean", "prod", "max", "min", "var", "std", "cumsum", "cumprod", "sort", "median"),
    *("ptp", "diff", "argmax", "argmin", "nansum", "nanmean"),
)
"""Functions of NumPy that are called once, with `axis=`."""


def lower_vectorize(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.vectorize(f)`: f for each element of the broadcast arguments."""
    function = arguments.take(0, "pyfunc", NOTHING)
    types = arguments.keywords.pop("otypes", None)
    no_more(lowering, arguments)
    floats = isinstance(types, Structure) and types.items == (Named("builtins.float"),)
    if types is not None and not floats:
        raise unsupported(lowering, "`otypes` is `[float]`", arguments.node, "leave it out")
    return Partial(Named(OF_ELEMENTS), (function, Const(floats)), {})


def _require_floats(
    lowering: Lowering, function: Value, operands: list[Atom], node: cst.Call
) -> None:
    """That no result is an integer: if the first is one, NumPy cuts off the fractions of all."""
    given = function.function if isinstance(function, Partial) else function
    if not isinstance(given, UserFunction):
        return
    floats = given is function and all(is_float(each.type) for each in operands)
    if not gives_floats(given, floats):
        raise unsupported(
            lowering,
            "a result may be an integer here: if it is the first one, NumPy makes integers of all",
            node,
            "write `0.0` for `0`, `float(...)` around the results, or `otypes=[float]` for "
            "`np.vectorize`",
        )


def _of_elements(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    function, floats, *given = arguments.rest()
    no_more(lowering, arguments)
    operands = [array_operand(lowering, each, node) for each in given]
    if floats != Const(True):
        _require_floats(lowering, function, operands, node)
    ranks = [known_rank(lowering, each, node) for each in operands]
    if not any(ranks):
        from s2s_ad.frontend.calls import call

        result = call(lowering, function, Arguments(list(operands), {}, {}, node), "")
        return apply(lowering, node, "asarray", result)
    if len(operands) > 2:
        raise unsupported(
            lowering, "`np.vectorize` is supported for one or two arguments", node, "write a loop"
        )
    first, *others = operands
    if not others:
        return expand(lowering, "for_each_element", node, f=function, x=first)
    total = operate(
        lowering, node, "zeros_like", operate(lowering, node, "add", *operands), NOTHING
    )
    shape = apply(lowering, node, "shape", total)
    x, y = (apply(lowering, node, "broadcast_to", each, shape) for each in operands)
    return expand(lowering, "for_each_pair", node, f=function, x=x, y=y)


def lower_from_function(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.fromfunction(f, shape)`: f of the indices, as arrays of floats."""
    from s2s_ad.frontend.calls import call

    node = arguments.node
    function = arguments.take(0, "function", NOTHING)
    shape = static_operand(lowering, arguments.take(1, "shape", NOTHING), node)
    dtype = static_operand(lowering, arguments.keywords.pop("dtype", Named("builtins.float")), node)
    sizes = known(lowering, shape, "shape", node)
    if not isinstance(sizes, tuple):
        raise unsupported(lowering, "the shape is a tuple of numbers", node, "write `(3, 4)`")
    grid = apply(lowering, node, "indices", shape)
    grid = lowering.assign(lowering.operation("ndarray.astype"), [grid, dtype], node)
    getitem = lowering.operation("getitem")
    parts: list[Value] = [
        lowering.assign(getitem, [grid, Const(k)], node) for k in range(len(sizes))
    ]
    return call(lowering, function, Arguments(parts, arguments.keywords, arguments.nodes, node), "")


def lower_along_axis(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """A function of NumPy that has an argument `axis` is called once with it; one of the user's
    for each row or column of a matrix.
    """
    from s2s_ad.frontend.calls import call

    node = arguments.node
    function = arguments.take(0, "func1d", NOTHING)
    axis = arguments.take(1, "axis", NOTHING)
    x = operand(lowering, arguments, 2, "arr")
    no_more(lowering, arguments)
    short = function.name.removeprefix("numpy.") if isinstance(function, Named) else ""
    if short in ALONG_AXIS:
        return apply(lowering, node, short, x, axis=axis)
    _require_floats(lowering, function, [x], node)
    rank = known_rank(lowering, x, node)
    if rank == 1:
        return call(lowering, function, Arguments([x], {}, {}, node), "")
    if rank != 2:
        raise unsupported(
            lowering,
            "`np.apply_along_axis` is supported for matrices, and with functions of NumPy that "
            "take an axis",
            node,
            "work on the whole array, with `axis=` where axes are reduced",
        )
    if known(lowering, axis, "axis", node) % 2 == 1:
        return expand(lowering, "for_each_row", node, f=function, x=x)
    columns = operate(lowering, node, "transpose", x, NOTHING)
    rows = expand(lowering, "for_each_row", node, f=function, x=columns)
    return operate(lowering, node, "transpose", rows, NOTHING)


# Grids --------------------------------------------------------------------------------------------


def lower_grid(lowering: Lowering, is_open: bool, node: cst.Subscript) -> Value:
    """`np.mgrid[0:3, 0:4]` and `np.ogrid[0:3, -1:1:5j]`: coordinates along each axis."""
    parts = [element.slice for element in node.slice]
    lines = [_line(lowering, part, node) for part in parts]
    if len({dtype_of(line.type) for line in lines}) > 1:
        raise unsupported(lowering, "the parts of a grid need one dtype", node, "write floats")
    if len(lines) == 1:
        return lines[0]
    expanded: list[Atom] = []
    for k, line in enumerate(lines):
        others = Const(tuple(j for j in range(len(lines)) if j != k))
        op = lowering.operation("numpy.expand_dims")
        expanded.append(lowering.assign(op, [line, others], node))
    if is_open:
        return tuple_of(expanded)
    whole = broadcast(lowering, expanded, node)
    return lowering.assign(lowering.operation("numpy.stack"), [*whole, Const(0)], node)


def _line(lowering: Lowering, part: cst.BaseSlice, node: cst.Subscript) -> Atom:
    """The coordinates along one axis: whole numbers, or so many that are evenly spaced."""
    help = "write integers, or a number of points as in `0.0:1.0:5j`"
    if not isinstance(part, cst.Slice) or part.upper is None:
        raise unsupported(lowering, "a part of a grid has the form `start:stop`", node, help)
    bounds = [
        default
        if bound is None
        else array_operand(lowering, lower_expression(lowering, bound), node)
        for bound, default in (
            (part.lower, Const(0)),
            (part.upper, Const(0)),
            (part.step, Const(1)),
        )
    ]
    start, stop, step = bounds
    if isinstance(step, Const) and isinstance(step.value, complex):
        count = int(abs(step.value))
        if count < 2:
            raise unsupported(lowering, "a grid of less than 2 points", node, "write the number")
        return _spaced(lowering, start, stop, count, node)
    if not all(is_integer(bound.type) for bound in bounds):
        raise unsupported(lowering, "a grid with steps is supported for integers", node, help)
    return lowering.assign(RANGE, bounds, node)


def _bound(lowering: Lowering, given: cst.BaseExpression, node: cst.Subscript) -> Atom:
    return array_operand(lowering, lower_expression(lowering, given), node)


def _spaced(lowering: Lowering, start: Atom, stop: Atom, count: int, node: cst.Subscript) -> Atom:
    """As NumPy does it: numbers times the step, and the start."""

    def combined(symbol: str, left: Atom, right: Atom) -> Atom:
        return lowering.assign(lowering.operation(symbol), [left, right], node)

    step = combined("/", combined("-", stop, start), Const(float(count - 1)))
    numbers = lowering.assign(RANGE, [Const(0), Const(count), Const(1)], node)
    return combined("+", combined("*", numbers, step), start)


ELEMENTS: dict[str, Function] = {
    "vectorize": lower_vectorize,
    "vectorize()": _of_elements,
    "fromfunction": lower_from_function,
    "apply_along_axis": lower_along_axis,
}
"""Entries of the table of calls of NumPy."""
