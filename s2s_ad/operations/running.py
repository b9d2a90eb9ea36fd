"""Running sums, products and differences, and the helpers with which products are differentiated.

A product without one factor is computed without a division, so that it is right at zeros.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from s2s_ad.ir import Atom, NotDifferentiable, Rule
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.result_types import (
    constant,
    normal_axes,
    require_numeric,
    sum_dtype,
    unsupported,
)
from s2s_ad.types import (
    Array,
    Size,
    Sizes,
    Type,
    dtype_of,
    promote,
    rank_of,
    shape_of,
    size_of,
    slice_length,
    with_dtype,
)

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


# Running sums, products and differences -----------------------------------------------------------


def running_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    """The shape of x, or with `axis=None` a vector of all elements."""
    x, axis = operands[0].type, constant(operands[1], "axis")
    require_numeric([x])
    dtype, shape = sum_dtype(dtype_of(x)), shape_of(x)
    if axis is None:
        size = size_of(x)
        return Array(dtype, None if size is None else (size,))
    if shape is not None:
        if shape == ():
            raise unsupported("a number has no axes", "leave `axis` out")
        normal_axes(axis, len(shape))
        if isinstance(axis, tuple):
            raise unsupported(
                "running sums and products take one axis", "give `axis` as an integer"
            )
    return Array(dtype, shape)


def cumsum_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    """The adjoint of a running sum runs backwards."""
    axis, rank = constant(operands[1], "axis"), rank_of(operands[0].type)
    backwards = "np.cumsum(grad_out[::-1])[::-1]"
    if rank == 1:
        return (f"grad_x += {backwards}",)
    if axis is None:
        return (f"grad_x += np.reshape({backwards}, np.shape(x))",)
    return (f"grad_x += np.flip(np.cumsum(np.flip(grad_out, {axis}), axis={axis}), {axis})",)


RUNNING = (
    {"x": "f[4]"},
    {"x": "f[2,3]"},
    {"x": "f[2,3]", "axis": 0},
    {"x": "f[2,3,4]", "axis": -2},
    {"x": "f[0]"},
    {"x": "f[0,3]", "axis": 0},
    {"x": "f[1]", "axis": 0},
    {"x": "f[]"},
)
operation(
    "out = np.cumsum(x, axis=None)",
    infer=running_type,
    rules=(Rule(cumsum_lines),),
    linear=("x",),
    method="cumsum",
    samples=RUNNING,
)
operation(
    "out = np.cumprod(x, axis=None)",
    infer=running_type,
    rules=(Rule(("grad_x += cumprod_adjoint(grad_out, x, axis)",)),),
    tangent="tangent_out = cumprod_tangent(tangent_x, x, axis)",
    method="cumprod",
    samples=RUNNING,
    note="right where elements are zero",
)


def _difference_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    x, n, axis = operands[0].type, constant(operands[1], "n"), constant(operands[2], "axis")
    require_numeric([x])
    if not isinstance(n, int) or n < 0:
        raise unsupported("`n` is the number of differences", "give `n` as a non-negative integer")
    shape = shape_of(x)
    if shape is None:
        return Array(dtype_of(x), None)
    if not isinstance(axis, int):
        raise unsupported("`np.diff` takes one axis", "give `axis` as an integer")
    (place,) = normal_axes(axis, len(shape))
    length = slice_length(shape[place], Size.of(n), None, None)
    return Array(dtype_of(x), tuple(length if k == place else s for k, s in enumerate(shape)))


def diff_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    """The n-th difference is a sum of shifted parts with binomial coefficients."""
    n, axis = constant(operands[1], "n"), constant(operands[2], "axis")
    before, after = (":, " * axis, "") if axis >= 0 else ("..., ", ", :" * (-axis - 1))
    if rank_of(operands[0].type) == 1:
        before, after = "", ""
    lines = []
    for k in range(n, -1, -1):
        factor = (-1) ** (n - k) * math.comb(n, k)
        sign = {1: "", -1: "-"}.get(factor, f"{float(factor)} * ")
        part = f"{k or ''}:{k - n or ''}"
        lines.append(f"grad_x[{before}{part}{after}] += {sign}grad_out")
    return tuple(lines)


operation(
    "out = np.diff(x, n=1, axis=-1)",
    infer=_difference_type,
    rules=(Rule(diff_lines),),
    linear=("x",),
    samples=(
        {"x": "f[5]"},
        {"x": "f[3,4]"},
        {"x": "f[3,4]", "axis": 0},
        {"x": "f[3,4,2]", "axis": -2},
        {"x": "f[5]", "n": 2},
        {"x": "f[3,5]", "n": 3},
        {"x": "f[2]", "n": 5},
        {"x": "f[2]", "n": 0},
        {"x": "f[1]"},
        {"x": "f[0]"},
    ),
)


# Helpers ------------------------------------------------------------------------------------------
#
# A product without one factor is a product in which that factor is one. So the derivatives of the
# helpers put a one on the diagonal of a square of copies of x, one row for each factor left out:
# right at zeros, and to every order.

ROWS = "np.where(np.eye(np.shape({0})[-1]) == 1.0, {1}, {2})"


def product_of_others_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    axis = constant(operands[1], "axis")
    if axis is None:
        vector, weight = "np.ravel(x)", "np.ravel(grad_out)"
    elif isinstance(axis, int):
        vector, weight = (f"np.moveaxis({name}, {axis}, -1)" for name in ("x", "grad_out"))
    else:
        vector, weight = (_joined_axes(name, operands) for name in ("x", "grad_out"))
    others = ROWS.format(vector, "1.0", f"np.expand_dims({vector}, -2)")
    products = f"np.expand_dims({weight}, -1) * product_of_others({others}, -1)"
    total = f"np.sum({ROWS.format(vector, '0.0', products)}, axis=-2)"
    if axis is None:
        return (f"grad_x += np.reshape({total}, np.shape(x))",)
    if isinstance(axis, int):
        return (f"grad_x += np.moveaxis({total}, -1, {axis})",)
    axes, trailing = _axes_to_join(operands)
    moved = f"np.shape(np.moveaxis(x, {axes}, {trailing}))"
    return (f"grad_x += np.moveaxis(np.reshape({total}, {moved}), {trailing}, {axes})",)


def _axes_to_join(operands: Sequence[Atom]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    axes = constant(operands[1], "axis")
    return axes, tuple(range(-len(axes), 0))


def _joined_axes(name: str, operands: Sequence[Atom]) -> str:
    """Text for an array with the reduced axes joined to one, the last."""
    rank = rank_of(operands[0].type)
    if rank is None:
        raise NotDifferentiable("a product over several axes needs to know the rank of the array")
    axes, trailing = _axes_to_join(operands)
    kept = [k for k in range(rank) if k not in normal_axes(axes, rank)]
    sizes = [f"np.shape(x)[{k}]" for k in kept]
    joined = " * ".join(f"np.shape(x)[{k}]" for k in normal_axes(axes, rank)) or "1"
    shape = f"({', '.join([*sizes, joined])}{'' if sizes else ','})"
    return f"np.reshape(np.moveaxis({name}, {axes}, {trailing}), {shape})"


def product_of_others_tangent(operands: Sequence[Atom]) -> str:
    """The slopes from i to k and from k to i are the same: the adjoint's line again."""
    (line,) = product_of_others_lines(operands)
    return line.replace("grad_x +=", "tangent_out =").replace("grad_out", "tangent_x")


