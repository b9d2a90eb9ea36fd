"""Drops statements whose values nobody reads; statements with effects stay."""

from __future__ import annotations

from s2s_ad.ir import Assign, Block, Function, Statement, Var, operands_of
from s2s_ad.rewrite import with_body


def remove_dead_code(function: Function) -> Function:
    needed = {atom for atom in function.body.results if isinstance(atom, Var)}
    kept: list[Statement] = []
    for statement in reversed(function.body.statements):
        has_effect = isinstance(statement, Assign) and statement.op.effect
        if has_effect or any(target in needed for target in statement.targets):
            kept.append(statement)
            needed.update(atom for atom in operands_of(statement) if isinstance(atom, Var))
    if len(kept) == len(function.body.statements):
        return function
    return with_body(
        function, Block(function.body.parameters, tuple(reversed(kept)), function.body.results)
    )
