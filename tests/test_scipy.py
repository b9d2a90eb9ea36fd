"""SciPy in programs: how its functions are found, what generated modules import, how exact slopes
are where they are small.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from s2s_ad import check_grads, grad, jvp
from s2s_ad.operations.helpers import digamma_rise

pytest.importorskip("scipy", reason="SciPy is an extra")

import scipy.integrate
import scipy.linalg
import scipy.signal
import scipy.special
import scipy.stats
from numpy.linalg import norm
from scipy.linalg import cho_factor, cho_solve, expm
from scipy.special import gammaln as log_gamma
from scipy.stats import norm as normal


def through_names(x):
    return norm(x) + np.sum(log_gamma(x)) + np.sum(normal.logpdf(x, 0.5, 2.0))


def through_modules(x):
    return np.sum(scipy.special.erf(x)) + scipy.integrate.trapezoid(x * x, dx=0.5)


def without_scipy(x):
    return np.linalg.slogdet(np.outer(x, x) + np.eye(3))[1]


def factored(x):
    factor = cho_factor(np.outer(x, x) + 2.0 * np.eye(3))
    return x @ cho_solve(factor, np.cos(x))


def exponential(x):
    return np.sum(expm(np.outer(x, np.sin(x))))


def density(x):
    covariance = np.outer(x, x) + 2.0 * np.eye(3)
    return scipy.stats.multivariate_normal.logpdf(x, np.sin(x), covariance)


FUNCTIONS = (through_names, through_modules, without_scipy, factored, exponential, density)
POINT = np.array([0.7, 1.9, 1.1])


@pytest.mark.parametrize("function", FUNCTIONS)
def test_gradients_of_live_functions(function: Callable[..., float]) -> None:
    gradient = grad(function)(POINT)
    step = 1e-6
    for k in range(len(POINT)):
        moved = step * np.eye(3)[k]
        quotient = (function(POINT + moved) - function(POINT - moved)) / (2.0 * step)
        assert math.isclose(gradient[k], quotient, rel_tol=1e-7, abs_tol=1e-8)
    _, tangent = jvp(function, (POINT,), (np.array([1.0, -2.0, 0.5]),))
    assert math.isclose(tangent, gradient @ [1.0, -2.0, 0.5], rel_tol=1e-10)


def test_scipy_is_imported_only_where_it_is_used() -> None:
    found = {}
    for function in FUNCTIONS:
        gradient = grad(function)
        gradient(POINT)
        lines = gradient.source.splitlines()
        found[function] = [line for line in lines if line.startswith("import scipy")]
    assert found[without_scipy] == []
    assert found[factored] == ["import scipy.linalg"]
    assert found[through_modules] == []  # the slope of erf is an exponential
    assert found[density] == [] or found[density] == ["import scipy.stats"]


def slope_of_sigmoid(x: float) -> float:
    return scipy.special.expit(x)


def slope_of_log_ndtr(x: float) -> float:
    return scipy.special.log_ndtr(x)


def slope_of_erfc(x: float) -> float:
    return scipy.special.erfc(x)


@pytest.mark.parametrize(
    ("function", "x", "expected"),
    [
        # exp(-40) / (1 + exp(-40))**2, to 17 digits
        (slope_of_sigmoid, 40.0, 4.2483542552915889e-18),
        # the inverse of Mills' ratio at 30, to 17 digits
        (slope_of_log_ndtr, -30.0, 30.033259667433674),
        # -2 / sqrt(pi) * exp(-25)
        (slope_of_erfc, 5.0, -1.5670866531017335e-11),
    ],
)
def test_small_slopes_keep_their_digits(
    function: Callable[[float], float], x: float, expected: float
) -> None:
    assert math.isclose(grad(function)(x), expected, rel_tol=1e-14)


MATRIX = np.random.default_rng(0).normal(size=(4, 4))
VECTOR = np.random.default_rng(1).normal(size=6)
WITH_OPTIONS = {
    "running integrals": (
        lambda y, x: np.sum(scipy.integrate.cumulative_trapezoid(y, x, initial=0) ** 2),
        (VECTOR, np.arange(6.0) ** 1.5),
    ),
    "running integrals of columns": (
        lambda y: np.sum(scipy.integrate.cumulative_trapezoid(y, dx=0.3, axis=0) ** 2),
        (MATRIX,),
    ),
    "simpson with steps": (lambda y: scipy.integrate.simpson(y * y, dx=0.1), (VECTOR,)),
    "simpson at places": (
        lambda y: scipy.integrate.simpson(y * y, x=np.array([0.0, 1.0, 1.5, 3.0])),
        (VECTOR[:4],),
    ),
    "singular values": (
        lambda a: scipy.linalg.svd(a, compute_uv=False) @ np.arange(4.0),
        (MATRIX,),
    ),
    "eigenvalues": (
        lambda a: scipy.linalg.eigh(a @ a.T, eigvals_only=True) @ np.arange(4.0),
        (MATRIX,),
    ),
    "factors": (lambda a: np.sum(np.sin(scipy.linalg.lu(a)[1])) * scipy.linalg.det(a), (MATRIX,)),
    "orthogonal factors": (
        lambda a: np.sum(np.sin(scipy.linalg.qr(a[:, :2], mode="economic")[0])),
        (MATRIX,),
    ),
    "a definite system": (
        lambda a, b: np.sum(scipy.linalg.solve(a @ a.T + np.eye(4), b, assume_a="pos") ** 2),
        (MATRIX, VECTOR[:4]),
    ),
    "a banded system": (
        lambda ab, b: np.sum(scipy.linalg.solve_banded((1, 1), ab, b) ** 2),
        (MATRIX[:3] + np.array([[0.0], [4.0], [0.0]]), VECTOR[:4]),
    ),
    "a Toeplitz system": (
        lambda c, r, b: (
            np.sum(scipy.linalg.solve_toeplitz((c, r), b) ** 2)
            + np.sum(scipy.linalg.solve_toeplitz(c, b) ** 2)
        ),
        (MATRIX[0] + np.array([6.0, 0.0, 0.0, 0.0]), MATRIX[1], VECTOR[:4]),
    ),
    "a symmetric banded system": (
        lambda ab, b: np.sum(scipy.linalg.solveh_banded(ab, b, lower=True) ** 2),
        (MATRIX[:2] + np.array([[5.0], [0.0]]), VECTOR[:4]),
    ),
    "generalised eigenvalues": (
        lambda a, b: (
            scipy.linalg.eigh(a + a.T, b @ b.T + np.eye(4), eigvals_only=True) @ np.arange(4.0)
            + np.sum(scipy.linalg.eigh(a, b @ b.T + np.eye(4))[1] ** 3)
        ),
        (MATRIX, MATRIX[::-1]),
    ),
    "tridiagonal eigenvalues": (
        lambda d, e: (
            scipy.linalg.eigh_tridiagonal(d, e, eigvals_only=True) @ np.arange(4.0)
            + np.sum(scipy.linalg.eigh_tridiagonal(d, e)[1] ** 3)
        ),
        (MATRIX[0], VECTOR[:3]),
    ),
    "polar factors": (
        lambda a: (
            np.sum(np.sin(scipy.linalg.polar(a)[0])) + np.sum(scipy.linalg.polar(a, "left")[1] ** 2)
        ),
        (MATRIX,),
    ),
    "norms": (
        lambda a: (
            scipy.linalg.norm(a) + scipy.linalg.norm(a[0], 2) * np.sum(scipy.linalg.norm(a, axis=1))
        ),
        (MATRIX,),
    ),
    "matrices of a pattern": (
        lambda a, s: np.sum(
            scipy.linalg.companion(a)
            @ np.cos(scipy.linalg.leslie(a[1:], s) * scipy.linalg.fiedler(a[:5]))
        ),
        (VECTOR, MATRIX[0]),
    ),
    "trends": (
        lambda x: (
            np.sum(scipy.signal.detrend(x) ** 3)
            + np.sum(scipy.signal.detrend(x[:4], axis=0, type="constant") ** 3)
            + scipy.stats.sem(x)
        ),
        (VECTOR,),
    ),
    "a filter": (
        lambda b, a, x: np.sum(scipy.signal.lfilter(b, a, x) ** 2),
        (MATRIX[0], np.array([1.5, 0.3, -0.2]), VECTOR),
    ),
    "shares": (
        lambda x, alpha: (
            scipy.stats.dirichlet.logpdf(x / np.sum(x), alpha)
            + scipy.stats.dirichlet.pdf(x / np.sum(x), alpha)
        ),
        (np.array([0.2, 0.5, 0.3]), np.array([1.3, 2.2, 0.9])),
    ),
    "joint density": (
        lambda x, mean, s: (
            1e3 * scipy.stats.multivariate_normal.pdf(x, mean, s @ s.T + np.eye(4))
            + scipy.stats.multivariate_normal.entropy(mean, s @ s.T + np.eye(4))
        ),
        (VECTOR[:4], MATRIX[1], 0.3 * MATRIX),
    ),
    "parts of convolutions": (
        lambda a, b: (
            np.sum(scipy.signal.convolve(a, b, mode="same", method="direct") ** 2)
            + np.sum(scipy.signal.fftconvolve(a, b, "valid") ** 3)
        ),
        (VECTOR, MATRIX[0, :3]),
    ),
    "quantiles": (
        lambda q, loc, scale: (
            scipy.stats.norm.ppf(q, loc, scale) + scipy.stats.gamma.logcdf(2.0 * q, a=1.5)
        ),
        (0.3, 0.2, 1.4),
    ),
}


@pytest.mark.parametrize("name", WITH_OPTIONS)
def test_options_and_parts_of_results(name: str) -> None:
    function, arguments = WITH_OPTIONS[name]
    check_grads(function, arguments, order=1, modes=("rev", "fwd"))


def part_of_root(x):
    return np.sum(np.real(scipy.linalg.sqrtm(x)) * POINT)


def part_of_logarithm(x):
    return np.sum(np.real(scipy.linalg.logm(x)) * POINT)


@pytest.mark.parametrize("function", [part_of_root, part_of_logarithm])
def test_functions_of_matrices_stop_where_they_are_complex(function: Callable[..., float]) -> None:
    direction = np.arange(9.0).reshape(3, 3) - 3.0
    real = np.array([[1.0, -2.0, 0.1], [2.0, 1.5, 0.3], [0.2, 0.1, 3.0]])  # a complex pair
    quotient = (function(real + 1e-5 * direction) - function(real - 1e-5 * direction)) / 2e-5
    assert math.isclose(np.sum(grad(function)(real) * direction), quotient, rel_tol=1e-7)
    for x in (np.diag([1.0, -2.0, 3.0]) + 0.1, np.diag([1.0, -2.0, 3.0])):
        with pytest.raises(ValueError, match="complex numbers"):
            grad(function)(x)
        with pytest.raises(ValueError, match="complex numbers"):
            jvp(function, (x,), (direction,))


@pytest.mark.parametrize(
    ("x", "d", "expected"),
    [
        # digamma(x + d) - digamma(x) of the floats, to 40 digits by mpmath
        (-1500.25, 2000.5, -4.2412047940079072),
        (700.25, -3000.5, 4.3318598836898042),
        (-1500.25, 2.0**-20, 1.8824197396010329e-5),
    ],
)
def test_rise_of_digamma_far_below_zero(x: float, d: float, expected: float) -> None:
    assert math.isclose(digamma_rise(np.float64(x), np.float64(d)), expected, rel_tol=1e-13)
