"""Keeps updates of arrays out of the way of what still reads the old value, so that `place_copies`
need not copy whole arrays.

An update of the derivative's own moves down to the first reader of its result, if the array that it
changes is read before that. A part of an array (`v = a[i]`) that is read after the array is updated
becomes a copy of the part. What a statement computes stays the same: values are still pure here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from s2s_ad.ir import (
    Assign,
    Atom,
    Block,
    For,
    Function,
    Statement,
    Var,
    While,
    blocks_of,
    operands_of,
)
from s2s_ad.operations.result_types import index_parts, is_basic_index
from s2s_ad.operations.support import COPY
from s2s_ad.passes.activity import free_variables
from s2s_ad.passes.aliasing import is_read_only
from s2s_ad.passes.kept_parts import Kept, kept_parts
from s2s_ad.rewrite import Builder, Names, definitions, map_statement, with_body
from s2s_ad.types import Array, Number, Scalar, Size, Sizes, Slice, Static


def order_updates(function: Function) -> Function:
    """The function with updates moved and parts copied; itself where there is nothing to do."""
    sizes = Sizes.knowing(function.assumptions, 6_000_000)
    foreign = {target for target, made in definitions(function.body).items() if is_read_only(made)}
    foreign.update(function.body.parameters)
    order = _Order(Builder(Names.of(function), sizes), foreign, kept_parts(function))
    body = order.block(function.body)
    return with_body(function, body) if order.changed else function


class _Order:
    def __init__(self, builder: Builder, foreign: set[Var], kept: Kept) -> None:
        self.builder = builder
        self.foreign = foreign  # what is copied before it is updated, whoever reads it
        self.kept = {part for part, _ in kept}
        self.changed = False

    def block(self, block: Block) -> Block:
        statements = [
            statement
            if isinstance(statement, Assign)
            else map_statement(statement, lambda atom: atom, lambda var: var, self.block)
            for statement in block.statements
        ]
        if any(map(_changes_array, statements)):
            statements = self.moved(statements)
            statements = self.with_copies(statements, block.results)
        return replace(block, statements=tuple(statements))

    def moved(self, statements: list[Statement]) -> list[Statement]:
        """The statements with updates behind the readers of what they overwrite, from the last on.

        Elements are read where they are needed, so that they hold no update up.
        """
        reads = [_reads(statement) for statement in statements]
        for place in reversed(range(len(statements))):
            statement = statements[place]
            if not isinstance(statement, Assign) or len(statement.targets) != 1:
                continue
            if statement.role == "primal":
                continue
            later = range(place + 1, len(statements))
            first = next((k for k in later if statement.target in reads[k]), len(statements))
            array = statement.operands[0] if statement.operands else None
            if statement.op.update:
                moves = array not in self.foreign and any(
                    array in reads[k] for k in range(place + 1, first)
                )
            elif statement.op.name == "getitem":
                consumers = (k for k in later if array in set(_consumed(statements[k])))
                until = next(consumers, 0)
                first = min(first, until)
                moves = first > place + 1
            else:
                moves = False
            if moves:
                statements.insert(first - 1, statements.pop(place))
                reads.insert(first - 1, reads.pop(place))
                self.changed = True
        return statements

    def with_copies(
        self, statements: list[Statement], results: tuple[Atom, ...]
    ) -> list[Statement]:
        """The statements with copies of those parts of arrays that outlive an update."""
        last: dict[Atom, int] = {}
        consumed: dict[Atom, int] = {}
        for place, statement in enumerate(statements):
            last.update(dict.fromkeys(_reads(statement), place))
            for array in _consumed(statement):
                consumed.setdefault(array, place)
        last.update(dict.fromkeys(results, len(statements)))
        made: list[Statement] = []
        for place, statement in enumerate(statements):
            made.append(statement)
            if not isinstance(statement, Assign) or not _is_part(statement):
                continue
            array, part = statement.operands[0], statement.target
            until = consumed.get(array, place)
            outlives = place < until < last.get(part, 0) and last[array] <= until
            if outlives and array not in self.foreign and part not in self.kept:
                view = self.builder.names.temporary(part.type)
                made[-1] = replace(statement, targets=(view,))
                made.append(replace(statement, op=COPY, operands=(view,)))
                self.changed = True
                if not _lies_like_its_copy(statement):
                    before = range(place + 1, until)
                    statements[place + 1 : until] = [
                        _with_view(statements[k], part, view) for k in before
                    ]
        return made


def _lies_like_its_copy(statement: Assign) -> bool:
    """Whether the elements of a part lie in memory as those of a copy of it do: rows, and rows one
    behind the other.
    """
    slices = 0
    for part in index_parts(statement.operands[1].type):
        if slices or not isinstance(part, Slice | Number | Scalar):
            return False
        if isinstance(part, Slice):
            slices += 1
            step = part.parts[2]
            if step != Static("None") and getattr(step, "value", None) != Size.of(1):
                return False
    return True


def _with_view(statement: Statement, part: Var, view: Var) -> Statement:
    """What the primal computes from a part before the array is updated, it computes from the view:
    sums and products round otherwise where elements lie otherwise.
    """
    if not isinstance(statement, Assign) or statement.role != "primal" or statement.op.view_of:
        return statement
    operands = tuple(view if atom == part else atom for atom in statement.operands)
    return replace(statement, operands=operands) if part in statement.operands else statement


def _changes_array(statement: Statement) -> bool:
    return next(_consumed(statement), None) is not None


def _consumed(statement: Statement) -> Iterator[Atom]:
    """The arrays whose memory a statement may change."""
    if isinstance(statement, Assign):
        if statement.op.update:
            yield statement.operands[0]
    elif isinstance(statement, For | While):
        yield from (atom for atom in statement.initial if isinstance(atom.type, Array))


def _reads(statement: Statement) -> set[Atom]:
    return {*operands_of(statement), *free_variables(blocks_of(statement))}


def _is_part(statement: Assign) -> bool:
    return (
        statement.op.name == "getitem"
        and isinstance(statement.target.type, Array)
        and isinstance(statement.operands[0], Var)
        and is_basic_index(statement.operands[1].type)
    )


__all__ = ["order_updates"]
