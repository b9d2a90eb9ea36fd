"""The equilibrium of a network with one layer, found by iteration: a fixed point.

S. Bai, J. Z. Kolter and V. Koltun, "Deep equilibrium models" (2019): the reverse sweep solves one
linear system at the fixed point, whatever the iterations were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from s2s_ad import implicit

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def layer(z, W, x):
    return np.tanh(W @ z + x)


@implicit(fixed_point=layer)
def equilibrium(W, x, tolerance):
    z, change = np.zeros_like(x), np.inf
    while change > tolerance:
        following = layer(z, W, x)
        change = np.max(np.abs(following - z))
        z = following
    return z


def loss(W: Float[Array, "n n"], x: Float[Array, "n"], target: Float[Array, "n"]) -> float:
    return np.sum((equilibrium(W, x, 1e-14) - target) ** 2)


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    W = np.array([[0.5, -0.3], [0.2, 0.4]])
    print(value_and_grad(loss, wrt=("W", "x"))(W, np.array([0.1, 0.7]), np.zeros(2)))
