"""Simplifies what loops and branches hand on: a value that no trip changes is not carried, one
under two names is carried once, a branch that is known is taken.
"""

from __future__ import annotations

from dataclasses import replace

from s2s_ad.ir import (
    UNDEFINED,
    Assign,
    Atom,
    Block,
    Const,
    For,
    Function,
    If,
    Statement,
    Var,
    While,
    blocks_of,
)
from s2s_ad.operations.support import RECALL
from s2s_ad.passes.activity import carried_of
from s2s_ad.rewrite import all_statements, count_uses, map_statement, substitute, with_body
from s2s_ad.types import Number, Type, is_scalar_float


def simplify_blocks(function: Function) -> Function:
    """Works once through all blocks; `clean_up` repeats it until nothing changes."""
    if all(isinstance(statement, Assign) for statement in function.body.statements):
        return function
    simplifier = _Simplifier(saved=not _recalls(function.body))
    body = simplifier.block(function.body)
    if not (simplifier.values or simplifier.changed):
        return function
    return with_body(function, substitute(body, simplifier.values))


MINUS = Const(-1)


class _Simplifier:
    def __init__(self, saved: bool) -> None:
        self.saved = saved  # whether what comes from the forward sweep has been settled
        self.values: dict[Var, Atom] = {}
        self.changed = False
        self.made: dict[Atom, Assign] = {}

    def block(self, block: Block) -> Block:
        kept: list[Statement] = []
        for statement in block.statements:
            kept += self.statement(statement)
        return Block(block.parameters, tuple(kept), block.results)

    def statement(self, statement: Statement) -> list[Statement]:
        if isinstance(statement, Assign):
            self.made.update(dict.fromkeys(statement.targets, statement))
            return [statement]
        inner = map_statement(statement, lambda atom: atom, lambda var: var, self.block)
        if isinstance(inner, If):
            return self.branch(inner)
        assert isinstance(inner, For | While)
        return [self.from_zero(self.loop(inner))]

    def from_zero(self, loop: For | While) -> For | While:
        """A loop from the last trip to the first that does not ask which it is counts from 0.

        Not before it is known what a trip takes from the forward sweep, and which writes it undoes.
        """
        if (
            not self.saved
            or not isinstance(loop, For)
            or loop.role == "primal"
            or loop.trip[1:] != (MINUS, MINUS)
        ):
            return loop
        last, index = loop.trip[0], loop.body.parameters[0]
        made = self.made.get(last)
        if made is None or made.op.name != "-" or made.operands[1] != Const(1):
            return loop
        if index in count_uses(loop.body):
            return loop
        self.changed = True
        return replace(loop, trip=(Const(0), made.operands[0], Const(1)))

    def branch(self, statement: If) -> list[Statement]:
        if isinstance(statement.test, Const):
            taken = statement.then if statement.test.value else statement.orelse
            if UNDEFINED not in taken.results:
                self.changed = True
                self.values.update(zip(statement.targets, taken.results, strict=True))
                return list(taken.statements)
        same: list[int] = []
        for k, target in enumerate(statement.targets):
            given = statement.then.results[k]
            if (
                given == statement.orelse.results[k] != UNDEFINED
                and not _defines(statement, given)
                and _stands_for(given, target, statement.role)
            ):
                self.values[target] = given
                same.append(k)
        if not same:
            return [statement]
        left = [k for k in range(len(statement.targets)) if k not in same]
        blocks = [
            Block((), block.statements, tuple(block.results[k] for k in left))
            for block in (statement.then, statement.orelse)
        ]
        targets = tuple(statement.targets[k] for k in left)
        return [replace(statement, targets=targets, then=blocks[0], orelse=blocks[1])]

    def loop(self, loop: For | While) -> For | While:
        """The loop without the carried values that stay what they were, or are what another is."""
        same: list[int] = []
        firsts: dict[tuple[Atom, Type, Atom, Type], int] = {}
        for k, (target, initial, parameter, following) in enumerate(carried_of(loop)):
            unchanged = following in (parameter, initial) and initial != UNDEFINED
            first = firsts.setdefault((initial, initial.type, following, target.type), k)
            if unchanged and _stands_for(initial, parameter, loop.role):
                slot: tuple[Atom, ...] = (initial,) * 3
            elif first != k:
                slot = tuple(variables[first] for variables in _slot_variables(loop))
            else:
                continue
            for variables, atom in zip(_slot_variables(loop), slot, strict=False):
                self.values[variables[k]] = atom
            same.append(k)
        return _without(loop, same) if same else loop


def _slot_variables(loop: For | While) -> tuple[tuple[Var, ...], ...]:
    """What stands for the carried values behind the loop, in its body and in its test."""
    if isinstance(loop, For):
        return loop.targets, loop.body.parameters[1:]
    return loop.targets, loop.body.parameters, loop.test.parameters


def _without(loop: For | While, same: list[int]) -> For | While:
    offset = 1 if isinstance(loop, For) else 0
    left = [k for k in range(len(loop.targets)) if k not in same]
    body = loop.body
    stop = body.results[len(loop.targets) :]
    changed = replace(
        loop,
        targets=tuple(loop.targets[k] for k in left),
        initial=tuple(loop.initial[k] for k in left),
        body=Block(
            (*body.parameters[:offset], *(body.parameters[offset + k] for k in left)),
            body.statements,
            (*(body.results[k] for k in left), *stop),
        ),
    )
    if isinstance(changed, While):
        test = changed.test
        kept = tuple(test.parameters[k] for k in left)
        changed = replace(changed, test=Block(kept, test.statements, test.results))
    return changed


def _stands_for(atom: Atom, var: Var, role: str) -> bool:
    """Whether the atom may take the place of the variable: a number for a scalar only in code of
    adjoints, since the arithmetic of the two differs.
    """
    have, wanted = atom.type, var.type
    if isinstance(have, Number) and isinstance(wanted, Number):
        return have.kind == wanted.kind
    if role != "primal" and is_scalar_float(have) and is_scalar_float(wanted):
        return True
    return have == wanted


def _recalls(block: Block) -> bool:
    """Whether something is still to come from the forward sweep, by the number of the trip."""
    return any(
        isinstance(statement, Assign) and statement.op is RECALL
        for statement in all_statements(block)
    )


def _defines(statement: Statement, atom: Atom) -> bool:
    return any(
        atom in inner.targets or _defines(inner, atom)
        for block in blocks_of(statement)
        for inner in block.statements
    )
