"""Operations that order: sorting and partitions, and searches in what is sorted.

A sorted array is the array at `argsort`, so the adjoint goes back by the order of that order. Ties
go by position. The mode and the ranks of SciPy are of the same kind.
"""

from __future__ import annotations

from collections.abc import Sequence

from s2s_ad.ir import Atom, Rule
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.result_types import (
    constant,
    known_shape,
    normal_axes,
    of_shape,
    require_numeric,
    unsupported,
)
from s2s_ad.types import (
    ONE,
    Array,
    Items,
    Shape,
    Sizes,
    Type,
    dtype_of,
    rank_of,
    shape_of,
    size_of,
)

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


# Sorting ------------------------------------------------------------------------------------------


def _ordered_shape(x: Type, axis: int | None) -> Shape | None:
    """The shape of x, or with `axis=None` that of a vector of all elements."""
    shape = shape_of(x)
    if axis is None:
        size = size_of(x)
        return None if size is None else (size,)
    if shape is not None:
        normal_axes(axis, len(shape))
    return shape


def _sorted_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    require_numeric([operands[0].type])
    axis = constant(operands[-2], "axis")
    return Array(dtype_of(operands[0].type), _ordered_shape(operands[0].type, axis))


def _order_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    found = _sorted_type(sizes, operands)
    assert isinstance(found, Array)
    return Array("i64", found.shape)


def _order(text: str, axis: int | None) -> str:
    return f"np.argsort({text}, axis={axis}, kind='stable')"


def sort_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    axis = constant(operands[1], "axis")
    if rank_of(operands[0].type) == 1:
        return ("grad_a += grad_out[np.argsort(np.argsort(a, kind='stable'))]",)
    if axis is None:
        back = f"np.argsort({_order('a', None)})"
        return (f"grad_a += np.reshape(grad_out[{back}], np.shape(a))",)
    back = f"np.argsort({_order('a', axis)}, axis={axis})"
    return (f"grad_a += np.take_along_axis(grad_out, {back}, axis={axis})",)


def sort_tangent(operands: Sequence[Atom]) -> str:
    axis = constant(operands[1], "axis")
    moved = "np.ravel(tangent_a)" if axis is None else "tangent_a"
    place = 0 if axis is None else axis
    return f"tangent_out = np.take_along_axis({moved}, {_order('a', axis)}, axis={place})"


SORTED = (
    {"a": "f[4]"},
    {"a": "f[2,3]"},
    {"a": "f[2,3]", "axis": 0},
    {"a": "f[2,3]", "axis": None},
    {"a": "f[2,3,2]", "axis": -2},
    {"a": "f[0]"},
    {"a": "f[1]"},
)
BY_POSITION = "ties go by position"
operation(
    "out = np.sort(a, axis=-1, kind=None)",
    infer=_sorted_type,
    rules=(Rule(sort_lines),),
    tangent=sort_tangent,
    samples=SORTED,
    note=BY_POSITION,
)
operation(
    "out = np.argsort(a, axis=-1, kind=None)",
    infer=_order_type,
    constant=True,
    method="argsort",
)


# What `np.partition` leaves in which place is its own affair: the order of the result tells


def partition_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    axis = constant(operands[2], "axis")
    place = 0 if axis is None else axis
    ordered = f"np.take_along_axis(grad_out, {_order('out', place)}, axis={place})"
    back = f"np.argsort({_order('a', axis)}, axis={place})"
    moved = f"np.take_along_axis({ordered}, {back}, axis={place})"
    return (f"grad_a += {moved if axis is not None else f'np.reshape({moved}, np.shape(a))'}",)


def partition_tangent(operands: Sequence[Atom]) -> str:
    axis = constant(operands[2], "axis")
    place = 0 if axis is None else axis
    flat = "np.ravel(tangent_a)" if axis is None else "tangent_a"
    ordered = f"np.take_along_axis({flat}, {_order('a', axis)}, axis={place})"
    back = f"np.argsort({_order('out', place)}, axis={place})"
    return f"tangent_out = np.take_along_axis({ordered}, {back}, axis={place})"


