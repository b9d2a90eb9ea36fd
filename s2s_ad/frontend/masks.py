"""How many elements a mask picks is known only while the module runs; but it is as many of `x[m]`
as of `y[m]`, so that what is picked from the two is of one shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from s2s_ad.ir import Assign, Atom, Statement, Var
from s2s_ad.rewrite import Builder
from s2s_ad.types import Array, Size, is_boolean

if TYPE_CHECKING:
    from s2s_ad.frontend.lower import Lowering


def picked_alike(lowering: Lowering, taken: Var) -> Var:
    """What was just taken from an array, with the first length of what the same mask took before.

    It is looked for in this block and those around it: there a variable is one value for a trip.
    """
    made = lowering.builder.statements[-1]
    if not isinstance(made, Assign) or picked_length(made) is None:
        return taken
    blocks = (lowering.builder.statements, *lowering.outer)
    before = [one for block in blocks for one in block if isinstance(one, Assign)]
    by_target = {target: one for one in before for target in one.targets}
    for one in before:
        length = picked_length(one)
        if one is made or length is None or not _same(one.operands[1], made.operands[1], by_target):
            continue
        return with_length(lowering.builder, taken, length)
    return taken


def with_length(builder: Builder, taken: Var, length: Size) -> Var:
    """The array made last, of which the first length is known by another name."""
    made = builder.statements[-1]
    assert isinstance(made, Assign) and made.targets == (taken,)
    assert isinstance(taken.type, Array) and taken.type.shape
    alike = replace(taken, type=replace(taken.type, shape=(length, *taken.type.shape[1:])))
    builder.statements[-1] = replace(made, targets=(alike,))
    return alike


def picked_length(statement: Statement) -> Size | None:
    """How many elements a mask picks, if the statement takes what it does."""
    if not isinstance(statement, Assign) or statement.op.name != "getitem":
        return None
    mask, type = statement.operands[1].type, statement.target.type
    if not isinstance(mask, Array) or not is_boolean(mask):
        return None
    return type.shape[0] if isinstance(type, Array) and type.shape else None


def _same(left: Atom, right: Atom, made: Mapping[Var, Assign]) -> bool:
    """Whether two masks are one value: one variable, or comparisons of the same operands."""
    if left == right or not isinstance(left, Var) or not isinstance(right, Var):
        return left == right
    first, second = made.get(left), made.get(right)
    if first is None or second is None:
        return False
    return (
        first.op is second.op
        and first.op.elementwise
        and len(first.operands) == len(second.operands)
        and all(_same(*pair, made) for pair in zip(first.operands, second.operands, strict=True))
    )


__all__ = ["picked_alike", "picked_length", "with_length"]
