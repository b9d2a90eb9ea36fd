"""What type an operation's result has, from its operands: the `infer` functions of the catalogue.

Each takes the sizes known so far and the operands (atoms, so that constants such as `axis=0` can be
read) and gives a type, or raises TypeProblem with the message the user sees. Unknown rank in,
unknown rank out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from s2s_ad.ir import Atom, Const
from s2s_ad.types import (
    DTYPES,
    ONE,
    SHORT_DTYPES,
    Array,
    Items,
    Number,
    Scalar,
    Shape,
    Size,
    Sizes,
    Slice,
    Static,
    Type,
    TypeProblem,
    dtype_of,
    float_result,
    is_boolean,
    is_complex,
    is_integer,
    is_numeric,
    promote,
    scalar_like,
    shape_of,
    size_of,
    slice_length,
)

Infer = Callable[[Sizes, Sequence[Atom]], Type]


# Reading constants --------------------------------------------------------------------------------


def constant(atom: Atom, what: str) -> Any:
    """The value of an operand that has to be known when compiling."""
    if isinstance(atom, Const):
        return atom.value
    if (
        isinstance(atom.type, Number)
        and atom.type.value is not None
        and atom.type.value.constant is not None
    ):
        return atom.type.value.constant
    raise TypeProblem(
        "not-constant",
        f"`{what}` has to be a constant",
        f"write the value of `{what}` out in the call",
    )


def is_constant(atom: Atom, value: object) -> bool:
    return isinstance(atom, Const) and atom == Const(value)


def normal_axes(axis: Any, rank: int) -> tuple[int, ...]:
    """Axes as non-negative integers; None means all."""
    if axis is None:
        return tuple(range(rank))
    axes = axis if isinstance(axis, tuple) else (axis,)
    for item in axes:
        if not isinstance(item, int) or isinstance(item, bool) or not -rank <= item < rank:
            raise TypeProblem(
                "shape-mismatch",
                f"axis {item} is out of bounds for an array of rank {rank}",
                "leave `axis` out" if rank == 0 else f"the axes are 0 to {rank - 1}",
            )
    normal = tuple(item % rank for item in axes)
    if len(set(normal)) < len(normal):
        raise TypeProblem("shape-mismatch", f"axes {axis} name one axis twice")
    return normal


def require_numeric(types: Sequence[Type]) -> None:
    for type in types:
        if not is_numeric(type):
            raise TypeProblem("not-a-number", f"a number or an array is needed here, not {type}")


def of_shape(dtype: str, shape: Shape | None, rank_zero: str = "scalar") -> Type:
    """An array; for rank 0 a scalar, but an array from a few functions (`rank_zero="array"`)."""
    return Scalar(dtype) if shape == () and rank_zero == "scalar" else Array(dtype, shape)


def strong_promotion(types: Sequence[Type]) -> str:
    """The dtype where operands are made arrays first, so that Python numbers count in full."""
    return promote([Scalar(dtype_of(type)) for type in types])


def unsupported(message: str, help: str) -> TypeProblem:
    """The problem of an argument that the catalogue has no derivative for."""
    return TypeProblem("unsupported-argument", message, help)


def known_shape(atom: Atom, function: str) -> Shape:
    """The shape of an operand whose rank has to be known."""
    shape = shape_of(atom.type)
    if shape is None:
        raise TypeProblem(
            "unknown-rank",
            f"`{function}` needs to know the rank of the array",
            "annotate the parameter with its shape, or give it with `--arg`",
        )
    return shape


# Elementwise --------------------------------------------------------------------------------------


def elementwise_type(
    result: str,
    of_numbers: str = "scalar",
    scalars_only: bool = False,
    rank_zero: str = "scalar",
    ufunc: np.ufunc | None = None,
) -> Infer:
    """The type of a broadcast, elementwise result.

    `result`: "float" (integers become floats), "divide" (the same), "arithmetic" (NumPy's
    promotion), "bool", "integer". `of_numbers`: whether Python numbers give a Python number
    (operators, `math`) or a NumPy scalar (`np.sin(1.0)`).
    """

    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        types = [operand.type for operand in operands]
        require_numeric(types)
        if scalars_only and not all(scalar_like(type) or shape_of(type) == () for type in types):
            raise TypeProblem(
                "not-a-number",
                "functions of `math` take numbers, not arrays",
                "use the function of `np`",
            )
        if of_numbers == "number" and all(
            isinstance(type, Number) or scalars_only for type in types
        ):
            return _number_result(result, types)
        if of_numbers == "number" and types == [Number("complex"), Scalar("f64")]:
            return Number("complex")  # Python's own arithmetic: np.float64 is a float
        shape = sizes.broadcast([shape_of(type) for type in types])
        dtype = _result_dtype(result, types) if ufunc is None else _dtype_by(ufunc, types)
        return of_shape(dtype, shape, rank_zero)

    return infer


def _dtype_by(ufunc: np.ufunc, types: Sequence[Type]) -> str:
    """The dtype that NumPy says a ufunc gives; Python floats and integers are weak (NEP 50)."""
    parts = tuple(
        type.kind if isinstance(type, Number) and type.kind != "bool" else dtype_of(type)
        for type in types
    )
    found = _resolved_dtype(ufunc, parts)
    if found is None:
        spelled = " and ".join(map(str, types))
        raise TypeProblem("not-a-number", f"`np.{ufunc.__name__}` does not take {spelled}")
    return found


@cache
def _resolved_dtype(ufunc: np.ufunc, parts: tuple[str, ...]) -> str | None:
    weak = {"float": float, "int": int, "complex": complex}
    operands = [weak.get(part) or np.dtype(DTYPES[part]) for part in parts]
    try:
        return SHORT_DTYPES[ufunc.resolve_dtypes((*operands, None))[-1].name]
    except TypeError:
        return None


def _result_dtype(result: str, types: Sequence[Type]) -> str:
    if result == "bool":
        return "bool"
    dtype = promote(types)
    return float_result(dtype) if result in ("float", "divide") else dtype


def _number_result(result: str, types: Sequence[Type]) -> Number:
    if result != "bool" and any(map(is_complex, types)):
        return Number("complex")
    if result in ("bool", "float"):
        return Number(result)
    if result == "integer":
        return Number("int")
    if result == "bitwise":
        return Number("bool" if all(map(is_boolean, types)) else "int")
    is_floating = result == "divide" or any(dtype_of(type).startswith("f") for type in types)
    return Number("float" if is_floating else "int")


def integer_value(infer: Infer, combine: Callable[..., Size | None]) -> Infer:
    """The same type, with the value worked out where the operands are integers of known value."""

    def with_value(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        type = infer(sizes, operands)
        if type == Number("int"):
            values = [getattr(operand.type, "value", None) for operand in operands]
            if None not in values:
                return Number("int", combine(*values))
        return type

    return with_value


def selection_type(rank_zero: str = "scalar", tests: int = 0) -> Infer:
    """The promoted type of the operands; the first `tests` only take part in broadcasting."""

    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        types = [operand.type for operand in operands]
        require_numeric(types)
        shape = sizes.broadcast([shape_of(type) for type in types])
        return of_shape(promote(types[tests:]), shape, rank_zero)

    return infer


def same_as(parameter: int) -> Infer:
    """The type of one operand; an integer's value is forgotten."""

    def infer(_: Sizes, operands: Sequence[Atom]) -> Type:
        type = operands[parameter].type
        return Number(type.kind) if isinstance(type, Number) else type

    return infer


