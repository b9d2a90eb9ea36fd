"""Sums of adjoints that can be made in place: `grad_x = grad_x + v` becomes an update.

Only where the sum has the type of what is added to, which is not read any more, and where that is
an array that is built up: carried by a loop, given by a branch, or updated before. Whether its
memory may be written is for `place_copies` to say, which takes the update back where not.
"""

from __future__ import annotations

from s2s_ad.ir import Assign, Block, For, Function, Statement, Var, While
from s2s_ad.operations import catalogue
from s2s_ad.operations.support import ADD_IN_PLACE
from s2s_ad.passes.aliasing import live_after
from s2s_ad.rewrite import all_statements, map_statement, with_body
from s2s_ad.types import Array

SUM = "+"


def accumulate(function: Function) -> Function:
    """The function with updates in place of such sums; itself where there are none."""
    built = _built_up(function)
    candidates = {
        id(statement)
        for statement in all_statements(function.body)
        if isinstance(statement, Assign) and _may_add_in_place(statement, built)
    }
    if not candidates:
        return function
    live = live_after(function, candidates)

    def changed(statement: Statement) -> Statement:
        if id(statement) in candidates:
            assert isinstance(statement, Assign)
            if statement.operands[0] not in live[id(statement)]:
                return Assign(
                    statement.targets,
                    ADD_IN_PLACE,
                    statement.operands,
                    statement.span,
                    statement.role,
                )
        return map_statement(statement, lambda atom: atom, lambda var: var, inside)

    def inside(block: Block) -> Block:
        return Block(block.parameters, tuple(map(changed, block.statements)), block.results)

    return with_body(function, inside(function.body))


def plain_sum(statement: Assign) -> Assign:
    """The sum that an update stands for."""
    return Assign(
        statement.targets,
        catalogue().operations[SUM],
        statement.operands,
        statement.span,
        statement.role,
    )


def _may_add_in_place(statement: Assign, built: set[Var]) -> bool:
    if statement.op.name != SUM or statement.role != "adjoint":
        return False
    first, second = statement.operands
    return (
        isinstance(first, Var)
        and first in built
        and first != second
        and isinstance(first.type, Array)
        and first.type.shape is not None
        and first.type == statement.target.type
        and first.name == statement.target.name
    )


def _built_up(function: Function) -> set[Var]:
    """Arrays that loops carry, branches give and updates make."""
    built: set[Var] = set()
    for statement in all_statements(function.body):
        if not isinstance(statement, Assign):
            built.update(statement.targets)
            if isinstance(statement, For | While):
                built.update(statement.body.parameters)
        elif statement.op.update or _may_add_in_place(statement, built):
            built.update(statement.targets)
    return built
