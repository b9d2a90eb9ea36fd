"""Solutions of differential equations by `scipy.integrate.odeint`: beside differences of the
functions as they stand, in both modes, and to second order; and beside solutions known in closed
form.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from s2s_ad import DifferentiationError, check_grads, grad, hessian, jacobian, jvp, value_and_grad

pytest.importorskip("scipy", reason="SciPy is an extra")

import scipy.integrate
from scipy.integrate import odeint

TIGHT = 1e-13  # forward and reverse mode are compared to nine digits
START = np.array([1.0, 0.3])
TIMES = np.array([0.1, 0.5, 1.1])
MATRIX = np.array([[-0.8, 0.3], [0.1, -0.5]])
STIFFNESS = 0.7


def oscillator(y, t, stiffness, force):
    return [y[1], force[0] * np.cos(t) - stiffness * y[0] - force[1] * y[1] * t]


def all_is_active(start, times, stiffness, force):
    states = odeint(oscillator, start, times, args=(stiffness, force), rtol=TIGHT, atol=TIGHT)
    return np.sum(states[:, 0] ** 2 * stiffness) + states[-1, 1]


def a_matrix_as_argument(start, A):
    def slope(t, y, A):
        return A @ y

    return np.sum(
        scipy.integrate.odeint(
            slope, start, np.array([0.0, 0.7]), (A,), tfirst=True, rtol=TIGHT, atol=TIGHT
        )[1]
        ** 2
    )


def closure_over_active(start, rate, times):
    shift = np.sin(rate)

    def slope(y, t):
        return -rate * y + shift * STIFFNESS * t

    return np.sum(odeint(slope, start, times, rtol=TIGHT, atol=TIGHT) ** 2 * rate)


def start_is_a_number(y0, rate):
    return odeint(lambda y, t: -rate * y, y0, [0.0, 1.0, 2.0], rtol=TIGHT, atol=TIGHT)[2, 0]


def end_is_active(rate, end):
    times = np.linspace(0.0, end, 4)
    return np.sum(
        odeint(lambda y, t: np.sin(t) - rate * y, 1.0, times, rtol=TIGHT, atol=TIGHT) ** 2
    )


def backwards_in_time(start, times):
    return np.sum(odeint(lambda y, t: y * (1.0 - y), start, times[::-1], rtol=TIGHT, atol=TIGHT))


def one_argument_twice(rate):
    return odeint(
        lambda y, t, a, b: -a * y + b, 1.0, [0.0, 0.5], (rate, rate), rtol=TIGHT, atol=TIGHT
    )[1, 0]


def of_a_dict(p):
    def slope(y, t, p):
        return p["a"] * y + p["b"][0] * t

    return odeint(slope, [1.0], [0.0, 0.5], args=(p,), rtol=TIGHT, atol=TIGHT)[1, 0]


def in_a_loop(rate, n):
    y = np.array([1.0, 0.2])
    total = 0.0
    for k in range(n):
        y = odeint(lambda y, t, k: -rate * y**2 + k, y, [0.0, 0.3], (k,), rtol=TIGHT, atol=TIGHT)[1]
        total += np.sum(y * y)
    return total


def in_a_branch(rate, first):
    if rate > first:
        y = odeint(lambda y, t: -rate * y, 1.0, [0.0, 0.5], rtol=TIGHT, atol=TIGHT)
    else:
        y = odeint(lambda y, t: y**2 * rate, first, [0.0, 0.5], rtol=TIGHT, atol=TIGHT)
    return np.sum(y)


def loop_in_slope(diffusion, start):
    def slope(u, t):
        out = np.zeros_like(u)
        for i in range(1, len(u) - 1):
            out[i] = diffusion * (u[i - 1] - 2.0 * u[i] + u[i + 1])
        return out

    return np.sum(odeint(slope, start, [0.0, 0.1, 0.2], rtol=TIGHT, atol=TIGHT)[2] ** 2)


class Spring:
    def __init__(self, stiffness):
        self.stiffness = stiffness

    def slope(self, y, t, load):
        return np.array([y[1], load - self.stiffness * y[0]])

    def energy(self, load):
        y = odeint(self.slope, [0.0, 0.0], [0.0, 1.0], args=(load,), rtol=TIGHT, atol=TIGHT)[-1]
        return y @ y


SPRING = Spring(2.0)

TWICE = [
    (all_is_active, (START, TIMES[:2], 1.7, np.array([0.2, 0.4]))),
]
ONCE = [
    (closure_over_active, (START, 0.6, TIMES)),
    (a_matrix_as_argument, (START, MATRIX)),
    (start_is_a_number, (1.3, 0.4)),
    (end_is_active, (0.6, 1.2)),
    (backwards_in_time, (START, TIMES)),
    (one_argument_twice, (0.7,)),
    (of_a_dict, ({"a": -0.3, "b": START},)),
    (in_a_loop, (0.6, 3)),
    (in_a_branch, (0.6, 0.3)),
    (loop_in_slope, (0.8, np.array([0.1, 0.5, 0.2, 0.9]))),
    (SPRING.energy, (2.0,)),
]


@pytest.mark.parametrize(("function", "arguments"), TWICE)
def test_derivatives_to_second_order(
    function: Callable[..., float], arguments: tuple[Any, ...]
) -> None:
    check_grads(function, arguments, order=2, modes=("rev", "fwd"))


@pytest.mark.parametrize(("function", "arguments"), ONCE)
def test_derivatives(function: Callable[..., float], arguments: tuple[Any, ...]) -> None:
    check_grads(function, arguments, order=1, modes=("rev", "fwd"))


def decays(rates, rtol):
    return odeint(lambda y, t: -rates * y, [1.0, 2.0], [0.0, 0.5, 1.0], rtol=rtol, atol=rtol)


def exact_decays(rates):
    """The states, and their slopes in the rates, of which each moves its own state only."""
    times = np.array([[0.0], [0.5], [1.0]])
    states = np.exp(-rates * times) * np.array([1.0, 2.0])
    return states, -times * states


def test_the_value_is_that_of_the_function_to_the_last_bit() -> None:
    def last(start, rate):
        states = odeint(lambda y, t: np.sin(y) * rate, start, np.linspace(0.0, 2.0, 5))
        return np.sum(states[-1])

    value, _ = value_and_grad(last)(START, 0.7)
    assert value == last(START, 0.7)
    assert jvp(last, (START, 0.7), (START, 1.0))[0] == value


@pytest.mark.parametrize("rtol", [1e-5, 1e-8, 1e-11])
def test_derivatives_are_as_exact_as_the_integration_is_asked_to_be(rtol: float) -> None:
    rates = np.array([0.4, 0.5])
    _, slopes = exact_decays(rates)
    weights = np.array([[0.3, 0.2], [-0.5, 1.0], [0.7, 0.4]])
    found = grad(lambda rates: np.sum(weights * decays(rates, rtol)))(rates)
    # some ten steps, each with an error of about this size
    assert np.allclose(found, np.sum(weights * slopes, axis=0), rtol=0.0, atol=20.0 * rtol)
    pushed = jvp(lambda rates: decays(rates, rtol), (rates,), (np.array([1.0, -2.0]),))[1]
    assert np.allclose(pushed, slopes * np.array([1.0, -2.0]), rtol=0.0, atol=20.0 * rtol)


def test_jacobian_and_hessian_of_states() -> None:
    rates = np.array([0.4, 0.5])
    states, slopes = exact_decays(rates)
    for direction in ("forward", "reverse"):
        found = jacobian(lambda rates: decays(rates, TIGHT), direction=direction)(rates)
        assert np.allclose(found, slopes[:, :, np.newaxis] * np.eye(2), rtol=1e-10, atol=1e-12)
    curved = hessian(lambda rates: np.sum(decays(rates, TIGHT)[2] ** 2))(rates)
    assert np.allclose(curved, np.diag(4.0 * states[2] ** 2), rtol=1e-10, atol=1e-12)


def test_what_a_slope_prints_is_printed_by_the_forward_sweep_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def noisy(rate):
        def slope(y, t):
            print("slope")
            return -rate * y

        return odeint(slope, 1.0, [0.0, 0.1, 0.2])[2, 0]

    noisy(0.5)
    own = capsys.readouterr().out
    grad(noisy)(0.5)
    assert capsys.readouterr().out == own


@pytest.mark.filterwarnings("ignore:Excess work")
def test_no_derivative_of_what_was_not_integrated() -> None:
    def explodes(rate):  # at t = 1
        return odeint(lambda y, t: rate * y**2, 1.0, [0.0, 2.0], mxstep=50)[1, 0]

    with pytest.raises(RuntimeError, match="was not solved: Excess work"):
        grad(explodes)(1.0)


def writes(y, t, rate):
    y[0] = rate
    return y


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda p: odeint(np.add, p, [0.0, 1.0])[1, 0], "needs a function of yours"),
        (lambda p: odeint(lambda y, t: p * y, p, 1.0)[1, 0], "needs a vector of times"),
        (lambda p: odeint(lambda y, t: p * y, [[p]], [0.0, 1.0])[1, 0], "starts from a vector"),
        (lambda p: odeint(lambda y, t: p * y, p)[1, 0], "needs `t`"),
        (lambda p: odeint(lambda y, t: p * y[:1], [p, p], [0.0, 1.0])[1, 0], "for an unknown"),
        (lambda p: odeint(writes, p, [0.0, 1.0], args=(p,))[1, 0], "writes to its arguments"),
        (lambda p: odeint(writes, p, [0.0, 1.0], args=p)[1, 0], "`args` has to be a tuple"),
        (
            lambda p: odeint(lambda y, t: p * y, p, [0.0, 1.0], Dfun=lambda y, t: p)[1, 0],
            "`Dfun` of a solver",
        ),
        (lambda p: odeint(lambda y, t: p * y, p, [0.0, 1.0], tcrit=[0.5])[1, 0], "`tcrit`"),
        (lambda p: odeint(lambda y, t: p * y, p, [0.0, 1.0], atol=[1e-9])[1, 0], "`atol` of"),
        (
            lambda p: odeint(lambda y, t: p * y, np.ones(2, np.float32), [0.0, 1.0])[1, 0],
            "does not take f32",
        ),
        (
            lambda p: odeint(lambda y, t, many: many[0] * y, p, [0.0, 1.0], ([p] * int(p),))[1, 0],
            "does not take list",
        ),
    ],
)
def test_refusals(function: Callable[..., float], message: str) -> None:
    with pytest.raises(DifferentiationError, match=message):
        grad(function)(2.0)


def test_what_is_unstable_backwards_is_refused_where_it_runs() -> None:
    def end(rate, times):
        return odeint(lambda y, t: -rate * y, 1.0, times)[-1, 0]

    with pytest.raises(RuntimeError, match="unstable backwards"):
        grad(end)(30.0, np.array([0.0, 1.0]))
    stops = np.linspace(0.0, 1.0, 31)  # from each of them the way back is short
    assert grad(end)(30.0, stops) == pytest.approx(-np.exp(-30.0), abs=1e-7)
    one_step = (30.0, np.array([0.0, 1.0]))
    assert jvp(end, one_step, (1.0, np.zeros(2)))[1] == pytest.approx(-np.exp(-30.0), abs=1e-7)
