"""A two-layer perceptron for a batch of examples, with sizes named in its annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def loss(
    W1: Float[Array, "d h"],
    b1: Float[Array, "h"],
    W2: Float[Array, "h k"],
    b2: Float[Array, "k"],
    X: Float[Array, "n d"],
    T: Float[Array, "n k"],
) -> float:
    H = np.tanh(X @ W1 + b1)
    Y = H @ W2 + b2
    return 0.5 * np.sum((Y - T) ** 2)


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    rng = np.random.default_rng(0)
    W1, b1, W2, b2 = rng.normal(size=(3, 4)), np.zeros(4), rng.normal(size=(4, 2)), np.zeros(2)
    X, T = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))
    print(value_and_grad(loss, wrt=("W1", "b1", "W2", "b2"))(W1, b1, W2, b2, X, T))
