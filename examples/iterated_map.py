"""A map applied n times to its own result: one value is kept for each trip."""

from __future__ import annotations

import numpy as np


def iterate(x: float, n: int) -> float:
    s = 1.0
    for i in range(n):
        s = s * x + 0.1 * np.sin(s)
    return s


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    print(value_and_grad(iterate)(0.9, 10))
