"""Calls whose derivative the program states itself: `custom_vjp`, `custom_jvp`, `on_adjoint`; and
`stop_gradient`, which has none.

Such a call is one statement until it has been differentiated; then functions of its `CustomRule`
take its place (`passes/custom.py`), so that further derivatives go through those. All of them take
the operands of the call: the arguments, and behind them what is read from around.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from s2s_ad.inlining import sizes_of_call
from s2s_ad.interpret import run_block
from s2s_ad.ir import Atom, Function, Operation
from s2s_ad.operations.declare import Catalogue
from s2s_ad.types import Items, Sizes, Type

CATALOGUE = Catalogue()


@dataclass(eq=False)
class CustomRule:
    """What a call computes, and its derivative. The functions are there once they are lowered."""

    name: str
    count: int  # of the operands that are arguments; those behind are read from around
    moving: tuple[int, ...]  # the places of the arguments that have a derivative
    primal: Function  # operands -> results
    forward: Function | None = None  # operands -> results, residuals
    reverse: Function | None = None  # residuals, adjoints of results, operands -> adjoints
    tangent: Function | None = None  # tangents of those that move, operands -> results, tangents
    # tangents of those that move, residuals, operands -> tangents of results; made when needed
    turned: Callable[[], Function] | None = None
    identity: bool = False  # whether the result is the first operand itself
    effect: bool = False


@dataclass(frozen=True, eq=False)
class Custom:
    """What an operation says about its rule: whether it also gives the residuals."""

    rule: CustomRule
    keeps_residuals: bool = False


def call_custom(rule: CustomRule) -> Operation:
    """The operation of a call."""
    results = rule.primal.body.results
    return _operation(rule, results, rule.primal, Custom(rule))


def forward_custom(rule: CustomRule) -> Operation:
    """The same call, which also gives what the reverse sweep needs."""
    assert rule.forward is not None
    return _operation(rule, rule.forward.body.results, rule.forward, Custom(rule, True))


def _operation(
    rule: CustomRule, results: Sequence[Atom], function: Function, custom: Custom
) -> Operation:
    count = len(results)

    def infer(sizes: Sizes, operands: Sequence[Atom]) -> Type:
        known = sizes_of_call(function, operands, sizes)
        types = tuple(known.resolve_type(result.type) for result in function.body.results)
        return types[0] if count == 1 else Items(types)

    def evaluate(*operands: Any) -> Any:
        values = run_block(function.body, operands, {})
        return values[0] if count == 1 else tuple(values)

    return Operation(
        name=f"custom.{rule.name}",
        parameters=("x", "*outer") if rule.identity else ("*arguments",),
        evaluate=evaluate,
        infer=infer,
        call=rule.name,
        results=tuple(f"out{k}" for k in range(count)) if count > 1 else (),
        view_of="x" if rule.identity else "",
        effect=rule.effect,
        custom=custom,
    )


STOP: Operation = CATALOGUE.operation(
    "out = stop_gradient(x)",
    infer=lambda _, operands: operands[0].type,
    evaluate=lambda x: x,
    constant=True,
    view_of="x",
)
