"""Newton's iteration for a square root, until it is exact enough."""

from __future__ import annotations


def square_root(a: float) -> float:
    y = a
    while abs(y * y - a) > 1e-12:
        y = 0.5 * (y + a / y)
    return y


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    print(value_and_grad(square_root)(2.0))