PARTED = tuple({**sample, "kth": 0 if "[1]" in str(sample) else 1} for sample in SORTED[:5])
operation(
    "out = np.partition(a, kth, axis=-1, kind='introselect')",
    infer=_sorted_type,
    rules=(Rule(partition_lines),),
    tangent=partition_tangent,
    samples=(*PARTED, {"a": "f[5]", "kth": (1, 3)}, {"a": "f[1]", "kth": 0}),
    note=BY_POSITION,
)
operation(
    "out = np.argpartition(a, kth, axis=-1, kind='introselect')",
    infer=_order_type,
    constant=True,
    method="argpartition",
)


# Searches: integers and booleans ------------------------------------------------------------------


def _like_second(_: Sizes, operands: Sequence[Atom]) -> Type:
    return (
        of_shape("i64", shape)
        if (shape := shape_of(operands[1].type)) is not None
        else Array("i64", None)
    )


def _like_first(_: Sizes, operands: Sequence[Atom]) -> Type:
    shape = shape_of(operands[0].type)
    return Array("i64", None) if shape is None else of_shape("i64", shape)


operation(
    "out = np.searchsorted(a, v, side='left', sorter=None)",
    infer=_like_second,
    constant=True,
    method="searchsorted",
)
operation("out = np.digitize(x, bins, right=False)", infer=_like_first, constant=True)
operation(
    "out = np.isin(element, test_elements, assume_unique=False, invert=False)",
    infer=lambda _, operands: Array("bool", shape_of(operands[0].type)),
    constant=True,
    also=("numpy.in1d",),
)
operation(
    "out = np.lexsort(keys, axis=-1)",
    infer=lambda _, operands: Array(
        "i64", None if (shape := shape_of(operands[0].type)) is None else shape[1:]
    ),
    constant=True,
)
operation(
    "out = np.flatnonzero(a)",
    infer=lambda sizes, _: Array("i64", (sizes.fresh(),)),
    constant=True,
)


def _argwhere_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    shape = shape_of(operands[0].type)
    columns = sizes.fresh() if shape is None else ONE * len(shape)
    return Array("i64", (sizes.fresh(), columns))


operation("out = np.argwhere(a)", infer=_argwhere_type, constant=True)


# Modes and ranks of SciPy -------------------------------------------------------------------------


def _mode_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    a, axis, policy, keepdims = operands
    shape = known_shape(a, "scipy.stats.mode")
    if constant(axis, "axis") is None or constant(keepdims, "keepdims") is not False:
        raise unsupported("`mode` is supported along one axis, which goes", "leave `keepdims` out")
    if constant(policy, "nan_policy") != "propagate":
        raise unsupported("`nan_policy` is supported as 'propagate'", "take NaN out before")
    (place,) = normal_axes(constant(axis, "axis"), len(shape))
    kept = (*shape[:place], *shape[place + 1 :])
    return Items((of_shape(dtype_of(a.type), kept), of_shape("i64", kept)))


operation(
    "mode, count = scipy.stats.mode(a, axis=0, nan_policy='propagate', keepdims=False)",
    "grad_a += np.where(first_of(a, mode, axis), np.expand_dims(grad_mode, axis), 0.0)",
    infer=_mode_type,
    tangent=(
        "tangent_mode = np.sum(np.where(first_of(a, mode, axis), tangent_a, 0.0), axis=axis)",
    ),
    constant_results=("count",),
    samples=({"a": "f[4]"}, {"a": "f[2,3]", "axis": 1}, {"a": "f[3,2]"}),
    note="of equal elements, in the first",
)
operation(
    "out = first_of(x, value, axis)",
    infer=lambda _, operands: Array("bool", shape_of(operands[0].type)),
    constant=True,
    helper="first_of",
)


def _ranks_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    a, method, axis = operands
    require_numeric([a.type])
    dtype = "f64" if constant(method, "method") == "average" else "i64"
    return Array(dtype, _ordered_shape(a.type, constant(axis, "axis")))


operation(
    "out = scipy.stats.rankdata(a, method='average', axis=None)",
    infer=_ranks_type,
    constant=True,
    samples=({"a": "f[4]"}, {"a": "f[2,3]", "method": "min"}, {"a": "f[2,3]", "axis": 1}),
)
