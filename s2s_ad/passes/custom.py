"""Calls with a derivative of the program's own: `custom_vjp`, `custom_jvp`, `on_adjoint`.

In reverse mode a call becomes, before the sweep, one that also gives the residuals; the sweep puts
the function for its adjoint in; and then the call gives way to the function that gives residuals.
In forward mode the function for its tangent takes its place. What no derivative has gone through
stays a call for the next one, until `settle_calls` puts what it computes there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from s2s_ad.diagnostics import refusal
from s2s_ad.frontend.rules import Contribution
from s2s_ad.inlining import copied, sizes_of_call
from s2s_ad.ir import Assign, Atom, Block, Const, Function, Statement, Var
from s2s_ad.operations.custom import STOP, Custom, CustomRule, forward_custom
from s2s_ad.operations.support import IDENTITY
from s2s_ad.passes.propagate_copies import replace_by_operand
from s2s_ad.rewrite import Builder, Names, all_statements, map_statement, with_body
from s2s_ad.types import Items, Sizes, is_float

if TYPE_CHECKING:
    from s2s_ad.passes.sweep import Sweep

Replacement = Callable[[Assign], list[Statement]]


def put(builder: Builder, function: Function, operands: Sequence[Atom]) -> list[Atom]:
    """Append the statements of a function for these operands, and give its results."""
    sizes = sizes_of_call(function, operands, builder.sizes)
    statements, results = copied(function, operands, builder.names, sizes, builder.role)
    builder.statements += statements
    return results


def rule_of(statement: Statement) -> CustomRule | None:
    """The rule of a call that no derivative has gone through."""
    custom = statement.op.custom if isinstance(statement, Assign) else None
    return custom.rule if isinstance(custom, Custom) else None


# Reverse mode -------------------------------------------------------------------------------------


def keep_residuals(function: Function, active: set[Var], names: Names) -> Function:
    """The function with calls that give residuals, where a derivative goes through."""

    def kept(statement: Assign) -> list[Statement]:
        rule = rule_of(statement)
        if rule is None or not active.intersection(statement.targets):
            return [statement]
        _check_operands(rule, statement, active)
        if rule.reverse is None:
            raise _one_way(rule, statement, "reverse", "`defvjp`")
        op = forward_custom(rule)
        types = op.infer(Sizes(), statement.operands)
        every = types.items if isinstance(types, Items) and op.results else (types,)
        more = tuple(names.temporary(type) for type in every[len(statement.targets) :])
        return [replace(statement, targets=(*statement.targets, *more), op=op)]

    return _replaced(function, kept)


def undo_custom(sweep: Sweep, statement: Assign) -> None:
    """Append what the program says the adjoint is."""
    custom = statement.op.custom
    assert isinstance(custom, Custom)
    rule, builder = custom.rule, sweep.builder
    assert rule.reverse is not None
    count = len(rule.primal.body.results)
    results, residuals = statement.targets[:count], statement.targets[count:]
    builder.span = statement.span
    given = [
        *(sweep.recall(residual) for residual in residuals),
        *(sweep.adjoint_or_zero(result) for result in results if is_float(result.type)),
        *(sweep.recall(operand) for operand in statement.operands),
    ]
    adjoints = put(builder, rule.reverse, given)
    for place, adjoint in zip(rule.moving, adjoints, strict=True):
        operand = statement.operands[place]
        if isinstance(operand, Var) and operand in sweep.active and adjoint != Const(None):
            value = sweep.fitted(adjoint, operand.type)
            if isinstance(value, Var):
                value = sweep.masked(statement, Contribution(operand.name, value), operand).value
            sweep.accumulate(operand, value)


def put_forward(function: Function, builder: Builder) -> Function:
    """The function with the statements of what gives the residuals, after the sweep."""

    def forward(statement: Assign) -> list[Statement]:
        custom = statement.op.custom
        if not (isinstance(custom, Custom) and custom.keeps_residuals):
            return [statement]
        assert custom.rule.forward is not None
        return _in_place_of(statement, custom.rule.forward, builder)

    return _replaced(function, forward)


# Forward mode -------------------------------------------------------------------------------------


def push_custom(
    builder: Builder, statement: Assign, tangents: Callable[[Atom], Atom], moves: set[Var]
) -> list[Atom]:
    """Append the call's results and their tangents; gives the tangents, for each float result."""
    rule = rule_of(statement)
    assert rule is not None
    _check_operands(rule, statement, moves)
    builder.span, role = statement.span, builder.role
    dots = [tangents(statement.operands[place]) for place in rule.moving]
    builder.role = "primal"  # the value is among what it computes
    count = len(statement.targets)
    if rule.tangent is not None:
        found = put(builder, rule.tangent, [*dots, *statement.operands])
    elif rule.turned is not None and rule.forward is not None and rule.reverse is not None:
        found = put(builder, rule.forward, statement.operands)
        given = zip(dots, rule.reverse.body.results, strict=True)
        seeds = [dot for dot, adjoint in given if adjoint != Const(None)]
        more = put(builder, rule.turned(), [*seeds, *found[count:], *statement.operands])
        found = [*found[:count], *more]
    else:
        raise _one_way(rule, statement, "forward", "`custom_jvp`")
    builder.role = role
    builder.statements += _identities(statement.targets, found[:count], statement)
    return found[count:]


