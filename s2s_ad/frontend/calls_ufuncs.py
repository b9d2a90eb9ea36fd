"""The methods of ufuncs that are loops: `accumulate`, `reduce`, `reduceat` and `at` of functions
that have none of their own in the catalogue, and `outer` of any.

NumPy applies those in `LOOPS` to one element after the other, so a loop gives its value to the last
bit; others it takes in pairs or several at a time. Empty arrays, for which some functions have a
neutral element, raise.
"""

from __future__ import annotations

from s2s_ad.frontend.arguments import Arguments, no_more
from s2s_ad.frontend.calls_tools import (
    NOTHING,
    Function,
    apply,
    known,
    known_rank,
    operand,
    unsupported,
)
from s2s_ad.frontend.definitions import expand
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import atom
from s2s_ad.frontend.values import Named, Value
from s2s_ad.ir import Atom, Const
from s2s_ad.operations import catalogue
from s2s_ad.operations.declare import ufunc_of
from s2s_ad.operations.result_types import normal_axes
from s2s_ad.types import is_float, is_integer

OF_PAIRS = tuple(
    name.removeprefix("numpy.")
    for name, op in sorted(catalogue().operations.items())
    if name.startswith("numpy.")
    and op.elementwise
    and (ufunc := ufunc_of(name)) is not None
    and ufunc.nin == 2
    and ufunc.nout == 1
)
"""The ufuncs of two operands."""
SELECTING = ("fmax", "fmin")
LOOPS = (*SELECTING, "subtract", "multiply", "divide", "maximum", "minimum", "logaddexp",
         "logaddexp2", "hypot")  # fmt: skip


def outer(function: str) -> Function:
    """`np.add.outer(a, b)`: a with as many axes more as b has, against b."""

    def lower(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        node = arguments.node
        a, b = (operand(lowering, arguments, k, key) for k, key in enumerate("AB"))
        no_more(lowering, arguments)
        rank = known_rank(lowering, b, node)
        spread = a
        if rank:
            places = tuple(range(-rank, 0))
            spread = apply(lowering, node, "expand_dims", a, Const(places))
        return apply(lowering, node, function, spread, b)

    return lower


def running(function: str) -> Function:
    """`np.logaddexp.accumulate(x, axis)`"""

    def lower(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        x, axis = _floats(lowering, arguments), _axis(lowering, arguments, 1)
        no_more(lowering, arguments)
        moved = _first(lowering, arguments, x, axis)
        result = expand(
            lowering, "accumulated", arguments.node, f=Named(f"numpy.{function}"), x=moved
        )
        return _back(lowering, arguments, result, axis)

    return lower


def reduced(function: str) -> Function:
    """`np.hypot.reduce(x, axis)`"""

    def lower(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        node = arguments.node
        x = _floats(lowering, arguments)
        axis = known(lowering, arguments.take(1, "axis", Const(0)), "axis", node)
        keepdims = known(lowering, arguments.take(4, "keepdims", Const(False)), "keepdims", node)
        no_more(lowering, arguments)
        if not isinstance(axis, int) and function not in SELECTING:
            message = f"`np.{function}.reduce` is supported along one axis"
            raise unsupported(lowering, message, node, "reduce one axis after the other")
        axes = normal_axes(axis, known_rank(lowering, x, node))
        f = Named(f"numpy.{function}")
        for place in sorted(axes, reverse=True):
            moved = _first(lowering, arguments, x, place)
            x = atom(lowering, expand(lowering, "reduced", node, f=f, x=moved), node)
        return apply(lowering, node, "expand_dims", x, Const(axes)) if keepdims else x

    return lower


def reduced_pieces(function: str) -> Function:
    """`np.maximum.reduceat(x, indices, axis)`"""

    def lower(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        node = arguments.node
        x, axis = _floats(lowering, arguments), _axis(lowering, arguments, 2)
        indices = operand(lowering, arguments, 1, "indices")
        no_more(lowering, arguments)
        _require_integers(lowering, arguments, indices)
        moved = _first(lowering, arguments, x, axis)
        f = Named(f"numpy.{function}")
        result = expand(lowering, "reduced_pieces", node, f=f, x=moved, indices=indices)
        return _back(lowering, arguments, result, axis)

    return lower


def changed_at(function: str) -> Function:
    """`np.maximum.at(x, indices, values)`, where every repeat of an index counts."""

    def lower(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        node = arguments.node
        x = atom(lowering, arguments.take(0, "a", NOTHING), node)
        indices = operand(lowering, arguments, 1, "indices")
        values = operand(lowering, arguments, 2, "b")
        no_more(lowering, arguments)
        _require_integers(lowering, arguments, indices)
        if known_rank(lowering, x, node) != 1 or known_rank(lowering, values, node) > 1:
            message = f"`np.{function}.at` is supported for vectors"
            raise unsupported(lowering, message, node, "write a loop over the indices")
        size = apply(lowering, node, "size", indices)
        spread = apply(lowering, node, "broadcast_to", values, size)
        f = Named(f"numpy.{function}")
        expand(lowering, "changed_at", node, f=f, x=x, indices=indices, values=spread)
        return NOTHING

    return lower


def _floats(lowering: Lowering, arguments: Arguments) -> Atom:
    x = operand(lowering, arguments, 0, "array")
    if not is_float(x.type) or not known_rank(lowering, x, arguments.node):
        message = f"`{lowering.code(arguments.node.func)}` is supported for arrays of floats"
        raise unsupported(lowering, message, arguments.node, "use `.astype(float)`")
    return x


def _axis(lowering: Lowering, arguments: Arguments, position: int) -> int:
    axis = known(lowering, arguments.take(position, "axis", Const(0)), "axis", arguments.node)
    if not isinstance(axis, int):
        raise unsupported(lowering, "`axis` has to be an integer", arguments.node, "give one")
    return axis


def _require_integers(lowering: Lowering, arguments: Arguments, indices: Atom) -> None:
    if not is_integer(indices.type) or known_rank(lowering, indices, arguments.node) != 1:
        message = f"`{lowering.code(arguments.node.func)}` needs a vector of integers as indices"
        raise unsupported(lowering, message, arguments.node, "write a loop over the indices")


def _first(lowering: Lowering, arguments: Arguments, x: Atom, axis: int) -> Atom:
    if axis == 0:
        return x
    return apply(lowering, arguments.node, "moveaxis", x, Const(axis), Const(0))


def _back(lowering: Lowering, arguments: Arguments, result: Value, axis: int) -> Value:
    if axis == 0:
        return result
    return apply(lowering, arguments.node, "moveaxis", result, Const(0), Const(axis))


METHODS = {
    "accumulate": running,
    "reduce": reduced,
    "reduceat": reduced_pieces,
    "at": changed_at,
}
UFUNCS: dict[str, Function] = {
    **{f"{name}.outer": outer(name) for name in (*OF_PAIRS, "true_divide", "mod")},
    **{
        f"{name}.{method}": make(name)
        for name in LOOPS
        for method, make in METHODS.items()
        if f"numpy.{name}.{method}" not in catalogue().operations
    },
}
"""Methods of ufuncs, without the name of the module."""
