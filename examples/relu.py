"""The rectifier with an adjoint given from above, from the same lecture notes.

Its Jacobian is diagonal: where the input is not positive, nothing passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def relu(x: Float[Array, "n"]) -> Float[Array, "n"]:
    return np.maximum(x, 0.0)


if __name__ == "__main__":
    from s2s_ad import vjp

    y, pullback = vjp(relu, np.array([1.0, -2.0, 3.0, -1.0]))
    print(y, pullback(np.array([4.0, -1.0, 5.0, 9.0])))
