"""Computes each expression once: a statement with the operation and operands of an earlier one
becomes that one's value.

Values are pure, so nothing can have changed in between; random draws and other effects are never
shared. What stands in a loop or branch may use what was computed before it, not the other way
round. A name the user gave is preferred to a temporary.
"""

from __future__ import annotations

from collections import ChainMap

from s2s_ad.check import agrees
from s2s_ad.ir import Assign, Atom, Block, Function, Operation, Statement, Var
from s2s_ad.rewrite import map_statement, substitute, with_body
from s2s_ad.types import Array

COMMUTATIVE = frozenset(
    {"+", "*", "numpy.add", "numpy.multiply", "numpy.maximum", "numpy.minimum", "==", "!="}
)


# arrays and lists that are there to be filled: each is its own
FRESH = frozenset(
    {"numpy.zeros", "numpy.zeros_like", "numpy.empty", "numpy.empty_like", "numpy.ones",
     "numpy.full", "numpy.copy", "ndarray.copy", "list.new", "list.display"}
)  # fmt: skip

Seen = ChainMap[tuple[Operation, tuple[Atom, ...]], tuple[Var, ...]]


def share_subexpressions(function: Function) -> Function:
    values: dict[Var, Atom] = {}
    body = _shared(function.body, ChainMap(), values)
    return with_body(function, substitute(body, values)) if values else function


def _shared(block: Block, seen: Seen, values: dict[Var, Atom]) -> Block:
    kept: list[Statement] = []

    def resolve(atom: Atom) -> Atom:
        return values.get(atom, atom) if isinstance(atom, Var) else atom

    def inner(block: Block) -> Block:
        return _shared(block, seen.new_child(), values)

    for statement in block.statements:
        if not isinstance(statement, Assign):
            kept.append(map_statement(statement, resolve, lambda var: var, inner))
            continue
        if (
            not statement.op.effect
            and statement.op.name not in FRESH
            and (len(statement.targets) == 1 or statement.op.results)
        ):
            operands = tuple(resolve(operand) for operand in statement.operands)
            key = (statement.op, _ordered(statement.op, operands))
            same = seen.get(key, ())
            if same and all(map(is_same_type, same, statement.targets)):
                values.update(zip(statement.targets, same, strict=True))
                continue
            seen[key] = statement.targets
        kept.append(statement)
    return Block(block.parameters, tuple(kept), block.results)


def is_same_type(one: Var, other: Var) -> bool:
    """Whether two results of one operation with the same operands have one type: sizes known only
    while running got names of their own.
    """
    return one.type == other.type or (
        isinstance(one.type, Array)
        and one.type.shape is not None
        and any(size.is_local for size in one.type.shape)
        and agrees(one.type, other.type)
    )


def _ordered(op: Operation, operands: tuple[Atom, ...]) -> tuple[Atom, ...]:
    return tuple(sorted(operands, key=str)) if op.name in COMMUTATIVE else operands
