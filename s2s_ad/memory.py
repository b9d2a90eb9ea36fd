"""Which allocations a value may lie in: the one place that knows about views."""

from __future__ import annotations

from collections.abc import Mapping

from s2s_ad.ir import Assign, Atom, Var
from s2s_ad.operations.result_types import is_basic_index
from s2s_ad.types import Array, ListOf

Allocations = frozenset[Var]
"""The variables whose statements allocated the memory; a parameter stands for its own."""

NOWHERE: Allocations = frozenset()


def allocations_of(statement: Assign, target: Var, known: Mapping[Var, Allocations]) -> Allocations:
    """Where the result of a statement lies, given where its operands do."""
    op = statement.op
    if isinstance(target.type, ListOf):
        # a list holds its arrays, not copies of them
        holds = isinstance(target.type.item, Array)
        held = [_of(operand, known) for operand in statement.operands] if holds else []
        return frozenset((target,)).union(*held)
    if not isinstance(target.type, Array):
        return NOWHERE
    if op.update:
        return _of(statement.operands[0], known)
    takes_copy = op.name == "getitem" and not is_basic_index(statement.operands[1].type)
    if not op.view_of or takes_copy:
        return frozenset((target,))
    source = _of(statement.operands[op.parameters.index(op.view_of)], known)
    if not source:
        return frozenset((target,))  # an array made of a number
    return source | {target} if op.may_copy else source


def _of(atom: Atom, known: Mapping[Var, Allocations]) -> Allocations:
    return known.get(atom, NOWHERE) if isinstance(atom, Var) else NOWHERE
