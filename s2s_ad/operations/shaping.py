"""Operations that move elements about: shapes, axes, joins, fills, ranges, dtypes.

All are linear. The result of most may share memory with the operand (`view_of`; `may_copy` where
that depends on layout).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from s2s_ad.ir import Atom, Rule
from s2s_ad.operations.declare import Catalogue, rule
from s2s_ad.operations.result_types import (
    constant,
    normal_axes,
    require_numeric,
    shape_argument,
)
from s2s_ad.types import (
    INT,
    ONE,
    Array,
    Items,
    Number,
    Scalar,
    Shape,
    Size,
    Sizes,
    Type,
    TypeProblem,
    dtype_of,
    rank_of,
    shape_of,
    size_of,
)

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


# Sizes --------------------------------------------------------------------------------------------


def _shape_items(type: Type) -> Type:
    shape = shape_of(type)
    return (
        Items((Array("i64", None),))
        if shape is None
        else Items(tuple(Number("int", size) for size in shape))
    )


def _dimension_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    shape = shape_of(operands[0].type)
    if shape is None:
        return INT
    (axis,) = normal_axes(constant(operands[1], "axis"), len(shape))
    return Number("int", sizes.resolve(shape[axis]))


operation("out = x.shape", infer=lambda _, operands: _shape_items(operands[0].type), constant=True)
operation(
    "out = np.shape(x)", infer=lambda _, operands: _shape_items(operands[0].type), constant=True
)
operation("out = x.shape[k]", infer=_dimension_type, constant=True)
operation(
    "out = x.size",
    infer=lambda _, operands: Number("int", size_of(operands[0].type)),
    constant=True,
)
operation(
    "out = np.size(x)",
    infer=lambda _, operands: Number("int", size_of(operands[0].type)),
    constant=True,
)
operation("out = x.ndim", infer=lambda _, operands: _rank_type(operands), constant=True)
operation("out = np.ndim(x)", infer=lambda _, operands: _rank_type(operands), constant=True)


def _rank_type(operands: Sequence[Atom]) -> Type:
    rank = rank_of(operands[0].type)
    return INT if rank is None else Number("int", Size.of(rank))


def _length_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    shape = shape_of(operands[0].type)
    if shape == ():
        raise TypeProblem("not-an-array", "a number has no length")
    return INT if shape is None else Number("int", sizes.resolve(shape[0]))


operation("out = len(x)", infer=_length_type, constant=True)


# Shapes -------------------------------------------------------------------------------------------


def _broadcast_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    require_numeric([operands[0].type])
    return Array(dtype_of(operands[0].type), shape_argument(sizes, operands[1].type))


operation(
    "out = np.broadcast_to(x, shape)",
    "grad_x += grad_out",
    infer=_broadcast_type,
    linear=("x",),
    broadcasts=("x",),
    view_of="x",
    samples=(
        {"x": "f[3]", "shape": (2, 3)},
        {"x": "f[3,1]", "shape": (3, 4)},
        {"x": "f[]", "shape": (2,)},
    ),
)


def _unbroadcast_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    grad, like = operands[0].type, operands[1].type
    require_numeric([grad, like])
    if isinstance(like, Number):
        return Scalar(dtype_of(grad))
    return like if shape_of(like) != () else Scalar(dtype_of(like))


def _only_new_axes(operands: Sequence[Atom]) -> bool:
    """Guard: `like` has the sizes of `grad` behind leading ones."""
    shape, like = shape_of(operands[0].type), shape_of(operands[1].type)
    if shape is None or like is None or len(like) <= len(shape):
        return False
    return like[len(like) - len(shape) :] == shape


operation(
    "out = unbroadcast(grad, like)",
    "grad_grad += np.broadcast_to(grad_out, np.shape(grad))",
    rules=(rule("grad_grad += np.reshape(grad_out, np.shape(grad))", when=_only_new_axes),),
    shape_only=("like",),
    infer=_unbroadcast_type,
    linear=("grad",),
    helper="unbroadcast",
    samples=(
        {"grad": "f[2,3]", "like": "f[3]"},
        {"grad": "f[2,3]", "like": "f[2,1]"},
        {"grad": "f[2,3]", "like": "f[]"},
        {"grad": "f[3]", "like": "f[3]"},
    ),
)


def _reshaped_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    x = operands[0].type
    require_numeric([x])
    shape, whole = shape_argument(sizes, operands[1].type), size_of(x)
    if shape is None:
        return Array(dtype_of(x), None)
    # NumPy takes every negative number for `-1`
    unknown = [k for k, size in enumerate(shape) if (size.constant or 0) < 0]
    rest = ONE
    for k, size in enumerate(shape):
        rest = rest if k in unknown else rest * size
    _require_that_it_fits(whole, rest, shape, len(unknown))
    if unknown:
        quotient = None if whole is None or rest.constant == 0 else whole.divided_by(rest)
        filled = sizes.fresh() if quotient is None else quotient
        shape = tuple(filled if k in unknown else size for k, size in enumerate(shape))
    return Array(dtype_of(x), shape)


def _require_that_it_fits(whole: Size | None, rest: Size, shape: Shape, unknown: int) -> None:
    """Whether `whole` elements can be reshaped to axes with `rest` elements and unknown ones."""
    spelled = f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
    if unknown > 1:
        raise TypeProblem("shape-mismatch", f"only one size can be left open, not {spelled}")
    if whole is None or whole.constant is None or rest.constant is None:
        return
    fits = rest.constant > 0 and whole.constant % rest.constant == 0 if unknown else whole == rest
    if not fits:
        count = "1 element" if whole == ONE else f"{whole} elements"
        raise TypeProblem("shape-mismatch", f"{count} cannot be reshaped to {spelled}")


operation(
    "out = np.reshape(x, shape)",
    "grad_x += np.reshape(grad_out, np.shape(x))",
    infer=_reshaped_type,
    linear=("x",),
    view_of="x",
    may_copy=True,
    samples=(
        {"x": "f[2,3]", "shape": (6,)},
        {"x": "f[6]", "shape": (2, -1)},
        {"x": "f[2,3]", "shape": -1},
    ),
)


def _ravelled_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    size = size_of(operands[0].type)
    return Array(dtype_of(operands[0].type), None if size is None else (size,))


operation(
    "out = np.ravel(x)",
    "grad_x += np.reshape(grad_out, np.shape(x))",
    infer=_ravelled_type,
    linear=("x",),
    view_of="x",
    may_copy=True,
    method="ravel",
    samples=({"x": "f[2,3]"}, {"x": "f[0,3]"}),
)


FLAT = operation(
    "out = flat(x)",
    "grad_x += np.reshape(grad_out, np.shape(x))",
    name="ndarray.flat",
    infer=_ravelled_type,
    linear=("x",),
    view_of="x",
    evaluate=lambda x: x.ravel(),
    samples=({"x": "f[2,3]"}, {"x": "f[0,3]"}),
    note="what `x.flat` is here: every write gets into x",
)
# the user's attribute is an iterator, which no generated line may hold
CATALOGUE.operations[FLAT.name] = replace(FLAT, template="np.ravel({0})")


def _expanded_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    x, axis = operands[0].type, constant(operands[1], "axis")
    shape = shape_of(x)
    if shape is None:
        return Array(dtype_of(x), None)
    count = len(axis) if isinstance(axis, tuple) else 1
    places = normal_axes(axis, len(shape) + count)
    remaining = iter(shape)
    return Array(
        dtype_of(x),
        tuple(ONE if k in places else next(remaining) for k in range(len(shape) + count)),
    )


operation(
    "out = np.expand_dims(x, axis)",
    "grad_x += np.reshape(grad_out, np.shape(x))",
    infer=_expanded_type,
    linear=("x",),
    view_of="x",
    samples=({"x": "f[3]", "axis": 0}, {"x": "f[3]", "axis": (0, -1)}, {"x": "f[2,3]", "axis": 1}),
)


def _squeezed_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    x, axis = operands[0].type, constant(operands[1], "axis")
    shape = shape_of(x)
    if shape is None or (axis is None and any(size.constant is None for size in shape)):
        return Array(dtype_of(x), None)
    dropped = (
        normal_axes(axis, len(shape))
        if axis is not None
        else tuple(k for k, size in enumerate(shape) if size == ONE)
    )
    return Array(dtype_of(x), tuple(size for k, size in enumerate(shape) if k not in dropped))


operation(
    "out = np.squeeze(x, axis=None)",
    "grad_x += np.reshape(grad_out, np.shape(x))",
    infer=_squeezed_type,
    linear=("x",),
    view_of="x",
    method="squeeze",
    samples=({"x": "f[3,1]"}, {"x": "f[1,3,1]", "axis": 0}, {"x": "f[1,3,1]", "axis": (0, 2)}),
)


# Axes ---------------------------------------------------------------------------------------------


def _transposed_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    x, axes = operands[0].type, constant(operands[1], "axes")
    shape = shape_of(x)
    if shape is None:
        return Array(dtype_of(x), None)
    order = tuple(reversed(range(len(shape)))) if axes is None else normal_axes(axes, len(shape))
    if len(order) != len(shape):
        raise TypeProblem("shape-mismatch", f"{len(order)} axes for an array of rank {len(shape)}")
    return Array(dtype_of(x), tuple(shape[k] for k in order))


def transpose_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    axes = constant(operands[1], "axes")
    if axes is None:
        return ("grad_x += np.transpose(grad_out)",)
    rank = len(axes)
    inverse = tuple(sorted(range(rank), key=lambda k: axes[k] % rank))
    return (f"grad_x += np.transpose(grad_out, axes={inverse})",)


operation(
    "out = np.transpose(x, axes=None)",
    also=("numpy.permute_dims",),
    infer=_transposed_type,
    rules=(Rule(transpose_lines),),
    linear=("x",),
    view_of="x",
    samples=({"x": "f[2,3]"}, {"x": "f[2,3,4]", "axes": (1, 2, 0)}, {"x": "f[3]"}),
)
operation(
    "out = x.T",
    "grad_x += grad_out.T",
    linear=("x",),
    view_of="x",
    infer=lambda _, operands: _reversed_axes(operands[0].type),
    samples=({"x": "f[2,3]"}, {"x": "f[3]"}),
)


def _reversed_axes(type: Type) -> Type:
    if not isinstance(type, Array):
        if isinstance(type, Scalar):
            return type
        raise TypeProblem("not-an-array", f"a value of type {type} has no attribute `T`")
    return Array(type.dtype, None if type.shape is None else type.shape[::-1])


def _transposed_matrices(_: Sizes, operands: Sequence[Atom]) -> Type:
    x = operands[0].type
    shape = shape_of(x)
    if shape is None:
        return Array(dtype_of(x), None)
    if len(shape) < 2:
        raise TypeProblem("shape-mismatch", "the array needs at least rank 2")
    return Array(dtype_of(x), (*shape[:-2], shape[-1], shape[-2]))


operation(
    "out = np.matrix_transpose(x)",
    "grad_x += np.matrix_transpose(grad_out)",
    also=("numpy.linalg.matrix_transpose",),
    infer=_transposed_matrices,
    linear=("x",),
    view_of="x",
    samples=({"x": "f[2,3]"}, {"x": "f[2,3,4]"}),
)
operation(
    "out = x.mT",
    "grad_x += grad_out.mT",
    infer=_transposed_matrices,
    linear=("x",),
    view_of="x",
    samples=({"x": "f[2,3]"}, {"x": "f[2,3,4]"}),
)


def _swapped_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    x = operands[0].type
    shape = shape_of(x)
    if shape is None:
        return Array(dtype_of(x), None)
    axes = [normal_axes(constant(operand, "axis"), len(shape))[0] for operand in operands[1:]]
    order = list(range(len(shape)))
    order[axes[0]], order[axes[1]] = axes[1], axes[0]
    return Array(dtype_of(x), tuple(shape[k] for k in order))


operation(
    "out = np.swapaxes(x, axis1, axis2)",
    "grad_x += np.swapaxes(grad_out, axis1, axis2)",
    infer=_swapped_type,
    linear=("x",),
    view_of="x",
    method="swapaxes",
    samples=({"x": "f[2,3,4]", "axis1": 0, "axis2": -1},),
)


SHAPE = (CATALOGUE.operations["ndarray.shape"], CATALOGUE.operations["numpy.shape"])
DIMENSION = CATALOGUE.operations["ndarray.shape[]"]
BROADCAST_TO = CATALOGUE.operations["numpy.broadcast_to"]
