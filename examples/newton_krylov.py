"""Newton-Krylov: logistic regression with products of the Hessian and vectors, never the Hessian.

Conjugate gradients ask for one product an iteration, which costs a small multiple of a gradient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def loss(w: Float[Array, "d"], X: Float[Array, "n d"], y: Float[Array, "n"], lam: float) -> float:
    return np.mean(np.logaddexp(0.0, -y * (X @ w))) + 0.5 * lam * np.sum(w**2)


if __name__ == "__main__":
    import sys
    from pathlib import Path

    from scipy.sparse.linalg import LinearOperator, cg

    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "generated"))
    from newton_krylov_gradient import value_and_grad_loss
    from newton_krylov_hvp import hvp_loss

    random = np.random.default_rng(0)
    X = random.normal(size=(200, 30))
    y = np.sign(X @ random.normal(size=30) + random.normal(size=200))
    w, lam = np.zeros(30), 1e-3
    for iteration in range(20):
        value, gradient = value_and_grad_loss(w, X, y, lam)
        size = float(np.linalg.norm(gradient))
        print(f"{iteration:2}  loss {value:.12f}  gradient {size:.1e}")
        if size < 1e-10:
            break
        here = w

        def product(v, here=here):
            return hvp_loss(here, X, y, lam, v)

        hessian = LinearOperator((30, 30), product, dtype=float)
        step, _ = cg(hessian, gradient, rtol=min(0.1, size))
        w = w - step
