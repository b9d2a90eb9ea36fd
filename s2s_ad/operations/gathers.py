"""Operations whose result holds elements of an operand, picked by place: `take`, `repeat`, windows.

One rule is right for all of them: do to the places of the elements what the operation does to the
elements, and add each part of the adjoint at the place it came from (`scattered`). It asks for no
rank, no kind of index and no form of axis. Faster spellings stand before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from s2s_ad.ir import Atom, Const, Rule
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.result_types import (
    Infer,
    constant,
    normal_axes,
    of_shape,
    require_numeric,
    shape_argument,
    sum_dtype,
    unsupported,
)
from s2s_ad.types import (
    ONE,
    Array,
    Items,
    Number,
    Shape,
    Size,
    Sizes,
    Slice,
    Type,
    TypeProblem,
    dtype_of,
    is_boolean,
    is_integer,
    scalar_like,
    shape_of,
    size_of,
)

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


def gather_line(form: str, operand: str) -> str:
    """The line for an operation that picks elements of one operand."""
    call = form.partition(" = ")[2]
    head, _, arguments = call.partition("(")
    passed = []
    for text in arguments.rstrip(")").split(","):
        name = text.partition("=")[0].strip()
        value = f"places(np.shape({operand}))" if name == operand else name
        passed.append(f"{name}={value}" if "=" in text else value)
    origin = f"{head}({', '.join(passed)})"
    return f"grad_{operand} += scattered(grad_out, {origin}, np.shape({operand}))"


def gather(
    form: str, operand: str, *, infer: Infer, rules: Sequence[Rule] = (), **properties: Any
) -> None:
    """Declare an operation that picks elements of `operand`."""
    operation(
        form,
        infer=infer,
        rules=(*rules, Rule((gather_line(form, operand),))),
        linear=(operand,),
        **properties,
    )


# Helpers ------------------------------------------------------------------------------------------


def _places_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    return Array("i64", shape_argument(sizes, operands[0].type))


def _scattered_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    require_numeric([operands[0].type])
    return Array(dtype_of(operands[0].type), shape_argument(sizes, operands[2].type))


operation("out = places(shape)", infer=_places_type, constant=True, helper="places")
operation(
    "out = scattered(grad, origin, shape)",
    "grad_grad += np.take(grad_out, origin)",
    infer=_scattered_type,
    linear=("grad",),
    helper="scattered",
    samples=(
        {"grad": "f[4]", "origin": "i[4]<6", "shape": (6,)},
        {"grad": "f[2,3]", "origin": "i[2,3]<6", "shape": (2, 3)},
        {"grad": "f[0]", "origin": "i[0]<1", "shape": (3,)},
        {"grad": "f[0]", "origin": "i[0]<1", "shape": (0, 2)},
    ),
)


# Picking by index ---------------------------------------------------------------------------------


def _taken_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    a, indices = operands[0].type, operands[1].type
    axis = constant(operands[2], "axis")
    require_numeric([a, indices])
    if not is_integer(indices):
        raise unsupported("the indices of `np.take` are integers", "give integers")
    shape, picked = shape_of(a), shape_of(indices)
    if axis is None:
        return of_shape(dtype_of(a), picked) if picked is not None else Array(dtype_of(a), None)
    if shape is None or picked is None:
        return Array(dtype_of(a), None)
    (place,) = normal_axes(axis, len(shape))
    return of_shape(dtype_of(a), (*shape[:place], *picked, *shape[place + 1 :]))


gather(
    "out = np.take(a, indices, axis=None, mode='raise')",
    "a",
    infer=_taken_type,
    method="take",
    samples=(
        {"a": "f[5]", "indices": "i[4]<5"},
        {"a": "f[5]", "indices": 2},
        {"a": "f[2,3]", "indices": "i[2,2]<6"},
        {"a": "f[2,3]", "indices": "i[4]<3", "axis": 1},
        {"a": "f[2,3]", "indices": "i[2,2]<2", "axis": 0},
        {"a": "f[2,3,4]", "indices": 1, "axis": -2},
        {"a": "f[5]", "indices": "i[4]<9", "mode": "wrap"},
        {"a": "f[5]", "indices": "i[4]<9", "mode": "clip"},
        {"a": "f[3]", "indices": "i[0]<3"},
        {"a": "f[1]", "indices": "i[2]<1", "axis": 0},
    ),
)


def _taken_along_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    arr, indices = operands[0].type, operands[1].type
    axis = constant(operands[2], "axis")
    require_numeric([arr, indices])
    if not is_integer(indices):
        raise unsupported("the indices of `np.take_along_axis` are integers", "give integers")
    shape, picked = shape_of(arr), shape_of(indices)
    if shape is None or picked is None:
        return Array(dtype_of(arr), None)
    if axis is None:
        return Array(dtype_of(arr), picked)
    if len(shape) != len(picked):
        raise TypeProblem("shape-mismatch", "the indices need as many axes as the array")
    (place,) = normal_axes(axis, len(shape))
    others = sizes.broadcast(
        [tuple(ONE if k == place else s for k, s in enumerate(part)) for part in (shape, picked)]
    )
    assert others is not None
    return Array(dtype_of(arr), tuple(picked[k] if k == place else s for k, s in enumerate(others)))


gather(
    "out = np.take_along_axis(arr, indices, axis=-1)",
    "arr",
    infer=_taken_along_type,
    samples=(
        {"arr": "f[5]", "indices": "i[4]<5", "axis": 0},
        {"arr": "f[2,3]", "indices": "i[2,4]<3", "axis": 1},
        {"arr": "f[2,3]", "indices": "i[1,3]<2", "axis": 0},
        {"arr": "f[2,3]", "indices": "i[1,2]<3", "axis": -1},
        {"arr": "f[2,3]", "indices": "i[4]<6", "axis": None},
        {"arr": "f[0]", "indices": "i[0]<1", "axis": 0},
    ),
)


def _compressed_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    condition, a = operands[0].type, operands[1].type
    axis = constant(operands[2], "axis")
    require_numeric([condition, a])
    shape = shape_of(a)
    if axis is None:
        return Array(dtype_of(a), (sizes.fresh(),))
    if shape is None:
        return Array(dtype_of(a), None)
    (place,) = normal_axes(axis, len(shape))
    return Array(
        dtype_of(a), tuple(sizes.fresh() if k == place else s for k, s in enumerate(shape))
    )


gather(
    "out = np.compress(condition, a, axis=None)",
    "a",
    infer=_compressed_type,
    samples=(
        {"condition": "b[5]", "a": "f[5]"},
        {"condition": "b[4]", "a": "f[2,3]"},
        {"condition": "b[2]", "a": "f[2,3]", "axis": 0},
        {"condition": "b[3]", "a": "f[2,3]", "axis": -1},
    ),
)
gather(
    "out = np.extract(condition, arr)",
    "arr",
    infer=lambda sizes, operands: _compressed_type(sizes, [*operands, Const(None)]),
    samples=({"condition": "b[5]", "arr": "f[5]"}, {"condition": "b[2,3]", "arr": "f[2,3]"}),
)


def _without_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    arr, obj = operands[0].type, operands[1]
    axis = constant(operands[2], "axis")
    require_numeric([arr])
    shape = shape_of(arr)
    if axis is None:
        size = size_of(arr)
        shape, axis = (None if size is None else (size,)), 0
    if shape is None:
        return Array(dtype_of(arr), None)
    (place,) = normal_axes(axis, len(shape))
    one = scalar_like(obj.type) and is_integer(obj.type)
    rest = shape[place] - 1 if one else sizes.fresh()
    return Array(dtype_of(arr), tuple(rest if k == place else s for k, s in enumerate(shape)))


gather(
    "out = np.delete(arr, obj, axis=None)",
    "arr",
    infer=_without_type,
    samples=(
        {"arr": "f[5]", "obj": 1},
        {"arr": "f[5]", "obj": -1},
        {"arr": "f[2,3]", "obj": 1, "axis": 0},
        {"arr": "f[2,3]", "obj": slice(1, None), "axis": -1},
        {"arr": "f[5]", "obj": "i[2]<5"},
        {"arr": "f[2,3]", "obj": 4},
        {"arr": "f[1]", "obj": 0},
    ),
)


# Insertion: the elements of two operands, counted one behind the other ----------------------------


def _inserted_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    arr, obj, values = (operand.type for operand in operands[:3])
    axis = constant(operands[3], "axis")
    require_numeric([arr, values])
    shape, added = shape_of(arr), shape_of(values)
    if axis is None:
        size = size_of(arr)
        shape, axis = (None if size is None else (size,)), 0
    if shape is None or added is None:
        return Array(dtype_of(arr), None)
    (place,) = normal_axes(axis, len(shape))
    picked = shape_of(obj) if not isinstance(obj, Slice | Items) else None
    count = _inserted_count(sizes, obj, shape, added, place, picked)
    return Array(dtype_of(arr), tuple(s + count if k == place else s for k, s in enumerate(shape)))


def _inserted_count(
    sizes: Sizes, obj: Type, shape: Shape, added: Shape, place: int, picked: Shape | None
) -> Size:
    """How many elements come in along the axis: as many as indices, or values where there is one
    index.
    """
    if isinstance(obj, Number) and is_integer(obj):
        if len(added) < len(shape):
            return ONE if len(shape) > 1 or not added else added[0]
        return added[0] if len(shape) > 1 and len(added) == len(shape) else added[-1]
    if picked is not None and len(picked) == 1 and not is_boolean(obj) and picked[0] != ONE:
        return picked[0] if picked[0].constant is not None else sizes.fresh()
    return sizes.fresh()


INSERTED = (
    "np.insert(places(np.shape(arr)), obj, np.size(arr) + places(np.shape(values)), axis=axis)"
)
BOTH = f"scattered(grad_out, {INSERTED}, (np.size(arr) + np.size(values),))"
operation(
    "out = np.insert(arr, obj, values, axis=None)",
    f"grad_arr += np.reshape({BOTH}[: np.size(arr)], np.shape(arr))",
    f"grad_values += np.reshape({BOTH}[np.size(arr) :], np.shape(values))",
    infer=_inserted_type,
    linear=("arr", "values"),
    samples=(
        {"arr": "f[4]", "obj": 1, "values": "f[]"},
        {"arr": "f[4]", "obj": 1, "values": "f[3]"},
        {"arr": "f[4]", "obj": -1, "values": "f[]"},
        {"arr": "f[2,3]", "obj": 1, "values": "f[3]", "axis": 0},
        {"arr": "f[2,3]", "obj": 1, "values": "f[2]", "axis": 1},
        {"arr": "f[2,3]", "obj": 1, "values": "f[]", "axis": -1},
        {"arr": "f[2,3]", "obj": 5, "values": "f[]"},
        {"arr": "f[4]", "obj": "i[3]<4", "values": "f[3]"},
        {"arr": "f[4]", "obj": "i[3]<4", "values": "f[]"},
        {"arr": "f[2,3]", "obj": "i[2]<3", "values": "f[2,2]", "axis": 1},
        {"arr": "f[0]", "obj": 0, "values": "f[2]"},
    ),
)


# Windows, resizing --------------------------------------------------------------------------------


def _window_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    x, window, axis = operands[0].type, operands[1], constant(operands[2], "axis")
    require_numeric([x])
    shape, widths = shape_of(x), shape_argument(sizes, window.type)
    if shape is None or widths is None:
        return Array(dtype_of(x), None)
    places = normal_axes(axis, len(shape)) if axis is not None else tuple(range(len(shape)))
    if len(places) != len(widths):
        raise TypeProblem("shape-mismatch", f"{len(widths)} window sizes for {len(places)} axes")
    result = list(shape)
    for place, width in zip(places, widths, strict=True):
        result[place] = result[place] - width + 1
    return Array(dtype_of(x), (*result, *widths))


gather(
    "out = np.lib.stride_tricks.sliding_window_view(x, window_shape, axis=None)",
    "x",
    infer=_window_type,
    view_of="x",
    samples=(
        {"x": "f[5]", "window_shape": 3},
        {"x": "f[3,4]", "window_shape": (2, 2)},
        {"x": "f[3,4]", "window_shape": 2, "axis": 1},
        {"x": "f[3,4]", "window_shape": (2,), "axis": -2},
        {"x": "f[3]", "window_shape": 3},
    ),
)
gather(
    "out = np.resize(a, new_shape)",
    "a",
    infer=lambda sizes, operands: Array(
        dtype_of(operands[0].type), shape_argument(sizes, operands[1].type)
    ),
    samples=(
        {"a": "f[3]", "new_shape": (2, 4)},
        {"a": "f[2,3]", "new_shape": 4},
        {"a": "f[]", "new_shape": 3},
        {"a": "f[3]", "new_shape": (0,)},
    ),
)


# Sums by place ------------------------------------------------------------------------------------


def _counted_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    x, weights = operands[0].type, operands[1].type
    require_numeric([x])
    if not is_integer(x) and not is_boolean(x):
        raise unsupported("`np.bincount` counts integers", "give integers")
    # of nothing, NumPy gives integers
    weighted = isinstance(weights, Array) and size_of(x) != Size()
    return Array("f64" if weighted else "i64", (sizes.fresh(),))


operation(
    "out = np.bincount(x, weights=None, minlength=0)",
    "grad_weights += np.take(grad_out, x)",
    infer=_counted_type,
    linear=("weights",),
    samples=(
        {"x": "i[5]<4", "weights": "f[5]"},
        {"x": "i[5]<4", "weights": "f[5]", "minlength": 7},
    ),
)
operation(
    "out = np.add.reduceat(array, indices, axis=0)",
    infer=lambda sizes, operands: _reduced_at_type(operands),
    rules=(Rule(("grad_array += reduceat_adjoint(grad_out, indices, axis, np.shape(array))",)),),
    linear=("array",),
    samples=(
        {"array": "f[6]", "indices": (0, 2, 3)},
        {"array": "f[6]", "indices": (0, 4, 1, 5)},
        {"array": "f[6]", "indices": (4, 1, 1)},
        {"array": "f[3,4]", "indices": (0, 2), "axis": 1},
        {"array": "f[3,4]", "indices": (1, 0), "axis": 0},
        {"array": "f[3,4]", "indices": (1, 2, 2), "axis": -1},
    ),
    note="where an index is not below the next one, that element alone, as in NumPy",
)


def _reduced_at_type(operands: Sequence[Atom]) -> Type:
    array, indices, axis = operands[0].type, operands[1], constant(operands[2], "axis")
    shape = shape_of(array)
    count = (
        (Size.of(len(indices.value)),)
        if isinstance(indices, Const) and isinstance(indices.value, tuple)
        else shape_of(indices.type)
    )
    if shape is None or count is None:
        return Array(sum_dtype(dtype_of(array)), None)
    (place,) = normal_axes(axis, len(shape))
    return Array(
        sum_dtype(dtype_of(array)),
        tuple(count[0] if k == place else s for k, s in enumerate(shape)),
    )


operation(
    "out = reduceat_adjoint(grad, indices, axis, shape)",
    "grad_grad += np.add.reduceat(grad_out, indices, axis=axis)",
    infer=lambda sizes, operands: Array(
        dtype_of(operands[0].type), shape_argument(sizes, operands[3].type)
    ),
    linear=("grad",),
    helper="reduceat_adjoint",
    samples=(
        {"grad": "f[4]", "indices": (0, 4, 1, 5), "axis": 0, "shape": (6,)},
        {"grad": "f[3,2]", "indices": (0, 2), "axis": 1, "shape": (3, 4)},
    ),
)
