"""Many directions as parameters: each seed of a tangent or pullback gets a leading axis.

What comes in: a function whose last parameters are seeds, with the derivatives as its last results.
What goes out: the same with a leading axis, of one size, in all seeds and in all derivatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from s2s_ad.diagnostics import refusal
from s2s_ad.ir import Atom, Const, Function, Structure, Tree, Var, leaves, tuple_of
from s2s_ad.operations.support import DIMENSION
from s2s_ad.passes.batch import Along, batch
from s2s_ad.passes.batch.context import Context, batched_type
from s2s_ad.rewrite import Names, all_variables, formal_variables, map_tree
from s2s_ad.types import ONE, Array, ListOf, Number, Size, is_float

SYMBOLS = ("k", "directions", "directions_")


def many_tangents(function: Function, wrt: Sequence[str]) -> Function:
    """The tangents in many directions, from `(value, tangent[, aux])`."""
    assert isinstance(function.output, Structure)
    return many_directions(function, len(wrt), 1, function.output.items[0])


def many_pullbacks(function: Function, wrt: Sequence[str]) -> Function:
    """The adjoints of many results, from `(value, adjoints)`."""
    by_name = {formal.name: formal.tree for formal in function.formals}
    trees = tuple(by_name[name] for name in wrt)
    return many_directions(function, 1, 1, tuple_of(trees))


def many_directions(function: Function, seeds: int, derivatives: int, likes: Tree) -> Function:
    """The function with a leading axis in its last `seeds` parameters, and in the item
    `derivatives` of its output, whose leaves have the shapes of those of `likes`.
    """
    names = Names.of(function)
    size = Size.of(_unused_symbol(function))
    rows: dict[Atom, Var] = {}
    formals = list(function.formals)
    _require_arrays(function, [likes, *(formal.tree for formal in formals[-seeds:])])
    for place in range(len(formals) - seeds, len(formals)):
        for leaf in leaves(formals[place].tree):
            if isinstance(leaf, Var):
                rows[leaf] = names.fresh(leaf.name, batched_type(leaf.type, size))
        tree = map_tree(formals[place].tree, lambda leaf: rows.get(leaf, leaf))
        formals[place] = replace(formals[place], tree=tree)
    body = replace(function.body, parameters=formal_variables(formals))
    function = replace(function, formals=tuple(formals), body=body)
    context = Context(function, Const(1), ONE)
    count = context.builder.assign(DIMENSION, next(iter(rows.values())), Const(0))
    function = replace(
        function,
        body=replace(body, statements=(*context.builder.statements, *body.statements)),
    )
    assert isinstance(function.output, Structure)
    before = sum(len(list(leaves(item))) for item in function.output.items[:derivatives])
    moved = list(leaves(function.output.items[derivatives]))
    spread = {
        before + place: like
        for place, (leaf, like) in enumerate(zip(moved, leaves(likes), strict=True))
        if is_float(like.type) and leaf != Const(None)
    }
    return batch(function, Along(rows, count, size, spread))


def _require_arrays(function: Function, trees: Sequence[Tree]) -> None:
    if any(isinstance(leaf.type, ListOf) for tree in trees for leaf in leaves(tree)):
        raise refusal(
            "not-an-array",
            "many directions at once need arrays, not lists of unknown length",
            function.span,
            "turn the list into an array with `np.array(...)`",
        )


def _unused_symbol(function: Function) -> str:
    taken = {
        name
        for var in all_variables(function.body)
        for size in (
            (var.type.shape or ())
            if isinstance(var.type, Array)
            else (var.type.value,)
            if isinstance(var.type, Number) and var.type.value is not None
            else ()
        )
        for name in size.symbols
    }
    taken |= {var.base_name for var in all_variables(function.body)} | function.taken_names
    return next(name for name in SYMBOLS if name not in taken)
