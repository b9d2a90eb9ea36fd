"""Operations that move elements about: shapes, axes, joins, fills, ranges, dtypes.

All are linear. The result of most may share memory with the operand (`view_of`; `may_copy` where
that depends on layout).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from s2s_ad.ir import Atom, Const, Rule
from s2s_ad.operations.declare import Catalogue, rule
from s2s_ad.operations.result_types import (
    Infer,
    constant,
    dtype_argument,
    normal_axes,
    require_numeric,
    shape_argument,
    strong_promotion,
)
from s2s_ad.types import (
    DTYPES,
    INT,
    NONE,
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
    float_result,
    promote,
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


# Joins --------------------------------------------------------------------------------------------


def _concatenated_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    types = [operand.type for operand in operands[:-1]]
    axis = constant(operands[-1], "axis")
    if axis is None:
        raise TypeProblem(
            "unsupported-argument", "`axis=None` is not supported", "ravel the arrays first"
        )
    shapes = [shape_of(type) for type in types]
    dtype = promote(types)
    if any(shape is None for shape in shapes):
        return Array(dtype, None)
    known: list[Shape] = [shape for shape in shapes if shape is not None]
    if any(len(shape) != len(known[0]) or not shape for shape in known):
        raise TypeProblem("shape-mismatch", "arrays that are joined need one rank, at least 1")
    (place,) = normal_axes(axis, len(known[0]))
    total = Size()
    for shape in known:
        total = total + shape[place]
        for k, size in enumerate(shape):
            if k != place:
                sizes.unify(size, known[0][k])
    return Array(dtype, tuple(total if k == place else size for k, size in enumerate(known[0])))


def concatenate_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    axis = constant(operands[-1], "axis")
    place = (
        axis % (rank_of(operands[0].type) or 1) if axis < 0 and rank_of(operands[0].type) else axis
    )
    lines, start = [], ""
    for k in range(len(operands) - 1):
        length = f"np.shape(arrays{k})[{place}]"
        stop = f"{start} + {length}" if start else length
        picked = f"{start}:{stop}" if k < len(operands) - 2 else f"{start}:"
        before, after = (":, " * place, "") if place >= 0 else ("..., ", ", :" * (-place - 1))
        index = before + picked + after
        lines.append(f"grad_arrays{k} += grad_out[{index}]")
        start = stop
    return tuple(lines)


operation(
    "out = np.concatenate((*arrays,), axis=0)",
    infer=_concatenated_type,
    rules=(Rule(concatenate_lines),),
    linear=("arrays",),
    samples=(
        {"arrays": ("f[2]", "f[3]")},
        {"arrays": ("f[2,3]", "f[1,3]", "f[2,3]")},
        {"arrays": ("f[2,3]", "f[2,1]"), "axis": -1},
        {"arrays": ("f[0]", "f[2]")},
    ),
)


def _stacked_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    types = [operand.type for operand in operands[:-1]]
    require_numeric(types)
    shapes = [shape_of(type) for type in types]
    if any(shape is None for shape in shapes):
        return Array(strong_promotion(types), None)
    known: list[Shape] = [shape for shape in shapes if shape is not None]
    for shape in known:
        if len(shape) != len(known[0]):
            raise TypeProblem("shape-mismatch", "arrays that are stacked need one shape")
        for left, right in zip(shape, known[0], strict=True):
            sizes.unify(left, right)
    (place,) = normal_axes(constant(operands[-1], "axis"), len(known[0]) + 1)
    count = Size.of(len(types))
    return Array(strong_promotion(types), (*known[0][:place], count, *known[0][place:]))


def stack_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    axis = constant(operands[-1], "axis")
    before = ":, " * axis if axis >= 0 else "..., "
    after = ", :" * (-axis - 1) if axis < 0 else ""
    return tuple(
        f"grad_arrays{k} += grad_out[{before}{k}{after}]" for k in range(len(operands) - 1)
    )


operation(
    "out = np.stack((*arrays,), axis=0)",
    infer=_stacked_type,
    rules=(Rule(stack_lines),),
    linear=("arrays",),
    samples=(
        {"arrays": ("f[2]", "f[2]")},
        {"arrays": ("f[2,3]", "f[2,3]"), "axis": -1},
        {"arrays": ("f[2,3]", "f[2,3]", "f[2,3]"), "axis": 1},
    ),
)


# Fills and ranges: no adjoint, but for the value of `full` ----------------------------------------


def _filled_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    return Array(dtype_argument(operands[-1], "f64"), shape_argument(sizes, operands[0].type))


def _like_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    type = operands[0].type
    return Array(dtype_argument(operands[-1], dtype_of(type)), shape_of(type))


for _name in ("zeros", "ones", "empty"):
    operation(f"out = np.{_name}(shape, dtype=None)", infer=_filled_type, constant=True)
    operation(f"out = np.{_name}_like(x, dtype=None)", infer=_like_type, constant=True)


def _full_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    dtype = dtype_argument(operands[-1], dtype_of(operands[1].type))
    return Array(dtype, shape_argument(sizes, operands[0].type))


def _full_like_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    return Array(
        dtype_argument(operands[-1], dtype_of(operands[0].type)), shape_of(operands[0].type)
    )


operation(
    "out = np.full(shape, fill_value, dtype=None)",
    "grad_fill_value += grad_out",
    infer=_full_type,
    broadcasts=("fill_value",),
    linear=("fill_value",),
    samples=({"shape": (2, 3), "fill_value": "f[]"}, {"shape": (2, 3), "fill_value": "f[3]"}),
)
operation(
    "out = np.full_like(x, fill_value, dtype=None)",
    "grad_fill_value += grad_out",
    shape_only=("x",),
    infer=_full_like_type,
    broadcasts=("fill_value",),
    linear=("fill_value",),
    samples=({"x": "f[2,3]", "fill_value": "f[]"},),
)


def _eye_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    rows, columns, dtype = operands[0], operands[1], operands[3]
    columns = rows if columns.type == NONE else columns
    shape = [shape_argument(sizes, operand.type) for operand in (rows, columns)]
    if any(size is None or len(size) != 1 for size in shape):
        raise TypeProblem("shape-mismatch", "`np.eye` takes numbers of rows and columns")
    return Array(dtype_argument(dtype, "f64"), tuple(size[0] for size in shape if size is not None))


def _identity_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    return _eye_type(sizes, (operands[0], Const(None), Const(0), operands[1]))


operation("out = np.eye(N, M=None, k=0, dtype=None)", infer=_eye_type, constant=True)
operation("out = np.identity(n, dtype=None)", infer=_identity_type, constant=True)


# Copies and dtypes --------------------------------------------------------------------------------


def _array_of(_: Sizes, operands: Sequence[Atom]) -> Type:
    require_numeric([operands[0].type])
    return Array(dtype_of(operands[0].type), shape_of(operands[0].type))


def _astype(_: Sizes, operands: Sequence[Atom]) -> Type:
    x = operands[0].type
    require_numeric([x])
    dtype = dtype_argument(operands[1], dtype_of(x))
    return Array(dtype, x.shape) if isinstance(x, Array) else Scalar(dtype)


COPY = operation(
    "out = np.copy(x)",
    "grad_x += grad_out",
    infer=_array_of,
    linear=("x",),
    samples=({"x": "f[3]"},),
)
operation(
    "out = astype(x, dtype)",
    "grad_x += grad_out",
    infer=_astype,
    name="ndarray.astype",
    linear=("x",),
    evaluate=lambda x, dtype: x.astype(dtype),
    printer=lambda _, texts: f"{texts[0]}.astype({texts[1]})",
)


# Array displays and conversions -------------------------------------------------------------------


def _display_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    layout, dtype, items = operands[0], operands[1], operands[2:]
    types = [item.type for item in items]
    require_numeric(types)
    inner: Shape | None = shape_of(types[0]) if types else ()
    for type in types[1:]:
        shape = shape_of(type)
        if shape is None or inner is None:
            inner = None
            break
        if len(shape) != len(inner):
            raise TypeProblem("shape-mismatch", "the items of an array have different ranks")
        for left, right in zip(shape, inner, strict=True):
            sizes.unify(left, right)
    found = promote([Scalar(dtype_of(type)) for type in types]) if types else "f64"
    outer = tuple(Size.of(size) for size in constant(layout, "layout"))
    return Array(dtype_argument(dtype, found), None if inner is None else (*outer, *inner))


def display_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    layout = constant(operands[0], "layout")
    lines = []
    for k in range(len(operands) - 2):
        index: list[str] = []
        rest = k
        for size in reversed(layout):
            index.insert(0, str(rest % size))
            rest //= size
        lines.append(f"grad_items{k} += grad_out[{', '.join(index)}]")
    return tuple(lines)


def _nested(layout: Sequence[int], texts: Sequence[str]) -> str:
    if len(layout) == 1:
        return f"[{', '.join(texts)}]"
    step = len(texts) // layout[0] if layout[0] else 0
    rows = (_nested(layout[1:], texts[k * step : (k + 1) * step]) for k in range(layout[0]))
    return f"[{', '.join(rows)}]"


def _print_display(operands: Sequence[Atom], texts: Sequence[str]) -> str:
    layout, dtype = constant(operands[0], "layout"), constant(operands[1], "dtype")
    return f"np.array({_nested(layout, texts[2:])}{'' if dtype is None else f', dtype={texts[1]}'})"


def _display(layout: tuple[int, ...], dtype: object, *items: object) -> object:
    def nest(layout: tuple[int, ...], items: tuple[object, ...]) -> list[object]:
        if len(layout) == 1:
            return list(items)
        step = len(items) // layout[0] if layout[0] else 0
        return [nest(layout[1:], items[k * step : (k + 1) * step]) for k in range(layout[0])]

    return np.array(nest(layout, items), dtype=dtype)  # type: ignore[call-overload]


DISPLAY = operation(
    "out = display(layout, dtype, *items)",
    name="numpy.array",
    infer=_display_type,
    rules=(Rule(display_lines),),
    linear=("items",),
    printer=_print_display,
    evaluate=_display,
    samples=(
        {"layout": (2,), "dtype": None, "items": ("f[]", "f[]")},
        {"layout": (2, 2), "dtype": None, "items": ("f[]", "f[]", "f[]", "f[]")},
        {"layout": (2,), "dtype": None, "items": ("f[3]", "f[3]")},
    ),
)


def _range_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    bounds = [operand.type for operand in operands]
    dtype = promote([Scalar(dtype_of(bound)) for bound in bounds])
    match bounds:
        case [Number("int", start), Number("int", stop), Number("int", step)] if (
            start == Size() and step == ONE
        ):
            if stop is not None and (stop.constant is None or stop.constant >= 0):
                return Array(dtype, (sizes.resolve(stop),))
        case [
            Number("int", Size() as first),
            Number("int", Size() as last),
            Number("int", Size() as stride),
        ]:
            numbers = [first.constant, last.constant, stride.constant]
            if None not in numbers and numbers[2]:
                return Array(dtype, (Size.of(len(range(*numbers))),))  # type: ignore[arg-type]
    return Array(dtype, (sizes.fresh(),))


def _print_range(operands: Sequence[Atom], texts: Sequence[str]) -> str:
    shown = list(texts)
    if operands[2] == Const(1):
        shown = shown[:2] if operands[0] != Const(0) else shown[1:2]
    return f"np.arange({', '.join(shown)})"


RANGE = operation(
    "out = np.arange(start, stop, step)", infer=_range_type, constant=True, printer=_print_range
)


def _spaced_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    shape = shape_argument(sizes, operands[2].type)
    dtype = float_result(promote([operands[0].type, operands[1].type]))
    return Array("f64" if dtype == "f16" else dtype, shape)


operation(
    "out = np.linspace(start, stop, num)",
    infer=_spaced_type,
    linear=("start", "stop"),
    rules=(
        rule(
            "grad_start += np.sum(grad_out * np.linspace(1.0, 0.0, num))",
            "grad_stop += np.sum(grad_out * np.linspace(0.0, 1.0, num))",
        ),
    ),
    samples=({"start": "f[]", "stop": "f[]", "num": 5}, {"start": "f[]", "stop": "f[]", "num": 1}),
)

operation(
    "out = float(x)",
    "grad_x += grad_out",
    infer=lambda _, operands: _number(operands, "float"),
    linear=("x",),
    samples=({"x": "f[]"},),
)
operation("out = int(x)", infer=lambda _, operands: _number(operands, "int"), constant=True)
operation("out = bool(x)", infer=lambda _, operands: _number(operands, "bool"), constant=True)


def _conversion(dtype: str) -> Infer:
    return lambda _, operands: _converted(operands, dtype)


for _short, _long in DTYPES.items():
    operation(
        f"out = np.{_long}(x)",
        *(["grad_x += grad_out"] if _short[0] == "f" else []),
        infer=_conversion(_short),
        constant=_short[0] != "f",
        linear=("x",) if _short[0] == "f" else (),
        samples=({"x": "f[]"}, {"x": "f[2,3]"}) if _short == "f64" else (),
    )


def _number(operands: Sequence[Atom], kind: str) -> Type:
    type = operands[0].type
    require_numeric([type])
    value = type.value if isinstance(type, Number) and type.kind == kind == "int" else None
    return Number(kind, value)


def _converted(operands: Sequence[Atom], dtype: str) -> Type:
    require_numeric([operands[0].type])
    shape = shape_of(operands[0].type)
    return Array(dtype, shape) if shape != () else Scalar(dtype)


SHAPE = (CATALOGUE.operations["ndarray.shape"], CATALOGUE.operations["numpy.shape"])
DIMENSION = CATALOGUE.operations["ndarray.shape[]"]
ZEROS_LIKE = CATALOGUE.operations["numpy.zeros_like"]
BROADCAST_TO = CATALOGUE.operations["numpy.broadcast_to"]
