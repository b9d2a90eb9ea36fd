"""The catalogue: every operation the compiler knows, by name; each file declares one family."""

from __future__ import annotations

from functools import cache

from s2s_ad.operations.declare import Catalogue


@cache
def catalogue() -> Catalogue:
    """All operations: `numpy.sin`, `+`, `getitem`, `math.exp`, `helper.unbroadcast`."""
    from s2s_ad.operations import (
        effects,
        einsum,
        elementwise,
        indexing,
        linear_algebra,
        rearranging,
        reductions,
        shaping,
        support,
    )

    families = (
        elementwise,
        reductions,
        linear_algebra,
        einsum,
        indexing,
        shaping,
        rearranging,
        effects,
        support,
    )
    joined = Catalogue()
    for family in families:
        joined.join(family.CATALOGUE)
    return joined
