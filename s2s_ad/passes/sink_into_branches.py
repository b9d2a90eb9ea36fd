"""Moves what follows a branch into it, where one side gives a zero adjoint for it.

`g = if c ... give 0.0 else ... give v` and behind it `grad_x = a + g * b` becomes a branch that
gives `a` or `a + v * b`, as one would write it: the side that was not taken contributes nothing,
and computes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from s2s_ad.ir import Assign, Atom, Block, Const, Function, If, Statement, Var, blocks_of
from s2s_ad.operations import catalogue
from s2s_ad.passes.algebra.context import number
from s2s_ad.rewrite import Names, count_uses, map_statement, with_body
from s2s_ad.types import Type, is_complex, is_float, scalar_like

ARITHMETIC = ("*", "/", "-x", "+", "-")


def sink_into_branches(function: Function) -> Function:
    """The function with such statements in branches; itself where there are none."""
    sinker = _Sinker(function)
    body = sinker.block(function.body)
    return with_body(function, body) if sinker.changed else function


@dataclass(frozen=True)
class _Move:
    """A statement that goes into a branch, and what is computed for it only."""

    statement: Assign
    alone: tuple[Assign, ...]


class _Sinker:
    def __init__(self, function: Function) -> None:
        self.names = Names.of(function)
        self.uses = count_uses(function.body)
        self.changed = False

    def block(self, block: Block) -> Block:
        statements = [
            map_statement(statement, lambda atom: atom, lambda var: var, self.block)
            if blocks_of(statement)
            else statement
            for statement in block.statements
        ]
        place = 0
        while place < len(statements):
            branch = statements[place]
            move = self.move(branch, statements[place + 1 :]) if isinstance(branch, If) else None
            if move is None or not isinstance(branch, If):
                place += 1
                continue
            self.changed = True
            gone = {id(move.statement), *map(id, move.alone)}
            statements = [one for one in statements if id(one) not in gone]
            statements[place] = self.sunk(branch, move)
        return replace(block, statements=tuple(statements)) if self.changed else block

    def move(self, branch: If, later: Sequence[Statement]) -> _Move | None:
        """The first statement behind a branch that a side of it makes needless."""
        zeros = [
            {
                target
                for target, result in zip(branch.targets, side.results, strict=True)
                if number(result) == 0
            }
            for side in (branch.then, branch.orelse)
        ]
        if not any(zeros):
            return None
        behind: dict[Var, Statement] = {}
        for statement in later:
            if (
                isinstance(statement, Assign)
                and _is_movable(statement)
                and any(_is_nothing(statement, side) for side in zeros)
            ):
                alone = self.alone(statement, branch, behind)
                if alone is not None:
                    return _Move(statement, alone)
            behind.update(dict.fromkeys(statement.targets, statement))
        return None

    def alone(
        self, statement: Assign, branch: If, behind: dict[Var, Statement]
    ) -> tuple[Assign, ...] | None:
        """What stands between and is computed for the statement only, or None if something there
        has to stay.
        """
        found: list[Assign] = []
        for operand in statement.operands:
            if not isinstance(operand, Var) or operand not in behind:
                continue
            made = behind[operand]
            if statement.op.name not in ("*", "/") or not self.is_alone(operand, made):
                return None
            assert isinstance(made, Assign)
            inner = self.whole(made, branch, behind)
            if inner is None:
                return None
            found += inner
        return tuple(found)

    def whole(self, made: Assign, branch: If, behind: dict[Var, Statement]) -> list[Assign] | None:
        """A statement with what is computed for it only, in order; None as in `alone`."""
        found: list[Assign] = []
        for operand in made.operands:
            if operand in branch.targets:
                return None
            if isinstance(operand, Var) and operand in behind:
                before = behind[operand]
                inner = None
                if isinstance(before, Assign) and self.is_alone(operand, before):
                    inner = self.whole(before, branch, behind)
                if inner is None:
                    return None
                found += inner
        return [*found, made]

    def is_alone(self, operand: Var, made: Statement) -> bool:
        """Whether a statement is there for one reader, and may stand somewhere else."""
        return (
            isinstance(made, Assign)
            and len(made.targets) == 1
            and not made.op.effect
            and not made.op.update
            and self.uses[operand] == 1
        )

    def sunk(self, branch: If, move: _Move) -> If:
        """The branch that gives what the statement computed."""
        statement = move.statement
        sides = []
        for side in (branch.then, branch.orelse):
            values = dict(zip(branch.targets, side.results, strict=True))
            operands = tuple(
                values.get(atom, atom) if isinstance(atom, Var) else atom
                for atom in statement.operands
            )
            appended, result = self.computed(statement, operands, move.alone)
            sides.append(Block((), (*side.statements, *appended), (*side.results, result)))
        targets = (*branch.targets, statement.target)
        return replace(branch, targets=targets, then=sides[0], orelse=sides[1])

    def computed(
        self, statement: Assign, operands: tuple[Atom, ...], alone: Iterable[Assign]
    ) -> tuple[list[Assign], Atom]:
        """What a side appends, and its result."""
        simple = _without_zero(statement.op.name, operands)
        if simple is not None:
            return [], simple
        target = self.names.fresh(statement.target.name, statement.target.type)
        op, kept = statement.op, operands
        if op.name == "-" and number(operands[0]) == 0:
            op, kept = catalogue().operations["-x"], operands[1:]
        return [*alone, Assign((target,), op, kept, statement.span, statement.role)], target


def _is_movable(statement: Assign) -> bool:
    return (
        statement.role != "primal"
        and statement.op.name in ARITHMETIC
        and is_float(statement.target.type)
        and all(map(_is_number, (statement.target, *statement.operands)))
    )


def _is_number(atom: Atom) -> bool:
    type: Type = atom.type
    return scalar_like(type) and not is_complex(type)


def _is_nothing(statement: Assign, zeros: set[Var]) -> bool:
    """Whether zeros for these make the statement needless."""
    operands = tuple(Const(0.0) if atom in zeros else atom for atom in statement.operands)
    return operands != statement.operands and _without_zero(statement.op.name, operands) is not None


def _without_zero(name: str, operands: tuple[Atom, ...]) -> Atom | None:
    """What an operation with a zero adjoint gives."""
    is_zero = [number(operand) == 0 for operand in operands]
    if (name == "*" and any(is_zero)) or (name in ("/", "-x") and is_zero[0]):
        return Const(0.0)
    if name == "+" and any(is_zero):
        return operands[is_zero.index(True) - 1]
    if name == "-" and is_zero[1]:
        return operands[0]
    return None


__all__ = ["sink_into_branches"]
