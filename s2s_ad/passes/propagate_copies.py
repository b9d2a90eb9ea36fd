"""Replaces names of names by what they name: `grad_b = grad_z` needs no line of its own.

An unnamed value takes the name that the user's program gives it (`grad_Y = v3` makes v3 `grad_Y`).
"""

from __future__ import annotations

from s2s_ad.ir import Assign, Atom, Block, Function, Operation, Statement, Var
from s2s_ad.operations.support import IDENTITY
from s2s_ad.rewrite import Names, map_statement, rename_variables, substitute, with_body


def propagate_copies(function: Function) -> Function:
    return replace_by_operand(function, IDENTITY)


def replace_by_operand(function: Function, op: Operation) -> Function:
    """Every result of `op` is replaced by its operand, which may take over the name."""
    values: dict[Var, Atom] = {}
    better: dict[Var, Var] = {}
    names = Names.of(function)

    def visit(block: Block) -> Block:
        kept: list[Statement] = []
        for statement in block.statements:
            if not isinstance(statement, Assign):
                kept.append(map_statement(statement, lambda atom: atom, lambda var: var, visit))
            elif statement.op is not op:
                kept.append(statement)
            else:
                source = statement.operands[0]
                if isinstance(source, Var):
                    source = values.get(source, source)  # which is no name of a name itself
                values[statement.target] = source
                if prefers_name(source, statement.target) and source not in better:
                    assert isinstance(source, Var)
                    better[source] = names.fresh(statement.target.name, source.type)
        return Block(block.parameters, tuple(kept), block.results)

    body = visit(function.body)
    if not values:
        return function
    return rename_variables(with_body(function, substitute(body, values)), better)


def prefers_name(source: Atom, target: Var) -> bool:
    """Whether an unnamed value had better be called as the user's program calls it."""
    return isinstance(source, Var) and source.is_temporary and not target.is_temporary
