"""A hanging chain by `scipy.optimize.minimize`: value and gradient, products of the Hessian with
vectors, and constraints with a sparse Jacobian and Hessian.

Links of equal length hang between two nails; their potential energy is least.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def energy(joints: Float[Array, "22"]) -> float:
    heights = joints[1::2]
    return np.sum(heights) + 1e-3 * np.sum(joints**4)


def lengths(joints: Float[Array, "22"]):
    """The squares of the lengths of the links, between nails at (0, 0) and (1, 0)."""
    left, right = np.zeros((1, 2)), np.array([[1.0, 0.0]])
    chain = np.concatenate((left, np.reshape(joints, (11, 2)), right))
    return np.sum((chain[1:] - chain[:-1]) ** 2, axis=1)


def weighted_lengths(joints: Float[Array, "22"], weights: Float[Array, "12"]) -> float:
    return weights @ lengths(joints)


if __name__ == "__main__":
    import sys
    from pathlib import Path

    from scipy.optimize import NonlinearConstraint, minimize

    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "generated"))
    from constrained_chain_gradient import value_and_grad_energy
    from constrained_chain_hessian import hessian_weighted_lengths
    from constrained_chain_hvp import hvp_energy
    from constrained_chain_jacobian import jacobian_lengths

    x = np.linspace(0.0, 1.0, 13)[1:-1]
    start = np.stack([x, -x * (1.0 - x)], axis=1).ravel()
    found = minimize(
        value_and_grad_energy,
        start,
        method="trust-constr",
        jac=True,
        hessp=lambda joints, v: hvp_energy(joints, v.astype(float)),
        constraints=NonlinearConstraint(
            lengths, 0.01, 0.01, jac=jacobian_lengths, hess=hessian_weighted_lengths
        ),
        options={"gtol": 1e-9, "xtol": 1e-12, "maxiter": 500},
    )
    heights = found.x[1::2]
    print(f"energy {found.fun:.9f}, lowest joint {heights.min():.6f}, in {found.nit} iterations")
    print("broken constraints:", f"{np.abs(lengths(found.x) - 0.01).max():.1e}")
