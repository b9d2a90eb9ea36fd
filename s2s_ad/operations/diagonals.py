"""Diagonals of matrices, and sums of them."""

from __future__ import annotations

from collections.abc import Sequence

from s2s_ad.ir import Atom, Rule
from s2s_ad.operations.declare import Catalogue, rule
from s2s_ad.operations.matrices import ranks
from s2s_ad.operations.result_types import (
    constant,
    known_shape,
    normal_axes,
    of_shape,
    require_numeric,
    shape_argument,
    sum_dtype,
)
from s2s_ad.types import (
    Array,
    Size,
    Sizes,
    Type,
    TypeProblem,
    dtype_of,
    rank_of,
    shape_of,
    slice_length,
)

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


def diagonal_length(sizes: Sizes, rows: Size, columns: Size, offset: int) -> Size:
    """How many elements a diagonal has, of a matrix of this size."""
    rows, columns = sizes.resolve(rows), sizes.resolve(columns)
    if rows.constant is not None and columns.constant is not None:
        longest = min(rows.constant + min(offset, 0), columns.constant - max(offset, 0))
        return Size.of(max(longest, 0))
    if rows != columns:
        return sizes.fresh()
    return slice_length(rows, Size.of(abs(offset)), None, None) if offset else rows


def _diagonal_axes(operands: Sequence[Atom], rank: int) -> tuple[int, int]:
    if rank < 2:
        raise TypeProblem("shape-mismatch", f"an array of rank {rank} has no diagonal")
    places = normal_axes(tuple(constant(operand, "axis") for operand in operands), rank)
    return places[0], places[1]


def _diagonal_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    x, offset = operands[0].type, constant(operands[1], "offset")
    require_numeric([x])
    shape = shape_of(x)
    if shape is None:
        return Array(dtype_of(x), None)
    first, second = _diagonal_axes(operands[2:], len(shape))
    rest = tuple(size for k, size in enumerate(shape) if k not in (first, second))
    length = diagonal_length(sizes, shape[first], shape[second], offset)
    return Array(dtype_of(x), (*rest, length))


def square(operands: Sequence[Atom]) -> bool:
    """Guard: a square matrix and its main diagonal."""
    shape = shape_of(operands[0].type)
    is_main = constant(operands[1], "offset") == 0
    return shape is not None and len(shape) == 2 and shape[0] == shape[1] and is_main


operation(
    "out = np.diagonal(x, offset=0, axis1=0, axis2=1)",
    infer=_diagonal_type,
    rules=(
        rule("grad_x += np.diag(grad_out)", when=square),
        rule("grad_x += diagonal_adjoint(grad_out, np.shape(x), offset, axis1, axis2)"),
    ),
    linear=("x",),
    view_of="x",
    method="diagonal",
    samples=(
        {"x": "f[3,3]"},
        {"x": "f[2,3]"},
        {"x": "f[3,3]", "offset": 1},
        {"x": "f[3,4]", "offset": -2},
        {"x": "f[3,3]", "offset": 5},
        {"x": "f[2,3,4]"},
        {"x": "f[2,3,4]", "offset": 1, "axis1": 2, "axis2": 0},
        {"x": "f[0,3]"},
    ),
)
operation(
    "out = diagonal_adjoint(grad, shape, offset, axis1, axis2)",
    "grad_grad += np.diagonal(grad_out, offset, axis1, axis2)",
    infer=lambda sizes, operands: Array(
        dtype_of(operands[0].type), shape_argument(sizes, operands[1].type)
    ),
    linear=("grad",),
    helper="diagonal_adjoint",
    samples=(
        {"grad": "f[2]", "shape": (2, 3), "offset": 0, "axis1": 0, "axis2": 1},
        {"grad": "f[3,2]", "shape": (2, 3, 4), "offset": -1, "axis1": 2, "axis2": 0},
    ),
)


def _diag_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    x, k = operands[0].type, constant(operands[1], "k")
    require_numeric([x])
    shape = known_shape(operands[0], "np.diag")
    if len(shape) == 1:
        return Array(dtype_of(x), (shape[0] + abs(k), shape[0] + abs(k)))
    if len(shape) != 2:
        raise TypeProblem("shape-mismatch", f"`np.diag` takes rank 1 or 2, not {len(shape)}")
    return Array(dtype_of(x), (diagonal_length(sizes, shape[0], shape[1], k),))


def from_vector(operands: Sequence[Atom]) -> bool:
    """Guard: the diagonal is given, a matrix made."""
    return rank_of(operands[0].type) == 1


operation(
    "out = np.diag(x, k=0)",
    infer=_diag_type,
    rules=(
        rule("grad_x += np.diag(grad_out, k)", when=from_vector),
        rule("grad_x += np.diag(grad_out)", when=square),
        rule("grad_x += diagonal_adjoint(grad_out, np.shape(x), k, 0, 1)", when=ranks(2)),
    ),
    linear=("x",),
    view_of="x",
    may_copy=True,
    samples=(
        {"x": "f[3]"},
        {"x": "f[3]", "k": -2},
        {"x": "f[3,3]"},
        {"x": "f[2,3]", "k": 1},
        {"x": "f[3,3]", "k": 5},
        {"x": "f[0]"},
    ),
)


def _trace_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    x = operands[0].type
    require_numeric([x])
    constant(operands[1], "offset")
    shape = shape_of(x)
    if shape is None:
        return Array(sum_dtype(dtype_of(x)), None)
    places = _diagonal_axes(operands[2:], len(shape))
    return of_shape(
        sum_dtype(dtype_of(x)), tuple(size for k, size in enumerate(shape) if k not in places)
    )


def trace_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    offset, *axes = (constant(operand, "axis") for operand in operands[1:])
    rows, columns = (f"np.shape(x)[{axis}]" for axis in axes)
    identity = f"np.eye({rows}, {columns}, k={offset})"
    if rank_of(operands[0].type) == 2 and axes == [0, 1]:
        shape = shape_of(operands[0].type) or ()
        if shape[0] == shape[1]:
            identity = f"np.eye({rows}, k={offset})" if offset else f"np.eye({rows})"
        return (f"grad_x += grad_out * {identity}",)
    matrices = f"np.expand_dims(grad_out, (-2, -1)) * {identity}"
    return (f"grad_x += np.moveaxis({matrices}, (-2, -1), {tuple(axes)})",)


operation(
    "out = np.trace(x, offset=0, axis1=0, axis2=1)",
    infer=_trace_type,
    rules=(Rule(trace_lines),),
    linear=("x",),
    method="trace",
    samples=(
        {"x": "f[3,3]"},
        {"x": "f[2,3]"},
        {"x": "f[3,3]", "offset": 1},
        {"x": "f[3,4]", "offset": -2},
        {"x": "f[3,3]", "offset": 5},
        {"x": "f[2,3,4]"},
        {"x": "f[2,3,4]", "offset": 1, "axis1": 2, "axis2": 0},
        {"x": "f[0,0]"},
        {"x": "f[3,2]", "axis1": 1, "axis2": 0},
    ),
)
