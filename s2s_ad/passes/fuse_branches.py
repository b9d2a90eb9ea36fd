"""Makes one branch of two with the same test: that of the forward sweep and that which undoes it.

The second one, of the reverse sweep, is appended to the first where all between them can stand
before or behind both: nothing that the second needs depends on what the first gives. Then what the
first gives to the second only is local to a side, and its expressions are open to every rewriting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from s2s_ad.ir import (
    UNDEFINED,
    Assign,
    Atom,
    Block,
    Function,
    If,
    Statement,
    Var,
    blocks_of,
    operands_of,
)
from s2s_ad.passes.aliasing import variables_read
from s2s_ad.rewrite import all_statements, map_statement, substitute, with_body


def fuse_branches(function: Function) -> Function:
    """The function with such branches made one; itself where there are none."""
    body = _fused_block(function.body)
    return function if body is function.body else with_body(function, body)


def _fused_block(block: Block) -> Block:
    statements = [_fused_inside(statement) for statement in block.statements]
    changed = any(a is not b for a, b in zip(statements, block.statements, strict=True))
    place = 0
    while place < len(statements):
        fused = _fused_with_a_later_one(statements, place, block.results)
        if fused is None:
            place += 1
        else:
            statements, changed = fused, True
    return replace(block, statements=tuple(statements)) if changed else block


def _fused_inside(statement: Statement) -> Statement:
    if not blocks_of(statement):
        return statement
    changed = map_statement(statement, lambda atom: atom, lambda var: var, _fused_block)
    inner = zip(blocks_of(changed), blocks_of(statement), strict=True)
    return statement if all(new is old for new, old in inner) else changed


def _fused_with_a_later_one(
    statements: list[Statement], place: int, results: Sequence[Atom]
) -> list[Statement] | None:
    first = statements[place]
    if not isinstance(first, If) or not first.label:
        return None
    for later in range(place + 1, len(statements)):
        second = statements[later]
        if isinstance(second, If) and (second.undoes, second.test) == (first.label, first.test):
            between = _around(statements[place + 1 : later], first, second)
            if between is None:
                return None
            before, behind = between
            rest = [*behind, *statements[later + 1 :]]
            read: set[Atom] = set(results).union(*map(variables_read, rest))
            fused = _fused(first, second, read)
            if fused is None:
                return None
            return [*statements[:place], *before, fused, *rest]
    return None


def _around(
    between: Sequence[Statement], first: If, second: If
) -> tuple[list[Statement], list[Statement]] | None:
    """What goes before the two and what behind them; None if something has to stay between."""
    if any(_has_effect(statement) for statement in (*between, second)):
        return None
    given: set[Var] = set(first.targets)
    before: list[Statement] = []
    behind: list[Statement] = []
    for statement in between:
        if variables_read(statement) & given:
            given.update(statement.targets)
            behind.append(statement)
        else:
            before.append(statement)
    needed = variables_read(second)
    if any(needed.intersection(statement.targets) for statement in behind):
        return None
    return before, behind


def _has_effect(statement: Statement) -> bool:
    """Whether a statement, or one inside it, is there for what it does."""
    inner = [one for block in blocks_of(statement) for one in all_statements(block)]
    return any(isinstance(one, Assign) and one.op.effect for one in (statement, *inner))


def _fused(first: If, second: If, read: set[Atom]) -> If | None:
    """Both in one; of what the first gives, what is `read` behind both is still given."""
    kept = [k for k, target in enumerate(first.targets) if target in read]
    sides = []
    for one, two in zip(blocks_of(first), blocks_of(second), strict=True):
        values = dict(zip(first.targets, one.results, strict=True))
        appended = substitute(two, values)
        if any(UNDEFINED in operands_of(statement) for statement in all_statements(appended)):
            return None
        results = (*(one.results[k] for k in kept), *appended.results)
        sides.append(Block((), (*one.statements, *appended.statements), results))
    targets = (*(first.targets[k] for k in kept), *second.targets)
    return replace(first, targets=targets, then=sides[0], orelse=sides[1])
