"""The neuron again, with the sigmoid as one operation whose derivative is declared.

As the courses group the four gates of the sigmoid into one: `grad_s3 = grad_L * (1 - L) * L`.
"""

import numpy as np

import s2s_ad


def sigmoid(x: float) -> float:
    return 1.0 / (1.0 + np.exp(-x))


s2s_ad.declare("out = sigmoid(x)", "grad_x += grad_out * (1 - out) * out")


def neuron(w0: float, w1: float, w2: float, x0: float, x1: float) -> float:
    s0 = w0 * x0
    s1 = w1 * x1
    s2 = s0 + s1
    s3 = s2 + w2
    L = sigmoid(s3)
    return L


if __name__ == "__main__":
    wrt = ("w0", "w1", "w2", "x0", "x1")
    print(s2s_ad.value_and_grad(neuron, wrt=wrt)(2.0, -3.0, -3.0, -1.0, -2.0))
