"""Operations that make arrays: fills, ranges, copies, displays of numbers, conversions of dtypes.

The values of fills and displays carry derivatives, shapes and ranges do not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from s2s_ad.ir import Atom, Const, Rule
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.result_types import (
    Infer,
    constant,
    dtype_argument,
    require_numeric,
    same_array,
    shape_argument,
)
from s2s_ad.types import (
    BOOL,
    DTYPES,
    NONE,
    ONE,
    Array,
    Number,
    Scalar,
    Shape,
    Size,
    Sizes,
    Type,
    TypeProblem,
    dtype_of,
    promote,
    shape_of,
)

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


# Fills and ranges: no adjoint, but for the value of `full` ----------------------------------------


def _filled_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    return Array(dtype_argument(operands[-1], "f64"), shape_argument(sizes, operands[0].type))


def _like_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    type = operands[0].type
    return Array(dtype_argument(operands[-1], dtype_of(type)), shape_of(type))


operation("out = np.ndarray(shape, dtype=None)", infer=_filled_type, constant=True)
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


def _astype(_: Sizes, operands: Sequence[Atom]) -> Type:
    x = operands[0].type
    require_numeric([x])
    dtype = dtype_argument(operands[1], dtype_of(x))
    return Array(dtype, x.shape) if isinstance(x, Array) else Scalar(dtype)


COPY = operation(
    "out = np.copy(x)",
    "grad_x += grad_out",
    infer=same_array,
    linear=("x",),
    samples=({"x": "f[3]"},),
)
# `np.copy` keeps the order of the memory, the method does not
COPY_METHOD = operation(
    "out = copy_method(x)",
    "grad_x += grad_out",
    name="ndarray.copy",
    infer=lambda sizes, operands: (
        operands[0].type if isinstance(operands[0].type, Scalar) else same_array(sizes, operands)
    ),
    evaluate=lambda x: x.copy(),
    printer=lambda _, texts: f"{texts[0]}.copy()",
    linear=("x",),
    samples=({"x": "f[3]"}, {"x": "f[2,3]"}),
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
    "out = np.arange(start, stop, step)",
    "grad_start += np.sum(grad_out)",
    "grad_step += np.sum(grad_out * np.arange(np.size(grad_out)))",
    infer=_range_type,
    tangent=(
        "tangent_out = np.broadcast_to(tangent_start, np.shape(out))",
        "tangent_out = tangent_step * np.arange(np.size(out))",
    ),
    printer=_print_range,
    domains={"step": "positive"},
    samples=({"start": "f[]", "stop": 7.2, "step": "f[]"},),
    note="how many numbers there are is a constant",
)


operation(
    "out = float(x)",
    "grad_x += grad_out",
    infer=lambda _, operands: _number(operands, "float"),
    linear=("x",),
    samples=({"x": "f[]"},),
)
operation(
    "out = complex(x)",
    "grad_x += grad_out",
    infer=lambda _, operands: _number(operands, "complex"),
    linear=("x",),
    samples=({"x": "c[]"},),
)
operation("out = int(x)", infer=lambda _, operands: _number(operands, "int"), constant=True)
operation(
    "out = np.shares_memory(a, b, max_work=None)",
    infer=lambda _, __: BOOL,
    constant=True,
    samples=({"a": "f[3]", "b": "f[3]"},),
)
operation("out = bool(x)", infer=lambda _, operands: _number(operands, "bool"), constant=True)


def _conversion(dtype: str) -> Infer:
    return lambda _, operands: _converted(operands, dtype)


CONVERTED: dict[str, tuple[dict[str, str], ...]] = {
    "f64": ({"x": "f[]"}, {"x": "f[2,3]"}),
    "c128": ({"x": "c[]"}, {"x": "c[2,3]"}),
}
for _short, _long in DTYPES.items():
    operation(
        f"out = np.{_long}(x)",
        *(["grad_x += grad_out"] if _short[0] in "fc" else []),
        infer=_conversion(_short),
        constant=_short[0] not in "fc",
        linear=("x",) if _short[0] in "fc" else (),
        samples=CONVERTED.get(_short, ()),
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


ZEROS_LIKE = CATALOGUE.operations["numpy.zeros_like"]
