"""A loop over the directions: what has no rule of batching, or cannot have one.

It is right for every statement, whatever it does: in each trip the statements see one direction,
and what they give is stored into a row of the results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from s2s_ad.ir import (
    Assign,
    Atom,
    Block,
    Const,
    For,
    If,
    Statement,
    Var,
    While,
    blocks_of,
    operands_of,
)
from s2s_ad.operations.indexing import SETITEM
from s2s_ad.operations.random_draws import refuse_draws
from s2s_ad.passes.activity import free_variables
from s2s_ad.passes.batch.context import CannotBatch, Context, dtype_constant
from s2s_ad.passes.storage.tapes import as_before
from s2s_ad.rewrite import Names, map_block
from s2s_ad.types import INT, Array, Number, Scalar, dtype_of


def one_by_one(
    context: Context,
    statements: Sequence[Statement],
    wanted: Sequence[Atom],
    likes: Mapping[Atom, Atom],
) -> None:
    """Append a loop over the directions around statements, which gives `wanted` a leading axis.

    `likes` has for some of them a value of the same shape that is known before the loop.
    """
    builder = context.builder
    rows = [result for result in dict.fromkeys(wanted) if isinstance(result, Var)]
    empties = [_allocate(context, row, likes.get(row)) for row in rows]
    direction = builder.names.fresh("direction", INT)
    carried = [builder.names.fresh(empty.name, empty.type) for empty in empties]
    outer, builder.statements = builder.statements, []
    values: dict[Atom, Atom] = {
        var: _row_of(context, context.batched[var], var, direction)
        for var in _read(statements, rows)
        if var in context.batched
    }
    inner = map_block(
        Block((), tuple(statements), tuple(rows)), lambda atom: values.get(atom, atom), lambda v: v
    )
    builder.statements += inner.statements
    following = [
        builder.assign(SETITEM, array, direction, value, name=row.name)
        for array, value, row in zip(carried, inner.results, rows, strict=True)
    ]
    body = Block((direction, *carried), tuple(builder.statements), tuple(following))
    builder.statements = outer
    targets = tuple(builder.names.fresh(empty.name, empty.type) for empty in empties)
    trip = (Const(0), context.count, Const(1))
    builder.statements.append(
        For(targets, trip, tuple(empties), body, builder.span, role=builder.role)
    )
    context.batched.update(zip(rows, targets, strict=True))


def _read(statements: Sequence[Statement], results: Sequence[Var]) -> list[Var]:
    return free_variables([Block((), tuple(statements), tuple(results))])


def _row_of(context: Context, rows: Var, var: Var, direction: Var) -> Var:
    """The value of a direction, as the kind of value that it was."""
    if not isinstance(var.type, Number | Scalar | Array):
        raise CannotBatch("a list of lists")
    found = context.call("getitem", rows, direction)
    return as_before(context.builder, found, var)


def _allocate(context: Context, row: Var, like: Atom | None) -> Var:
    if not isinstance(row.type, Number | Scalar | Array):
        raise CannotBatch(f"a result of type {row.type}")
    dtype = dtype_constant(dtype_of(row.type))
    made = context.call("numpy.empty", context.shape(row.type, like), dtype)
    return context.builder.retype_last(Var(made.name, context.type(row.type)))


def without_effects(statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """The statements, but for those that are there for what they do."""
    kept: list[Statement] = []
    for statement in statements:
        match statement:
            case Assign():
                refuse_draws(Block((), (statement,), ()), "a loop over the directions")
                if not (statement.op.effect and not statement.targets):
                    kept.append(statement)
            case If():
                then, orelse = map(_quiet, (statement.then, statement.orelse))
                kept.append(replace(statement, then=then, orelse=orelse))
            case For():
                kept.append(replace(statement, body=_quiet(statement.body)))
            case While():
                kept.append(
                    replace(statement, test=_quiet(statement.test), body=_quiet(statement.body))
                )
    return tuple(kept)


def _quiet(block: Block) -> Block:
    return Block(block.parameters, without_effects(block.statements), block.results)


def renamed(
    names: Names, statements: Sequence[Statement], values: Mapping[Var, Atom]
) -> tuple[tuple[Statement, ...], dict[Var, Atom]]:
    """The statements once more, with names of their own; what they define by what it was."""
    new: dict[Var, Atom] = dict(values)

    def define(var: Var) -> Var:
        temporary = var.is_temporary
        made = names.temporary(var.type) if temporary else names.fresh(var.name, var.type)
        new[var] = made
        return made

    def read(atom: Atom) -> Atom:
        return new.get(atom, atom) if isinstance(atom, Var) else atom

    block = map_block(Block((), tuple(statements), ()), read, define)
    return block.statements, new


def depends(statement: Statement, on: set[Var]) -> bool:
    """Whether a statement reads one of some variables, within its blocks too."""
    read = {*operands_of(statement), *free_variables(blocks_of(statement))}
    return not on.isdisjoint(read)
