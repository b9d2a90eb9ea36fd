"""Shifts that change nothing: the maximum that a softmax takes off before it exponentiates.

What comes in: a block. What goes out: the maxima and minima in it on which nothing that follows
depends. A value that grows by `k * m` with the shift m, or by the factor `exp(k * m)`, is followed
to where that goes out again, as in `e / np.sum(e)` or `shifted - np.log(np.sum(np.exp(shifted)))`.
The derivative by such a shift is zero, and need not be computed from sums that cancel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from s2s_ad.ir import Assign, Atom, Block, Const, Var, blocks_of, operands_of
from s2s_ad.operations.support import IDENTITY
from s2s_ad.passes.activity import differentiated, free_variables
from s2s_ad.types import is_float, rank_of

EXTREMES = ("numpy.max", "numpy.min")


@dataclass(frozen=True)
class Moves:
    """How a value moves with a shift: by so many `times` the shift, as a term or in an exponent."""

    times: int = 0
    as_factor: bool = False


class _Depends(Exception):
    """A value depends on the shift in some other way."""


def cancelling_shifts(block: Block) -> set[Var]:
    """The extremes of a block, and of the blocks in it, that may be taken for constants."""
    found: set[Var] = set()
    for statement in block.statements:
        if isinstance(statement, Assign):
            if statement.op.name in EXTREMES and _cancels(block, statement):
                found.add(statement.target)
        else:
            for inner in blocks_of(statement):
                found |= cancelling_shifts(inner)
    return found


def _cancels(block: Block, extreme: Assign) -> bool:
    """Whether whatever depends on an extreme does so in a way that cancels."""
    x, axis, keeps = extreme.operands
    rank = rank_of(x.type)
    if rank is None or not is_float(extreme.target.type):
        return False
    if axis == Const(None) or rank == 1:
        along = None  # one number for all
    elif isinstance(axis, Const) and isinstance(axis.value, int) and keeps == Const(True):
        along = axis.value % rank - rank
    else:
        return False
    moves: dict[Atom, Moves] = {extreme.target: Moves(1)}
    for statement in block.statements:
        if isinstance(statement, Assign):
            try:
                moved = _moved(statement, moves, along)
            except _Depends:
                return False
            if moved.times:
                moves[statement.target] = moved
        elif any(
            a in moves for a in (*operands_of(statement), *free_variables(blocks_of(statement)))
        ):
            return False
    return not any(atom in moves for atom in block.results)


def _moved(statement: Assign, moves: dict[Atom, Moves], along: int | None) -> Moves:
    """How the result of a statement moves. Raises _Depends."""
    op, operands = statement.op, statement.operands
    if op.constant or not any(operand in moves for operand in differentiated(statement)):
        return Moves()
    own = [moves.get(operand, Moves()) for operand in operands]
    terms = all(not move.as_factor for move in own)
    factors = all(move.as_factor or not move.times for move in own)
    match op.name:
        case "+" | "-" if terms:
            return Moves(own[0].times + (own[1].times if op.name == "+" else -own[1].times))
        case "+" | "-" if factors and own[0].times == own[1].times:
            return own[0]
        case "*" | "/" if factors:
            sign = 1 if op.name == "*" else -1
            return Moves(own[0].times + sign * own[1].times, as_factor=True)
        case "-x":
            return own[0] if own[0].as_factor else Moves(-own[0].times)
        case "numpy.exp" if terms:
            return Moves(own[0].times, as_factor=True)
        case "numpy.log" if factors:
            return Moves(own[0].times)
        case "numpy.sum" if factors and _sums_along(operands, along):
            return own[0]
    if op is IDENTITY:
        return own[0]
    raise _Depends


def _sums_along(operands: Sequence[Atom], along: int | None) -> bool:
    """Whether a sum goes over what has the same shift, and leaves it in its place."""
    x, axis, keeps = operands
    rank = rank_of(x.type)
    if along is None:
        return True
    return (
        rank is not None
        and isinstance(axis, Const)
        and isinstance(axis.value, int)
        and axis.value % rank - rank == along
        and keeps == Const(True)
    )


__all__ = ["cancelling_shifts"]
