"""LU factorisation in place, without pivots: nothing is kept beside the factors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def determinant(A: Float[Array, "n n"]) -> float:
    n = len(A)
    result = 1.0
    for k in range(n):
        result *= A[k, k]
        for i in range(k + 1, n):
            A[i, k] = A[i, k] / A[k, k]
            for j in range(k + 1, n):
                A[i, j] -= A[i, k] * A[k, j]
    return result


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    print(value_and_grad(determinant)(np.array([[4.0, 1.0], [1.0, 3.0]])))
