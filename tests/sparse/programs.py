"""Functions with sparse derivatives, for the tests of patterns, coverings and modules."""

from __future__ import annotations

from typing import Any

import numpy as np

Vector = Any


def tridiagonal(x: Vector) -> Any:
    y = 2.0 * x + x**3
    y[1:] -= x[:-1]
    y[:-1] -= x[1:] * x[:-1]
    return y


def differences(x: Vector) -> Any:
    return x[:-2] - 2.0 * x[1:-1] ** 2 + x[2:]


def tridiagonal_loop(x: Vector) -> Any:
    y = np.zeros(x.size)
    for i in range(x.size):
        left = x[i - 1] if i > 0 else 0.0
        right = x[i + 1] if i < x.size - 1 else 1.0
        y[i] = left * right + np.sin(x[i])
    return y


def five_point(u: Vector) -> Any:
    r = 4.0 * u + 0.1 * np.exp(u)
    r[1:, :] -= u[:-1, :]
    r[:-1, :] -= u[1:, :]
    r[:, 1:] -= u[:, :-1]
    r[:, :-1] -= u[:, 1:]
    return r


def arrow(x: Vector) -> Any:
    y = x * x[0]
    y[0] = np.sum(x * x)
    return y


def border(x: Vector) -> Any:
    """Not zero in its first three rows and first three columns only."""
    y = np.zeros(x.size)
    y[:3] = np.sum(x * x) * np.arange(1.0, 4.0)
    y[3:] = x[0] * x[1] * x[2] * np.arange(3.0, x.size)
    return y


def rosenbrock(x: Vector) -> Any:
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def arrow_energy(x: Vector) -> Any:
    return x[0] * np.sum(x[1:] ** 2) + 3.0 * x[0] + np.sum(x)


def membrane(u: Vector) -> Any:
    down, right = u[1:, :] - u[:-1, :], u[:, 1:] - u[:, :-1]
    return 0.5 * np.sum(down**2) + 0.5 * np.sum(right**2) + np.sum(np.cosh(u))


def projections(p: Vector) -> Any:
    """Two cameras of three parameters each, four points seen by both and a scale."""
    turns, points, scale = np.reshape(p[:6], (2, 3)), np.reshape(p[6:14], (4, 2)), p[14]
    turn, point = np.repeat(turns, 4, axis=0), np.tile(points, (2, 1))
    depth = 1.0 + np.sin(turn[:, 0]) * point[:, 0] + turn[:, 1] * point[:, 1] ** 2
    return scale * np.stack((point[:, 0] / depth, np.exp(turn[:, 2]) / depth), axis=1)
