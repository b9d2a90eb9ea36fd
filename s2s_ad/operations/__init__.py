"""The catalogue: every operation the compiler knows, by name; each file declares one family."""

from __future__ import annotations

from functools import cache

from s2s_ad.operations.declare import Catalogue


@cache
def catalogue() -> Catalogue:
    """All operations: `numpy.sin`, `+`, `getitem`, `math.exp`, `helper.unbroadcast`."""
    from s2s_ad.operations import (
        arrays,
        choices,
        complex_numbers,
        custom,
        diagonals,
        distributions,
        effects,
        einsum,
        elementwise,
        factorisations,
        fourier,
        gathers,
        implicit,
        indexing,
        initial,
        joining,
        joint_distributions,
        math_functions,
        nan_reductions,
        norms,
        ordering,
        padding,
        parts,
        polynomial_arithmetic,
        polynomials,
        product_adjoints,
        products,
        quantiles,
        rearranging,
        reductions,
        running,
        sampling,
        scipy_equations,
        scipy_factorisations,
        scipy_linalg,
        scipy_systems,
        shaping,
        signal,
        solving,
        special,
        special_integrals,
        support,
        tensordot,
        vector_products,
    )

    families = (
        elementwise,
        math_functions,
        complex_numbers,
        choices,
        reductions,
        nan_reductions,
        initial,
        running,
        ordering,
        quantiles,
        diagonals,
        product_adjoints,
        products,
        vector_products,
        tensordot,
        solving,
        factorisations,
        norms,
        polynomials,
        polynomial_arithmetic,
        fourier,
        scipy_linalg,
        scipy_factorisations,
        scipy_equations,
        scipy_systems,
        special,
        special_integrals,
        distributions,
        joint_distributions,
        signal,
        implicit,
        einsum,
        indexing,
        gathers,
        parts,
        shaping,
        arrays,
        joining,
        rearranging,
        padding,
        sampling,
        effects,
        custom,
        support,
    )
    joined = Catalogue()
    for family in families:
        joined.join(family.CATALOGUE)
    return joined
