"""Solutions of equations, differentiated by the implicit function theorem: beside differences of
the functions as they stand, in both modes, and to second order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import s2s_ad
from s2s_ad import DifferentiationError, check_grads, grad, implicit, vjp

pytest.importorskip("scipy", reason="SciPy is an extra")

import scipy.optimize
from scipy.optimize import brentq, root

STIFFNESS = 0.7
MATRIX = np.array([[0.8, 0.12], [0.04, 0.6]])
VECTOR = np.array([0.3, -0.2])


# Solvers of SciPy ---------------------------------------------------------------------------------


def inner_residual(a, b):
    def residual(x):
        return x**3 + a * x - b

    x = scipy.optimize.brentq(residual, 0.0, 10.0, xtol=1e-15)
    return np.sin(x) * a


def through_another(a):
    def force(x):
        return a * x + np.exp(x)

    def residual(x):
        return force(x) - 2.0

    return brentq(residual, -5.0, 5.0, xtol=1e-15)


def newton_with_slope(a, b):
    x = scipy.optimize.newton(
        lambda x: x**3 + a * x - b, 1.0, fprime=lambda x: 3.0 * x**2 + a, tol=1e-14
    )
    return x * a


def secant(a, b):
    return scipy.optimize.newton(lambda x: x**3 + a * x - b, 1.0, tol=1e-14) * a


def checked_by_user(a):
    found = scipy.optimize.root_scalar(
        lambda x, a: np.exp(x) - a, bracket=[-1, 5], args=(a,), method="brentq", xtol=1e-15
    )
    if not found.converged:
        raise ValueError("no root")
    return found.root**2


def two_unknowns(p, s):
    def residual(x, s):
        return [x[0] + p[0] * x[1] ** 2 - s, x[1] ** 3 + p[1] * x[0] - 1.0]

    x = root(residual, [0.5, 0.5], args=(s,), tol=1e-13).x
    return x[0] * x[1] + s


def with_jacobian(p):
    def residual(x):
        return x + 0.1 * np.array([p[0] * x[1] ** 2, x[0] * x[1]]) - p

    def jacobian(x):
        return np.eye(2) + 0.1 * np.array([[0.0, 2.0 * p[0] * x[1]], [x[1], x[0]]])

    return np.sum(root(residual, np.zeros(2), jac=jacobian, tol=1e-13).x ** 2)


def of_a_dict(p, start):
    def residual(x, p):
        return p["a"] @ x + x**3 - p["b"]

    return np.sum(root(residual, start, args=(p,), tol=1e-13).x)


def all_of_fsolve(p):
    x, _, flag, message = scipy.optimize.fsolve(
        lambda x: x**2 + x * p[::-1] - p, p, full_output=True, xtol=1e-12
    )
    if flag != 1:
        raise ValueError(message)
    return np.sum(x**3)


def only_fsolve(p):
    return np.sum(scipy.optimize.fsolve(lambda x: x**2 + x * p[::-1] - p, p, xtol=1e-12))


def loop_in_residual(strength, n):
    def residual(u):
        r = np.empty(n)
        for i in range(n):
            left = u[i - 1] if i > 0 else 0.0
            right = u[i + 1] if i < n - 1 else 0.0
            r[i] = (left - 2.0 * u[i] + right) * (n + 1) ** 2 + strength * np.exp(u[i])
        return r

    return np.sum(root(residual, np.zeros(n), tol=1e-12).x)


def in_a_loop(a, n):
    s = a
    for _ in range(n):
        step = brentq(lambda x, s: x + 0.5 * np.sin(x) - s, -9.0, 9.0, args=(s,), xtol=1e-15)
        s = step + STIFFNESS * s
    return s


def in_a_while(a):
    s = 0.0
    while s < 2.0:
        s = s + brentq(lambda x, s: x**3 + x - a - s, -5.0, 5.0, args=(s,), xtol=1e-15)
    return s


def twice(a, b):
    def cubic(x, c):
        return x**3 + x - c

    x = brentq(cubic, -5.0, 5.0, args=a, xtol=1e-15)
    return x * brentq(cubic, -5.0, 5.0, args=(b * x,), xtol=1e-15)


def recursive_residual(a):
    def power(x, n):
        return x if n == 0 else x * power(x, n - 1) + a

    return brentq(lambda x: power(x, 3) - 5.0, 0.0, 5.0, xtol=1e-15)


def layer(x, w, b):
    return np.tanh(w @ x + b)


def fixed_vector(w, b):
    x = scipy.optimize.fixed_point(layer, np.zeros_like(b), args=(w, b), xtol=1e-14)
    return np.sum(x**2)


def fixed_number(a):
    return scipy.optimize.fixed_point(lambda x: np.cos(a * x), 0.5, xtol=1e-14) ** 2


def least(p, w):
    def energy(x):
        return np.sum((x - p) ** 2) + w * np.sum(x**4)

    def slope(x):
        return 2.0 * (x - p) + 4.0 * w * x**3

    found = scipy.optimize.minimize(energy, np.zeros_like(p), jac=slope, tol=1e-9)
    return np.sum(found.x * p)


def least_number(a):
    # a parabola: Brent's method is exact to the square root of the precision elsewhere
    return scipy.optimize.minimize_scalar(lambda x: (x - a**2) ** 2 * a, tol=1e-12).x * a


class Spring:
    def __init__(self, stiffness):
        self.stiffness = stiffness

    def balance(self, x, load):
        return x**3 + self.stiffness * x - load

    def energy(self, load):
        return brentq(self.balance, 0.0, 5.0, args=(load,), xtol=1e-15) * load


SPRING = Spring(2.0)

# Solvers of the user's ----------------------------------------------------------------------------


def cubic_residual(x, a, b):
    return x**3 + a * x - b


@implicit(root=cubic_residual)
def bisect(a, b, trips):
    low, high = 0.0, 10.0
    for _ in range(trips):
        middle = 0.5 * (low + high)
        if cubic_residual(middle, a, b) > 0.0:
            high = middle
        else:
            low = middle
    return 0.5 * (low + high)


def by_bisection(a, b):
    return np.sin(bisect(a * b, b, 60)) * a


def iterated_inside(w, b):
    def step(x, w, b):
        return np.tanh(w @ x + b)

    @s2s_ad.implicit(fixed_point=step)
    def iterate(w, b, x0):
        x = x0
        while True:
            new = step(x, w, b)
            if np.max(np.abs(new - x)) < 1e-15:
                break
            x = new
        return x

    return np.sum(iterate(w, b, np.zeros_like(b)) ** 2)


def potential(x, p):
    return np.sum((x - p) ** 2) + np.sum(x**4)


@implicit(minimum=potential)
def descend(p, steps):
    x = np.zeros_like(p)
    for _ in range(steps):
        x = x - 0.1 * (2.0 * (x - p) + 4.0 * x**3)
    return x


def by_descent(p):
    return np.sum(descend(p * p, 200) * p)


TWICE = [
    (inner_residual, (1.3, 2.2)),
    (two_unknowns, (np.array([0.3, 0.4]), 1.2)),
    (fixed_number, (0.8,)),
    (by_bisection, (1.3, 2.2)),
    (by_descent, (np.array([0.3, 0.9, -0.5]),)),
]
ONCE = [
    (through_another, (0.7,)),
    (newton_with_slope, (1.3, 2.2)),
    (secant, (1.3, 2.2)),
    (checked_by_user, (2.5,)),
    (with_jacobian, (np.array([0.3, 0.4]),)),
    (of_a_dict, ({"a": 2.0 * MATRIX, "b": VECTOR}, np.array([0.1, 0.1]))),
    (all_of_fsolve, (np.array([0.6, 0.9]),)),
    (only_fsolve, (np.array([0.6, 0.9]),)),
    (loop_in_residual, (1.0, 4)),
    (in_a_loop, (1.3, 3)),
    (in_a_while, (1.0,)),
    (twice, (1.1, 0.6)),
    (recursive_residual, (1.0,)),
    (fixed_vector, (MATRIX, VECTOR)),
    (least, (np.array([0.3, 0.9, -1.0]), 0.6)),
    (least_number, (1.4,)),
    (SPRING.energy, (2.0,)),
    (bisect, (1.3, 2.2, 60)),
    (iterated_inside, (MATRIX, VECTOR)),
]


@pytest.mark.parametrize(("function", "arguments"), TWICE)
def test_derivatives_of_solutions_to_second_order(
    function: Callable[..., float], arguments: tuple[Any, ...]
) -> None:
    check_grads(function, arguments, order=2, modes=("rev", "fwd"))


@pytest.mark.parametrize(("function", "arguments"), ONCE)
def test_derivatives_of_solutions(
    function: Callable[..., float], arguments: tuple[Any, ...]
) -> None:
    check_grads(function, arguments, order=1, modes=("rev", "fwd"))


def test_a_pullback_of_a_solution() -> None:
    def solution(p):
        return root(lambda x: x + 0.1 * x[::-1] ** 3 - p, p, tol=1e-13).x

    p = np.array([0.4, 0.7])
    x, pullback = vjp(solution, p)
    jacobian = np.eye(2) + 0.3 * np.array([[0.0, x[1] ** 2], [x[0] ** 2, 0.0]])
    for unit in np.eye(2):
        assert np.allclose(pullback(unit), np.linalg.inv(jacobian).T @ unit, rtol=1e-12)


def test_the_start_does_not_move_the_solution() -> None:
    def from_a(a):
        return scipy.optimize.newton(lambda x: x**2 - 2.0, a, tol=1e-14) + 0.0 * a

    assert grad(from_a)(1.3) == 0.0


def test_a_free_variable_of_the_residual_is_read_at_every_call() -> None:
    scale = 2.0

    def residual(x, a):
        return scale * x - a

    slope = grad(lambda a: brentq(residual, -9.0, 9.0, args=(a,)))
    assert slope(3.0) == pytest.approx(0.5, rel=1e-14)
    scale = 4.0
    assert slope(3.0) == pytest.approx(0.25, rel=1e-14)


def test_a_singular_jacobian_is_the_linear_solver_s_error() -> None:
    def flat(a):
        return np.sum(root(lambda x: np.array([x[0] - a, 0.0 * x[1]]), np.zeros(2)).x)

    with pytest.raises(np.linalg.LinAlgError):
        grad(flat)(2.0)


@pytest.mark.parametrize(
    "function",
    [
        lambda a: np.sum(root(lambda x: x**2 + a, np.ones(2)).x),
        lambda a: np.sum(scipy.optimize.fsolve(lambda x: x**2 + a, np.ones(2))),
        lambda a: (
            scipy.optimize.root_scalar(
                lambda x: x**2 + a, x0=1.0, x1=2.0, maxiter=4, method="secant"
            ).root
        ),
    ],
)
def test_no_derivative_of_what_has_not_converged(function: Callable[..., float]) -> None:
    with pytest.raises(RuntimeError, match="has not converged"):
        grad(function)(1.0)


def takes_another(x, c):
    return x - c


@implicit(root=takes_another)
def unrelated(a):
    return a


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda a: brentq(np.cos, 0.0, a), "needs a function of yours"),
        (lambda a: root(lambda x: np.sum(x - a), np.zeros(2)).x[0], "gives f64 for an unknown"),
        (lambda a: root(lambda x: (x - a)[:1], np.zeros(2)).x[0], "for an unknown of the type"),
        (
            lambda a: scipy.optimize.minimize_scalar(lambda x: (x - a) ** 2, bounds=(0, 1)).x,
            "`bounds` of a solver",
        ),
        (
            lambda a: scipy.optimize.minimize(
                lambda x: (np.sum((x - a) ** 2), 2.0 * (x - a)), np.zeros(2), jac=True
            ).x[0],
            "gives its derivative as well",
        ),
        (lambda a: brentq(lambda x: x - a, 0.0, 5.0, full_output=True)[0], "`full_output`"),
        (lambda p: scipy.optimize.newton(lambda x: x**2 - p, [p, p])[0], "supported for numbers"),
        (lambda a: unrelated(a), "`takes_another` needs `c`"),
    ],
)
def test_refusals(function: Callable[..., float], message: str) -> None:
    with pytest.raises(DifferentiationError, match=message):
        grad(function)(2.0)


def test_a_residual_that_writes_to_its_argument_is_refused() -> None:
    def solution(a):
        def residual(x):
            x[0] = x[0] - a
            return x

        return np.sum(root(residual, np.zeros(2)).x)

    with pytest.raises(DifferentiationError, match="writes to its arguments"):
        grad(solution)(1.0)


@pytest.mark.parametrize("given", [{}, {"root": len, "minimum": len}])
def test_a_solver_finds_one_thing(given: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="one of root=, fixed_point= and minimum="):
        implicit(**given)
