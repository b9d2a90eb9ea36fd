"""Explicit steps of the heat equation, in place: linear, so that nothing is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def heat(u: Float[Array, "n"], alpha: float, steps: int) -> float:
    for _ in range(steps):
        for i in range(1, len(u) - 1):
            u[i] = u[i] + alpha * (u[i - 1] - 2.0 * u[i] + u[i + 1])
    return np.sum(u * u)


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    print(value_and_grad(heat)(np.array([0.0, 1.0, 0.5, 0.2, 0.0]), 0.1, 3))
