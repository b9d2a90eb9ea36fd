"""Operations that join arrays: along an axis they have, a new one, or as rows and columns.

All are linear; the adjoint of a join is its parts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from s2s_ad.ir import Atom, Rule
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.result_types import (
    constant,
    known_shape,
    normal_axes,
    require_numeric,
    strong_promotion,
)
from s2s_ad.types import (
    ONE,
    Array,
    Shape,
    Size,
    Sizes,
    Type,
    TypeProblem,
    promote,
    rank_of,
    shape_of,
    size_of,
)

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


# Along an axis ----------------------------------------------------------------------------------


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
    also=("numpy.concat",),
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


# As rows, columns and depth --------------------------------------------------------------------


def joined_type(
    sizes: Sizes, shapes: Sequence[Shape], axis: int, types: Sequence[Type], function: str
) -> Type:
    """Arrays of one rank, joined along an axis: their sizes add up there and agree elsewhere."""
    if any(len(shape) != len(shapes[0]) for shape in shapes):
        raise TypeProblem("shape-mismatch", f"arrays joined by `{function}` need one rank")
    total = Size()
    for shape in shapes:
        total = total + shape[axis]
        for k, size in enumerate(shape):
            if k != axis:
                sizes.unify(size, shapes[0][k])
    joined = tuple(total if k == axis else size for k, size in enumerate(shapes[0]))
    return Array(strong_promotion(types), joined)


def _as_row(shape: Shape) -> Shape:
    return (ONE,) * (2 - len(shape)) + shape


def _as_vector(shape: Shape) -> Shape:
    return shape or (ONE,)


def _as_column(shape: Shape) -> Shape:
    return (*_as_vector(shape), ONE) if len(shape) < 2 else shape


def _as_depth(shape: Shape) -> Shape:
    return (*_as_row(shape), ONE) if len(shape) < 3 else shape


def _horizontal_axis(rank: int) -> int:
    return 0 if rank == 1 else 1


Joins = tuple[Callable[[Shape], Shape], Callable[[int], int]]
JOINS: dict[str, Joins] = {
    "vstack": (_as_row, lambda rank: 0),
    "hstack": (_as_vector, _horizontal_axis),
    "column_stack": (_as_column, lambda rank: 1),
    "dstack": (_as_depth, lambda rank: 2),
}


def stacking(name: str) -> tuple[Callable[[Sizes, Sequence[Atom]], Type], Rule]:
    """The type and the rule of a function that brings its operands to some rank and joins them."""
    bring, axis_of = JOINS[name]
    function = f"np.{name}"

    def brought(operands: Sequence[Atom]) -> tuple[list[Shape], int]:
        shapes = [bring(known_shape(operand, function)) for operand in operands]
        if not shapes:
            raise TypeProblem("shape-mismatch", f"`{function}` needs an array")
        return shapes, axis_of(len(shapes[0]))

    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        types = [operand.type for operand in operands]
        require_numeric(types)
        shapes, axis = brought(operands)
        return joined_type(sizes, shapes, axis, types, function)

    def lines(operands: Sequence[Atom]) -> tuple[str, ...]:
        shapes, axis = brought(operands)
        result: list[str] = []
        start: int | str = 0
        for k, (operand, shape) in enumerate(zip(operands, shapes, strict=True)):
            own = known_shape(operand, function)
            is_last = k == len(operands) - 1
            if len(own) < len(shape) and shape[axis] == ONE:
                # the axes that were added hold one element
                index = _index_of(len(own), len(shape), axis, str(start), function)
                stop = start + 1 if isinstance(start, int) else f"{start} + 1"
            else:
                length = f"np.shape(arrays{k})[{axis}]"
                stop = f"{start} + {length}" if start else length
                index = ":, " * axis + (f"{start or ''}:" if is_last else f"{start or ''}:{stop}")
            result.append(f"grad_arrays{k} += grad_out[{index}]")
            start = stop
        return tuple(result)

    return infer, Rule(lines)


def _index_of(own: int, rank: int, axis: int, start: str, function: str) -> str:
    """Where an operand of lower rank stands: at `start` of the axis, at 0 of the other new axes."""
    parts = [":"] * rank
    new = (
        range(rank - own)
        if function == "np.vstack"
        else [0, 2]
        if (rank, own) == (3, 1)
        else range(own, rank)
    )
    for k in new:
        parts[k] = "0"
    parts[axis] = start
    return ", ".join(parts)


JOIN_SAMPLES: dict[str, tuple[dict[str, Any], ...]] = {
    "vstack": (
        {"arrays": ("f[3]", "f[3]")},
        {"arrays": ("f[2,3]", "f[3]", "f[1,3]")},
        {"arrays": ("f[3]", "f[2,3]")},
        {"arrays": ("f[]", "f[]", "f[1]")},
        {"arrays": ("f[2,3,4]", "f[1,3,4]")},
        {"arrays": ("f[0,3]", "f[3]")},
    ),
    "hstack": (
        {"arrays": ("f[3]", "f[2]")},
        {"arrays": ("f[]", "f[2]", "f[]")},
        {"arrays": ("f[2,3]", "f[2,1]")},
        {"arrays": ("f[2,3,4]", "f[2,1,4]", "f[2,3,4]")},
        {"arrays": ("f[0]", "f[2]")},
        {"arrays": ("f[1]", "f[2]")},
    ),
    "column_stack": (
        {"arrays": ("f[3]", "f[3]")},
        {"arrays": ("f[3]", "f[3,2]", "f[3]")},
        {"arrays": ("f[]", "f[]")},
        {"arrays": ("f[3,0]", "f[3]")},
    ),
    "dstack": (
        {"arrays": ("f[3]", "f[3]")},
        {"arrays": ("f[2,3]", "f[2,3]")},
        {"arrays": ("f[2,3]", "f[2,3,2]", "f[2,3]")},
        {"arrays": ("f[]", "f[]")},
        {"arrays": ("f[3]", "f[1,3]")},
    ),
}
for _name in JOINS:
    _infer, _rule = stacking(_name)
    operation(
        f"out = np.{_name}((*arrays,))",
        infer=_infer,
        rules=(_rule,),
        linear=("arrays",),
        samples=JOIN_SAMPLES[_name],
    )


def _appended_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    types = [operand.type for operand in operands[:2]]
    require_numeric(types)
    axis = constant(operands[2], "axis")
    if axis is None:
        counts = [size_of(type) for type in types]
        left, right = (sizes.fresh() if count is None else count for count in counts)
        return Array(strong_promotion(types), (left + right,))
    shapes = [known_shape(operand, "np.append") for operand in operands[:2]]
    (place,) = normal_axes(axis, len(shapes[0]))
    return joined_type(sizes, shapes, place, types, "np.append")


def append_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    axis = constant(operands[2], "axis")
    if axis is None:
        parts = ["grad_out[: np.size(arr)]", "grad_out[np.size(arr) :]"]
        names = ("arr", "values")
        for k, operand in enumerate(operands[:2]):
            if rank_of(operand.type) != 1:
                parts[k] = f"np.reshape({parts[k]}, np.shape({names[k]}))"
        return (f"grad_arr += {parts[0]}", f"grad_values += {parts[1]}")
    place = axis % len(known_shape(operands[0], "np.append"))
    length, before = f"np.shape(arr)[{place}]", ":, " * place
    return (
        f"grad_arr += grad_out[{before}:{length}]",
        f"grad_values += grad_out[{before}{length}:]",
    )


operation(
    "out = np.append(arr, values, axis=None)",
    infer=_appended_type,
    rules=(Rule(append_lines),),
    linear=("arr", "values"),
    samples=(
        {"arr": "f[3]", "values": "f[2]"},
        {"arr": "f[3]", "values": "f[]"},
        {"arr": "f[2,3]", "values": "f[2,2]"},
        {"arr": "f[2,3]", "values": "f[1,3]", "axis": 0},
        {"arr": "f[2,3]", "values": "f[2,1]", "axis": -1},
        {"arr": "f[0]", "values": "f[2]"},
    ),
)
