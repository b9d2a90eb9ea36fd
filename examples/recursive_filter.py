"""A recursive filter: the output is read again, and kept nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def energy(x: Float[Array, "n"], a: float, b: float) -> float:
    y = np.zeros_like(x)
    y[0] = b * x[0]
    for i in range(1, len(x)):
        y[i] = b * x[i] + a * y[i - 1]
    return np.sum(y * y)


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    print(value_and_grad(energy)(np.array([1.0, 0.0, 0.5, 0.0]), 0.8, 0.2))