# What is left -------------------------------------------------------------------------------------


def settle_calls(function: Function) -> Function:
    """What the calls compute takes their place, and values that carry no derivative become what
    they are.
    """
    sizes = Sizes.knowing(function.assumptions, 2_000_000)
    builder = Builder(Names.of(function), sizes)

    def settled(statement: Assign) -> list[Statement]:
        rule = rule_of(statement)
        if rule is None:
            return [statement]
        return _in_place_of(statement, rule.primal, builder)

    while any(rule_of(statement) is not None for statement in all_statements(function.body)):
        function = _replaced(function, settled)
    return replace_by_operand(function, STOP)


def _in_place_of(statement: Assign, function: Function, builder: Builder) -> list[Statement]:
    """The statements of a function, the results under the names of a statement's targets."""
    outer, builder.statements = builder.statements, []
    builder.span = statement.span
    results = put(builder, function, statement.operands)
    builder.statements += _identities(statement.targets, results, statement)
    made, builder.statements = builder.statements, outer
    return made


def _identities(
    targets: Sequence[Var], results: Sequence[Atom], statement: Assign
) -> list[Statement]:
    return [
        Assign((target,), IDENTITY, (result,), statement.span, statement.role)
        for target, result in zip(targets, results, strict=True)
    ]


def _replaced(function: Function, change: Replacement) -> Function:
    changed = False

    def visit(block: Block) -> Block:
        nonlocal changed
        statements: list[Statement] = []
        for statement in block.statements:
            if isinstance(statement, Assign):
                new = change(statement)
                changed = changed or new != [statement]
                statements += new
            else:
                statements.append(map_statement(statement, lambda a: a, lambda v: v, visit))
        return Block(block.parameters, tuple(statements), block.results)

    body = visit(function.body)
    return with_body(function, body) if changed else function


def _check_operands(rule: CustomRule, statement: Assign, active: set[Var]) -> None:
    """Refuse a derivative with respect to what the rule says nothing about."""
    for place, operand in enumerate(statement.operands):
        if place in rule.moving or operand not in active or rule.identity:
            continue
        assert isinstance(operand, Var)
        name = rule.primal.body.parameters[place].base_name
        where = "is not to be differentiated" if place < rule.count else "is read from around it"
        raise refusal(
            "custom-derivative",
            f"`{name}` {where} in `{rule.name}`, but a derivative with respect to it is needed",
            statement.span,
            "pass it as an argument that the rule gives an adjoint or tangent for",
        )


def _one_way(rule: CustomRule, statement: Assign, mode: str, other: str) -> Exception:
    return refusal(
        "custom-derivative",
        f"`{rule.name}` has no derivative in {mode} mode",
        statement.span,
        f"use the other mode, or state its derivative with {other}",
    )


__all__ = ["keep_residuals", "push_custom", "put", "put_forward", "settle_calls", "undo_custom"]
