"""y + exp(x y) with x = cos t and y = t^2: the multivariate chain rule, from the same lectures.

df/dt is the sum over both ways from t to f: df/dx dx/dt + df/dy dy/dt.
"""

import numpy as np


def f(t: float) -> float:
    x = np.cos(t)
    y = t**2
    return y + np.exp(x * y)


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    print(value_and_grad(f)(1.2))
