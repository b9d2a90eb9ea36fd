"""1 / (1 + exp(-(w0 x0 + w1 x1 + w2))): one neuron with two inputs, from the same courses.

Every gate of the circuit is a line. The derivative of the sigmoid in terms of its output,
(1 - L) L, is what makes the exercise short: 0.73 at the usual numbers, and 0.20.
"""

import numpy as np


def neuron(w0: float, w1: float, w2: float, x0: float, x1: float) -> float:
    s0 = w0 * x0
    s1 = w1 * x1
    s2 = s0 + s1
    s3 = s2 + w2
    L = 1.0 / (1.0 + np.exp(-s3))
    return L


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    wrt = ("w0", "w1", "w2", "x0", "x1")
    print(value_and_grad(neuron, wrt=wrt)(2.0, -3.0, -3.0, -1.0, -2.0))
