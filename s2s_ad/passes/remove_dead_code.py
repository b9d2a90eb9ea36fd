"""Drops statements whose values nobody reads, and what loops and branches hand on to nobody;
statements with effects stay.

What is recalled counts as read, wherever it was computed.
"""

from __future__ import annotations

from dataclasses import replace

from s2s_ad.ir import (
    Assign,
    Atom,
    Block,
    For,
    Function,
    If,
    Statement,
    Var,
    While,
    blocks_of,
)
from s2s_ad.rewrite import all_variables, with_body


def remove_dead_code(function: Function) -> Function:
    needed: set[Var] = set()
    body = _prune(function.body, needed)
    return function if body is function.body else with_body(function, body)


def _prune(block: Block, needed: set[Var]) -> Block:
    """The block with what its results, its effects and recalls from elsewhere need."""
    _need(block.results, needed)
    kept: list[Statement] = []
    for statement in reversed(block.statements):
        pruned = _pruned(statement, needed)
        if pruned is not None:
            kept.append(pruned)
    kept.reverse()
    same = len(kept) == len(block.statements) and all(
        new is old for new, old in zip(kept, block.statements, strict=True)
    )
    return block if same else Block(block.parameters, tuple(kept), block.results)


def _need(atoms: tuple[Atom, ...], needed: set[Var]) -> None:
    needed.update(atom for atom in atoms if isinstance(atom, Var))


def _pruned(statement: Statement, needed: set[Var]) -> Statement | None:
    if isinstance(statement, Assign):
        if not (statement.op.effect or any(target in needed for target in statement.targets)):
            return None
        _need(statement.operands, needed)
        return statement
    if not (
        has_effects(statement)
        or any(target in needed for target in statement.targets)
        or any(var in needed for block in blocks_of(statement) for var in all_variables(block))
    ):
        return None
    if isinstance(statement, If):
        return _pruned_if(statement, needed)
    return _pruned_loop(statement, needed)


def has_effects(statement: Statement) -> bool:
    """Whether something in it is there for what it does."""
    if isinstance(statement, Assign):
        return statement.op.effect
    return any(has_effects(inner) for block in blocks_of(statement) for inner in block.statements)


def _pruned_if(statement: If, needed: set[Var]) -> If:
    chosen = [k for k, target in enumerate(statement.targets) if target in needed]
    pruned = [
        _prune(_with_results(block, chosen), needed) for block in (statement.then, statement.orelse)
    ]
    _need((statement.test,), needed)
    if (
        len(chosen) == len(statement.targets)
        and pruned[0] is statement.then
        and pruned[1] is statement.orelse
    ):
        return statement
    targets = tuple(statement.targets[k] for k in chosen)
    return replace(statement, targets=targets, then=pruned[0], orelse=pruned[1])


def _with_results(block: Block, chosen: list[int], parameters: list[int] | None = None) -> Block:
    """The block with some of its results, and if they are given with some of its parameters."""
    results = tuple(block.results[k] for k in chosen)
    taken = block.parameters
    if parameters is not None:
        taken = tuple(block.parameters[k] for k in parameters)
    if results == block.results and taken == block.parameters:
        return block
    return Block(taken, block.statements, results)


def _pruned_loop(loop: For | While, needed: set[Var]) -> For | While:
    """The loop without the carried values that neither its targets nor its other values need."""
    body = loop.body
    offset = 1 if isinstance(loop, For) else 0
    count = len(loop.targets)
    stop = [count] if loop.stops else []
    slots = {k for k, target in enumerate(loop.targets) if target in needed}
    while True:
        inside = set(needed)
        chosen = sorted(slots)
        pruned = _prune(_with_results(body, chosen + stop), inside)
        test = _prune(loop.test, inside) if isinstance(loop, While) else None
        parameters = [body.parameters[offset + k] for k in range(count)]
        read = {k for k, parameter in enumerate(parameters) if parameter in inside}
        if isinstance(loop, While):
            read |= {k for k, parameter in enumerate(loop.test.parameters) if parameter in inside}
        if read <= slots:
            break
        slots |= read
    needed |= inside
    _need(tuple(loop.initial[k] for k in chosen), needed)
    if isinstance(loop, For):
        _need(loop.trip, needed)
    if len(chosen) == count and pruned is body and (test is None or test is _test_of(loop)):
        return loop
    places = [*range(offset), *(offset + k for k in chosen)]
    pruned = Block(tuple(body.parameters[k] for k in places), pruned.statements, pruned.results)
    changed = replace(
        loop,
        targets=tuple(loop.targets[k] for k in chosen),
        initial=tuple(loop.initial[k] for k in chosen),
        body=pruned,
    )
    if isinstance(changed, While) and test is not None:
        kept = tuple(test.parameters[k] for k in chosen)
        changed = replace(changed, test=Block(kept, test.statements, test.results))
    return changed


def _test_of(loop: For | While) -> Block | None:
    return loop.test if isinstance(loop, While) else None


__all__ = ["has_effects", "remove_dead_code"]
