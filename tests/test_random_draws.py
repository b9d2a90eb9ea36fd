"""Random numbers are drawn once, in the forward sweep: the derivative sees the numbers that the
function would see, and leaves the generator where the function leaves it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import s2s_ad
from s2s_ad.diagnostics import DifferentiationError

X = np.array([0.7, -1.2, 0.4])
SHARED = np.random.default_rng(11)


def shifted(x, rng):
    return np.sum(rng.normal(x, x**2, size=(2, 3)) ** 2)


def of_parameters(x, rng):
    return np.sum(rng.uniform(x, 3.0) * rng.exponential(x**2 + 1.0, 3) * rng.gamma(2.0, x**2))


def in_a_loop(x, rng):
    total = 0.0
    for k in range(4):
        noise = rng.standard_normal(x.shape)
        if rng.random() < 0.5:
            x = np.sin(x) * noise + rng.uniform(size=x.shape)
        total = total + np.sum(x * x) * k
    return total


def picked(x, rng):
    k = rng.integers(3)
    y = rng.permutation(x**2) * rng.choice(x, 3, replace=False)
    weights = rng.choice(5, size=3, p=[0.1, 0.2, 0.3, 0.2, 0.2])
    return y[k] * np.sum(y) + np.sum(x**3 * weights)


def counts(x, rng):
    drawn = rng.poisson(3.0, size=3) + rng.binomial(4, 0.5, 3) + rng.laplace(size=3)
    return np.sum(x**2 * drawn) * rng.beta(2.0, 3.0) * rng.standard_t(5.0) * rng.lognormal()


def old_generator(x, rng):
    places = rng.randint(0, 3, 4)
    return np.sum(rng.randn(2, 3) @ x * rng.rand()) + np.sum(x[places] ** 2 * rng.normal(x[0], 2.0))


def made_inside(x):
    first, second = np.random.default_rng(3), np.random.default_rng(3)
    return np.sum(x * first.normal(size=3)) * np.sum(x**2 * second.normal(size=3))


def of_a_shape(x, rng):
    n = x.shape[0]
    return np.sum(np.tanh(rng.normal(size=(n, n)) @ x))


PASSED = (shifted, of_parameters, in_a_loop, picked, counts, of_a_shape)
FUNCTIONS = [
    *((function, np.random.default_rng(5)) for function in PASSED),
    (old_generator, np.random.RandomState(5)),
]
IDS = [function.__name__ for function, _ in FUNCTIONS]


def state(rng: Any) -> str:
    return str(
        rng.get_state() if isinstance(rng, np.random.RandomState) else rng.bit_generator.state
    )


def slopes(function: Callable[..., float], rng: Any) -> Any:
    """Difference quotients, of runs that draw the same numbers."""
    step = 1e-6 * np.eye(3)
    return np.array(
        [
            (function(X + one, copy.deepcopy(rng)) - function(X - one, copy.deepcopy(rng))) / 2e-6
            for one in step
        ]
    )


@pytest.mark.parametrize(("function", "rng"), FUNCTIONS, ids=IDS)
def test_numbers_are_drawn_once(function: Callable[..., float], rng: Any) -> None:
    seen, used = copy.deepcopy(rng), copy.deepcopy(rng)
    expected = function(X, seen)
    value, gradient = s2s_ad.value_and_grad(function)(X, used)
    assert value == expected
    assert state(used) == state(seen)
    np.testing.assert_allclose(gradient, slopes(function, rng), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("function", "rng"), FUNCTIONS, ids=IDS)
def test_modes_draw_the_same_numbers(function: Callable[..., float], rng: Any) -> None:
    gradient = s2s_ad.grad(function)(X, copy.deepcopy(rng))
    direction = np.array([1.0, 2.0, -0.5])
    fixed = copy.deepcopy(rng)
    value, tangent = s2s_ad.jvp(function, (X, fixed), (direction, None))
    np.testing.assert_allclose(tangent, gradient @ direction, rtol=1e-12)
    used = copy.deepcopy(rng)
    value, pull = s2s_ad.vjp(function, X, used)
    after = state(used)
    for factor in (1.0, 2.0):
        pulled = pull(factor)
        pulled = pulled[0] if isinstance(pulled, tuple) else pulled
        np.testing.assert_allclose(pulled, factor * gradient, rtol=1e-12)
    assert state(used) == after
    assert value == function(X, copy.deepcopy(rng))


def several(x, rng):
    for _ in range(3):
        x = np.sin(x) * rng.normal(1.0, x[0] ** 2, size=len(x))
    return x


def of_unknown_size(x, rng):
    for _ in range(3):
        x = np.sin(x) * rng.normal(x[1], size=3)
    return x


@pytest.mark.parametrize("function", [several, of_unknown_size])
@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_all_rows_of_a_jacobian_see_the_same_numbers(
    direction: str, function: Callable[..., Any]
) -> None:
    rng = np.random.default_rng(2)
    seen, used = copy.deepcopy(rng), copy.deepcopy(rng)
    found = s2s_ad.jacobian(function, direction=direction)(X, used)
    function(X, seen)
    assert state(used) == state(seen)
    expected = np.stack(
        [
            (function(X + one, copy.deepcopy(rng)) - function(X - one, copy.deepcopy(rng))) / 2e-6
            for one in 1e-6 * np.eye(3)
        ],
        axis=1,
    )
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


def test_second_derivatives() -> None:
    rng = np.random.default_rng(2)
    found = s2s_ad.hessian(in_a_loop)(X, copy.deepcopy(rng))
    first = s2s_ad.grad(in_a_loop)
    expected = np.stack(
        [
            (first(X + one, copy.deepcopy(rng)) - first(X - one, copy.deepcopy(rng))) / 2e-6
            for one in 1e-6 * np.eye(3)
        ]
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    found = s2s_ad.hvp(in_a_loop, (X, copy.deepcopy(rng)), (X, None))
    found = found[0] if isinstance(found, tuple) else found
    np.testing.assert_allclose(found, expected @ X, rtol=1e-5, atol=1e-6)


def test_generators_of_the_same_seed_are_two() -> None:
    assert s2s_ad.value_and_grad(made_inside)(X)[0] == made_inside(X)
    s2s_ad.check_grads(made_inside, (X,), order=2)


def shared(x):
    return np.sum(x * SHARED.normal(size=3))


def test_a_generator_may_be_a_free_variable() -> None:
    before = copy.deepcopy(SHARED)
    np.testing.assert_array_equal(s2s_ad.grad(shared)(X), before.normal(size=3))
    assert state(SHARED) == state(before)


def test_check_grads_draws_the_same_numbers_each_time() -> None:
    rng = np.random.default_rng(1)
    before = state(rng)
    s2s_ad.check_grads(in_a_loop, (X, rng), order=2)
    assert state(rng) == before


# Refusals -----------------------------------------------------------------------------------------


def recursive(x, rng, n=3):
    return np.sum(x) if n == 0 else rng.random() * recursive(np.sin(x), rng, n - 1)


def without_a_seed(x):
    return np.sum(x * np.random.default_rng().normal(size=3))


def from_the_common_state(x):
    return np.sum(x * np.random.normal(size=3))


def active_shape(x, rng):
    return np.sum(rng.gamma(x**2, size=3))


def active_rate(x, rng):
    return np.sum(x * rng.poisson(x**2))


def in_place(x, rng):
    y = x * 2.0
    rng.shuffle(y)
    return np.sum(y)


def single_precision(x, rng):
    return np.sum(rng.normal(x.astype(np.float32)))


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (recursive, "repeated-draw"),
        (without_a_seed, "bad-call"),
        (from_the_common_state, "unknown-operation"),
        (active_shape, "no-derivative"),
        (active_rate, "no-derivative"),
        (in_place, "unknown-operation"),
        (single_precision, "unsupported-dtype"),
    ],
)
def test_what_cannot_be_drawn_is_refused(function: Callable[..., float], name: str) -> None:
    count = function.__code__.co_argcount
    arguments = (X, np.random.default_rng(0), 3)[:count]
    with pytest.raises(DifferentiationError) as found:
        s2s_ad.grad(function)(*arguments)
    assert name in {each.name for each in found.value.diagnostics}


def test_a_loop_that_is_run_again_in_parts_does_not_draw() -> None:
    with pytest.raises(DifferentiationError, match="repeated-draw"):
        s2s_ad.grad(in_a_loop, checkpoint="bisection")(X, np.random.default_rng(0))


def of_two_arguments(x, y, rng):
    return x * rng.normal(size=x.shape) + y


def test_draws_are_not_repeated_for_each_argument() -> None:
    with pytest.raises(DifferentiationError, match="repeated-draw"):
        s2s_ad.jacobian(of_two_arguments, (0, 1), direction="forward")(
            X, X, np.random.default_rng(0)
        )
