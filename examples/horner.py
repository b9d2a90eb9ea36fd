"""A polynomial by Horner's rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def polynomial(c: Float[Array, "n"], x: float) -> float:
    s = 0.0
    for k in range(len(c) - 1, -1, -1):
        s = s * x + c[k]
    return s


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    print(value_and_grad(polynomial)(np.array([1.0, -2.0, 0.5]), 1.5))
