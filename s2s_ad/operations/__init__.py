"""The catalogue: every operation the compiler knows, by name. Each file declares one family; this one joins them."""

from __future__ import annotations

from functools import cache

from s2s_ad.operations.declare import Catalogue


@cache
def catalogue() -> Catalogue:
    """All operations, as `numpy.sin`, `x + y`'s `+`, `getitem`, `math.exp`, `builtins.abs`, `helper.unbroadcast`."""
    from s2s_ad.operations import elementwise, indexing, linear_algebra, reductions, shaping

    joined = Catalogue()
    for family in (elementwise, reductions, linear_algebra, indexing, shaping):
        joined.join(family.CATALOGUE)
    return joined
