"""The programs that `run.py` times: functions as users write them, with arguments of typical size.

Generated modules come from this file's text, as `s2sad` makes them; autograd and JAX run the same
functions with their own `np`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular

if TYPE_CHECKING:
    from jaxtyping import Array, Float


def scalar(x: float, y: float) -> float:
    u = x * y + np.sin(x)
    return np.exp(-u * u) + np.log(x) / (y + 2.0)


def scalar_math(x: float, y: float) -> float:
    u = x * y + math.sin(x)
    return math.exp(-u * u) + math.log(x) / (y + 2.0)


def perceptron(
    W1: Float[Array, "d h"],
    b1: Float[Array, "h"],
    W2: Float[Array, "h k"],
    b2: Float[Array, "k"],
    X: Float[Array, "n d"],
    T: Float[Array, "n k"],
) -> float:
    H = np.tanh(X @ W1 + b1)
    Y = H @ W2 + b2
    return 0.5 * np.sum((Y - T) ** 2)


def logistic_regression(
    w: Float[Array, "d"], b: float, X: Float[Array, "n d"], t: Float[Array, "n"], lam: float
) -> float:
    z = X @ w + b
    return np.mean(np.logaddexp(0.0, z) - t * z) + 0.5 * lam * np.sum(w**2)


def cross_entropy(
    w: Float[Array, "d"], b: float, X: Float[Array, "n d"], t: Float[Array, "n"]
) -> float:
    p = 1.0 / (1.0 + np.exp(-(X @ w + b)))
    return -np.mean(t * np.log(p) + (1.0 - t) * np.log(1.0 - p))


def softmax_regression(
    W: Float[Array, "d k"], b: Float[Array, "k"], X: Float[Array, "n d"], T: Float[Array, "n k"]
) -> float:
    logits = X @ W + b
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    log_p = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    return -np.mean(np.sum(T * log_p, axis=1))


def z_scores(
    W: Float[Array, "d h"],
    gain: Float[Array, "h"],
    shift: Float[Array, "h"],
    X: Float[Array, "n d"],
    T: Float[Array, "n h"],
) -> float:
    H = X @ W
    Z = (H - np.mean(H, axis=0)) / np.std(H, axis=0)
    Y = gain * Z + shift
    return np.mean((Y - T) ** 2)


def gaussian(mu: Float[Array, "d"], log_sigma: Float[Array, "d"], X: Float[Array, "n d"]) -> float:
    z = (X - mu) / np.exp(log_sigma)
    return np.sum(-0.5 * z**2 - log_sigma - 0.5 * np.log(2.0 * np.pi))


def attention(
    Q: Float[Array, "n d"], K: Float[Array, "m d"], V: Float[Array, "m k"], T: Float[Array, "n k"]
) -> float:
    scores = Q @ K.T / np.sqrt(32.0)
    weights = np.exp(scores - np.max(scores, axis=1, keepdims=True))
    weights = weights / np.sum(weights, axis=1, keepdims=True)
    return np.mean((weights @ V - T) ** 2)


def iterated_map(x: float, n: int) -> float:
    s = 1.0
    for _ in range(n):
        s = s * x + 0.1 * np.sin(s)
    return s


def heat_elements(u0: Float[Array, "n"], alpha: float, steps: int) -> float:
    u = u0.copy()
    for _ in range(steps):
        for i in range(1, len(u) - 1):
            u[i] = u[i] + alpha * (u[i - 1] - 2.0 * u[i] + u[i + 1])
    return np.sum(u * u)


def heat_slices(u0: Float[Array, "n"], alpha: float, steps: int) -> float:
    u = u0.copy()
    for _ in range(steps):
        u[1:-1] += alpha * (u[:-2] - 2.0 * u[1:-1] + u[2:])
    return np.sum(u * u)


def recurrent(W: Float[Array, "d d"], x: Float[Array, "d"], n: int) -> float:
    h = x
    for _ in range(n):
        h = np.tanh(W @ h + x)
    return np.sum(h)


def cholesky_loops(A: Float[Array, "n n"]) -> float:
    n = len(A)
    L = np.zeros_like(A)
    for j in range(n):
        L[j, j] = np.sqrt(A[j, j] - L[j, :j] @ L[j, :j])
        for i in range(j + 1, n):
            L[i, j] = (A[i, j] - L[i, :j] @ L[j, :j]) / L[j, j]
    return np.sum(np.log(np.diag(L)))


def tridiagonal(
    a: Float[Array, "n"], b: Float[Array, "n"], c: Float[Array, "n"], d: Float[Array, "n"]
) -> float:
    n = len(d)
    upper = np.zeros_like(d)
    right = np.zeros_like(d)
    x = np.zeros_like(d)
    upper[0] = c[0] / b[0]
    right[0] = d[0] / b[0]
    for i in range(1, n):
        pivot = b[i] - a[i] * upper[i - 1]
        upper[i] = c[i] / pivot
        right[i] = (d[i] - a[i] * right[i - 1]) / pivot
    x[n - 1] = right[n - 1]
    for i in range(n - 2, -1, -1):
        x[i] = right[i] - upper[i] * x[i + 1]
    return np.sum(x * x)


def lu_in_place(A: Float[Array, "n n"]) -> float:
    U = A.copy()
    n = len(U)
    for k in range(n):
        for i in range(k + 1, n):
            U[i, k] /= U[k, k]
            U[i, k + 1 :] -= U[i, k] * U[k, k + 1 :]
    return np.sum(np.log(np.diag(U)))


def leapfrog(
    q0: Float[Array, "b d"], p0: Float[Array, "b d"], m: Float[Array, "b"], h: float, steps: int
) -> float:
    q = q0.copy()
    p = p0.copy()
    for _ in range(steps):
        for i in range(len(m)):
            for j in range(i):
                r = q[j] - q[i]
                pull = h * m[i] * m[j] / (r @ r + 0.1) ** 1.5 * r
                p[i] += pull
                p[j] -= pull
        for i in range(len(m)):
            q[i] += h / m[i] * p[i]
    return np.sum(q * q) + np.sum(p * p)


def stencil_in_place(u0: Float[Array, "n m"], c: float, steps: int) -> float:
    u = u0.copy()
    n, m = u.shape
    for _ in range(steps):
        for i in range(1, n - 1):
            for j in range(1, m - 1):
                around = u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1]
                u[i, j] = (1.0 - c) * u[i, j] + 0.25 * c * around
    return np.sum(u * u)


def recursive_filter(x: Float[Array, "n"], b: Float[Array, "k"], a: Float[Array, "k"]) -> float:
    y = np.zeros_like(x)
    for i in range(2, len(x)):
        fed = b[0] * x[i] + b[1] * x[i - 1] + b[2] * x[i - 2]
        y[i] = fed - a[1] * y[i - 1] - a[2] * y[i - 2]
    return np.sum(y * y)


def gaussian_process(
    amplitude: float, length: float, noise: float, x: Float[Array, "n"], y: Float[Array, "n"]
) -> float:
    distance = (x[:, None] - x) / length
    K = amplitude**2 * np.exp(-0.5 * distance**2) + noise**2 * np.eye(len(x))
    L = cholesky(K, lower=True)
    alpha = cho_solve((L, True), y)
    return 0.5 * y @ alpha + np.sum(np.log(np.diag(L)))


def normal_log_density(
    x: Float[Array, "d"], mean: Float[Array, "d"], covariance: Float[Array, "d d"]
) -> float:
    L = cholesky(covariance, lower=True)
    z = solve_triangular(L, x - mean, lower=True)
    return -0.5 * z @ z - np.sum(np.log(np.diag(L)))


def kalman_filter(
    F: Float[Array, "n n"],
    H: Float[Array, "m n"],
    Q: Float[Array, "n n"],
    R: Float[Array, "m m"],
    state: Float[Array, "n"],
    P: Float[Array, "n n"],
    measured: Float[Array, "t m"],
) -> float:
    total = 0.0
    for k in range(len(measured)):
        state = F @ state
        P = F @ P @ F.T + Q
        innovation = measured[k] - H @ state
        L = cholesky(H @ P @ H.T + R, lower=True)
        PH = P @ H.T
        total = total - 0.5 * innovation @ cho_solve((L, True), innovation)
        total = total - np.sum(np.log(np.diag(L)))
        state = state + PH @ cho_solve((L, True), innovation)
        P = P - PH @ cho_solve((L, True), PH.T)
    return total


def rosenbrock(x: Float[Array, "n"]) -> float:
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def factorisation(W: Float[Array, "m n"]) -> float:
    residual = W @ W.T - np.eye(W.shape[0])
    return np.log(1.0 + np.sum(residual**2))


@dataclass(frozen=True)
class Program:
    """A function, the parameters to differentiate, and how to draw arguments."""

    function: Callable[..., Any]
    wrt: tuple[str, ...]
    arguments: Callable[[np.random.Generator], tuple[Any, ...]]
    size: str

    @property
    def name(self) -> str:
        return self.function.__name__


def _labels(random: np.random.Generator, n: int, k: int) -> np.ndarray:
    return np.eye(k)[random.integers(0, k, n)]


def _covariance(random: np.random.Generator, n: int) -> np.ndarray:
    root = random.normal(size=(n, n)) / math.sqrt(n)
    return root @ root.T + np.eye(n)


PROGRAMS = (
    Program(scalar, ("x", "y"), lambda random: (1.3, 0.7), "10 operations of NumPy"),
    Program(scalar_math, ("x", "y"), lambda random: (1.3, 0.7), "the same with `math`"),
    Program(
        perceptron,
        ("W1", "b1", "W2", "b2"),
        lambda random: (
            random.normal(size=(784, 256)) / 28.0,
            random.normal(size=256),
            random.normal(size=(256, 10)) / 16.0,
            random.normal(size=10),
            random.normal(size=(128, 784)),
            _labels(random, 128, 10),
        ),
        "128 x 784-256-10",
    ),
    Program(
        logistic_regression,
        ("w", "b"),
        lambda random: (
            random.normal(size=20),
            0.1,
            random.normal(size=(1000, 20)),
            (random.random(1000) < 0.5) * 1.0,
            0.01,
        ),
        "1000 x 20, L2 term",
    ),
    Program(
        cross_entropy,
        ("w", "b"),
        lambda random: (
            random.normal(size=20),
            0.1,
            random.normal(size=(1000, 20)),
            (random.random(1000) < 0.5) * 1.0,
        ),
        "1000 x 20, by p and log p",
    ),
    Program(
        softmax_regression,
        ("W", "b"),
        lambda random: (
            random.normal(size=(64, 10)) / 8.0,
            random.normal(size=10),
            random.normal(size=(500, 64)),
            _labels(random, 500, 10),
        ),
        "500 x 64, 10 classes",
    ),
    Program(
        z_scores,
        ("W", "gain", "shift"),
        lambda random: (
            random.normal(size=(32, 50)),
            random.normal(size=50),
            random.normal(size=50),
            random.normal(size=(400, 32)),
            random.normal(size=(400, 50)),
        ),
        "400 x 32-50, squared error",
    ),
    Program(
        gaussian,
        ("mu", "log_sigma"),
        lambda random: (
            random.normal(size=10),
            0.1 * random.normal(size=10),
            random.normal(size=(2000, 10)),
        ),
        "2000 x 10",
    ),
    Program(
        attention,
        ("Q", "K", "V"),
        lambda random: (
            random.normal(size=(128, 32)),
            random.normal(size=(128, 32)),
            random.normal(size=(128, 32)),
            random.normal(size=(128, 32)),
        ),
        "128 x 32, one head",
    ),
    Program(iterated_map, ("x",), lambda random: (0.9, 1000), "1000 trips, scalars"),
    Program(
        heat_elements,
        ("u0",),
        lambda random: (random.normal(size=50), 0.1, 20),
        "50 x 20 trips, by element, linear",
    ),
    Program(
        heat_slices,
        ("u0", "alpha"),
        lambda random: (random.normal(size=1000), 0.1, 200),
        "1000 x 200 trips, by slices",
    ),
    Program(
        recurrent,
        ("W", "x"),
        lambda random: (random.normal(size=(50, 50)) / 10.0, random.normal(size=50), 100),
        "50 x 50, 100 trips",
    ),
    Program(
        cholesky_loops,
        ("A",),
        lambda random: (random.random((20, 20)) + 20.0 * np.eye(20),),
        "20 x 20, by element",
    ),
    Program(
        tridiagonal,
        ("a", "b", "c", "d"),
        lambda random: (
            random.random(200),
            4.0 + random.random(200),
            random.random(200),
            random.normal(size=200),
        ),
        "200 unknowns, by element",
    ),
    Program(
        lu_in_place,
        ("A",),
        lambda random: (random.random((20, 20)) + 20.0 * np.eye(20),),
        "20 x 20, by rows",
    ),
    Program(
        leapfrog,
        ("q0", "p0", "m"),
        lambda random: (
            random.normal(size=(6, 3)),
            random.normal(size=(6, 3)),
            1.0 + random.random(6),
            0.01,
            10,
        ),
        "6 bodies, 10 steps, by pair",
    ),
    Program(
        stencil_in_place,
        ("u0",),
        lambda random: (random.normal(size=(20, 20)), 0.3, 5),
        "20 x 20 x 5 trips, by element, linear",
    ),
    Program(
        recursive_filter,
        ("x", "b", "a"),
        lambda random: (
            random.normal(size=500),
            random.normal(size=3),
            np.array([1.0, -0.5, 0.2]),
        ),
        "500 samples, by element",
    ),
    Program(
        gaussian_process,
        ("amplitude", "length", "noise"),
        lambda random: (1.3, 0.8, 0.1, np.linspace(0.0, 5.0, 100), random.normal(size=100)),
        "100 points, one Cholesky factor",
    ),
    Program(
        normal_log_density,
        ("x", "mean", "covariance"),
        lambda random: (
            random.normal(size=100),
            random.normal(size=100),
            _covariance(random, 100),
        ),
        "100 dimensions, one Cholesky factor",
    ),
    Program(
        kalman_filter,
        ("F", "Q", "R"),
        lambda random: (
            np.eye(6) + 0.1 * random.normal(size=(6, 6)),
            random.normal(size=(3, 6)),
            0.1 * np.eye(6),
            0.5 * np.eye(3),
            np.zeros(6),
            np.eye(6),
            random.normal(size=(50, 3)),
        ),
        "6 states, 3 outputs, 50 steps",
    ),
)

# of one array: for their second derivatives
SMOOTH = (
    Program(rosenbrock, ("x",), lambda random: (random.normal(size=100),), "n = 100"),
    Program(
        factorisation,
        ("W",),
        lambda random: (random.normal(size=(12, 20)) / 4.0,),
        "12 x 20, n = 240",
    ),
)
