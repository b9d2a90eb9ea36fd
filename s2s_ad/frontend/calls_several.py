"""Calls of NumPy with several arrays as result or as argument: pieces, grids, indices, blocks."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from s2s_ad.frontend.arguments import Arguments, no_more
from s2s_ad.frontend.calls_tools import (
    Function,
    along,
    apply,
    known,
    known_rank,
    operand,
    operate,
    unsupported,
)
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import array_operand, static_operand
from s2s_ad.frontend.values import Value
from s2s_ad.ir import Atom, Const, Structure, tuple_of
from s2s_ad.types import (
    is_boolean,
    shape_of,
)

# Several results ----------------------------------------------------------------------------------


def both(first: str, second: str) -> Function:
    """A pair of operations of the same operands."""

    def pair(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        operands = [array_operand(lowering, each, arguments.node) for each in arguments.rest()]
        no_more(lowering, arguments)
        ops = [lowering.operation(each) for each in (first, second)]
        return tuple_of([lowering.assign(op, operands, arguments.node) for op in ops])

    return pair


def split(function: str, axis: int | None) -> Function:
    """`np.split` and its like: slices where the bounds are known, else parts of the call."""

    def split(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        node = arguments.node
        x = operand(lowering, arguments, 0, "ary")
        wanted = arguments.take(1, "indices_or_sections", Const(None))
        place = axis
        if function in ("split", "array_split"):
            place = known(lowering, arguments.take(2, "axis", Const(0)), "axis", node)
        elif function == "hsplit" and known_rank(lowering, x, node) == 1:
            place = 0
        no_more(lowering, arguments)
        assert place is not None
        sections = known(lowering, wanted, "indices_or_sections", node)
        if isinstance(sections, tuple):
            return tuple_of(_slices(lowering, x, sections, place, node), "list")
        kind = "array_split" if function == "array_split" else "split"
        return tuple_of(_sections(lowering, x, sections, place, kind, node), "list")

    return split


def _slices(
    lowering: Lowering, x: Atom, bounds: Sequence[int], axis: int, node: cst.Call
) -> list[Value]:
    getitem = lowering.operation("getitem")
    starts, stops = (None, *bounds), (*bounds, None)
    return [
        lowering.assign(getitem, [x, along(axis, slice(start, stop))], node)
        for start, stop in zip(starts, stops, strict=True)
    ]


def _sections(
    lowering: Lowering, x: Atom, count: int, axis: int, kind: str, node: cst.Call
) -> list[Value]:
    shape = shape_of(x.type)
    length = None
    if shape is not None and -len(shape) <= axis < len(shape):
        length = lowering.sizes.resolve(shape[axis]).constant
    if length is None:
        return [
            operate(lowering, node, f"{kind}[]", x, Const(count), Const(axis), Const(k))
            for k in range(count)
        ]
    if kind == "split" and length % count:
        raise lowering.refuse(
            "shape-mismatch", f"{length} elements cannot be split into {count} equal parts", node
        )
    each, more = divmod(length, count)
    bounds = [k * each + min(k, more) for k in range(1, count)]
    return _slices(lowering, x, bounds, axis, node)


def lower_unstack(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    x = operand(lowering, arguments, 0, "x")
    axis = known(lowering, arguments.take(1, "axis", Const(0)), "axis", node)
    no_more(lowering, arguments)
    shape = shape_of(x.type)
    count = None if not shape else lowering.sizes.resolve(shape[axis]).constant
    if count is None:
        raise lowering.refuse(
            "not-constant", "the number of arrays is not known when compiling", node
        )
    getitem = lowering.operation("getitem")
    return tuple_of([lowering.assign(getitem, [x, along(axis, k)], node) for k in range(count)])


def lower_unique(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    x = operand(lowering, arguments, 0, "ar")
    wanted = [
        which
        for place, which in enumerate(("index", "inverse", "counts"), start=1)
        if known(lowering, arguments.take(place, f"return_{which}", Const(False)), which, node)
    ]
    axis = known(lowering, arguments.take(4, "axis", Const(None)), "axis", node)
    no_more(lowering, arguments)
    if axis is not None:
        raise unsupported(lowering, "`np.unique` is supported without `axis`", node, "leave it out")
    values = operate(lowering, node, "unique", x)
    if not wanted:
        return values
    return tuple_of([values, *(operate(lowering, node, f"unique[{which}]", x) for which in wanted)])


# Grids and indices --------------------------------------------------------------------------------


def _vectors(lowering: Lowering, values: Sequence[Value], node: cst.Call) -> list[Atom]:
    vectors: list[Atom] = []
    for value in values:
        x = array_operand(lowering, value, node)
        vectors.append(
            x if known_rank(lowering, x, node) == 1 else apply(lowering, node, "ravel", x)
        )
    return vectors


def lower_meshgrid(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    indexing = known(lowering, arguments.keywords.pop("indexing", Const("xy")), "indexing", node)
    sparse = known(lowering, arguments.keywords.pop("sparse", Const(False)), "sparse", node)
    if not known(lowering, arguments.keywords.pop("copy", Const(True)), "copy", node):
        raise lowering.refuse(
            "unsupported-argument",
            "`copy=False` of `np.meshgrid` is not supported: its grids are views of the vectors",
            node,
            help="leave it out",
        )
    vectors = _vectors(lowering, arguments.rest(), node)
    no_more(lowering, arguments)
    axes = list(range(len(vectors)))
    if indexing == "xy" and len(vectors) > 1:
        axes[0], axes[1] = 1, 0
    grids = []
    for place, vector in zip(axes, vectors, strict=True):
        others = tuple(k for k in range(len(vectors)) if k != place)
        grids.append(
            apply(lowering, node, "expand_dims", vector, Const(others)) if others else vector
        )
    if not sparse:
        grids = broadcast(lowering, grids, node)
    return tuple_of([operate(lowering, node, "copy", grid) for grid in grids])


def broadcast(lowering: Lowering, arrays: Sequence[Atom], node: cst.CSTNode) -> list[Atom]:
    if len(arrays) == 1:
        return list(arrays)
    return [
        operate(lowering, node, "broadcast_arrays[]", array, *arrays[:k], *arrays[k + 1 :])
        for k, array in enumerate(arrays)
    ]


def lower_broadcast_arrays(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    arrays = [array_operand(lowering, value, node) for value in arguments.rest()]
    no_more(lowering, arguments)
    return tuple_of(broadcast(lowering, arrays, node))


def lower_ix(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    node, given = arguments.node, arguments.rest()
    no_more(lowering, arguments)
    count = len(given)
    result: list[Value] = []
    for place, vector in enumerate(_vectors(lowering, given, node)):
        if is_boolean(vector.type):
            vector = operate(lowering, node, "flatnonzero", vector)
        others = tuple(k for k in range(count) if k != place)
        result.append(
            apply(lowering, node, "expand_dims", vector, Const(others)) if others else vector
        )
    return tuple_of(result)


def triangle_indices(function: str) -> Function:
    def triangle(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        first = "arr" if function.endswith("from") else "n"
        operands = [
            operand(lowering, arguments, 0, first),
            operand(lowering, arguments, 1, "k", Const(0)),
        ]
        if first == "n":
            operands.append(operand(lowering, arguments, 2, "m"))
        no_more(lowering, arguments)
        return tuple_of(
            [
                operate(lowering, arguments.node, f"{function}[]", *operands, Const(k))
                for k in (0, 1)
            ]
        )

    return triangle


def lower_diagonal_indices(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    count = arguments.take(0, "n", Const(None))
    rank = known(lowering, arguments.take(1, "ndim", Const(2)), "ndim", arguments.node)
    no_more(lowering, arguments)
    return tuple_of([apply(lowering, arguments.node, "arange", count)] * rank)


def lower_diagonal_indices_from(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    x = operand(lowering, arguments, 0, "arr")
    no_more(lowering, arguments)
    rank = known_rank(lowering, x, node)
    count = lowering.assign(lowering.operation("ndarray.shape[]"), [x, Const(0)], node)
    return tuple_of([apply(lowering, node, "arange", count)] * rank)


def lower_unravel_index(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    indices = operand(lowering, arguments, 0, "indices")
    shape = static_operand(lowering, arguments.take(1, "shape", Const(None)), node)
    no_more(lowering, arguments)
    count = len(getattr(shape.type, "items", (shape,)))
    return tuple_of(
        [operate(lowering, node, "unravel_index[]", indices, shape, Const(k)) for k in range(count)]
    )


# Blocks -------------------------------------------------------------------------------------------


def lower_block(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """Nested lists of arrays: the innermost are joined along the last axis."""
    node = arguments.node
    value = arguments.take(0, "arrays", Const(None))
    no_more(lowering, arguments)
    depth, leaves = _depth(lowering, value, node)
    rank = max([depth, *(known_rank(lowering, leaf, node) for leaf in leaves)])

    def build(part: Value, level: int) -> Atom:
        if not isinstance(part, Structure):
            x = array_operand(lowering, part, node)
            missing = rank - known_rank(lowering, x, node)
            return (
                apply(lowering, node, "expand_dims", x, Const(tuple(range(missing))))
                if missing
                else x
            )
        items = [build(item, level + 1) for item in part.items]
        if len(items) == 1:
            return items[0]
        return apply(lowering, node, "concatenate", tuple_of(items), axis=Const(level - depth))

    built = build(value, 0)
    return operate(lowering, node, "copy", built)


def _depth(lowering: Lowering, value: Value, node: cst.Call) -> tuple[int, list[Atom]]:
    if not isinstance(value, Structure):
        return 0, [array_operand(lowering, value, node)]
    if value.kind != "list" or not value.items:
        raise lowering.refuse("bad-call", "`np.block` takes nested lists of arrays", node)
    parts = [_depth(lowering, item, node) for item in value.items]
    if any(depth != parts[0][0] for depth, _ in parts):
        raise lowering.refuse("bad-call", "the lists of `np.block` are nested unevenly", node)
    return parts[0][0] + 1, [leaf for _, leaves in parts for leaf in leaves]


def at_least(rank: int) -> Function:
    """One array, or a tuple of several."""

    def at_least(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        results = [
            operate(
                lowering,
                arguments.node,
                f"atleast_{rank}d",
                array_operand(lowering, value, arguments.node),
            )
            for value in arguments.rest()
        ]
        no_more(lowering, arguments)
        return results[0] if len(results) == 1 else tuple_of(results)

    return at_least


def lower_roll_axis(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.rollaxis(a, axis, start)` moves an axis in front of another one."""
    node = arguments.node
    x = operand(lowering, arguments, 0, "a")
    rank = known_rank(lowering, x, node)
    axis = known(lowering, arguments.take(1, "axis", Const(None)), "axis", node)
    start = known(lowering, arguments.take(2, "start", Const(0)), "start", node)
    no_more(lowering, arguments)
    axis, start = axis % rank, start + rank if start < 0 else start
    return apply(lowering, node, "moveaxis", x, Const(axis), Const(start - (axis < start)))
