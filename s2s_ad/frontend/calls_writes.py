"""Functions of NumPy that write to some elements of an array: `put`, `fill_diagonal`, ..."""

from __future__ import annotations

import libcst as cst

from s2s_ad.frontend.arguments import Arguments, no_more
from s2s_ad.frontend.calls import call_named
from s2s_ad.frontend.calls_tools import (
    apply,
    known,
    known_rank,
    operand,
    unsupported,
)
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import array_operand, atom
from s2s_ad.frontend.overlaps import refuse_overlap
from s2s_ad.frontend.subscripts import index_value
from s2s_ad.frontend.updates import same_shape
from s2s_ad.frontend.values import Value
from s2s_ad.ir import Atom, Const, Var, tuple_of
from s2s_ad.types import (
    Array,
    Shape,
    Type,
    TypeProblem,
    is_boolean,
    is_integer,
    rank_of,
    scalar_like,
    shape_of,
)


def _store(lowering: Lowering, base: Atom, index: Atom, value: Atom, node: cst.Call) -> Value:
    from s2s_ad.frontend.writes import write

    if not isinstance(base, Var) or not isinstance(base.type, Array):
        raise lowering.refuse("not-an-array", "an array is needed here", node)
    refuse_overlap(lowering, base, index, value, node)
    write(lowering, lowering.operation("setitem"), base, index, value, node)
    return Const(None)


def _require_mask(lowering: Lowering, base: Atom, mask: Atom, node: cst.Call) -> None:
    if not is_boolean(mask.type) or not same_shape(lowering, base.type, mask.type):
        raise unsupported(lowering, "the mask has the shape of the array", node, "use `np.where`")


def _surely_one_shape(lowering: Lowering, first: Type, second: Type) -> bool:
    """Whether two shapes are the same, without assuming it of sizes that are not known."""
    shapes = [
        None if shape is None else tuple(map(lowering.sizes.resolve, shape))
        for shape in map(shape_of, (first, second))
    ]
    return shapes[0] is not None and shapes[0] == shapes[1]


def _require_one_shape(lowering: Lowering, base: Atom, value: Atom, node: cst.Call) -> None:
    if not same_shape(lowering, base.type, value.type):
        help = "use `np.where`"
        raise unsupported(lowering, "the values have the shape of the array", node, help)


