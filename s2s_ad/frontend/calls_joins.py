"""Calls that join the parts of an array, however many there are, and `np.r_` and `np.c_`."""

from __future__ import annotations

import libcst as cst

from s2s_ad.frontend.arguments import Arguments, call_operation, no_more
from s2s_ad.frontend.calls_tools import (
    NOTHING,
    Function,
    apply,
    known,
    known_rank,
    operate,
    unsupported,
)
from s2s_ad.frontend.expressions import lower_expression
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import array_operand, atom
from s2s_ad.frontend.values import Value
from s2s_ad.ir import Atom, Const, Var, tuple_of
from s2s_ad.operations.arrays import RANGE
from s2s_ad.types import Array, dtype_of, is_numeric, rank_of


def joining(function: str) -> Function:
    """A function such as `np.vstack`: of an array with many rows, the rows are not taken apart."""

    def lower(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        first = arguments.take(0, "arrays", NOTHING) if arguments.positional else None
        if not isinstance(first, Var) or not _has_many_rows(lowering, first):
            op = lowering.operation(f"numpy.{function}")
            return call_operation(lowering, op, arguments, name)
        axis = 0
        if function in ("concatenate", "concat", "stack"):
            axis = known(lowering, arguments.take(1, "axis", Const(0)), "axis", arguments.node)
        no_more(lowering, arguments)
        return _joined(lowering, arguments.node, function, first, axis)

    return lower


def _has_many_rows(lowering: Lowering, x: Var) -> bool:
    """Whether it is an array of which it is not known how many rows it has."""
    if not isinstance(x.type, Array) or not x.type.shape:
        return False
    return lowering.sizes.resolve(x.type.shape[0]).constant is None


def _joined(lowering: Lowering, node: cst.Call, function: str, x: Atom, axis: int) -> Atom:
    """The parts `x[0], x[1], ...` joined, which is `x` with its first axis in another place."""
    rank = known_rank(lowering, x, node) - 1  # of a part
    if function == "stack":
        moved = apply(lowering, node, "moveaxis", x, Const(0), Const(axis))
        return operate(lowering, node, "copy", moved)
    if function in ("concatenate", "concat"):
        if rank == 0:
            raise lowering.refuse("shape-mismatch", "numbers cannot be joined", node)
        return _merged(lowering, node, x, axis % rank)
    new_axes = {  # where the parts have no axis to be joined along: how `x` gets it
        ("vstack", 0): (1,),
        ("vstack", 1): (),
        ("hstack", 0): (),
        ("column_stack", 0): (0,),
        ("dstack", 0): (0, 1),
    }
    if (function, rank) in new_axes:
        axes = new_axes[function, rank]
        spread = apply(lowering, node, "expand_dims", x, Const(axes)) if axes else x
        return operate(lowering, node, "copy", spread)
    if (function, rank) == ("column_stack", 1):
        return operate(lowering, node, "copy", apply(lowering, node, "transpose", x))
    if function == "dstack" and rank < 3:
        moved = apply(lowering, node, "moveaxis", x, Const(0), Const(-1))
        spread = apply(lowering, node, "expand_dims", moved, Const(0)) if rank == 1 else moved
        return operate(lowering, node, "copy", spread)
    place = {"vstack": 0, "hstack": 0 if rank == 1 else 1, "column_stack": 1, "dstack": 2}
    return _merged(lowering, node, x, place[function])


def _merged(lowering: Lowering, node: cst.Call, x: Atom, axis: int) -> Atom:
    """The parts of `x` joined along an axis of theirs."""
    moved = apply(lowering, node, "moveaxis", x, Const(0), Const(axis)) if axis else x
    dimension = lowering.operation("ndarray.shape[]")
    rank = known_rank(lowering, moved, node)
    sizes: list[Value] = [lowering.assign(dimension, [moved, Const(k)], node) for k in range(rank)]
    pair = [atom(lowering, size, node) for size in sizes[axis : axis + 2]]
    sizes[axis : axis + 2] = [lowering.assign(lowering.operation("*"), pair, node)]
    shaped = apply(lowering, node, "reshape", moved, tuple_of(sizes))
    return operate(lowering, node, "copy", shaped)


# np.r_ and np.c_ ----------------------------------------------------------------------------------


def lower_bracket_join(lowering: Lowering, columns: bool, node: cst.Subscript) -> Value:
    """`np.r_[a, b, 0:5]` joins along the first axis, `np.c_[a, b]` vectors as columns."""
    parts = [_part(lowering, element.slice, columns, node) for element in node.slice]
    if len({dtype_of(part.type) for part in parts}) > 1:
        raise unsupported(
            lowering,
            "the parts of `np.r_` and `np.c_` need one dtype",
            node,
            "write numbers as floats, or join arrays with `np.concatenate`",
        )
    axis = Const(-1 if columns else 0)
    return lowering.assign(lowering.operation("numpy.concatenate"), [*parts, axis], node)


def _part(lowering: Lowering, part: cst.BaseSlice, columns: bool, node: cst.CSTNode) -> Atom:
    """What stands between two commas, as an array that can be joined."""
    if isinstance(part, cst.Slice):
        x = _range(lowering, part, node)
    else:
        assert isinstance(part, cst.Index)
        x = array_operand(lowering, lower_expression(lowering, part.value), node)
        if not is_numeric(x.type):
            raise unsupported(
                lowering, "a directive is not supported here", node, "use `np.concatenate`"
            )
    rank = rank_of(x.type)
    if rank is None:
        raise lowering.refuse(
            "unknown-rank",
            "`np.r_` and `np.c_` need to know the ranks of the arrays",
            node,
            help="annotate the parameter with its shape, or give it with `--arg`",
        )
    wanted = 2 if columns else 1
    if rank >= wanted:
        return x
    new = tuple(range(rank, wanted))
    return lowering.assign(lowering.operation("numpy.expand_dims"), [x, Const(new)], node)


def _range(lowering: Lowering, part: cst.Slice, node: cst.CSTNode) -> Atom:
    """`start:stop:step` between the brackets is `np.arange(start, stop, step)`."""
    bounds = [
        default if bound is None else atom(lowering, lower_expression(lowering, bound), bound)
        for bound, default in (
            (part.lower, Const(0)),
            (part.upper, Const(None)),
            (part.step, Const(1)),
        )
    ]
    if bounds[1] == Const(None):
        raise unsupported(lowering, "a range here needs an end", node, "write `start:stop`")
    return lowering.assign(RANGE, bounds, node)


JOINS: dict[str, Function] = {
    function: joining(function)
    for function in ("concatenate", "concat", "vstack", "hstack", "column_stack", "dstack")
}
JOINS["row_stack"] = joining("vstack")
