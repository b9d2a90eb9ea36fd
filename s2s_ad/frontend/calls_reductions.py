"""Calls that reduce axes: with `where=`, with `initial=`, by a function that is given."""

from __future__ import annotations

import libcst as cst

from s2s_ad.frontend.arguments import Arguments, call_operation, name_positions, no_more
from s2s_ad.frontend.calls_tools import (
    NOTHING,
    Function,
    apply,
    known,
    operand,
    operate,
    unsupported,
)
from s2s_ad.frontend.definitions import expand
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import static
from s2s_ad.frontend.values import Named, Value
from s2s_ad.ir import Atom, Const
from s2s_ad.operations import catalogue
from s2s_ad.types import dtype_of

GIVEN = {"where": Const(True), "initial": NOTHING}
"""Arguments that choose the operation, with the values that stand for nothing."""


def partial(function: str) -> Function:
    """A reduction of the elements that `where=` keeps, or from `initial=` on: an operation of its
    own.
    """

    def reduction(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        whole = lowering.operation(f"numpy.{function}")
        if function in ("var", "std"):
            freedom_by_other_name(lowering, arguments)
            if arguments.keywords.get("mean", NOTHING) != NOTHING:
                return _around(lowering, function, arguments)
        _drop_nothing(arguments)
        given = [keyword for keyword in GIVEN if keyword in arguments.keywords]
        if not given:
            return call_operation(lowering, whole, arguments, name)
        name_positions(whole, arguments)
        suffix = "initial" if "initial" in given else "where"
        found = catalogue().operations.get(f"numpy.{function}[{suffix}]")
        return call_operation(lowering, found or whole, arguments, name)

    return reduction


def _drop_nothing(arguments: Arguments) -> None:
    """Leave out what is given as it is by default."""
    for keyword, nothing in GIVEN.items():
        if static(arguments.keywords.get(keyword, nothing)) == nothing:
            arguments.keywords.pop(keyword, None)


def freedom_by_other_name(lowering: Lowering, arguments: Arguments) -> None:
    """`correction` of the array API standard is `ddof`."""
    if "correction" in arguments.keywords:
        if "ddof" in arguments.keywords or len(arguments.positional) > 4:
            message = "`ddof` and `correction` are the same"
            raise lowering.refuse("bad-call", message, arguments.node)
        arguments.keywords["ddof"] = arguments.keywords.pop("correction")


def _around(lowering: Lowering, function: str, arguments: Arguments) -> Value:
    """`np.var(x, mean=m)`: the mean squared distance from what is given."""
    node = arguments.node
    name_positions(lowering.operation(f"numpy.{function}"), arguments)
    x = operand(lowering, arguments, 0, "a")
    mean = operand(lowering, arguments, 1, "mean")
    axis, keepdims, freedom = (
        arguments.keywords.pop(key, default)
        for key, default in (("axis", NOTHING), ("keepdims", Const(False)), ("ddof", Const(0)))
    )
    no_more(lowering, arguments)
    count = reduced_count(lowering, x, axis, node)
    names: dict[str, Value] = {"x": x, "mean": mean, "axis": axis, "keepdims": keepdims}
    variance = expand(lowering, "variance_around", node, **names, count=count, ddof=freedom)
    return apply(lowering, node, "sqrt", variance) if function == "std" else variance


def reduced_count(lowering: Lowering, x: Atom, axis: Value, node: cst.Call) -> Value:
    """How many elements there are along one axis, several, or all."""
    given = known(lowering, axis, "axis", node)
    if given is None:
        return apply(lowering, node, "size", x)
    count: Atom = Const(1)
    dimension = lowering.operation("ndarray.shape[]")
    for place in given if isinstance(given, tuple) else (given,):
        size = lowering.assign(dimension, [x, Const(place)], node)
        if count == Const(1):
            count = size
        else:
            count = lowering.assign(lowering.operation("*"), [count, size], node)
    return count


def without_nan(function: str) -> Function:
    """`np.nansum` with `where=` or `initial=`: as NumPy does it, with 0 for NaN."""

    def reduction(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        node = arguments.node
        op = lowering.operation(f"numpy.nan{function}")
        _drop_nothing(arguments)
        if not GIVEN.keys() & arguments.keywords.keys():
            return call_operation(lowering, op, arguments, name)
        name_positions(op, arguments)
        x = operand(lowering, arguments, 0, "a")
        missing = operate(lowering, node, "isnan", x)
        if function in REPLACING:
            filled = apply(lowering, node, "where", missing, Const(REPLACING[function]), x)
            return apply(lowering, node, function, filled, **arguments.keywords)
        kept: Atom = operate(lowering, node, "logical_not", missing)
        where = arguments.keywords.pop("where", Const(True))
        if where != Const(True):
            kept = apply(lowering, node, "logical_and", kept, where)
        return apply(lowering, node, function, x, where=kept, **arguments.keywords)

    return reduction


def spread_without_nan(function: str) -> Function:
    """`np.nanmean`, `nanvar` and `nanstd`; with `where=` by their definition."""

    def reduction(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        node = arguments.node
        op = lowering.operation(f"numpy.nan{function}")
        freedom_by_other_name(lowering, arguments)
        if static(arguments.keywords.get("where", Const(True))) == Const(True):
            arguments.keywords.pop("where", None)
            return call_operation(lowering, op, arguments, name)
        name_positions(op, arguments)
        x = operand(lowering, arguments, 0, "a")
        if dtype_of(x.type) not in ("f64", "i64", "bool"):
            message = f"`where` of `np.nan{function}` is supported in double precision only"
            raise lowering.refuse("unsupported-dtype", message, node, help="convert to float64")
        names: dict[str, Value] = {"x": x, "where": arguments.keywords.pop("where")}
        for key, default in (("axis", NOTHING), ("keepdims", Const(False))):
            names[key] = arguments.keywords.pop(key, default)
        freedom = arguments.keywords.pop("ddof", Const(0))
        no_more(lowering, arguments)
        if function == "mean":
            return expand(lowering, "nanmean_where", node, **names)
        variance = expand(lowering, "nanvar_where", node, **names, ddof=freedom)
        if function == "var":
            return variance
        return expand(lowering, "root_of_variance", node, variance=variance)

    return reduction


REPLACING = {"sum": 0.0, "prod": 1.0}
"""What NumPy puts in the place of NaN."""


def reduce(function: str) -> Function:
    """`np.add.reduce` is a sum along the first axis."""

    def reduce(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        a = operand(lowering, arguments, 0, "array")
        axis = arguments.take(1, "axis", Const(0))
        dtype = arguments.take(2, "dtype", NOTHING)
        if dtype != NOTHING:
            arguments.keywords["dtype"] = dtype
        keepdims = arguments.take(4, "keepdims", Const(False))
        given = ("dtype", *GIVEN)
        begun = {key: arguments.keywords.pop(key) for key in given if key in arguments.keywords}
        no_more(lowering, arguments)
        return apply(lowering, arguments.node, function, a, axis=axis, keepdims=keepdims, **begun)

    return reduce


def lower_over_axes(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.apply_over_axes(np.sum, a, axes)`: a reduction along one axis after the other."""
    node = arguments.node
    function = arguments.take(0, "func", NOTHING)
    a = operand(lowering, arguments, 1, "a")
    axes = known(lowering, arguments.take(2, "axes", NOTHING), "axes", node)
    no_more(lowering, arguments)
    short = function.name.removeprefix("numpy.") if isinstance(function, Named) else ""
    if short not in ("sum", "mean", "prod", "max", "min"):
        raise unsupported(
            lowering,
            "`np.apply_over_axes` is supported with sums, means, products and extremes",
            node,
            "call the function with `axis=` and `keepdims=True`",
        )
    for axis in axes if isinstance(axes, tuple) else (axes,):
        a = apply(lowering, node, short, a, axis=Const(axis), keepdims=Const(True))
    return a
