"""Numbers that are floats by their type, and may be Python integers while running.

`m = max(x, 3)` is a float or the integer 3, and so is `s = 0` behind a loop that adds floats to it
and made no trip. The product of such a number with 1.0 is a float, the number itself is not.
"""

from __future__ import annotations

from collections.abc import Iterable

from s2s_ad.ir import Assign, Atom, Block, Const, If, Statement, Var
from s2s_ad.operations.support import IDENTITY, RECALL
from s2s_ad.passes.activity import carried_of
from s2s_ad.rewrite import all_statements
from s2s_ad.types import Number, is_scalar_float

# what gives an integer if all that it is given are integers
STAYS_WHOLE = ("+", "-", "*", "//", "%", "**", "-x", "builtins.abs", IDENTITY.name, RECALL.name)


def perhaps_whole(block: Block) -> frozenset[Var]:
    """The floats of a block and its inner ones that may be integers, as far as branches and loops
    hand them on; what is computed from those is not followed.
    """
    found: set[Var] = set()
    handed = [pair for statement in all_statements(block) for pair in _handed_on(statement)]
    while True:
        more = {
            var
            for var, given in handed
            if var not in found and any(_is_whole(atom, found) for atom in given)
        }
        if not more:
            return frozenset(found)
        found |= more


def _handed_on(statement: Statement) -> Iterable[tuple[Var, tuple[Atom, ...]]]:
    """The floats that a branch or loop defines, and what each may be."""
    if isinstance(statement, Assign):
        return
    if isinstance(statement, If):
        for target, *given in zip(
            statement.targets, statement.then.results, statement.orelse.results, strict=True
        ):
            if is_scalar_float(target.type):
                yield target, tuple(given)
        return
    for target, initial, parameter, following in carried_of(statement):
        for var in (target, parameter):
            if is_scalar_float(var.type):
                yield var, (initial, following)


def _is_whole(atom: Atom, found: set[Var]) -> bool:
    if isinstance(atom, Var):
        return atom in found or (isinstance(atom.type, Number) and atom.type.kind == "int")
    return isinstance(atom, Const) and type(atom.value) is int
