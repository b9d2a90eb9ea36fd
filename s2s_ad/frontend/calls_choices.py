"""Calls of NumPy that choose between values."""

from __future__ import annotations

from s2s_ad.frontend.arguments import Arguments, call_operation, members, no_more
from s2s_ad.frontend.calls import call
from s2s_ad.frontend.calls_tools import (
    known_rank,
    operand,
    operate,
    unsupported,
)
from s2s_ad.frontend.definitions import expand
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import array_operand
from s2s_ad.frontend.values import Value
from s2s_ad.ir import Atom, Const, Var, tuple_of
from s2s_ad.types import (
    Array,
    is_boolean,
    is_float,
    rank_of,
)

# Choices ------------------------------------------------------------------------------------------


def lower_where(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """With one argument, the indices of what is not zero."""
    if len(arguments.positional) == 1 and not arguments.keywords:
        return lower_nonzero(lowering, arguments, name)
    return call_operation(lowering, lowering.operation("numpy.where"), arguments, name)


def lower_nonzero(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    x = operand(lowering, arguments, 0, "a")
    no_more(lowering, arguments)
    rank = known_rank(lowering, x, arguments.node)
    if rank == 0:
        raise unsupported(lowering, "a number has no indices", arguments.node, "compare it instead")
    return tuple_of(
        [operate(lowering, arguments.node, "nonzero[]", x, Const(k)) for k in range(rank)]
    )


def lower_select(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.where` in `np.where`, the first condition outermost."""
    node = arguments.node
    conditions = members(lowering, arguments.take(0, "condlist", Const(None)), node)
    choices = members(lowering, arguments.take(1, "choicelist", Const(None)), node)
    result: Atom = operand(lowering, arguments, 2, "default", Const(0))
    no_more(lowering, arguments)
    if len(conditions) != len(choices):
        raise lowering.refuse("bad-call", "`np.select` needs as many choices as conditions", node)
    for condition, choice in zip(reversed(conditions), reversed(choices), strict=True):
        result = operate(
            lowering,
            node,
            "where",
            array_operand(lowering, condition, node),
            array_operand(lowering, choice, node),
            result,
        )
    return result


def lower_piecewise(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """Each function of the elements where its condition holds, stored there."""
    node = arguments.node
    x = operand(lowering, arguments, 0, "x")
    conditions = [
        array_operand(lowering, item, node)
        for item in members(lowering, arguments.take(1, "condlist", Const(None)), node)
    ]
    functions = list(members(lowering, arguments.take(2, "funclist", Const(None)), node))
    no_more(lowering, arguments)
    if not isinstance(x.type, Array) or not is_float(x.type) or rank_of(x.type) in (0, None):
        raise unsupported(
            lowering, "`np.piecewise` is supported for arrays of floats", node, "use `np.where`"
        )
    if len(functions) == len(conditions) + 1:
        any_other = conditions[0]
        for condition in conditions[1:]:
            any_other = operate(lowering, node, "logical_or", any_other, condition)
        conditions.append(operate(lowering, node, "logical_not", any_other))
    if len(functions) != len(conditions):
        raise lowering.refuse("bad-call", "`np.piecewise` needs a function a condition", node)
    result: Atom = operate(lowering, node, "zeros_like", x, Const(None))
    for condition, function in zip(conditions, functions, strict=True):
        if not is_boolean(condition.type):
            raise unsupported(lowering, "a condition has to be boolean", node, "compare something")
        value: Value = function
        if not isinstance(function, Var | Const):
            picked = lowering.assign(lowering.operation("getitem"), [x, condition], node)
            value = call(lowering, function, Arguments([picked], {}, {}, node), "")
        stored = array_operand(lowering, value, node)
        result = lowering.assign(lowering.operation("setitem"), [result, condition, stored], node)
    return result


def lower_choose(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.choose(a, choices)`: the choice that each element of a names."""
    node = arguments.node
    a = operand(lowering, arguments, 0, "a")
    choices = members(lowering, arguments.take(1, "choices", Const(None)), node)
    no_more(lowering, arguments)
    operands = [array_operand(lowering, item, node) for item in choices]
    return lowering.assign(lowering.operation("numpy.choose"), [a, *operands], node, name)


def lower_clip(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """Either bound may be missing or None, and is called `min` or `max` too."""
    x = operand(lowering, arguments, 0, "a")
    lower = arguments.take(1, "a_min", arguments.keywords.pop("min", Const(None)))
    upper = arguments.take(2, "a_max", arguments.keywords.pop("max", Const(None)))
    no_more(lowering, arguments)
    bounds = [array_operand(lowering, bound, arguments.node) for bound in (lower, upper)]
    clip = lowering.operation("numpy.clip")
    return lowering.assign(clip, [x, *bounds], arguments.node, name)


def lower_interpolation(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """With `period=`, of points and knots that are brought into one period."""
    period = arguments.keywords.pop("period", arguments.take(5, "period", Const(None)))
    if period == Const(None):
        return call_operation(lowering, lowering.operation("numpy.interp"), arguments, name)
    x, knots, values = (
        operand(lowering, arguments, k, key) for k, key in enumerate(("x", "xp", "fp"))
    )
    for unused in ("left", "right"):
        arguments.keywords.pop(unused, None)
    no_more(lowering, arguments)
    node = arguments.node
    length = array_operand(lowering, period, node)
    return expand(lowering, "interp_periodic", node, x=x, xp=knots, fp=values, period=length)
