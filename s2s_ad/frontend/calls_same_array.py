"""Functions that give their argument back, the array itself and no copy of it: what is written to
the result is written to the argument.

Most of them do so for some arguments only, as `np.diff(x, n=0)` does.
"""

from __future__ import annotations

from s2s_ad.frontend.arguments import Arguments, call_operation
from s2s_ad.frontend.calls_sums import lower_diff
from s2s_ad.frontend.calls_tools import Function
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.values import Value
from s2s_ad.ir import Const, Var
from s2s_ad.types import DTYPES, Array, is_complex


def _dtype(name: str, dtype: str) -> Function:
    """`np.float64(x)`: an array of that dtype stays itself."""

    def lower(lowering: Lowering, arguments: Arguments, target: str) -> Value:
        given = arguments.positional[0] if arguments.positional else None
        alone = len(arguments.positional) == 1 and not arguments.keywords
        type = given.type if isinstance(given, Var) else None
        same = getattr(type, "dtype", "") == dtype and getattr(type, "shape", None) != ()
        if alone and same and isinstance(given, Var):
            return given  # an array without axes becomes a number
        return call_operation(lowering, lowering.operation(f"numpy.{name}"), arguments, target)

    return lower


def _where_constant(position: int, key: str, value: int, function: Function) -> Function:
    """Where an argument has a value, the array itself; else what the function gives."""

    def lower(lowering: Lowering, arguments: Arguments, target: str) -> Value:
        given: Value | None = arguments.keywords.get(key)
        if given is None and len(arguments.positional) > position:
            given = arguments.positional[position]
        array = arguments.positional[0] if arguments.positional else None
        alone = len(arguments.positional) + len(arguments.keywords) == 2
        if alone and given == Const(value) and isinstance(array, Var):
            return array
        return function(lowering, arguments, target)

    return lower


def _operation(name: str) -> Function:
    def lower(lowering: Lowering, arguments: Arguments, target: str) -> Value:
        return call_operation(lowering, lowering.operation(name), arguments, target)

    return lower


def _real_if_close(lowering: Lowering, arguments: Arguments, target: str) -> Value:
    array = arguments.positional[0] if arguments.positional else None
    if isinstance(array, Var) and isinstance(array.type, Array) and not is_complex(array.type):
        return array
    return call_operation(lowering, lowering.operation("numpy.real_if_close"), arguments, target)


SAME_ARRAY: dict[str, Function] = {
    **{name: _dtype(name, dtype) for dtype, name in DTYPES.items() if name.startswith("float")},
    "real_if_close": _real_if_close,
    "diff": _where_constant(1, "n", 0, lower_diff),
    "linalg.matrix_power": _where_constant(1, "n", 1, _operation("numpy.linalg.matrix_power")),
}
