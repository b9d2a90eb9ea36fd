"""The logarithm of a determinant by a Cholesky factorisation in loops; L has all that is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def half_log_determinant(A: Float[Array, "n n"]) -> float:
    n = len(A)
    L = np.zeros_like(A)
    for j in range(n):
        L[j, j] = np.sqrt(A[j, j] - L[j, :j] @ L[j, :j])
        for i in range(j + 1, n):
            L[i, j] = (A[i, j] - L[i, :j] @ L[j, :j]) / L[j, j]
    return np.sum(np.log(np.diag(L)))


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    print(value_and_grad(half_log_determinant)(np.array([[4.0, 1.0], [1.0, 3.0]])))
