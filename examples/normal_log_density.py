"""The log-density of a multivariate normal distribution, by one triangular factor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cholesky, solve_triangular

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def log_density(
    x: Float[Array, "d"], mean: Float[Array, "d"], covariance: Float[Array, "d d"]
) -> float:
    L = cholesky(covariance, lower=True)
    z = solve_triangular(L, x - mean, lower=True)
    return -0.5 * z @ z - np.sum(np.log(np.diag(L))) - 0.5 * len(x) * np.log(2.0 * np.pi)


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    covariance = np.array([[2.0, 0.3], [0.3, 1.0]])
    print(value_and_grad(log_density, wrt="mean")(np.array([1.0, -1.0]), np.zeros(2), covariance))
