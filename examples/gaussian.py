"""The log-likelihood of a sample under a normal distribution, by its mean and log-deviation.

The parameters of the maximum are the sample's mean and deviation: there the gradient vanishes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def log_likelihood(mu: float, log_sigma: float, x: Float[Array, "n"]) -> float:
    residual = (x - mu) / np.exp(log_sigma)
    return -0.5 * np.sum(residual**2) - len(x) * (log_sigma + 0.5 * np.log(2.0 * np.pi))


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    x = np.array([1.2, 0.7, 2.1, 1.6])
    print(value_and_grad(log_likelihood, wrt=("mu", "log_sigma"))(1.0, -0.5, x))
