"""Logistic regression: the mean log-loss of labels in {0, 1}, with an L2 term.

`np.logaddexp(0, z)` is log(1 + exp(z)) without overflow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def loss(
    w: Float[Array, "d"], b: float, X: Float[Array, "n d"], t: Float[Array, "n"], lam: float
) -> float:
    z = X @ w + b
    return np.mean(np.logaddexp(0.0, z) - t * z) + 0.5 * lam * np.sum(w * w)


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    rng = np.random.default_rng(0)
    X, t = rng.normal(size=(6, 2)), np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.0])
    print(value_and_grad(loss, wrt=("w", "b"))(np.array([0.5, -0.3]), 0.1, X, t, 0.01))
