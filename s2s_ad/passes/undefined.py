"""Values that are not defined on every path, where they have to be something all the same: in what
is kept or saved.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from s2s_ad.ir import UNDEFINED, Assign, Atom, Block, Const, For, If, Statement, Var, While
from s2s_ad.passes.activity import carried_of
from s2s_ad.rewrite import all_statements, map_statement


def handed_to(body: Block, variables: Iterable[Var]) -> set[Var]:
    """The variables themselves and what loops and branches hand to them."""
    given: dict[Var, list[Atom]] = {}
    for statement in all_statements(body):
        if isinstance(statement, If):
            for target, *atoms in zip(
                statement.targets, statement.then.results, statement.orelse.results, strict=True
            ):
                given.setdefault(target, []).extend(atoms)
        elif not isinstance(statement, Assign):
            for target, first, parameter, following in carried_of(statement):
                for var in (target, parameter):
                    given.setdefault(var, []).extend((first, following))
    found, pending = set[Var](), list(variables)
    while pending:
        var = pending.pop()
        if var not in found:
            found.add(var)
            pending += [atom for atom in given.get(var, ()) if isinstance(atom, Var)]
    return found


def nothing_for_undefined(
    statements: tuple[Statement, ...], variables: Iterable[Var]
) -> tuple[Statement, ...]:
    """The statements with None for what the variables are where they are not defined."""
    body = Block((), statements, ())
    filled = handed_to(body, variables)

    def given(var: Var, atom: Atom) -> Atom:
        return Const(None) if atom == UNDEFINED and var in filled else atom

    def visit(statement: Statement) -> Statement:
        inner = map_statement(statement, lambda atom: atom, lambda var: var, block)
        if isinstance(inner, If):
            then, orelse = (
                replace(side, results=tuple(map(given, inner.targets, side.results)))
                for side in (inner.then, inner.orelse)
            )
            return replace(inner, then=then, orelse=orelse)
        if isinstance(inner, For | While):
            return replace(inner, initial=tuple(map(given, inner.targets, inner.initial)))
        return inner

    def block(block: Block) -> Block:
        return replace(block, statements=tuple(map(visit, block.statements)))

    return block(body).statements
