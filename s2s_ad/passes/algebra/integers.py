"""Sums of integers, which loops are full of: `j + 1 - 1` is j. Integers of Python are exact."""

from __future__ import annotations

from s2s_ad.ir import Assign, Atom, Const
from s2s_ad.passes.algebra.context import Context
from s2s_ad.types import Number


def add_numbers(context: Context, statement: Assign) -> Atom | None:
    """`x + 2 - 3` is `x - 1`, `x + 0` is x."""
    left, right = statement.operands
    by = _integer(right)
    if by is None or not _is_integer(left):
        return None
    by = by if statement.op.name == "+" else -by
    if by == 0:
        return left
    inner = context.defined_by(left, "+", "-")
    if inner is None or not _is_integer(inner.operands[0]):
        return None
    before = _integer(inner.operands[1])
    if before is None:
        return None
    total = by + (before if inner.op.name == "+" else -before)
    if total == 0:
        return inner.operands[0]
    return context.assign("+" if total > 0 else "-", inner.operands[0], Const(abs(total)))


def _integer(atom: Atom) -> int | None:
    is_plain = isinstance(atom, Const) and type(atom.value) is int and not atom.text
    return atom.value if is_plain and isinstance(atom, Const) else None


def _is_integer(atom: Atom) -> bool:
    return isinstance(atom.type, Number) and atom.type.kind == "int"


REWRITINGS = [(("+", "-"), add_numbers, False)]
