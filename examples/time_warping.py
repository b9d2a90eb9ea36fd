"""Dynamic time warping: the table of costs, and the branch that was taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def distance(a: Float[Array, "n"], b: Float[Array, "m"]) -> float:
    D = np.full((len(a) + 1, len(b) + 1), 1e9)
    D[0, 0] = 0.0
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            cost = (a[i - 1] - b[j - 1]) ** 2
            D[i, j] = cost + min(D[i - 1, j], D[i, j - 1], D[i - 1, j - 1])
    return D[len(a), len(b)]


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    print(value_and_grad(distance)(np.array([0.0, 1.0, 2.0]), np.array([0.1, 1.7])))
