"""A tridiagonal system by Thomas' algorithm: two recurrences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def norm_of_solution(
    a: Float[Array, "n"], b: Float[Array, "n"], c: Float[Array, "n"], d: Float[Array, "n"]
) -> float:
    n = len(d)
    upper = np.zeros(n)
    right = np.zeros(n)
    upper[0] = c[0] / b[0]
    right[0] = d[0] / b[0]
    for i in range(1, n):
        pivot = b[i] - a[i] * upper[i - 1]
        upper[i] = c[i] / pivot
        right[i] = (d[i] - a[i] * right[i - 1]) / pivot
    x = np.zeros(n)
    x[n - 1] = right[n - 1]
    for i in range(n - 2, -1, -1):
        x[i] = right[i] - upper[i] * x[i + 1]
    return np.sum(x * x)


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    ones = np.ones(4)
    print(value_and_grad(norm_of_solution)(-ones, 3.0 * ones, -ones, ones))
