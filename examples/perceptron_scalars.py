"""A perceptron with 2 inputs, 2 hidden units and 1 output, its sums over indices written out.

The lecture's first form of backpropagation: an adjoint for each weight. `perceptron.py` is the
second form, with matrices.
"""

import numpy as np


def loss(
    w11: float,
    w12: float,
    w21: float,
    w22: float,
    b1: float,
    b2: float,
    v1: float,
    v2: float,
    c: float,
    x1: float,
    x2: float,
    t: float,
) -> float:
    z1 = w11 * x1 + w12 * x2 + b1
    z2 = w21 * x1 + w22 * x2 + b2
    h1 = 1.0 / (1.0 + np.exp(-z1))
    h2 = 1.0 / (1.0 + np.exp(-z2))
    y = v1 * h1 + v2 * h2 + c
    return 0.5 * (y - t) ** 2


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    wrt = ("w11", "w12", "w21", "w22", "b1", "b2", "v1", "v2", "c")
    numbers = (0.1, -0.2, 0.4, 0.3, 0.0, 0.1, 0.7, -0.5, 0.2, 1.0, 2.0, 1.0)
    print(value_and_grad(loss, wrt=wrt)(*numbers))
