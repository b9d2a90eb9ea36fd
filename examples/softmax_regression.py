"""Softmax regression for a batch: cross-entropy of log-probabilities that cannot overflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def loss(W: Float[Array, "d k"], X: Float[Array, "n d"], T: Float[Array, "n k"]) -> float:
    Z = X @ W
    Z = Z - np.max(Z, axis=1, keepdims=True)
    logp = Z - np.log(np.sum(np.exp(Z), axis=1, keepdims=True))
    return -np.sum(T * logp)


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    rng = np.random.default_rng(0)
    X, T = rng.normal(size=(5, 3)), np.eye(4)[[0, 2, 1, 3, 0]]
    print(value_and_grad(loss)(rng.normal(size=(3, 4)), X, T))
