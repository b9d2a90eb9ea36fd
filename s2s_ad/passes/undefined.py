"""Values that are not defined on every path, where they have to be something all the same: in what
is kept or saved, and where an adjoint of zeros asks for a shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
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
from s2s_ad.operations.indexing import TUPLE
from s2s_ad.operations.lists import new_list
from s2s_ad.operations.support import FULL, RECALL
from s2s_ad.passes.activity import carried_of
from s2s_ad.passes.aliasing import variables_read
from s2s_ad.passes.sizes import can_compute, compute
from s2s_ad.rewrite import Builder, all_statements, map_statement, with_body
from s2s_ad.types import (
    DTYPES,
    Array,
    ListOf,
    Number,
    Scalar,
    Type,
    dtype_of,
    is_boolean,
    is_float,
    shape_of,
)


def handed_to(body: Block, variables: Iterable[Var]) -> set[Var]:
    """The variables themselves and what loops and branches hand to them."""
    given: dict[Var, list[Atom]] = {}
    for statement in all_statements(body):
        if isinstance(statement, If):
            for target, *atoms in zip(
                statement.targets, statement.then.results, statement.orelse.results, strict=True
            ):
                given.setdefault(target, []).extend(atoms)
        elif not isinstance(statement, Assign):
            for target, first, parameter, following in carried_of(statement):
                for var in (target, parameter):
                    given.setdefault(var, []).extend((first, following))
    found, pending = set[Var](), list(variables)
    while pending:
        var = pending.pop()
        if var not in found:
            found.add(var)
            pending += [atom for atom in given.get(var, ()) if isinstance(atom, Var)]
    return found


def nothing(_: Var) -> Const:
    return Const(None)


def anything(var: Var) -> Const:
    """A number for a number, so that its type stays one; None for all else."""
    return some_number(var.type) if isinstance(var.type, Number | Scalar) else Const(None)


def some_number(type: Number | Scalar) -> Const:
    """NaN where a number of the type may be it."""
    if is_float(type):
        return Const(math.nan)
    return Const(False) if is_boolean(type) else Const(0)


def nothing_for_undefined(
    statements: tuple[Statement, ...],
    variables: Iterable[Var],
    value: Callable[[Var], Const] = nothing,
) -> tuple[Statement, ...]:
    """The statements with None, or another value that nobody reads, for what the variables are
    where they are not defined.
    """
    body = Block((), statements, ())
    filled = handed_to(body, variables)

    def given(var: Var, atom: Atom) -> Atom:
        return value(var) if atom == UNDEFINED and var in filled else atom

    def visit(statement: Statement) -> Statement:
        inner = map_statement(statement, lambda atom: atom, lambda var: var, block)
        if isinstance(inner, If):
            then, orelse = (
                replace(side, results=tuple(map(given, inner.targets, side.results)))
                for side in (inner.then, inner.orelse)
            )
            return replace(inner, then=then, orelse=orelse)
        if isinstance(inner, For | While):
            return replace(inner, initial=tuple(map(given, inner.targets, inner.initial)))
        return inner

    def block(block: Block) -> Block:
        return replace(block, statements=tuple(map(visit, block.statements)))

    return block(body).statements


def bound_where_moved(function: Function, variables: Iterable[Var]) -> Function:
    """The function with a value for what is handed on, unread, where it is not defined."""
    statements = nothing_for_undefined(function.body.statements, variables, anything)
    return with_body(function, replace(function.body, statements=statements))


def needing_something(body: Block, kept: Iterable[Var]) -> set[Var]:
    """The variables that have to be something on every path, for some that are kept or recalled.

    What the primal itself reads in the block that it belongs to needs nothing: where it is
    undefined there, that raises, as in Python.
    """
    wanted = set(kept)
    for statement in all_statements(body):
        if isinstance(statement, Assign) and statement.op is RECALL:
            wanted |= {atom for atom in statement.operands if isinstance(atom, Var)}
    return handed_to(body, wanted - set(_read_at_home(body)))


def _read_at_home(block: Block) -> Iterator[Var]:
    made = set(block.parameters)
    for statement in block.statements:
        is_read = isinstance(statement, Assign) and statement.op is not RECALL
        if is_read and statement.role == "primal":
            yield from (var for var in variables_read(statement) if var in made)
        for inner in blocks_of(statement):
            yield from _read_at_home(inner)
        made.update(statement.targets)


def something(builder: Builder, type: Type, parameters: tuple[Var, ...]) -> Atom | None:
    """A value of the type to stand where there is none, NaN where it may be; None for types that
    have no such value.
    """
    if isinstance(type, Number | Scalar):
        return some_number(type)
    if isinstance(type, ListOf):
        return builder.assign(new_list(type.item))
    if not isinstance(type, Array):
        return None
    sizes = shape_of(type) or ()
    known = all(can_compute(size, parameters) for size in sizes)
    lengths = [compute(builder.assign, size, parameters) if known else Const(0) for size in sizes]
    shape: Atom = Const(0)
    if all(isinstance(length, Const) for length in lengths):
        shape = Const(tuple(length.value for length in lengths if isinstance(length, Const)))
    else:
        shape = builder.assign(TUPLE, *lengths) if len(lengths) > 1 else lengths[0]
    name = DTYPES[dtype_of(type)]
    value = Const(math.nan) if is_float(type) else Const(0)
    dtype = Const(None) if name == "float64" else Const(name, f"numpy.{name}")
    return builder.assign(FULL, shape, value, dtype)
