"""Newton's method with a sparse Hessian: the surface of least area that a frame spans.

The Hessian of the area couples neighbours only; a few products with vectors give all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def area(inner: Float[Array, "8 8"], frame: Float[Array, "10 10"]) -> float:
    z = frame.copy()
    z[1:-1, 1:-1] = inner
    step = 1.0 / 9.0
    along, across = (z[1:, :] - z[:-1, :]) / step, (z[:, 1:] - z[:, :-1]) / step
    left = np.sqrt(1.0 + along[:, :-1] ** 2 + across[:-1, :] ** 2)
    right = np.sqrt(1.0 + along[:, 1:] ** 2 + across[1:, :] ** 2)
    return 0.5 * step**2 * np.sum(left + right)


if __name__ == "__main__":
    import sys
    from pathlib import Path

    from scipy.sparse.linalg import spsolve

    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "generated"))
    from minimal_surface_gradient import value_and_grad_area
    from minimal_surface_hessian import hessian_area

    x = np.linspace(0.0, 1.0, 10)
    frame = np.sin(np.pi * x)[:, None] * (1.0 - 2.0 * x)
    inner = np.zeros((8, 8))
    for iteration in range(12):
        value, gradient = value_and_grad_area(inner, frame)
        print(f"{iteration:2}  area {value:.12f}  gradient {np.abs(gradient).max():.1e}")
        if np.abs(gradient).max() < 1e-12:
            break
        step = spsolve(hessian_area(inner, frame), gradient.ravel()).reshape(inner.shape)
        length = 1.0
        while value_and_grad_area(inner - length * step, frame)[0] > value:
            length *= 0.5
        inner = inner - length * step