# Reductions ---------------------------------------------------------------------------------------


def same_array(_: Sizes, operands: Sequence[Atom]) -> Type:
    """The shape and dtype of the first operand, as an array."""
    require_numeric([operands[0].type])
    return Array(dtype_of(operands[0].type), shape_of(operands[0].type))


def reduction_type(dtype: Callable[[str], str] = lambda dtype: dtype) -> Infer:
    """For operands `x, axis, ..., keepdims`: the axes removed, or kept as 1."""

    def infer(_: Sizes, operands: Sequence[Atom]) -> Type:
        x, axis, keepdims = (
            operands[0].type,
            constant(operands[1], "axis"),
            constant(operands[-1], "keepdims"),
        )
        require_numeric([x])
        result = dtype(dtype_of(x))
        shape = shape_of(x)
        if shape is None:
            return Scalar(result) if axis is None and not keepdims else Array(result, None)
        if shape == () and axis not in (None, ()):
            raise unsupported("a number has no axes", "leave `axis` out")
        axes = normal_axes(axis, len(shape))
        if keepdims:
            kept: Shape = tuple(ONE if k in axes else size for k, size in enumerate(shape))
        else:
            kept = tuple(size for k, size in enumerate(shape) if k not in axes)
        return of_shape(result, kept)

    return infer


