"""The two-layer perceptron for one example with matrices: W1, b1, W2, b2 and squared error.

The lecture's second form: grad_W2 = grad_y h^T, grad_h = W2^T grad_y, and so on to the input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def loss(
    W1: Float[Array, "h d"],
    b1: Float[Array, "h"],
    W2: Float[Array, "k h"],
    b2: Float[Array, "k"],
    x: Float[Array, "d"],
    t: Float[Array, "k"],
) -> float:
    z = W1 @ x + b1
    h = 1.0 / (1.0 + np.exp(-z))
    y = W2 @ h + b2
    return 0.5 * np.sum((y - t) ** 2)


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    W1, b1 = np.array([[0.1, -0.2], [0.4, 0.3]]), np.array([0.0, 0.1])
    W2, b2 = np.array([[0.7, -0.5]]), np.array([0.2])
    x, t = np.array([1.0, 2.0]), np.array([1.0])
    print(value_and_grad(loss, wrt=("W1", "b1", "W2", "b2"))(W1, b1, W2, b2, x, t))
