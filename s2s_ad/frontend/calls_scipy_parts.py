"""Calls of SciPy that are written out with the functions of NumPy that SciPy calls: matrices of one
pattern, simple statistics, trends.

`PARTS` at the end lists them by dotted name.
"""

from __future__ import annotations

from s2s_ad.frontend.arguments import Arguments, call_operation, no_more
from s2s_ad.frontend.calls_tools import (
    Function,
    apply,
    known,
    known_rank,
    operand,
    unsupported,
)
from s2s_ad.frontend.definitions import expand
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import static
from s2s_ad.frontend.values import Value
from s2s_ad.ir import Atom, Const
from s2s_ad.types import is_float


def _vectors(lowering: Lowering, arguments: Arguments, *keys: str) -> list[Atom]:
    """The arguments, which have to be vectors of floats."""
    found = [operand(lowering, arguments, place, key) for place, key in enumerate(keys)]
    for vector in found:
        if known_rank(lowering, vector, arguments.node) != 1 or not is_float(vector.type):
            spelled = lowering.code(arguments.node.func)
            message = f"`{spelled}` is supported for vectors of floats"
            raise unsupported(lowering, message, arguments.node, "call it for each vector")
    return found


def _pattern(definition: str, *keys: str) -> Function:
    """A matrix that a definition makes of vectors."""

    def lower(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        vectors = _vectors(lowering, arguments, *keys)
        no_more(lowering, arguments)
        names = dict(zip(keys, vectors, strict=True))
        return expand(lowering, definition, arguments.node, **names)

    return lower


def _convolution_matrix(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`scipy.linalg.convolution_matrix(a, n, mode)`"""
    node = arguments.node
    a = _vectors(lowering, arguments, "a")[0]
    n = arguments.take(1, "n", Const(None))
    mode = known(lowering, arguments.take(2, "mode", Const("full")), "mode", node)
    no_more(lowering, arguments)
    if mode not in ("full", "same", "valid"):
        raise unsupported(lowering, f"`mode` is {mode!r}", node, "one of full, same, valid")
    return expand(lowering, "convolution_matrix", node, a=a, n=n, mode=Const(mode))


def _standard_error(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    a = operand(lowering, arguments, 0, "a")
    axis = known(lowering, arguments.take(1, "axis", Const(0)), "axis", node)
    ddof = arguments.take(2, "ddof", Const(1))
    if arguments.keywords.get("nan_policy") == Const("propagate"):
        del arguments.keywords["nan_policy"]
    no_more(lowering, arguments)
    if axis is None:
        a, axis = apply(lowering, node, "ravel", a), 0
    return expand(lowering, "standard_error", node, a=a, axis=Const(axis), ddof=ddof)


def _trend(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`scipy.signal.detrend`: of a constant, by its mean; of a line, which is a projection."""
    kind = static(arguments.take(2, "type", Const("linear")))
    del arguments.positional[2:3]
    arguments.keywords.pop("type", None)
    if isinstance(arguments.keywords.get("overwrite_data"), Const):
        del arguments.keywords["overwrite_data"]
    if kind in (Const("linear"), Const("l")):
        return call_operation(lowering, lowering.operation("scipy.signal.detrend"), arguments, name)
    if kind not in (Const("constant"), Const("c")):
        raise unsupported(
            lowering, "`type` is not known", arguments.node, 'write "linear" or "constant"'
        )
    data = operand(lowering, arguments, 0, "data")
    axis = arguments.take(1, "axis", Const(-1))
    no_more(lowering, arguments)
    return expand(lowering, "detrend_constant", arguments.node, data=data, axis=axis)


PARTS: dict[str, Function] = {
    "scipy.linalg.companion": _pattern("companion", "a"),
    "scipy.linalg.fiedler": _pattern("fiedler", "a"),
    "scipy.linalg.fiedler_companion": _pattern("fiedler_companion", "a"),
    "scipy.linalg.convolution_matrix": _convolution_matrix,
    "scipy.linalg.leslie": _pattern("leslie", "f", "s"),
    "scipy.stats.sem": _standard_error,
    "scipy.signal.detrend": _trend,
}
"""Functions by dotted name."""
