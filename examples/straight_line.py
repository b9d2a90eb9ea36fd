"""ln x1 + x1 x2 - sin x2: the function on which surveys of automatic differentiation show it.

The names are those of the published evaluation trace: every adjoint of it can be looked up.
"""

import numpy as np


def f(x1: float, x2: float) -> float:
    v1 = np.log(x1)
    v2 = x1 * x2
    v3 = np.sin(x2)
    v4 = v1 + v2
    v5 = v4 - v3
    return v5


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    print(value_and_grad(f, wrt=("x1", "x2"))(2.0, 5.0))
