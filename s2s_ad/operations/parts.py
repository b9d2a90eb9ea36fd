"""Functions that return several arrays: one operation for each of them, printed `np.modf(x)[0]`.

The last operand says which; the front end puts the tuple together again. Indices carry no
derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from s2s_ad.ir import Atom, Rule
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.result_types import (
    Infer,
    constant,
    elementwise_type,
    normal_axes,
    require_numeric,
    shape_argument,
)
from s2s_ad.types import (
    Array,
    Items,
    Scalar,
    Size,
    Sizes,
    Type,
    dtype_of,
    shape_of,
    with_dtype,
)

CATALOGUE = Catalogue()


def part(function: str, parameters: str, **properties: Any) -> None:
    """Declare the parts of what `function` returns; `parameters` are those before `part`."""
    names = parameters.split(", ")
    called = np
    for each in function.split("."):
        called = getattr(called, each)

    def evaluate(*operands: Any) -> Any:
        return called(*operands[:-1])[operands[-1]]  # type: ignore[operator]

    def printed(_: Sequence[Atom], texts: Sequence[str]) -> str:
        return f"np.{function}({', '.join(texts[:-1])})[{texts[-1]}]"

    CATALOGUE.operation(
        f"out = part({', '.join((*names, 'part'))})",
        name=f"numpy.{function}[]",
        evaluate=evaluate,
        printer=printed,
        **properties,
    )


# Numbers taken apart ------------------------------------------------------------------------------


def _pair(second: str) -> Infer:
    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        first = elementwise_type("float")(sizes, operands)
        return Items((first, with_dtype(first, second or dtype_of(first))))

    return infer


CATALOGUE.operation(
    "fraction, whole = np.modf(x)",
    "grad_x += grad_fraction",
    infer=_pair(""),
    tangent="tangent_fraction = tangent_x",
    constant_results=("whole",),
    samples=({"x": "f[3]"}, {"x": "f[2,3]"}, {"x": "f[]"}, {"x": "f[0]"}),
    note="the fraction follows the number; at integers, slope 1",
)
SCALE = "np.where(x == 0, 1.0, mantissa / np.where(x == 0, 1.0, x))"
CATALOGUE.operation(
    "mantissa, exponent = np.frexp(x)",
    f"grad_x += grad_mantissa * {SCALE}",
    infer=_pair("i32"),
    tangent=f"tangent_mantissa = tangent_x * {SCALE}",
    constant_results=("exponent",),
    samples=({"x": "p[3]"}, {"x": "p[2,3]"}, {"x": "p[]"}),
    note="between the powers of two, where the mantissa jumps",
)


# Pieces -------------------------------------------------------------------------------------------


def _piece_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    x = operands[0].type
    axis = constant(operands[2], "axis")
    require_numeric([x])
    shape = shape_of(x)
    if shape is None:
        return Array(dtype_of(x), None)
    (place,) = normal_axes(axis, len(shape))
    return Array(
        dtype_of(x), tuple(sizes.fresh() if k == place else s for k, s in enumerate(shape))
    )


def _whole_piece_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    """Of equal pieces, the size is a quotient."""
    found = _piece_type(sizes, operands)
    assert isinstance(found, Array)
    count = constant(operands[1], "sections")
    if found.shape is None or not isinstance(count, int):
        return found
    shape = shape_of(operands[0].type)
    assert shape is not None
    (place,) = normal_axes(constant(operands[2], "axis"), len(shape))
    quotient = shape[place].divided_by(Size.of(count))
    size = found.shape[place] if quotient is None else quotient
    return Array(found.dtype, tuple(size if k == place else s for k, s in enumerate(found.shape)))


def piece_line(function: str) -> str:
    """The adjoint of a piece, at the places the piece came from: found by the same split."""
    return (
        f"grad_x += scattered(grad_out, np.{function}(places(np.shape(x)), sections, axis)[part], "
        "np.shape(x))"
    )


PIECES: tuple[dict[str, Any], ...] = (
    {"x": "f[6]", "sections": 3, "axis": 0, "part": 1},
    {"x": "f[2,4]", "sections": 2, "axis": -1, "part": 0},
    {"x": "f[4,2]", "sections": 4, "axis": 0, "part": 3},
)
UNEVEN: tuple[dict[str, Any], ...] = (
    {"x": "f[7]", "sections": 3, "axis": 0, "part": 0},
    {"x": "f[2]", "sections": 3, "axis": 0, "part": 2},
)
for _function, _infer in {"split": _whole_piece_type, "array_split": _piece_type}.items():
    part(
        _function,
        "x, sections, axis",
        infer=_infer,
        rules=(Rule((piece_line(_function),)),),
        linear=("x",),
        view_of="x",
        samples=PIECES if _function == "split" else PIECES + UNEVEN,
    )


def _broadcast_part_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    types = [operand.type for operand in operands]
    require_numeric(types)
    return Array(dtype_of(types[0]), sizes.broadcast([shape_of(type) for type in types]))


CATALOGUE.operation(
    "out = broadcast_first(x, *others)",
    "grad_x += grad_out",
    name="numpy.broadcast_arrays[]",
    infer=_broadcast_part_type,
    evaluate=lambda *operands: np.broadcast_arrays(*operands)[0],
    printer=lambda _, texts: f"np.broadcast_arrays({', '.join(texts)})[0]",
    linear=("x",),
    broadcasts=("x",),
    shape_only=("others",),
    view_of="x",
    samples=(
        {"x": "f[3]", "others": ("f[2,3]",)},
        {"x": "f[2,1]", "others": ("f[3]", "f[]")},
        {"x": "f[]", "others": ("f[2,3]",)},
    ),
)


# Indices ------------------------------------------------------------------------------------------


def _vector_of_integers(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    return Array("i64", (sizes.fresh(),))


def indices(function: str, parameters: str, infer: Infer = _vector_of_integers) -> None:
    part(function, parameters, infer=infer, constant=True)


indices("nonzero", "x")
for _name in ("triu_indices", "tril_indices"):
    indices(_name, "n, k, m")
for _name in ("triu_indices_from", "tril_indices_from"):
    indices(_name, "arr, k")


def _unravelled_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    shape = shape_of(operands[0].type)
    return Scalar("i64") if shape == () else Array("i64", shape)


indices("unravel_index", "indices, shape", _unravelled_type)


# Different elements -------------------------------------------------------------------------------


def _unique_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    require_numeric([operands[0].type])
    return Array(dtype_of(operands[0].type), (sizes.fresh(),))


CATALOGUE.operation(
    "out = np.unique(ar)",
    "grad_ar += scattered(grad_out, unique_places(ar), np.shape(ar))",
    infer=_unique_type,
    tangent="tangent_out = np.take(tangent_ar, unique_places(ar))",
    samples=({"ar": "f[4]"}, {"ar": "f[2,3]"}, {"ar": "f[0]"}, {"ar": "f[1]"}),
    note="of equal elements the first one",
)
CATALOGUE.operation(
    "out = unique_places(ar)",
    infer=_vector_of_integers,
    constant=True,
    helper="unique_places",
)
CATALOGUE.operation(
    "out = np.unique_values(x)",
    "grad_x += scattered(grad_out, first_places(x, out), np.shape(x))",
    infer=_unique_type,
    tangent="tangent_out = np.take(tangent_x, first_places(x, out))",
    samples=({"x": "f[4]"}, {"x": "f[2,3]"}, {"x": "f[0]"}, {"x": "f[1]"}),
    note="of equal elements the first one; the order is NumPy's own affair",
)
CATALOGUE.operation(
    "out = first_places(x, values)",
    infer=_vector_of_integers,
    constant=True,
    helper="first_places",
)
RETURNS = ("index", "inverse", "counts")


def _unique_part(which: str) -> tuple[Callable[..., Any], Callable[..., str]]:
    def evaluate(ar: Any) -> Any:
        return np.unique(ar, **{f"return_{which}": True})[1]  # type: ignore[call-overload]

    def printed(_: Sequence[Atom], texts: Sequence[str]) -> str:
        return f"np.unique({texts[0]}, return_{which}=True)[1]"

    return evaluate, printed


def _unique_part_type(which: str) -> Infer:
    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        if which == "inverse":
            return Array("i64", shape_of(operands[0].type))
        return Array("i64", (sizes.fresh(),))

    return infer


for _which in RETURNS:
    _evaluate, _printed = _unique_part(_which)
    CATALOGUE.operation(
        "out = unique_part(ar)",
        name=f"numpy.unique[{_which}]",
        infer=_unique_part_type(_which),
        evaluate=_evaluate,
        printer=_printed,
        constant=True,
    )


def _grid_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    shape = shape_argument(sizes, operands[0].type)
    return Array("i64", None if shape is None else (Size.of(len(shape)), *shape))


CATALOGUE.operation("out = np.indices(dimensions)", infer=_grid_type, constant=True)
