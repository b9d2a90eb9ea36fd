"""The rewritings of `simplify_algebra`, by the name of the operation they look at.

A rewriting takes the context and a statement, and gives the atom that has its value (appending what
that needs), or None. It is exact if it may also be applied to the user's own code: same value to
the last bit, same errors.
"""

from __future__ import annotations

from collections.abc import Callable

from s2s_ad.ir import Assign, Atom
from s2s_ad.passes.algebra import (
    broadcasts,
    constants,
    contractions,
    identities,
    integers,
    known_values,
    products,
    shapes,
    stores,
    sums,
)
from s2s_ad.passes.algebra.context import Context

Rewriting = Callable[[Context, Assign], Atom | None]


def _table() -> dict[str, list[tuple[Rewriting, bool]]]:
    table: dict[str, list[tuple[Rewriting, bool]]] = {}
    families = (shapes, stores, integers, identities, broadcasts, sums, products)
    for family in (*families, known_values, constants, contractions):
        for names, rewriting, exact in family.REWRITINGS:
            for name in names:
                table.setdefault(name, []).append((rewriting, exact))
    return table


REWRITES = _table()
