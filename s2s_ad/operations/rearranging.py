"""Operations that move, repeat, mask or join elements: flips, tiles, triangles, padding, stacks of
rows and columns.

All are linear. The adjoint of a move is the move back, of a repetition the sum over the repeats, of
a join its parts. What depends on the number of axes needs to know it when compiling.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from s2s_ad.ir import Atom, Const, Rule
from s2s_ad.operations.declare import Catalogue, rule
from s2s_ad.operations.result_types import (
    constant,
    known_shape,
    normal_axes,
    require_numeric,
    same_array,
    scalar_like,
    unsupported,
)
from s2s_ad.types import (
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
    is_integer,
    rank_of,
    shape_of,
    size_of,
)

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


def whole_number(sizes: Sizes, atom: Atom, what: str) -> Size:
    """An operand that counts something: its value, or a size known only while running."""
    if not (scalar_like(atom.type) and is_integer(atom.type)):
        raise unsupported(f"`{what}` is supported as one integer", f"give `{what}` as an integer")
    value = atom.type.value if isinstance(atom.type, Number) else None
    return sizes.fresh() if value is None else sizes.resolve(value)


# Moves --------------------------------------------------------------------------------------------


def _moved_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    x, source, destination = operands[0].type, *(constant(atom, "axis") for atom in operands[1:])
    require_numeric([x])
    shape = shape_of(x)
    if shape is None:
        return Array(dtype_of(x), None)
    places = normal_axes(source, len(shape)), normal_axes(destination, len(shape))
    if len(places[0]) != len(places[1]):
        raise TypeProblem("shape-mismatch", f"axes {source} and {destination} do not come in pairs")
    order = [k for k in range(len(shape)) if k not in places[0]]
    for to, origin in sorted(zip(places[1], places[0], strict=True)):
        order.insert(to, origin)
    return Array(dtype_of(x), tuple(shape[k] for k in order))


operation(
    "out = np.moveaxis(x, source, destination)",
    "grad_x += np.moveaxis(grad_out, destination, source)",
    infer=_moved_type,
    linear=("x",),
    view_of="x",
    samples=(
        {"x": "f[2,3,4]", "source": 0, "destination": -1},
        {"x": "f[2,3,4]", "source": (0, 1), "destination": (-1, 0)},
        {"x": "f[2,3,4]", "source": (-1, 0), "destination": (0, 1)},
    ),
)


def _rolled_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    x, shift, axis = operands[0].type, operands[1], constant(operands[2], "axis")
    rank = rank_of(x)
    if rank is not None and axis is not None:
        for item in axis if isinstance(axis, tuple) else (axis,):
            normal_axes(item, rank)
    several = isinstance(axis, tuple) and is_integer(shift.type) and rank_of(shift.type) == 1
    if not isinstance(shift, Const) and not several:  # one number for each axis, or one for all
        whole_number(sizes, shift, "shift")
    return same_array(sizes, operands)


def roll_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    shift, axis = operands[1], constant(operands[2], "axis")
    back = "-shift"
    if isinstance(shift, Const):
        back = repr(
            tuple(-s for s in shift.value) if isinstance(shift.value, tuple) else -shift.value
        )
    along = "" if axis is None else f", axis={axis}"
    return (f"grad_x += np.roll(grad_out, {back}{along})",)


operation(
    "out = np.roll(x, shift, axis=None)",
    infer=_rolled_type,
    rules=(Rule(roll_lines),),
    linear=("x",),
    samples=(
        {"x": "f[5]", "shift": 2},
        {"x": "f[2,3]", "shift": -1},
        {"x": "f[2,3]", "shift": 1, "axis": 1},
        {"x": "f[2,3]", "shift": (1, 2), "axis": (0, 1)},
        {"x": "f[2,3]", "shift": (1, 2), "axis": (1, 1)},
        {"x": "f[0]", "shift": 1},
    ),
)


def _flipped_type(minimum: int) -> Callable[[Sizes, Sequence[Atom]], Type]:
    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        x = operands[0].type
        require_numeric([x])
        rank = rank_of(x)
        if rank is not None and rank < minimum:
            raise TypeProblem("shape-mismatch", f"the array needs at least rank {minimum}")
        if rank is not None and len(operands) > 1:
            normal_axes(constant(operands[1], "axis"), rank)
        if rank == 0:
            return Scalar(dtype_of(x))
        return same_array(sizes, operands)

    return infer


operation(
    "out = np.flip(x, axis=None)",
    "grad_x += np.flip(grad_out, axis)",
    infer=_flipped_type(0),
    linear=("x",),
    view_of="x",
    samples=(
        {"x": "f[3]"},
        {"x": "f[2,3]"},
        {"x": "f[2,3]", "axis": -1},
        {"x": "f[2,3,4]", "axis": (0, 2)},
        {"x": "f[]"},
    ),
)
for _name, _minimum in {"flipud": 1, "fliplr": 2}.items():
    operation(
        f"out = np.{_name}(x)",
        f"grad_x += np.{_name}(grad_out)",
        infer=_flipped_type(_minimum),
        linear=("x",),
        view_of="x",
        samples=({"x": "f[2,3]"}, {"x": "f[2,3,4]"}),
    )


def _turned_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    x, k, axes = operands[0].type, *(constant(atom, "k") for atom in operands[1:])
    require_numeric([x])
    shape = shape_of(x)
    if shape is None:
        return Array(dtype_of(x), None)
    first, second = normal_axes(axes, len(shape))
    turned = list(shape)
    if k % 2:
        turned[first], turned[second] = turned[second], turned[first]
    return Array(dtype_of(x), tuple(turned))


operation(
    "out = np.rot90(m, k=1, axes=(0, 1))",
    infer=_turned_type,
    rules=(
        Rule(
            lambda operands: (
                f"grad_m += np.rot90(grad_out, k={-constant(operands[1], 'k') % 4}, axes=axes)",
            )
        ),
    ),
    linear=("m",),
    view_of="m",
    samples=(
        {"m": "f[2,3]"},
        {"m": "f[2,3]", "k": 2},
        {"m": "f[2,3]", "k": -1},
        {"m": "f[2,3,4]", "k": 3, "axes": (2, 0)},
        {"m": "f[0,3]"},
    ),
)


# Repetition ---------------------------------------------------------------------------------------


def _repetitions(sizes: Sizes, operands: Sequence[Atom]) -> tuple[Shape, Shape]:
    """The shape of x and the repeats of `np.tile`, brought to one length."""
    shape = known_shape(operands[0], "np.tile")
    if isinstance(operands[1], Const) and isinstance(operands[1].value, tuple):
        repeats: Shape = tuple(
            whole_number(sizes, Const(item), "reps") for item in operands[1].value
        )
    else:
        repeats = (whole_number(sizes, operands[1], "reps"),)
    rank = max(len(shape), len(repeats))
    left, right = ((ONE,) * (rank - len(part)) + part for part in (shape, repeats))
    return left, right


def _tiled_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    require_numeric([operands[0].type])
    shape, repeats = _repetitions(sizes, operands)
    tiled = tuple(count * size for count, size in zip(repeats, shape, strict=True))
    return Array(dtype_of(operands[0].type), tiled)


def tile_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    """Axis k of the result is `reps[k]` copies of axis k of x: split, and sum over the copies."""
    rank = len(known_shape(operands[0], "np.tile"))
    reps = operands[1].value if isinstance(operands[1], Const) else None
    repeats = (
        list(map(str, reps)) if isinstance(reps, tuple) else ["reps" if reps is None else str(reps)]
    )
    split: list[str] = []
    copies: list[int] = []
    for k in range(-max(rank, len(repeats)), 0):
        if len(repeats) + k >= 0 and repeats[k] != "1":
            copies.append(len(split))
            split.append(repeats[k])
        if rank + k >= 0:
            split.append(f"np.shape(x)[{rank + k}]")
    shape = f"({', '.join(split)}{',' if len(split) == 1 else ''})"
    axes = copies[0] if len(copies) == 1 else tuple(copies)
    blocks = f"np.reshape(grad_out, {shape})"
    return (f"grad_x += np.sum({blocks}, axis={axes})" if copies else f"grad_x += {blocks}",)


operation(
    "out = np.tile(x, reps)",
    infer=_tiled_type,
    rules=(Rule(tile_lines),),
    linear=("x",),
    samples=(
        {"x": "f[3]", "reps": 2},
        {"x": "f[2,3]", "reps": 2},
        {"x": "f[3]", "reps": (2, 3)},
        {"x": "f[2,3]", "reps": (4, 1, 2)},
        {"x": "f[2,3]", "reps": (1, 1)},
        {"x": "f[2,3,1]", "reps": (2, 5)},
        {"x": "f[]", "reps": 3},
        {"x": "f[]", "reps": (2, 3)},
        {"x": "f[3]", "reps": 0},
        {"x": "f[0]", "reps": 2},
    ),
)


def _repeated_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    x, axis = operands[0].type, constant(operands[2], "axis")
    require_numeric([x])
    one = scalar_like(operands[1].type)
    count = whole_number(sizes, operands[1], "repeats") if one else None

    def times(size: Size | None) -> Size:
        if size is None or count is None:
            return sizes.fresh()
        return size * count

    if axis is None:
        return Array(dtype_of(x), (times(size_of(x)),))
    shape = known_shape(operands[0], "np.repeat")
    (place,) = normal_axes(axis, len(shape))
    return Array(dtype_of(x), tuple(times(s) if k == place else s for k, s in enumerate(shape)))


def repeat_lines(operands: Sequence[Atom]) -> tuple[str, ...]:
    """The copies of an element stand side by side."""
    axis = constant(operands[2], "axis")
    if not scalar_like(operands[1].type):
        # each element as often as it says
        origin = "np.repeat(places(np.shape(x)), repeats, axis=axis)"
        return (f"grad_x += scattered(grad_out, {origin}, np.shape(x))",)
    if axis is None:
        sums = "np.sum(np.reshape(grad_out, (np.size(x), repeats)), axis=1)"
        is_vector = rank_of(operands[0].type) == 1
        return (f"grad_x += {sums if is_vector else f'np.reshape({sums}, np.shape(x))'}",)
    rank = len(known_shape(operands[0], "np.repeat"))
    split = [f"np.shape(x)[{k}]" for k in range(rank)]
    split.insert(axis % rank + 1, "repeats")
    return (
        f"grad_x += np.sum(np.reshape(grad_out, ({', '.join(split)})), axis={axis % rank + 1})",
    )


operation(
    "out = np.repeat(x, repeats, axis=None)",
    infer=_repeated_type,
    rules=(Rule(repeat_lines),),
    linear=("x",),
    method="repeat",
    samples=(
        {"x": "f[3]", "repeats": 2},
        {"x": "f[2,3]", "repeats": 2},
        {"x": "f[2,3]", "repeats": 4, "axis": 0},
        {"x": "f[2,3]", "repeats": 4, "axis": -1},
        {"x": "f[]", "repeats": 3},
        {"x": "f[0,3]", "repeats": 2},
        {"x": "f[3]", "repeats": 0},
        {"x": "f[3]", "repeats": (2, 0, 1)},
        {"x": "f[2,3]", "repeats": (2, 1), "axis": 0},
        {"x": "f[2,3]", "repeats": "i[3]<3", "axis": -1},
    ),
)


# Triangles --------------------------------------------------------------------------------


def _triangle_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    rank = rank_of(operands[0].type)
    if rank is not None and rank < 2:
        raise unsupported(
            "`np.tril` and `np.triu` are supported for rank 2 and more", "give a matrix"
        )
    if not isinstance(operands[1], Const):
        whole_number(sizes, operands[1], "k")
    return same_array(sizes, operands)


for _name in ("tril", "triu"):
    # of a vector NumPy makes a matrix: where the rank is unknown, its rows are summed back
    operation(
        f"out = np.{_name}(x, k=0)",
        f"grad_x += np.{_name}(grad_out, k)",
        infer=_triangle_type,
        linear=("x",),
        broadcasts=("x",),
        samples=(
            {"x": "f[3,3]"},
            {"x": "f[2,3]", "k": 1},
            {"x": "f[2,3,4]", "k": -1},
            {"x": "f[0,3]"},
        ),
    )


# Ranks --------------------------------------------------------------------------------------------


def _at_least(rank: int) -> Callable[[Sizes, Sequence[Atom]], Type]:
    def infer(_: Sizes, operands: Sequence[Atom]) -> Type:
        require_numeric([operands[0].type])
        shape = shape_of(operands[0].type)
        if shape is None:
            return Array(dtype_of(operands[0].type), None)
        return Array(dtype_of(operands[0].type), (ONE,) * (rank - len(shape)) + shape)

    return infer


def has_rank(least: int) -> Callable[[Sequence[Atom]], bool]:
    """Guard: the operand has at least this rank."""

    def guard(operands: Sequence[Atom]) -> bool:
        rank = rank_of(operands[0].type)
        return rank is not None and rank >= least

    return guard


def _at_least_three(_: Sizes, operands: Sequence[Atom]) -> Type:
    """NumPy puts the axes of a vector in the middle, those of a matrix first."""
    require_numeric([operands[0].type])
    shape = shape_of(operands[0].type)
    if shape is not None and len(shape) < 3:
        shape = {0: (ONE,) * 3, 1: (ONE, *shape, ONE), 2: (*shape, ONE)}[len(shape)]
    return Array(dtype_of(operands[0].type), shape)


operation(
    "out = np.atleast_3d(x)",
    infer=_at_least_three,
    rules=(
        rule("grad_x += grad_out", when=has_rank(3)),
        rule("grad_x += np.reshape(grad_out, np.shape(x))"),
    ),
    linear=("x",),
    view_of="x",
    samples=({"x": "f[]"}, {"x": "f[3]"}, {"x": "f[2,3]"}, {"x": "f[2,3,1]"}),
)
# Those of a memory order copy where the array is not in that order
for _name, _least in (
    ("atleast_1d", 1),
    ("atleast_2d", 2),
    ("ascontiguousarray", 1),
    ("asfortranarray", 1),
):
    operation(
        f"out = np.{_name}(x)",
        infer=_at_least(_least),
        rules=(
            rule("grad_x += grad_out", when=has_rank(_least)),
            rule("grad_x += np.reshape(grad_out, np.shape(x))"),
        ),
        linear=("x",),
        view_of="x",
        may_copy=_name.startswith("as"),
        samples=({"x": "f[]"}, {"x": "f[3]"}, {"x": "f[2,3]"}),
    )
