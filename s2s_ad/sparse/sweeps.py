"""A Jacobian times many directions in one sweep, as functions of the arguments and the directions.

What `tangents` makes gives in each row the tangents of all results, one after the other, along a
row of `directions`; what `adjoints` makes, the adjoints of all arguments. Sizes are numbers here,
those of the pattern.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from s2s_ad.ir import Atom, Block, Const, Formal, Function, Structure, Var, leaves, tuple_of
from s2s_ad.passes.adjoint import Request, adjoint
from s2s_ad.passes.batch import Along, batch
from s2s_ad.passes.batch.context import Context
from s2s_ad.passes.save_values import save_values
from s2s_ad.passes.tangent import tangent
from s2s_ad.pipeline import Composition
from s2s_ad.rewrite import formal_variables
from s2s_ad.types import Array, Size, dtype_of, is_float

Shapes = Sequence[tuple[int, ...]]


@dataclass(frozen=True)
class Parts:
    """The shapes of the arguments' floats and of the results'."""

    arguments: Shapes
    results: Shapes


def tangents(
    wanted: Composition, function: Function, parts: Parts, count: int, name: str
) -> Function:
    """The tangents of a function along so many directions."""
    push = partial(tangent, wrt=wanted.wrt, name="tangent", derivatives=wanted.derivatives)
    pushed = wanted.run(function, push)
    assert isinstance(pushed.output, Structure)
    value, moved = (tuple(leaves(tree)) for tree in pushed.output.items)
    pairs = [(dot, like) for dot, like in zip(moved, value, strict=True) if is_float(like.type)]
    made = _in_directions(pushed, function.formals, pairs, parts.arguments, count, name)
    return wanted.run(made)


def adjoints(
    wanted: Composition, function: Function, parts: Parts, count: int, name: str
) -> Function:
    """The adjoints of a function's arguments, from so many directions of its result."""
    request = Request(wanted.wrt, bare=False, seeded=True)
    pull = partial(adjoint, request=request, name="adjoint", derivatives=wanted.derivatives)
    pulled = wanted.run(function, pull, save_values)
    likes = [leaf for formal in wanted.formals for leaf in leaves(formal.tree)]
    moved = tuple(leaves(pulled.output))
    pairs = [(grad, like) for grad, like in zip(moved, likes, strict=True) if is_float(like.type)]
    made = _in_directions(pulled, function.formals, pairs, parts.results, count, name)
    return wanted.run(made)


def _in_directions(
    function: Function,
    formals: Sequence[Formal],
    pairs: Sequence[tuple[Atom, Atom]],
    shapes: Shapes,
    count: int,
    name: str,
) -> Function:
    """A function whose last formals are seeds, with a matrix of directions in their place. The
    pairs are what it gives, and of what shape that is.
    """
    seeds = [
        leaf
        for formal in function.formals[len(formals) :]
        for leaf in leaves(formal.tree)
        if isinstance(leaf, Var)
    ]
    body = replace(function.body, parameters=formal_variables(tuple(formals)))
    context = Context(replace(function, formals=tuple(formals), body=body), Const(count),
                      Size.of(count))  # fmt: skip
    directions = _directions(context, function, shapes, count)
    rows = _rows(context, directions, seeds, shapes, count)
    statements = (*context.builder.statements, *body.statements)
    flat = _giving(function, formals, statements, [*(one for pair in pairs for one in pair)])
    spread = {2 * number: like for number, (_, like) in enumerate(pairs)}
    batched = batch(flat, Along(rows, Const(count), Size.of(count), spread))
    return _flattened(batched, directions, count, name)


def _directions(context: Context, function: Function, shapes: Shapes, count: int) -> Var:
    taken = function.taken_names | {formal.name for formal in function.formals}
    names = (f"directions{'_' * number}" for number in range(len(taken) + 1))
    total = sum(map(_size, shapes))
    type = Array("f64", (Size.of(count), Size.of(total)))
    return context.builder.names.fresh(next(name for name in names if name not in taken), type)


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=np.int64))


def _rows(
    context: Context, directions: Var, seeds: Sequence[Var], shapes: Shapes, count: int
) -> dict[Atom, Var]:
    """For each seed its part of the directions, in its shape and dtype."""
    rows: dict[Atom, Var] = {}
    start = 0
    for seed, shape in zip(seeds, shapes, strict=True):
        stop = start + _size(shape)
        part: Atom = directions
        if shape == ():
            part = context.call("getitem", part, Const((slice(None), start)))
        elif len(seeds) > 1:
            part = context.call("getitem", part, Const((slice(None), slice(start, stop))))
        if len(shape) > 1:
            part = context.call("numpy.reshape", part, Const((count, *shape)))
        part = context.cast(part, dtype_of(seed.type))
        assert isinstance(part, Var)
        rows[seed] = part
        start = stop
    return rows


def _giving(
    function: Function, formals: Sequence[Formal], statements: Sequence[object], results: list[Atom]
) -> Function:
    parameters = formal_variables(tuple(formals))
    body = Block(parameters, tuple(statements), tuple(results))  # type: ignore[arg-type]
    output = tuple_of(results)
    return replace(function, formals=tuple(formals), body=body, output=output)


def _flattened(function: Function, directions: Var, count: int, name: str) -> Function:
    """Its results as the columns of one matrix; the directions are its last parameter."""
    context = Context(function, Const(count), Size.of(count))
    flat = [
        row
        if isinstance(row.type, Array) and row.type.shape is not None and len(row.type.shape) == 2
        else context.call("numpy.reshape", row, Const((count, -1)))
        for row in function.body.results[::2]
    ]
    joined = flat[0] if len(flat) == 1 else context.call("numpy.concatenate", *flat, Const(1))
    by_position = all(
        formal.default is None and formal.kind != "keyword" for formal in function.formals
    )
    kind = "positional" if by_position else "keyword"
    formals = (*function.formals, Formal(directions.base_name, directions, kind=kind))
    statements = (*function.body.statements, *context.builder.statements)
    body = Block(formal_variables(formals), statements, (joined,))
    return replace(function, name=name, formals=formals, body=body, output=joined)


__all__ = ["Parts", "adjoints", "tangents"]
