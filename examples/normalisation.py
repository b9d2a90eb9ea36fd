"""Columns brought to mean 0 and variance 1, as a layer of a network does with its batch.

Every element of a column moves its mean and its deviation, and so all other elements: the three
contributions to `X` are where derivations by hand go wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def score(
    X: Float[Array, "n d"], scale: Float[Array, "d"], shift: Float[Array, "d"], eps: float = 1e-5
) -> float:
    centred = X - np.mean(X, axis=0)
    variance = np.mean(centred**2, axis=0)
    Z = centred / np.sqrt(variance + eps)
    return np.sum(np.tanh(scale * Z + shift))


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    X = np.array([[1.0, 2.0], [2.0, 0.5], [4.0, -1.0]])
    wrt = ("X", "scale", "shift")
    print(value_and_grad(score, wrt=wrt)(X, np.array([1.0, 0.5]), np.array([0.1, -0.2])))
