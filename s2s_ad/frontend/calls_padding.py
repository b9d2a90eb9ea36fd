"""`np.pad` in the modes that compute what they pad with: a statistic of an axis, or a ramp.

NumPy pads one axis after the other, so that the corners are statistics of statistics. Each step is
written out with the functions that NumPy calls, and the derivatives are theirs. The modes that only
pick elements are one operation (`operations/padding.py`).
"""

from __future__ import annotations

from typing import Any

import libcst as cst

from s2s_ad.frontend.arguments import Arguments, call_operation, no_more
from s2s_ad.frontend.calls_tools import (
    NOTHING,
    Function,
    along,
    apply,
    known,
    known_rank,
    operand,
    unsupported,
)
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import array_operand, static
from s2s_ad.frontend.values import Value
from s2s_ad.ir import Atom, Const, Structure, tuple_of
from s2s_ad.operations.padding import pad_widths
from s2s_ad.types import TypeProblem, is_float

STATISTICS = {"maximum": "max", "minimum": "min", "mean": "mean", "median": "median"}
RAMP = "linear_ramp"
Pair = tuple[Any, Any]


def lower_pad(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    mode = static(arguments.positional[2] if len(arguments.positional) > 2 else _mode(arguments))
    chosen = None if mode is None else mode.value
    if chosen == "empty":
        message = "the elements that `np.pad` adds in the mode `empty` have no value"
        raise unsupported(lowering, message, node, 'write `mode="constant"`')
    if chosen not in (*STATISTICS, RAMP):
        return call_operation(lowering, lowering.operation("numpy.pad"), arguments, name)
    x = operand(lowering, arguments, 0, "array")
    width = known(lowering, arguments.take(1, "pad_width", NOTHING), "pad_width", node)
    arguments.take(2, "mode", NOTHING)
    rank = known_rank(lowering, x, node)
    key = "end_values" if chosen == RAMP else "stat_length"
    given = arguments.keywords.pop(key, Const(0) if chosen == RAMP else NOTHING)
    no_more(lowering, arguments)
    if not is_float(x.type):
        message = f"`np.pad` rounds integers in the mode `{chosen}`"
        raise lowering.refuse("unsupported-dtype", message, node, help="use `.astype(float)`")
    try:
        widths = pad_widths((x, Const(width)))
    except TypeProblem as problem:
        raise lowering.refuse(problem.name, str(problem), node, help=problem.help) from None
    for axis, (pair, option) in enumerate(
        zip(widths, _pairs(lowering, given, rank, key, node), strict=True)
    ):
        parts = _padding(lowering, x, axis, chosen, pair, option, node)
        x = apply(lowering, node, "concatenate", tuple_of(parts), axis=Const(axis))
    return x


def _mode(arguments: Arguments) -> Value:
    return arguments.keywords.get("mode", Const("constant"))


def _pairs(
    lowering: Lowering, given: Value, rank: int, what: str, node: cst.Call
) -> list[tuple[Value, Value]]:
    """An option for both ends of each axis: one for all, a pair for all, or a pair for each."""
    if isinstance(given, Const) and isinstance(given.value, tuple):
        given = _spread(given.value)
    if not isinstance(given, Structure):
        return [(given, given)] * rank
    items = list(given.items)
    if not any(isinstance(item, Structure) for item in items):
        if len(items) in (1, 2):
            return [(items[0], items[-1])] * rank
    elif all(isinstance(item, Structure) and len(item.items) in (1, 2) for item in items):
        pairs = [(item.items[0], item.items[-1]) for item in items]
        if len(pairs) in (1, rank):
            return pairs * rank if len(pairs) == 1 else pairs
    message = f"`{what}` is a number, a pair, or a pair for each axis"
    raise unsupported(lowering, message, node, "write out the pairs")


def _spread(values: Any) -> Any:
    """A tuple of constants as a structure of them."""
    if isinstance(values, tuple | list):
        return tuple_of([_spread(value) for value in values])
    return Const(values)


def _padding(
    lowering: Lowering,
    x: Atom,
    axis: int,
    mode: str,
    widths: Pair,
    options: tuple[Value, Value],
    node: cst.Call,
) -> list[Value]:
    """What stands before an array along an axis, the array, and what stands after it."""
    parts: list[Value] = [x]
    for width, option, is_last in zip(widths, options, (False, True), strict=True):
        if width == 0:
            continue
        make = _ramp if mode == RAMP else _statistic
        part = make(lowering, x, axis, mode, width, option, is_last, node)
        parts = [*parts, part] if is_last else [part, *parts]
    return parts


def _statistic(
    lowering: Lowering,
    x: Atom,
    axis: int,
    mode: str,
    width: int,
    length: Value,
    is_last: bool,
    node: cst.Call,
) -> Atom:
    count = known(lowering, length, "stat_length", node)
    if count == 0:
        raise unsupported(lowering, "`stat_length` is 0", node, "give 1 or more")
    if count is not None:
        part = slice(-count, None) if is_last else slice(None, count)
        x = lowering.assign(lowering.operation("getitem"), [x, along(axis, part)], node)
    function = STATISTICS[mode]
    value = apply(lowering, node, function, x, axis=Const(axis), keepdims=Const(True))
    if width == 1:
        return value
    return apply(lowering, node, "repeat", value, Const(width), axis=Const(axis))


def _ramp(
    lowering: Lowering,
    x: Atom,
    axis: int,
    mode: str,
    width: int,
    end: Value,
    is_last: bool,
    node: cst.Call,
) -> Atom:
    getitem = lowering.operation("getitem")
    edge = lowering.assign(getitem, [x, along(axis, -1 if is_last else 0)], node)
    start = array_operand(lowering, end, node)
    ramp = apply(lowering, node, "linspace", start, edge, num=Const(width), endpoint=Const(False))
    if is_last:
        ramp = apply(lowering, node, "flip", ramp, axis=Const(0))
    if axis:
        ramp = apply(lowering, node, "moveaxis", ramp, Const(0), Const(axis))
    return ramp


PADDING: dict[str, Function] = {"pad": lower_pad}
