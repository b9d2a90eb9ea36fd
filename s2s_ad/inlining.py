"""The statements of a function put into another one: under new names, for given operands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from s2s_ad.ir import Assign, Atom, Block, Function, Statement, Var, While
from s2s_ad.rewrite import Names, all_variables, map_statement
from s2s_ad.types import (
    Array,
    ListOf,
    Number,
    Size,
    Sizes,
    Type,
    TypeProblem,
    is_scalar_float,
    symbols_in,
)


def copied(
    function: Function,
    operands: Sequence[Atom],
    names: Names,
    sizes: Sizes,
    role: str = "primal",
) -> tuple[list[Statement], list[Atom]]:
    """The statements of a function for these operands, under new names, and its results.

    `sizes` says which sizes have another name here. Loops and branches lose their labels: whatever
    undoes them has been put in.
    """
    values: dict[Var, Atom] = dict(zip(function.body.parameters, operands, strict=True))

    def var(var: Var) -> Var:
        if var not in values:
            type = sizes.resolve_type(var.type)
            new = names.temporary(type) if var.is_temporary else names.fresh(var.name, type)
            values[var] = new
        found = values[var]
        assert isinstance(found, Var)
        return found

    def atom(atom: Atom) -> Atom:
        return values.get(atom, atom) if isinstance(atom, Var) else atom

    def block(block: Block) -> Block:
        parameters = tuple(map(var, block.parameters))
        statements = tuple(map(statement, block.statements))
        return Block(parameters, statements, tuple(map(atom, block.results)))

    def statement(old: Statement) -> Statement:
        if isinstance(old, Assign):
            operands = tuple(map(atom, old.operands))
            scalar = scalar_result(old, operands)
            if scalar is not None:
                target = var(old.target)
                values[old.target] = Var(target.name, scalar, target.version)
            return Assign(tuple(map(var, old.targets)), old.op, operands, old.span, role)
        new = map_statement(old, atom, var, block)
        assert not isinstance(new, Assign)
        if isinstance(new, While):
            return replace(new, role=role, label=0)
        return replace(new, role=role, label=0, undoes=0)

    statements = [statement(old) for old in function.body.statements]
    return statements, [atom(result) for result in function.body.results]


def sizes_of_call(function: Function, operands: Sequence[Atom], sizes: Sizes) -> Sizes:
    """What the sizes of a function's parameters are for these operands. Sizes that are found only
    while running, and those that the operands do not tell, are new in `sizes`.
    """
    found = Sizes()
    pairs = list(zip(function.body.parameters, operands, strict=True))
    for parameter, operand in pairs:
        for own, given in zip(_sizes_in(parameter.type), _sizes_in(operand.type), strict=False):
            if own.symbol is not None and own.symbol not in found.values:
                found.values[own.symbol] = given
    changed = any(parameter.type != operand.type for parameter, operand in pairs)
    for symbol in sorted(symbols_of(function)):
        if symbol not in found.values and (changed or symbol.startswith("?")):
            found.values[symbol] = sizes.fresh()
    # a size that stands for itself would be looked up without end
    found.values = {s: size for s, size in found.values.items() if size != Size.of(s)}
    return found


def _sizes_in(type: Type) -> tuple[Size, ...]:
    if isinstance(type, ListOf):
        return _sizes_in(type.item)
    if isinstance(type, Number) and type.value is not None:
        return (type.value,)
    return type.shape or () if isinstance(type, Array) else ()


def scalar_result(statement: Assign, operands: Sequence[Atom]) -> Type | None:
    """What a number is where a Python float has stood for a NumPy scalar, or the other way round,
    as they may in code of adjoints; None if it is what it is said to be.
    """
    if len(statement.targets) != 1 or not is_scalar_float(statement.target.type):
        return None
    sizes = Sizes()
    sizes.assume = False
    try:
        inferred = statement.op.infer(sizes, operands)
    except TypeProblem:
        return None
    other = inferred != statement.target.type
    return inferred if other and is_scalar_float(inferred) else None


def symbols_of(function: Function) -> set[str]:
    """The symbols in the sizes of a function's variables."""
    return {symbol for var in all_variables(function.body) for symbol in symbols_in(var.type)}
