"""Bundle adjustment by Levenberg and Marquardt's method with a sparse Jacobian.

A camera has a rotation vector, a translation, a focal length and two coefficients of radial
distortion; every camera sees every point. A residual depends on one camera and one point: the
Jacobian takes as many directions as these two have parameters together, whatever their numbers.
The model is that of S. Agarwal, N. Snavely, S. M. Seitz, R. Szeliski, "Bundle adjustment in the
large" (2010).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def residuals(
    cameras: Float[Array, "3 9"], points: Float[Array, "12 3"], seen: Float[Array, "36 2"]
):
    camera = np.repeat(cameras, 12, axis=0)
    point = np.tile(points, (3, 1))
    axis, angle = camera[:, 0:3], np.sqrt(np.sum(camera[:, 0:3] ** 2, axis=1, keepdims=True))
    axis = axis / angle
    along = np.sum(axis * point, axis=1, keepdims=True)
    turned = (
        np.cos(angle) * point
        + np.sin(angle) * np.cross(axis, point)
        + (1.0 - np.cos(angle)) * along * axis
    )
    place = turned + camera[:, 3:6]
    flat = -place[:, 0:2] / place[:, 2:3]
    square = np.sum(flat**2, axis=1, keepdims=True)
    distortion = 1.0 + camera[:, 7:8] * square + camera[:, 8:9] * square**2
    return camera[:, 6:7] * distortion * flat - seen


if __name__ == "__main__":
    import sys
    from pathlib import Path

    from scipy.sparse import diags_array
    from scipy.sparse.linalg import spsolve

    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "generated"))
    from bundle_adjustment_jacobian import jacobian_residuals

    random = np.random.default_rng(0)
    points = random.uniform(-1.0, 1.0, (12, 3))
    cameras = np.array([[0.1, 0.2, 0.1, 0.0, 0.0, -5.0, 2.0, 0.1, 0.01]]) + np.concatenate(
        [random.normal(0.0, 0.2, (3, 6)), np.zeros((3, 3))], axis=1
    )
    seen = residuals(cameras, points, np.zeros((36, 2)))
    cameras = cameras + random.normal(0.0, 0.01, cameras.shape)
    points = points + random.normal(0.0, 0.05, points.shape)
    damping = 1e-3
    for iteration in range(40):
        now = residuals(cameras, points, seen).ravel()
        cost = 0.5 * now @ now
        print(f"{iteration:2}  cost {cost:.3e}  damping {damping:.0e}")
        if cost < 1e-20:
            break
        jacobian = jacobian_residuals(cameras, points, seen)
        normal = (jacobian.T @ jacobian).tocsc()
        scale = diags_array(normal.diagonal() + 1e-12)
        step = spsolve(normal + damping * scale, jacobian.T @ now)
        tried = cameras - step[:27].reshape(3, 9), points - step[27:].reshape(12, 3)
        after = residuals(*tried, seen).ravel()
        if 0.5 * after @ after < cost:
            (cameras, points), damping = tried, 0.2 * damping
        else:
            damping *= 5.0
