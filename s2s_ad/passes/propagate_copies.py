"""Replaces names of names by what they name: `grad_b = grad_z` needs no line of its own."""

from __future__ import annotations

from s2s_ad.ir import Assign, Atom, Block, Function, Var
from s2s_ad.operations.support import IDENTITY
from s2s_ad.rewrite import substitute, with_body


def propagate_copies(function: Function) -> Function:
    values: dict[Var, Atom] = {}
    kept = []
    for statement in function.body.statements:
        if isinstance(statement, Assign) and statement.op is IDENTITY:
            values[statement.target] = statement.operands[0]
        else:
            kept.append(statement)
    if not values:
        return function
    body = Block(function.body.parameters, tuple(kept), function.body.results)
    return with_body(function, substitute(body, values))