operation(
    "out = product_of_others(x, axis=None)",
    infer=lambda _, operands: Array(
        sum_dtype(dtype_of(operands[0].type)), shape_of(operands[0].type)
    ),
    rules=(Rule(product_of_others_lines),),
    tangent=product_of_others_tangent,
    helper="product_of_others",
    samples=(
        {"x": "f[4]"},
        {"x": "f[2,3]"},
        {"x": "f[2,3]", "axis": 1},
        {"x": "f[2,3]", "axis": 0},
        {"x": "f[2,3,2]", "axis": (0, 2)},
        {"x": "f[2,3]", "axis": (0, 1)},
        {"x": "f[1]"},
        {"x": "f[0]"},
    ),
)


def pairs_left_out(grad: str, tangent: str, operands: Sequence[Atom]) -> str:
    """The slope in x of <grad, tangent of the running product>: a sum over pairs left out."""
    axis = constant(operands[2], "axis")
    names = ("x", grad, tangent)
    if axis is None:
        vector, weights, factors = (f"np.ravel({name})" for name in names)
    else:
        vector, weights, factors = (f"np.moveaxis({name}, {axis}, -1)" for name in names)
    rows = ROWS.format(vector, "1.0", f"np.expand_dims({vector}, -2)")
    products = f"np.triu(np.expand_dims({factors}, -1) * np.expand_dims({weights}, -2))"
    others = f"cumprod_adjoint({products}, {rows}, -1)"
    total = f"np.sum({ROWS.format(vector, '0.0', others)}, axis=-2)"
    return (
        f"np.reshape({total}, np.shape(x))" if axis is None else f"np.moveaxis({total}, -1, {axis})"
    )


