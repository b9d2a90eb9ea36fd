"""Runs the IR directly: what every pass is tested against.

Each operation evaluates its own text; updates copy first, so nothing that goes in is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from s2s_ad.ir import (
    Assign,
    Atom,
    Block,
    Const,
    For,
    Function,
    If,
    Statement,
    Structure,
    Tree,
    Undefined,
    Var,
    While,
)


def interpret(function: Function, arguments: Sequence[Any]) -> Any:
    """The function's result for the leaves of its arguments, in the order of `body.parameters`."""
    values = run_block(function.body, arguments, {})
    supply = iter(values)

    def build(tree: Tree) -> Any:
        if not isinstance(tree, Structure):
            return next(supply)
        items = [build(item) for item in tree.items]
        if tree.kind in ("dict", "record"):
            return dict(zip(tree.keys, items, strict=True))
        return tuple(items) if tree.kind == "tuple" else items

    return build(function.output)


def run_block(block: Block, arguments: Sequence[Any], outer: dict[Var, Any]) -> list[Any]:
    values = {**outer, **dict(zip(block.parameters, arguments, strict=True))}
    for statement in block.statements:
        results = _run(statement, values)
        values.update(zip(statement.targets, results, strict=True))
    return [_value(atom, values) for atom in block.results]


def _value(atom: Atom, values: dict[Var, Any]) -> Any:
    return atom.value if isinstance(atom, Const) else values[atom]


def _operand(atom: Atom, values: dict[Var, Any]) -> Any:
    value = _value(atom, values)
    if isinstance(value, Undefined):
        raise UnboundLocalError(f"`{atom}` is read before it is assigned")
    return value


def _run(statement: Statement, values: dict[Var, Any]) -> Sequence[Any]:
    match statement:
        case Assign(targets, op, operands):
            result = op.evaluate(*(_operand(atom, values) for atom in operands))
            return (result,) if len(targets) == 1 else (result if targets else ())
        case For(trip=trip, initial=initial, body=body, stops=stops):
            carried = [_value(atom, values) for atom in initial]
            for index in range(*(_operand(atom, values) for atom in trip)):
                carried = run_block(body, [index, *carried], values)
                if stops and carried.pop():
                    break
            return carried
        case While(initial=initial, test=test, body=body, stops=stops):
            carried = [_value(atom, values) for atom in initial]
            while run_block(test, carried, values)[0]:
                carried = run_block(body, carried, values)
                if stops and carried.pop():
                    break
            return carried
        case If(test=condition, then=then, orelse=orelse):
            return run_block(then if _operand(condition, values) else orelse, [], values)
