"""Calls of NumPy that sum or take differences by a definition, and the methods of ufuncs."""

from __future__ import annotations

import libcst as cst

from s2s_ad.frontend.arguments import Arguments, no_more
from s2s_ad.frontend.calls_reductions import reduced_count
from s2s_ad.frontend.calls_tools import (
    NOTHING,
    Function,
    along,
    apply,
    known,
    known_rank,
    operand,
    operate,
    unsupported,
)
from s2s_ad.frontend.definitions import expand
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import array_operand, atom, static, static_operand
from s2s_ad.frontend.values import Value
from s2s_ad.ir import Atom, Const, tuple_of
from s2s_ad.types import (
    DTYPES,
    ONE,
    dtype_of,
    is_float,
    is_integer,
    rank_of,
    scalar_like,
    shape_of,
)

# Sums and differences -----------------------------------------------------------------------------


def lower_ptp(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    a = operand(lowering, arguments, 0, "a")
    axis = static_operand(lowering, arguments.take(1, "axis", Const(None)), arguments.node)
    keepdims = arguments.take(3, "keepdims", Const(False))
    no_more(lowering, arguments)
    return expand(lowering, "ptp", arguments.node, a=a, axis=axis, keepdims=keepdims)


def lower_average(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    a = operand(lowering, arguments, 0, "a")
    axis = static_operand(lowering, arguments.take(1, "axis", Const(None)), node)
    weights = operand(lowering, arguments, 2, "weights")
    returned = known(lowering, arguments.take(3, "returned", Const(False)), "returned", node)
    keepdims = arguments.keywords.pop("keepdims", Const(False))
    no_more(lowering, arguments)
    names: dict[str, Value] = {"axis": axis, "keepdims": keepdims}
    if weights == Const(None):
        mean = apply(lowering, node, "mean", a, **names)
        if not returned:
            return mean
        count = reduced_count(lowering, a, axis, node)
        if rank_of(mean.type) != 0:
            return tuple_of([mean, apply(lowering, node, "full_like", mean, count)])
        return tuple_of([mean, apply(lowering, node, DTYPES[dtype_of(mean.type)], count)])
    ranks = known_rank(lowering, a, node), known_rank(lowering, weights, node)
    if ranks[0] == ranks[1]:
        mean = atom(
            lowering, expand(lowering, "average", node, a=a, weights=weights, **names), node
        )
        if not returned:
            return mean
        return tuple_of([mean, apply(lowering, node, "sum", weights, **names)])
    place = known(lowering, axis, "axis", node)
    if ranks[1] != 1 or not isinstance(place, int):
        raise unsupported(
            lowering,
            "weights have the shape of the array, or go along one axis",
            node,
            "broadcast the weights",
        )
    others = Const(tuple(k for k in range(ranks[0]) if k != place % ranks[0]))
    names |= {"others": others}
    mean = atom(
        lowering, expand(lowering, "average_along", node, a=a, weights=weights, **names), node
    )
    if not returned:
        return mean
    spread = apply(lowering, node, "expand_dims", weights, names.pop("others"))
    total = expand(lowering, "total_of_weights", node, mean=mean, weights=spread, **names)
    return tuple_of([mean, total])


def lower_trapezoid(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    value, _, _ = integral(lowering, arguments, "trapezoid")
    return value


def integral(lowering: Lowering, arguments: Arguments, definition: str) -> tuple[Value, Atom, int]:
    """A definition with the arguments of `np.trapezoid`; what it integrates, along which axis."""
    node = arguments.node
    y = operand(lowering, arguments, 0, "y")
    x = operand(lowering, arguments, 1, "x")
    dx = operand(lowering, arguments, 2, "dx", Const(1.0))
    axis: int = known(lowering, arguments.take(3, "axis", Const(-1)), "axis", node)
    no_more(lowering, arguments)
    value = expand(
        lowering,
        definition,
        node,
        y=y,
        d=step_along(lowering, y, x, dx, axis, node),
        upper=along(axis, slice(1, None)),
        lower=along(axis, slice(None, -1)),
        axis=Const(axis),
    )
    return value, y, axis


def step_along(lowering: Lowering, y: Atom, x: Atom, dx: Atom, axis: int, node: cst.Call) -> Value:
    """The distances of the points at which `y` is given, in a shape that meets theirs."""
    if x == Const(None):
        return dx
    rank = known_rank(lowering, y, node)
    if known_rank(lowering, x, node) != 1:
        return apply(lowering, node, "diff", x, axis=Const(axis))
    step = apply(lowering, node, "diff", x)
    others = tuple(k for k in range(rank) if k != axis % rank)
    return apply(lowering, node, "expand_dims", step, Const(others)) if others else step


def lower_diff(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """With `prepend` and `append`, of what is joined first; no difference joins nothing."""
    node = arguments.node
    a = operand(lowering, arguments, 0, "a")
    n = arguments.take(1, "n", Const(1))
    axis = arguments.take(2, "axis", Const(-1))
    ends = [operand(lowering, arguments, 3 + k, key) for k, key in enumerate(("prepend", "append"))]
    no_more(lowering, arguments)
    if any(end != Const(None) for end in ends) and static(n) != Const(0):
        place = known(lowering, axis, "axis", node)
        rank = known_rank(lowering, a, node)
        before, after = (
            [] if end == Const(None) else [_end(lowering, a, end, place % rank, node)]
            for end in ends
        )
        a = apply(lowering, node, "concatenate", tuple_of([*before, a, *after]), axis=Const(place))
    op = lowering.operation("numpy.diff")
    operands = [static_operand(lowering, each, node) for each in (n, axis)]
    return lowering.assign(op, [a, *operands], node, name)


def _end(lowering: Lowering, a: Atom, end: Atom, axis: int, node: cst.Call) -> Atom:
    """A number stands for a slice of it."""
    if known_rank(lowering, end, node) > 0:
        return end
    rank = known_rank(lowering, a, node)
    dimension = lowering.operation("ndarray.shape[]")
    sizes: list[Value] = [
        Const(1) if k == axis else lowering.assign(dimension, [a, Const(k)], node)
        for k in range(rank)
    ]
    return apply(lowering, node, "broadcast_to", end, tuple_of(sizes))


def lower_ediff1d(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    a = operand(lowering, arguments, 0, "ary")
    end, begin = (
        operand(lowering, arguments, k, key) for k, key in ((1, "to_end"), (2, "to_begin"))
    )
    no_more(lowering, arguments)
    differences = atom(lowering, expand(lowering, "ediff1d", node, ary=a), node)
    if end == begin == Const(None):
        return differences
    parts = [
        _in_dtype_of(lowering, a, apply(lowering, node, "ravel", part), node)
        for part in (begin, differences, end)
        if part != Const(None)
    ]
    return apply(lowering, node, "concatenate", tuple_of(parts))


def _in_dtype_of(lowering: Lowering, x: Atom, part: Atom, node: cst.Call) -> Atom:
    """What NumPy stores into an array with the dtype of `x`."""
    if not is_float(x.type) or dtype_of(part.type) == dtype_of(x.type):
        return part
    convert = lowering.operation("ndarray.astype")
    return lowering.assign(convert, [part, Const(DTYPES[dtype_of(x.type)])], node)


def lower_gradient(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.gradient(f, *spacing, axis=None, edge_order=1)`: one array an axis."""
    node = arguments.node
    f = operand(lowering, arguments, 0, "f")
    rank = known_rank(lowering, f, node)
    axis = known(lowering, arguments.keywords.pop("axis", Const(None)), "axis", node)
    order = known(lowering, arguments.keywords.pop("edge_order", Const(1)), "edge_order", node)
    spacings = [array_operand(lowering, each, node) for each in arguments.rest(1)]
    no_more(lowering, arguments)
    axes = tuple(range(rank)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    spacings = spacings or [Const(1.0)]
    if len(spacings) == 1 and rank_of(spacings[0].type) == 0:
        spacings *= len(axes)
    if len(spacings) != len(axes):
        raise lowering.refuse("bad-call", "`np.gradient` needs a spacing an axis", node)
    results = [
        _gradient_along(lowering, f, each % rank, spacing, order, node)
        for each, spacing in zip(axes, spacings, strict=True)
    ]
    return results[0] if len(results) == 1 else tuple_of(results)


def _gradient_along(
    lowering: Lowering, f: Atom, axis: int, spacing: Atom, order: int, node: cst.Call
) -> Value:
    def index(*bounds: int | None) -> Const:
        return along(axis, slice(*bounds))

    inner = tuple_of(
        [index(0, 1), index(1, 2), index(2, None), index(None, -2), index(-1, None), index(-2, -1)]
    )
    place = Const(axis)
    if known_rank(lowering, spacing, node) == 0:
        if order == 1:
            return expand(lowering, "gradient_even", node, f=f, h=spacing, inner=inner, axis=place)
        ends = tuple_of([index(2, 3), index(-3, -2)])
        return expand(
            lowering,
            "gradient_even_twice",
            node,
            f=f,
            h=spacing,
            inner=inner,
            ends=ends,
            axis=place,
        )
    if order != 1:
        raise unsupported(
            lowering,
            "`edge_order=2` is supported for equal steps",
            node,
            "give one number as spacing",
        )
    rank = known_rank(lowering, f, node)
    others = Const(tuple(k for k in range(rank) if k != axis))
    return expand(
        lowering,
        "gradient_uneven",
        node,
        f=f,
        x=spacing,
        others=others,
        inner=inner,
        centre=index(1, -1),
        axis=place,
    )


def _rows(lowering: Lowering, arguments: Arguments) -> Atom:
    """The variables of `np.cov` and `np.corrcoef` as rows of a matrix."""
    node = arguments.node
    by_row = known(lowering, arguments.take(2, "rowvar", Const(True)), "rowvar", node)
    rows: list[Atom] = []
    for place, key in enumerate(("m" if "m" in arguments.keywords else "x", "y")):
        x = operand(lowering, arguments, place, key)
        if x == Const(None):
            continue
        if known_rank(lowering, x, node) == 1:
            x = apply(lowering, node, "expand_dims", x, Const(0))
        elif not by_row:
            x = operate(lowering, node, "transpose", x, Const(None))
        rows.append(x)
    if len(rows) == 1:
        return rows[0]
    return apply(lowering, node, "concatenate", tuple_of(rows), axis=Const(0))


def lower_covariance(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    bias = known(lowering, arguments.take(3, "bias", Const(False)), "bias", node)
    ddof = known(lowering, arguments.take(4, "ddof", Const(None)), "ddof", node)
    counts, weights = (
        operand(lowering, arguments, k, key) for k, key in ((5, "fweights"), (6, "aweights"))
    )
    rows = _rows(lowering, arguments)
    no_more(lowering, arguments)
    freedom = Const(ddof if ddof is not None else 0 if bias else 1)
    if counts == weights == NOTHING:
        found = expand(lowering, "covariance", node, rows=rows, ddof=freedom)
    else:
        found = _weighted_covariance(lowering, rows, counts, weights, freedom, node)
    c = atom(lowering, found, node)
    shape = shape_of(rows.type)
    alone = shape is not None and shape[0] == ONE
    return operate(lowering, node, "squeeze", c, Const(None)) if alone else c


def _weighted_covariance(
    lowering: Lowering, rows: Atom, counts: Atom, weights: Atom, freedom: Const, node: cst.Call
) -> Value:
    """With `fweights`, how often a column was seen, and `aweights`, how much it counts."""
    every = weights
    lost: Value = freedom
    if counts != NOTHING:
        if not is_integer(counts.type):
            raise unsupported(lowering, "`fweights` are integers", node, "give `aweights`")
        expand(lowering, "check_frequencies", node, fweights=counts)
        every = apply(lowering, node, "multiply", counts, Const(1.0))
    if weights != NOTHING:
        expand(lowering, "check_weights", node, aweights=weights)
        if counts != NOTHING:
            every = apply(lowering, node, "multiply", every, weights)
        if freedom.value:
            names: dict[str, Value] = {"weights": every, "aweights": weights, "ddof": freedom}
            lost = expand(lowering, "reliability", node, **names)
    return expand(lowering, "weighted_covariance", node, rows=rows, weights=every, lost=lost)


def lower_correlation(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    rows = _rows(lowering, arguments)
    no_more(lowering, arguments)
    shape = shape_of(rows.type)
    if shape is not None and shape[0] == ONE:
        raise unsupported(lowering, "one variable has no correlations", node, "give several")
    c = expand(lowering, "covariance", node, rows=rows, ddof=Const(1))
    return expand(lowering, "correlation", node, c=c)


def lower_logspace(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    defaults = {"num": Const(50), "endpoint": Const(True), "base": Const(10.0)}
    names = {
        key: arguments.take(place, key, defaults.get(key, Const(None)))
        for place, key in enumerate(("start", "stop", "num", "endpoint", "base"))
    }
    no_more(lowering, arguments)
    base = array_operand(lowering, names["base"], arguments.node)
    if not scalar_like(base.type):
        message = "several bases give an axis of their own"
        help = "write `base[:, None] ** np.linspace(start, stop, num)`"
        raise unsupported(lowering, message, arguments.node, help)
    return expand(lowering, "logspace", arguments.node, **{**names, "base": base})


# Methods of ufuncs --------------------------------------------------------------------------------


def accumulate(function: str) -> Function:
    def accumulate(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        a = operand(lowering, arguments, 0, "array")
        axis = arguments.take(1, "axis", Const(0))
        no_more(lowering, arguments)
        return apply(lowering, arguments.node, function, a, axis=axis)

    return accumulate


def cumulative(function: str) -> Function:
    def cumulative(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        node = arguments.node
        x = operand(lowering, arguments, 0, "x")
        axis = arguments.keywords.pop("axis", Const(None))
        no_more(lowering, arguments)
        if static(axis) == Const(None) and known_rank(lowering, x, node) != 1:
            raise lowering.refuse("bad-call", "`axis` is needed for arrays of several axes", node)
        return apply(lowering, node, function, x, axis=axis)

    return cumulative


def lower_diagonal_matrix(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.diagflat(v, k)`"""
    v = apply(lowering, arguments.node, "ravel", operand(lowering, arguments, 0, "v"))
    k = arguments.take(1, "k", Const(0))
    no_more(lowering, arguments)
    return apply(lowering, arguments.node, "diag", v, k)


def lower_astype(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.astype(x, dtype)`"""
    node = arguments.node
    x = operand(lowering, arguments, 0, "x")
    dtype = static_operand(lowering, arguments.take(1, "dtype", NOTHING), node)
    no_more(lowering, arguments)
    return lowering.assign(lowering.operation("ndarray.astype"), [x, dtype], node, name)
