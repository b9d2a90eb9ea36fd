"""(x + y) z: the smallest graph with which courses on neural networks introduce backpropagation.

A sum hands its adjoint on, a product multiplies it with the other factor.
"""


def f(x: float, y: float, z: float) -> float:
    q = x + y
    return q * z


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    print(value_and_grad(f, wrt=("x", "y", "z"))(-2.0, 5.0, -4.0))
