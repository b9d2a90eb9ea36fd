"""Computes each expression once: a statement with the operation and operands of an earlier one
becomes that one's value.

Values are pure, so nothing can have changed in between; random draws and other effects are never
shared. A name the user gave is preferred to a temporary.
"""

from __future__ import annotations

from s2s_ad.ir import Assign, Atom, Block, Function, Operation, Statement, Var
from s2s_ad.rewrite import substitute, with_body

COMMUTATIVE = frozenset(
    {"+", "*", "numpy.add", "numpy.multiply", "numpy.maximum", "numpy.minimum", "==", "!="}
)


# arrays that are there to be filled: each is its own
FRESH = frozenset({"numpy.zeros", "numpy.zeros_like", "numpy.empty", "numpy.empty_like"})


def share_subexpressions(function: Function) -> Function:
    seen: dict[tuple[Operation, tuple[Atom, ...]], Var] = {}
    values: dict[Var, Atom] = {}
    kept: list[Statement] = []

    def resolve(atom: Atom) -> Atom:
        return values.get(atom, atom) if isinstance(atom, Var) else atom

    for statement in function.body.statements:
        if (
            isinstance(statement, Assign)
            and not statement.op.effect
            and statement.op.name not in FRESH
            and len(statement.targets) == 1
        ):
            operands = tuple(resolve(operand) for operand in statement.operands)
            key = (statement.op, _ordered(statement.op, operands))
            if key in seen and seen[key].type == statement.target.type:
                values[statement.target] = seen[key]
                continue
            seen[key] = statement.target
        kept.append(statement)
    if not values:
        return function
    body = Block(function.body.parameters, tuple(kept), function.body.results)
    return with_body(function, substitute(body, values))


def _ordered(op: Operation, operands: tuple[Atom, ...]) -> tuple[Atom, ...]:
    return tuple(sorted(operands, key=str)) if op.name in COMMUTATIVE else operands
