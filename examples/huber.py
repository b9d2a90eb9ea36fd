"""The Huber loss: a branch, whose test decides both ways."""

from __future__ import annotations


def huber(r: float, d: float) -> float:
    if abs(r) <= d:
        y = 0.5 * r * r
    else:
        y = d * (abs(r) - 0.5 * d)
    return y


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    print(value_and_grad(huber)(1.5, 1.0))