@cache
def sum_dtype(dtype: str) -> str:
    """What `np.sum` gives: small integers and booleans become the platform's integer."""
    return SHORT_DTYPES[np.sum(np.ones(1, DTYPES[dtype])).dtype.name]


def mean_dtype(dtype: str) -> str:
    """What `np.mean` and its like give: f64 for all integers."""
    return dtype if dtype[0] in "fc" else "f64"


# Indexing -----------------------------------------------------------------------------------------


def index_parts(index: Type) -> tuple[Type, ...]:
    return index.items if isinstance(index, Items) else (index,)


def is_basic_index(index: Type) -> bool:
    """Whether the index has only integers, slices, None and `...`: NumPy then gives a view."""
    return all(
        isinstance(part, Slice | Static) or (scalar_like(part) and is_integer(part))
        for part in index_parts(index)
    )


def indexed_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    """The type of `x[i]` by NumPy's rules for basic and advanced indexing."""
    x, index = operands[0].type, operands[1].type
    if not isinstance(x, Array | Scalar):
        raise TypeProblem("not-an-array", f"a value of type {x} cannot be indexed")
    parts = index_parts(index)
    for part in parts:
        if isinstance(part, Items):
            message = "a tuple within an index stands for an array"
            raise TypeProblem("bad-index", message, "write the array, as in `x[np.array(...)]`")
        is_text = isinstance(part, Static) and part.kind == "str"
        if is_text or (is_numeric(part) and not (is_integer(part) or is_boolean(part))):
            raise TypeProblem(
                "bad-index",
                f"an index has to be an integer, not {part}",
                "make it an integer, for example with `int(...)`, or annotate the parameter `int`",
            )
    shape = shape_of(x)
    if shape is None:
        return Array(dtype_of(x), None)
    if any(isinstance(part, Array) and part.shape is None for part in parts):
        return Array(dtype_of(x), None)
    result, advanced = _indexed_shape(sizes, shape, parts)
    # a full index of integers gives a scalar; with `...` or with arrays it stays an array, also of
    # rank 0
    stays_array = advanced or any(
        isinstance(part, Static) and part.kind == "ellipsis" for part in parts
    )
    return Array(dtype_of(x), result) if result != () or stays_array else Scalar(dtype_of(x))


