"""Univariate logistic least squares with an L2 term, as lectures on backpropagation derive it.

The names are those of the computation graph on the slides; the adjoints come in the lecture's
order: Lreg, R, L, y, z, w, b.
"""

import numpy as np


def regularised_loss(w: float, b: float, x: float, t: float, lam: float) -> float:
    z = w * x + b
    y = 1.0 / (1.0 + np.exp(-z))
    L = 0.5 * (y - t) ** 2
    R = 0.5 * w**2
    Lreg = L + lam * R
    return Lreg


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    print(value_and_grad(regularised_loss, wrt=("w", "b"))(0.7, -0.2, 1.5, 1.0, 0.1))
