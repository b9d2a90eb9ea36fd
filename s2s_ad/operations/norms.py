"""`np.linalg.norm` in all its orders, condition numbers, powers of matrices.

A norm's derivative is one array times the adjoint of the norm: the direction in which it grows
fastest. At 0 it is 0, at ties of largest elements or sums it is shared equally, as `np.max` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from s2s_ad.ir import Atom, Rule
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.matrices import factor_dtype, in_rank, square_shape
from s2s_ad.operations.result_types import (
    constant,
    known_shape,
    normal_axes,
    of_shape,
    reduction_type,
    unsupported,
)
from s2s_ad.types import Array, Shape, Sizes, Type, TypeProblem, dtype_of, rank_of

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


# np.linalg.norm -----------------------------------------------------------------------------------


def _norm_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    shape = known_shape(operands[0], "np.linalg.norm")
    factor_dtype([operands[0].type], "np.linalg.norm")
    growth_of_norm(operands, shape)
    x, _, axis, keepdims = operands
    type = reduction_type(lambda dtype: dtype if dtype.startswith("f") else "f64")(
        sizes, (x, axis, keepdims)
    )
    return type


def growth_of_norm(operands: Sequence[Atom], shape: Shape) -> str:
    """The derivative of a norm with respect to x, as a formula in x and `out`."""
    order, axis = constant(operands[1], "ord"), constant(operands[2], "axis")
    keepdims = constant(operands[3], "keepdims")
    axes = normal_axes(axis, len(shape))
    if (order is None and axis is None) or (order == "fro" and len(axes) == 2):
        return _euclidean(_spread("out", axes, len(shape), axis, keepdims))
    if len(axes) == 1:
        return _growth_of_vector_norm(order, axes[0], len(shape), keepdims)
    if len(axes) == 2 and order is None:
        return _euclidean(_spread("out", axes, len(shape), axis, keepdims))
    if len(axes) == 2:
        return _growth_of_matrix_norm(order, axes, len(shape), keepdims)
    raise TypeProblem("shape-mismatch", f"a norm of order {order} is of vectors or matrices")


def _spread(text: str, axes: Sequence[int], rank: int, axis: Any, keepdims: bool) -> str:
    """A value a norm, in the shape that meets x."""
    if keepdims or len(axes) == rank:
        return text
    places = axes[0] if len(axes) == 1 else tuple(axes)
    return f"np.expand_dims({text}, {places})"


def _euclidean(norm: str) -> str:
    return f"x / np.where({norm} == 0, 1.0, {norm})"


def _growth_of_vector_norm(order: Any, axis: int, rank: int, keepdims: bool) -> str:
    norm = _spread("out", (axis,), rank, axis, keepdims)
    if order is None or order == 2:
        return _euclidean(norm)
    if order == 0:
        return "0.0 * x"
    if order == 1:
        return "np.sign(x)"
    if isinstance(order, int | float) and abs(order) == float("inf"):
        chosen = f"(np.abs(x) == {norm})"
        return f"np.sign(x) * {chosen} / np.sum({chosen}, axis={axis}, keepdims=True)"
    if isinstance(order, int | float) and not isinstance(order, bool):
        ratio = f"np.abs(x) / np.where({norm} == 0, 1.0, {norm})"
        return f"np.sign(x) * ({ratio}) ** {float(order) - 1.0}"
    raise unsupported(f"vectors have no norm of order {order!r}", "choose another `ord`")


def _growth_of_matrix_norm(order: Any, axes: tuple[int, ...], rank: int, keepdims: bool) -> str:
    rows, columns = axes
    if order in (1, -1, float("inf"), float("-inf")):
        summed, chosen_from = (rows, columns) if abs(order) == 1 else (columns, rows)
        norm = _spread("out", axes, rank, axes, keepdims)
        sums = f"np.sum(np.abs(x), axis={summed}, keepdims=True)"
        chosen = f"({sums} == {norm})"
        return f"np.sign(x) * {chosen} / np.sum({chosen}, axis={chosen_from}, keepdims=True)"
    if order not in (2, -2, "nuc"):
        raise unsupported(f"matrices have no norm of order {order!r}", "choose another `ord`")
    last = (rank - 2, rank - 1)
    moved = "x" if axes == last else f"np.moveaxis(x, {axes}, (-2, -1))"
    svd = f"np.linalg.svd({moved}, full_matrices=False)"
    if order == "nuc":
        growth = f"{svd}[0] @ {svd}[2]"
    else:
        k = "0:1" if order == 2 else "-1:"
        growth = f"{svd}[0][..., {k}] * {svd}[2][..., {k}, :]"
    return f"({growth})" if axes == last else f"np.moveaxis({growth}, (-2, -1), {axes})"


def norm_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    shape = known_shape(operands[0], "np.linalg.norm")
    axis, keepdims = constant(operands[2], "axis"), constant(operands[3], "keepdims")
    axes = normal_axes(axis, len(shape))
    adjoint = _spread("grad_out", axes, len(shape), axis, keepdims)
    growth = growth_of_norm(operands, shape)
    if growth.startswith("x / "):
        return (f"grad_x += {adjoint} * x / {growth.removeprefix('x / ')}",)
    return (f"grad_x += {adjoint} * {growth}",)


def norm_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    shape = known_shape(operands[0], "np.linalg.norm")
    axis, keepdims = constant(operands[2], "axis"), constant(operands[3], "keepdims")
    growth = growth_of_norm(operands, shape)
    ending = "" if axis is None else f", axis={axis}"
    ending += ", keepdims=True" if keepdims else ""
    return (f"tangent_out = np.sum(tangent_x * ({growth}){ending})",)


operation(
    "out = np.linalg.norm(x, ord=None, axis=None, keepdims=False)",
    infer=_norm_type,
    rules=(Rule(norm_lines),),
    tangent=norm_tangent,
    samples=(
        {"x": "f[3]"},
        {"x": "f[2,3]"},
        {"x": "f[2,3]", "keepdims": True},
        {"x": "f[2,3]", "axis": 0},
        {"x": "f[2,3]", "axis": -1, "keepdims": True},
        {"x": "f[2,3,4]", "axis": (0, 2)},
        {"x": "f[1]"},
        *({"x": "f[4]", "ord": order} for order in (0, 1, 2, 3, -1, float("inf"), float("-inf"))),
        {"x": "f[3,2]", "ord": 3, "axis": 0, "keepdims": True},
        {"x": "f[3,2]", "ord": float("inf"), "axis": 1},
        *(
            {"x": "f[3,2]", "ord": order}
            for order in (1, -1, float("inf"), float("-inf"), 2, -2, "fro", "nuc")
        ),
        {"x": "f[2,3,4]", "ord": 1, "axis": (0, 2)},
        {"x": "f[2,3,4]", "ord": "nuc", "axis": (2, 0)},
        {"x": "f[2,3,4]", "ord": 2, "axis": (1, 2), "keepdims": True},
    ),
    note="0 at 0; ties of orders inf and 1 share equally; spectral norms assume no tie",
)


# np.linalg.cond -----------------------------------------------------------------------------------


def _cond_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    if constant(operands[1], "p") not in (None, 2):
        raise unsupported(
            "the condition number has a derivative for the norm of order 2",
            "write `np.linalg.norm(a, p) * np.linalg.norm(np.linalg.inv(a), p)`",
        )
    dtype = factor_dtype([operands[0].type], "np.linalg.cond")
    shape = known_shape(operands[0], "np.linalg.cond")
    return of_shape(dtype, shape[:-2])


SVD = "np.linalg.svd(x, full_matrices=False)"
FIRST = f"{SVD}[0][..., 0:1] * {SVD}[2][..., 0:1, :] / {SVD}[1][..., 0:1, None]"
LAST = f"{SVD}[0][..., -1:] * {SVD}[2][..., -1:, :] / {SVD}[1][..., -1:, None]"


def cond_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    """The ratio of the outermost singular values."""
    line = f"grad_x += one(grad_out * out) * ({FIRST} - {LAST})"
    return (in_rank(line, rank_of(operands[0].type)),)


operation(
    "out = np.linalg.cond(x, p=None)",
    infer=_cond_type,
    rules=(Rule(cond_lines),),
    tangent=(f"tangent_out = out * np.sum(tangent_x * ({FIRST} - {LAST}), axis=(-2, -1))",),
    domains={"x": "invertible"},
    samples=({"x": "f[3,3]"}, {"x": "f[2,2,2]"}, {"x": "f[2,3]"}, {"x": "f[2,3,2]"}),
    note="for the norm of order 2; the others are products of norms",
)


# np.linalg.matrix_power ---------------------------------------------------------------------------


def _power_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    exponent = constant(operands[1], "n")
    if not isinstance(exponent, int) or abs(exponent) > MOST_FACTORS:
        raise unsupported(
            f"`np.linalg.matrix_power` has a derivative for integers up to {MOST_FACTORS}",
            "multiply powers of powers",
        )
    known_shape(operands[0], "np.linalg.matrix_power")
    dtype = dtype_of(operands[0].type)
    if exponent < 0:
        dtype = factor_dtype([operands[0].type], "np.linalg.matrix_power")
    return Array(dtype, square_shape(sizes, operands[0].type, "np.linalg.matrix_power"))


MOST_FACTORS = 16
TRANSPOSED = "a'"


def _power(base: str, exponent: int) -> str:
    return base if exponent == 1 else f"np.linalg.matrix_power({base}, {exponent})"


def _power_terms(base: str, between: str, count: int) -> str:
    """The sum of base^k between base^(count - 1 - k), over all k."""
    terms = []
    for k in range(count):
        factors = [_power(base, k)] if k else []
        factors.append(between)
        factors += [_power(base, count - 1 - k)] if k < count - 1 else []
        terms.append(" @ ".join(factors))
    return " + ".join(terms)


def power_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    exponent = constant(operands[1], "n")
    if exponent == 0:
        return ("grad_a += 0.0 * grad_out",)
    if exponent > 0:
        line = f"grad_a += {_power_terms(TRANSPOSED, 'grad_out', exponent)}"
    else:
        inverse = "np.linalg.inv(a)'"
        terms = _power_terms(inverse, "grad_out", -exponent)
        line = f"grad_a += -{inverse} @ ({terms}) @ {inverse}"
    return (in_rank(line, rank_of(operands[0].type)),)


def power_tangent(operands: Sequence[Atom]) -> tuple[str, ...]:
    exponent = constant(operands[1], "n")
    if exponent == 0:
        return ("tangent_out = 0.0 * tangent_a",)
    if exponent > 0:
        return (f"tangent_out = {_power_terms('a', 'tangent_a', exponent)}",)
    inverse = "np.linalg.inv(a)"
    moved = f"({inverse} @ tangent_a @ {inverse})"
    return (f"tangent_out = -({_power_terms(inverse, moved, -exponent)})",)


operation(
    "out = np.linalg.matrix_power(a, n)",
    infer=_power_type,
    rules=(Rule(power_lines),),
    tangent=power_tangent,
    domains={"a": "invertible"},
    samples=(
        {"a": "f[3,3]", "n": 3},
        {"a": "f[3,3]", "n": 0},
        {"a": "f[3,3]", "n": 1},
        {"a": "f[3,3]", "n": -2},
        {"a": "f[3,3]", "n": -1},
        {"a": "f[2,3,3]", "n": 2},
    ),
    note=f"for exponents that are constants, up to {MOST_FACTORS}",
)