def cumprod_adjoint_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    return (
        "grad_grad += cumprod_tangent(grad_out, x, axis)",
        f"grad_x += {pairs_left_out('grad', 'grad_out', operands)}",
    )


def cumprod_adjoint_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    """A second derivative is the same for both directions, so `pairs_left_out` serves here too."""
    return (
        "tangent_out = cumprod_adjoint(tangent_grad, x, axis)",
        f"tangent_out = {pairs_left_out('grad', 'tangent_x', operands)}",
    )


def cumprod_tangent_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    """In x: for each factor, its tangent times the tangent of the running product of the others."""
    axis = constant(operands[2], "axis")
    names = ("x", "tangent", "tangent_x")
    if axis is None:
        vector, factors, moved = (f"np.ravel({name})" for name in names)
    else:
        vector, factors, moved = (f"np.moveaxis({name}, {axis}, -1)" for name in names)
    rows = ROWS.format(vector, "1.0", f"np.expand_dims({vector}, -2)")
    directions = ROWS.format(vector, "0.0", f"np.expand_dims({moved}, -2)")
    others = f"np.triu(cumprod_tangent({directions}, {rows}, -1))"
    total = f"np.sum(np.expand_dims({factors}, -1) * {others}, axis=-2)"
    return (
        "tangent_out = cumprod_tangent(tangent_tangent, x, axis)",
        f"tangent_out = {total if axis is None else f'np.moveaxis({total}, -1, {axis})'}",
    )


def cumprod_tangent_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    return (
        "grad_tangent += cumprod_adjoint(grad_out, x, axis)",
        f"grad_x += {pairs_left_out('grad_out', 'tangent', operands)}",
    )


SHAPES = (
    ("f[4]", "f[4]", 0),
    ("f[2,3]", "f[2,3]", 0),
    ("f[2,3]", "f[2,3]", -1),
    ("f[1]", "f[1]", 0),
    ("f[0]", "f[0]", 0),
)
operation(
    "out = cumprod_adjoint(grad, x, axis)",
    infer=lambda _, operands: Array(
        promote([operand.type for operand in operands[:2]]), shape_of(operands[1].type)
    ),
    rules=(Rule(cumprod_adjoint_lines),),
    tangent=cumprod_adjoint_tangent,
    helper="cumprod_adjoint",
    samples=tuple(
        {"grad": grad, "x": x, "axis": axis}
        for grad, x, axis in (*SHAPES, ("f[6]", "f[2,3]", None))
    ),
)
operation(
    "out = cumprod_tangent(tangent, x, axis)",
    infer=lambda sizes, operands: with_dtype(
        running_type(sizes, operands[1:]), promote([operand.type for operand in operands[:2]])
    ),
    rules=(Rule(cumprod_tangent_lines),),
    tangent=cumprod_tangent_tangent,
    helper="cumprod_tangent",
    samples=tuple(
        {"tangent": tangent, "x": x, "axis": axis}
        for tangent, x, axis in (*SHAPES, ("f[2,3]", "f[2,3]", None))
    ),
)


# Running extremes ---------------------------------------------------------------------------------


def _extreme_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    x, axis = operands[0].type, constant(operands[1], "axis")
    require_numeric([x])
    shape = shape_of(x)
    if shape == ():
        raise unsupported("a number has no axes", "give an array")
    if shape is not None:
        normal_axes(axis, len(shape))
    return Array(dtype_of(x), shape)


CHOICE = "running_choice(x, out, axis)"
for _name in ("maximum", "minimum"):
    operation(
        f"out = np.{_name}.accumulate(x, axis=0)",
        "grad_x += scattered(grad_out, "
        f"np.take_along_axis(places(np.shape(x)), {CHOICE}, axis=axis), np.shape(x))",
        infer=_extreme_type,
        tangent=f"tangent_out = np.take_along_axis(tangent_x, {CHOICE}, axis=axis)",
        samples=(
            {"x": "f[5]"},
            {"x": "f[3,4]"},
            {"x": "f[3,4]", "axis": -1},
            {"x": "f[0]"},
            {"x": "f[1]"},
        ),
        note="of equal elements the last one so far",
    )
operation(
    "out = running_choice(x, out, axis)",
    infer=lambda _, operands: Array("i64", shape_of(operands[0].type)),
    constant=True,
    helper="running_choice",
)
