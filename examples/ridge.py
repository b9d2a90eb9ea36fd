"""Ridge regression: a residual, its squared length, and a penalty that shares `w` with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def loss(
    w: Float[Array, "d"], X: Float[Array, "n d"], y: Float[Array, "n"], lam: float = 0.1
) -> float:
    residual = X @ w - y
    return residual @ residual / len(y) + lam * (w @ w)


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    X = np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 0.0]])
    print(value_and_grad(loss)(np.array([0.3, -0.2]), X, np.array([1.0, 0.0, 2.0])))