def _indexed_shape(sizes: Sizes, shape: Shape, parts: Sequence[Type]) -> tuple[Shape, bool]:
    consumed = sum(_axes_consumed(part) for part in parts)
    if consumed > len(shape):
        raise TypeProblem("bad-index", f"{consumed} indices for an array of rank {len(shape)}")
    ellipses = [
        k for k, part in enumerate(parts) if isinstance(part, Static) and part.kind == "ellipsis"
    ]
    at = ellipses[0] if ellipses else len(parts)
    fill: tuple[Type, ...] = (Slice((Static("None"),) * 3),) * (len(shape) - consumed)
    parts = (*parts[:at], *fill, *parts[at + 1 :])
    result: list[Size] = []
    arrays: list[Shape] = []
    array_places: list[
        int
    ] = []  # where in `parts`, to see whether the advanced ones stand together
    insert_at = 0
    axis = 0
    has_array = any(isinstance(part, Array) for part in parts) or any(
        is_boolean(part) for part in parts
    )
    for place, part in enumerate(parts):
        if isinstance(part, Static):
            result.append(ONE)
        elif isinstance(part, Slice):
            result.append(sliced_size(sizes, shape[axis], part))
            axis += 1
        elif isinstance(part, Array) or (has_array and is_numeric(part)):
            if not array_places:
                insert_at = len(result)
            array_places.append(place)
            arrays.append((sizes.fresh(),) if is_boolean(part) else shape_of(part) or ())
            axis += _axes_consumed(part)
        else:
            _check_bounds(shape[axis], part)
            axis += 1
    if not array_places:
        return tuple(result), False
    picked = sizes.broadcast(arrays) or ()
    together = array_places == list(range(array_places[0], array_places[-1] + 1))
    at = insert_at if together else 0
    return (*result[:at], *picked, *result[at:]), True


def _axes_consumed(part: Type) -> int:
    if isinstance(part, Static):
        return 0
    return (len(shape_of(part) or ())) if is_boolean(part) else 1


def _check_bounds(size: Size, part: Type) -> None:
    value = part.value.constant if isinstance(part, Number) and part.value is not None else None
    length = size.constant
    if value is not None and length is not None and not -length <= value < length:
        raise TypeProblem(
            "bad-index", f"index {value} is out of bounds for an axis of size {length}"
        )


def sliced_size(sizes: Sizes, size: Size, part: Slice) -> Size:
    """How many elements a slice picks: a formula, or a size known only while running."""
    bounds: list[Size | None] = []
    for bound in part.parts:
        if isinstance(bound, Static):
            bounds.append(None)
        elif isinstance(bound, Number) and bound.value is not None:
            bounds.append(sizes.resolve(bound.value))
        else:
            return sizes.fresh()
    start, stop, step = bounds
    return slice_length(sizes.resolve(size), start, stop, step)


# Shaping ------------------------------------------------------------------------------------------


def shape_argument(sizes: Sizes, type: Type) -> Shape | None:
    """The shape that an argument `shape` stands for; None if its length is unknown."""
    items = type.items if isinstance(type, Items) else (type,)
    if not all(is_integer(item) for item in items) or any(
        isinstance(item, Array) for item in items
    ):
        if any(isinstance(item, Array | Static) for item in items):
            return None
        raise TypeProblem("shape-mismatch", "a shape has to be an integer or a tuple of integers")
    return tuple(
        sizes.resolve(item.value)
        if isinstance(item, Number) and item.value is not None
        else sizes.fresh()
        for item in items
    )


def dtype_argument(atom: Atom, default: str) -> str:
    """The dtype that an argument `dtype` stands for."""
    value = constant(atom, "dtype")
    if value is None:
        return default
    try:
        name = np.dtype(value).name
    except (TypeError, ValueError):
        raise TypeProblem(
            "unsupported-dtype", f"`{value}` is not a dtype", "use a real number type"
        ) from None
    if name not in SHORT_DTYPES:
        raise TypeProblem(
            "unsupported-dtype",
            f"arrays of dtype {name} are not supported",
            "use a real number type",
        )
    return SHORT_DTYPES[name]


__all__ = [
    "Infer",
    "constant",
    "dtype_argument",
    "elementwise_type",
    "index_parts",
    "indexed_type",
    "integer_value",
    "is_basic_index",
    "is_constant",
    "known_shape",
    "mean_dtype",
    "normal_axes",
    "of_shape",
    "reduction_type",
    "require_numeric",
    "same_as",
    "scalar_like",
    "selection_type",
    "shape_argument",
    "shape_of",
    "size_of",
    "sliced_size",
    "strong_promotion",
    "sum_dtype",
    "unsupported",
]
