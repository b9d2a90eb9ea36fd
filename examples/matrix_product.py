"""A matrix product with an adjoint given from above, from lecture notes on vectorised gradients.

The Jacobian of x (2x3) by w (3x4) has 8 x 6 entries and is never formed: two products with the
upstream gradient are all that is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def product(x: Float[Array, "n d"], w: Float[Array, "d m"]) -> Float[Array, "n m"]:
    return x @ w


if __name__ == "__main__":
    from s2s_ad import vjp

    x = np.array([[2.0, 1.0, -3.0], [-3.0, 4.0, 2.0]])
    w = np.array([[3.0, 2.0, 1.0, -1.0], [2.0, 1.0, 3.0, 2.0], [3.0, 2.0, 1.0, -2.0]])
    upstream = np.array([[2.0, 3.0, -3.0, 9.0], [-8.0, 1.0, 4.0, 6.0]])
    y, pullback = vjp(product, x, w)
    print(y)
    for gradient in pullback(upstream):
        print(gradient)
