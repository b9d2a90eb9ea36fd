"""Calls of what gives its argument back, and means something to derivatives: `stop_gradient`,
`on_adjoint`; and `breakpoint`, which shows what a function has in its variables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from s2s_ad.frontend.arguments import Arguments, no_more
from s2s_ad.frontend.calls import call
from s2s_ad.frontend.calls_custom import Making
from s2s_ad.frontend.captures import Inside, capture
from s2s_ad.frontend.containers import container
from s2s_ad.frontend.custom_parts import NOBODY, adjoint_type, bad_rule, operands_in, with_signature
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import current
from s2s_ad.frontend.values import CustomFunction, Value
from s2s_ad.frontend.writes import now
from s2s_ad.ir import Const, Structure, Var
from s2s_ad.operations.custom import STOP, CustomRule, call_custom
from s2s_ad.operations.effects import BREAKPOINT
from s2s_ad.types import is_float


def stop_gradient(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`stop_gradient(x)`: the value, which carries no derivative."""
    node = arguments.node
    value = current(lowering, arguments.take(0, "x", Const(None)), node)
    no_more(lowering, arguments)

    def stopped(value: Value) -> Value:
        value = current(lowering, value, node)
        if isinstance(value, Structure):
            items = [stopped(item) for item in value.items]
            return container(lowering, value.kind, items, value.keys, value.constructor)
        if isinstance(value, Var) and is_float(value.type):
            return lowering.assign(STOP, [value], node)
        return value

    return stopped(value)


def on_adjoint(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`on_adjoint(x, function)`: the value; its adjoint goes through the function."""
    node = arguments.node
    value = current(lowering, arguments.take(0, "x", Const(None)), node)
    function = arguments.take(1, "function", Const(None))
    no_more(lowering, arguments)
    if not (isinstance(value, Var) and is_float(value.type)):
        if isinstance(value, Const):
            return value
        message = "code for an adjoint needs one number or array"
        raise bad_rule(lowering, message, node, "call `on_adjoint` for each of them")
    inside = Inside(lowering, node)
    grad = inside.argument(Var(value.name, adjoint_type(value.type)), f"grad_{value.name}", False)
    inside.argument(value, value.name, False)

    def changed() -> Value:
        found = call(lowering, function, Arguments([grad], {}, {}, node), "")
        found = current(lowering, found, node)
        making = Making(lowering, CustomFunction(function, (), None), NOBODY, {}, node)
        what = "what the function gives for the adjoint"
        if found == Const(None):
            return grad
        return making.fitting(found, value, what)

    captured = capture(lowering, "on_adjoint", node, inside, changed)
    _, inner, *outer = captured.function.body.parameters
    same = with_signature(captured.function, (inner, *outer), (inner,))
    same = replace(same, body=replace(same.body, statements=()))
    rule = CustomRule("on_adjoint", 1, (0,), same, same, captured.function, identity=True)
    return lowering.assign(call_custom(rule), [value, *outer], node, name)


def breakpoint_here(lowering: Lowering, arguments: Arguments, _: str) -> Value:
    """`breakpoint()`: what the function has in its variables is there for the debugger to show."""
    node = arguments.node
    found: dict[Var, None] = {}
    frame = lowering.frame
    parameters = frame.function.node.params
    own = {param.name.value for param in (*parameters.params, *parameters.kwonly_params)}
    for name in (name for name in frame.names if name in own | frame.locals):
        value = frame.names[name]
        if isinstance(value, Var | Structure):
            found.update(dict.fromkeys(now(lowering, var, node) for var in operands_in(value)))
    lowering.builder.span = lowering.span(node)
    lowering.effect(BREAKPOINT, list(found))
    return Const(None)


IDENTITIES: dict[str, Callable[[Lowering, Arguments, str], Value]] = {
    "s2s_ad.stop_gradient": stop_gradient,
    "s2s_ad.on_adjoint": on_adjoint,
    "builtins.breakpoint": breakpoint_here,
}

__all__ = ["IDENTITIES", "on_adjoint", "stop_gradient"]
