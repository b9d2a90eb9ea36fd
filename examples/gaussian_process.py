"""The negative log marginal likelihood of a Gaussian process with a squared exponential kernel.

C. E. Rasmussen and C. K. I. Williams, "Gaussian Processes for Machine Learning" (2006), section 2.3
and algorithm 2.1. The one Cholesky factor solves the systems of both sweeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_solve, cholesky

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def negative_log_likelihood(
    amplitude: float,
    length: float,
    noise: float,
    x: Float[Array, "n"],
    y: Float[Array, "n"],
) -> float:
    distance = (x[:, None] - x) / length
    K = amplitude**2 * np.exp(-0.5 * distance**2) + noise**2 * np.eye(len(x))
    L = cholesky(K, lower=True)
    alpha = cho_solve((L, True), y)
    return 0.5 * y @ alpha + np.sum(np.log(np.diag(L))) + 0.5 * len(x) * np.log(2.0 * np.pi)


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    x = np.linspace(0.0, 5.0, 6)
    gradient = value_and_grad(negative_log_likelihood, wrt=("amplitude", "length", "noise"))
    print(gradient(1.0, 0.8, 0.1, x, np.sin(x)))
