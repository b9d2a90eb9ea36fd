"""Applies what a numerical programmer knows about sums, products, broadcasts and shapes.

Each rewriting is a function of `algebra/`, listed under the operations it looks at. Rewritings that
change rounding are for code that a pass added (`role` other than "primal"): the value of the primal
stays what it was to the last bit.
"""

from __future__ import annotations

from functools import partial

from s2s_ad.ir import Assign, Atom, Block, Function
from s2s_ad.passes.algebra import REWRITES
from s2s_ad.passes.algebra.context import Context
from s2s_ad.rewrite import map_statement, rename_variables, substitute, with_body
from s2s_ad.types import Number, Scalar, Type


def simplify_algebra(function: Function) -> Function:
    """One sweep over the statements; `clean_up` repeats it until nothing changes."""
    context = Context(function)
    body = _block(context, function.body)
    if not context.changed:
        return function
    simpler = with_body(function, substitute(body, context.values))
    return rename_variables(simpler, context.renames)


def _block(context: Context, block: Block) -> Block:
    with context.builder.inside() as statements:
        for statement in block.statements:
            if not isinstance(statement, Assign):
                context.keep(
                    map_statement(
                        statement, context.resolve, lambda var: var, partial(_block, context)
                    )
                )
            elif len(statement.targets) == 1:
                _simplify(context, context.resolved(statement))
            else:
                context.keep(context.resolved(statement))
    return Block(block.parameters, tuple(statements), block.results)


def _simplify(context: Context, statement: Assign) -> None:
    """Replace the statement by what the first rewriting that applies gives, or keep it."""
    for rewriting, exact in REWRITES.get(statement.op.name, ()):
        if not exact and statement.role == "primal":
            continue
        mark = context.begin(statement)
        found = rewriting(context, statement)
        if (
            found is not None
            and stands_for(found, statement.target.type, statement.role)
            and not context.turns_whole(statement, found)
        ):
            context.replace(statement, found, mark)
            return
        if len(context.statements) > mark:
            context.rewind(mark)
    context.keep(statement)


def stands_for(found: Atom, type: Type, role: str) -> bool:
    """Whether a value can take the place of one of `type`: same kind, dtype and shape.

    In code of adjoints a Python float and a float64 scalar are one thing.
    """
    have = found.type
    if isinstance(have, Number) and isinstance(type, Number):
        return have.kind == type.kind
    if have == type:
        return True
    if role == "primal":
        return False
    floats = (Number("float"), Scalar("f64"))
    return have in floats and type in floats


__all__ = ["simplify_algebra", "stands_for"]
