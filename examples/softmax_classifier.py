"""Multiclass logistic regression for one example: softmax and cross-entropy from W x + b.

The lecture's result is that the adjoint of the logits is y - t.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def cross_entropy(
    W: Float[Array, "k d"], b: Float[Array, "k"], x: Float[Array, "d"], t: Float[Array, "k"]
) -> float:
    z = W @ x + b
    e = np.exp(z - np.max(z))
    y = e / np.sum(e)
    return -np.sum(t * np.log(y))


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    W = np.array([[0.2, -0.5], [1.1, 0.3], [-0.4, 0.8]])
    b = np.array([0.1, 0.0, -0.1])
    x = np.array([1.0, 2.0])
    t = np.array([0.0, 1.0, 0.0])
    print(value_and_grad(cross_entropy, wrt=("W", "b"))(W, b, x, t))
