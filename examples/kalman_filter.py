"""The log likelihood of measurements by the Kalman filter.

R. E. Kalman, "A new approach to linear filtering and prediction problems" (1960). The covariance of
each innovation is factored once; its factor solves the systems of both sweeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_solve, cholesky

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def log_likelihood(
    F: Float[Array, "n n"],
    H: Float[Array, "m n"],
    Q: Float[Array, "n n"],
    R: Float[Array, "m m"],
    state: Float[Array, "n"],
    P: Float[Array, "n n"],
    measured: Float[Array, "t m"],
) -> float:
    total = -0.5 * measured.size * np.log(2.0 * np.pi)
    for k in range(len(measured)):
        state = F @ state
        P = F @ P @ F.T + Q
        innovation = measured[k] - H @ state
        L = cholesky(H @ P @ H.T + R, lower=True)
        PH = P @ H.T
        total = total - 0.5 * innovation @ cho_solve((L, True), innovation)
        total = total - np.sum(np.log(np.diag(L)))
        state = state + PH @ cho_solve((L, True), innovation)
        P = P - PH @ cho_solve((L, True), PH.T)
    return total


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    rng = np.random.default_rng(0)
    F, H = np.array([[1.0, 0.1], [0.0, 1.0]]), np.array([[1.0, 0.0]])
    measured = np.cumsum(rng.normal(size=(20, 1)), axis=0)
    arguments = (F, H, 0.1 * np.eye(2), 0.5 * np.eye(1), np.zeros(2), np.eye(2), measured)
    value, gradient = value_and_grad(log_likelihood, wrt=("F", "Q", "R"))(*arguments)
    print(value, *gradient)