def lower_put(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    base = atom(lowering, arguments.take(0, "a", Const(None)), node)
    index, value = operand(lowering, arguments, 1, "ind"), operand(lowering, arguments, 2, "v")
    mode = known(lowering, arguments.take(3, "mode", Const("raise")), "mode", node)
    no_more(lowering, arguments)
    if known_rank(lowering, base, node) != 1 or known_rank(lowering, value, node) > 1:
        raise unsupported(
            lowering, "`np.put` is supported for vectors", node, "write `a[index] = values`"
        )
    if mode != "raise":
        size = apply(lowering, node, "size", base)
        last = lowering.assign(lowering.operation("-"), [size, Const(1)], node)
        bounds = (size,) if mode == "wrap" else (Const(0), last)
        index = apply(lowering, node, "mod" if mode == "wrap" else "clip", index, *bounds)
    if rank_of(value.type) and not _surely_one_shape(lowering, index.type, value.type):
        # NumPy repeats the values, or drops some
        value = apply(lowering, node, "resize", value, apply(lowering, node, "shape", index))
    return _store(lowering, base, index, value, node)


def lower_put_mask(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    base = atom(lowering, arguments.take(0, "a", Const(None)), node)
    mask, value = operand(lowering, arguments, 1, "mask"), operand(lowering, arguments, 2, "values")
    no_more(lowering, arguments)
    _require_mask(lowering, base, mask, node)
    if rank_of(value.type) not in (0, rank_of(base.type)):
        # NumPy repeats them, counted by the places of the array
        value = apply(lowering, node, "resize", value, apply(lowering, node, "shape", base))
    elif rank_of(value.type):
        _require_one_shape(lowering, base, value, node)
    if rank_of(value.type) != 0:
        value = lowering.assign(lowering.operation("getitem"), [value, mask], node)
    return _store(lowering, base, mask, value, node)


def lower_place(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.place(arr, mask, vals)`: the first values, in order, where the mask holds."""
    node = arguments.node
    base = atom(lowering, arguments.take(0, "arr", Const(None)), node)
    mask, values = operand(lowering, arguments, 1, "mask"), operand(lowering, arguments, 2, "vals")
    no_more(lowering, arguments)
    _require_mask(lowering, base, mask, node)
    count = apply(lowering, node, "count_nonzero", mask)
    return _store(lowering, base, mask, apply(lowering, node, "resize", values, count), node)


def lower_copy_to(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.copyto(dst, src, where=mask)`"""
    node = arguments.node
    base = atom(lowering, arguments.take(0, "dst", Const(None)), node)
    value = operand(lowering, arguments, 1, "src")
    mask = array_operand(lowering, arguments.keywords.pop("where", Const(True)), node)
    no_more(lowering, arguments)
    if mask == Const(True):
        return _store(lowering, base, Const(Ellipsis), value, node)
    _require_mask(lowering, base, mask, node)
    if rank_of(value.type) != 0:
        spread = apply(lowering, node, "broadcast_to", value, apply(lowering, node, "shape", base))
        value = lowering.assign(lowering.operation("getitem"), [spread, mask], node)
    return _store(lowering, base, mask, value, node)


def lower_fill_diagonal(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    base = atom(lowering, arguments.take(0, "a", Const(None)), node)
    value = operand(lowering, arguments, 1, "val")
    no_more(lowering, arguments)
    shape = shape_of(base.type)
    if shape is None or len(shape) < 2 or known_rank(lowering, value, node) > 1:
        raise unsupported(
            lowering,
            "`np.fill_diagonal` is supported for arrays of known rank, and a number or a vector",
            node,
            "write `a[np.arange(n), np.arange(n)] = values`",
        )
    if len(shape) > 2 or not scalar_like(value.type):
        return _store_at_diagonal(lowering, base, value, shape, node)
    dimension = lowering.operation("ndarray.shape[]")
    rows, columns = (lowering.assign(dimension, [base, Const(k)], node) for k in (0, 1))
    eye = apply(lowering, node, "eye", rows, columns)
    mask = lowering.assign(lowering.operation("=="), [eye, Const(1.0)], node)
    return _store(lowering, base, mask, value, node)


def _store_at_diagonal(
    lowering: Lowering, base: Atom, value: Atom, shape: Shape, node: cst.Call
) -> Value:
    """By the places of the diagonal: a vector has one number for each."""
    dimension = lowering.operation("ndarray.shape[]")
    count = lowering.assign(dimension, [base, Const(0)], node)
    if len(shape) == 2:
        columns = lowering.assign(dimension, [base, Const(1)], node)
        smaller = call_named(
            lowering, "builtins.min", Arguments([count, columns], {}, {}, node), ""
        )
        places = apply(lowering, node, "arange", smaller)
    else:
        places = apply(lowering, node, "arange", count)
        try:
            for size in shape[1:]:
                lowering.sizes.unify(shape[0], size)
        except TypeProblem as problem:
            help = "its axes need one length"
            raise lowering.refuse(problem.name, str(problem), node, help=help) from None
    index = index_value(lowering, tuple_of([places] * len(shape)), node)
    return _store(lowering, base, index, value, node)


def lower_put_along_axis(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    base = atom(lowering, arguments.take(0, "arr", Const(None)), node)
    indices = operand(lowering, arguments, 1, "indices")
    value = operand(lowering, arguments, 2, "values")
    axis = known(lowering, arguments.take(3, "axis", Const(-1)), "axis", node)
    no_more(lowering, arguments)
    rank = known_rank(lowering, base, node)
    if axis is None or known_rank(lowering, indices, node) != rank or not is_integer(indices.type):
        raise unsupported(
            lowering, "the indices need as many axes as the array", node, "give `axis`"
        )
    dimension = lowering.operation("ndarray.shape[]")
    parts: list[Value] = []
    for k in range(rank):
        if k == axis % rank:
            parts.append(indices)
            continue
        count = lowering.assign(dimension, [base, Const(k)], node)
        others = Const(tuple(j for j in range(rank) if j != k))
        line = apply(lowering, node, "arange", count)
        parts.append(apply(lowering, node, "expand_dims", line, others) if rank > 1 else line)
    return _store(lowering, base, index_value(lowering, tuple_of(parts), node), value, node)
