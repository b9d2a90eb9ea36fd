"""The price of a European call by a binomial tree, its array written over from step to step."""

from __future__ import annotations

import numpy as np


def call(S: float, K: float, r: float, sigma: float, T: float, n: int) -> float:
    dt = T / n
    up = np.exp(sigma * np.sqrt(dt))
    p = (np.exp(r * dt) - 1.0 / up) / (up - 1.0 / up)
    discount = np.exp(-r * dt)
    V = np.zeros(n + 1)
    for j in range(n + 1):
        V[j] = max(S * up ** (2 * j - n) - K, 0.0)
    for i in range(n - 1, -1, -1):
        for j in range(i + 1):
            V[j] = discount * (p * V[j + 1] + (1.0 - p) * V[j])
    return V[0]


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    print(value_and_grad(call)(100.0, 105.0, 0.05, 0.2, 1.0, 8))
