"""Functions that call themselves: their derivatives are pairs of functions that do so too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from s2s_ad import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from tests.numerics import central_differences

SCALE = 0.7


def power(x: float, n: int) -> float:
    if n == 0:
        return 1.0
    if n % 2 == 0:
        half = power(x, n // 2)
        return half * half
    return x * power(x, n - 1)


def twice(x: float, n: int) -> float:
    if n == 0:
        return x
    if n == 1:
        return x * x
    return twice(x, n - 1) * 0.5 + twice(x, n - 2) * x


def even(x: float, n: int) -> float:
    if n == 0:
        return x
    return odd(np.sin(x), n - 1)


def odd(x: float, n: int) -> float:
    if n == 0:
        return x * x
    return even(x * 1.1, n - 1)


def with_a_global(x: float, n: int) -> float:
    if n == 0:
        return x
    return SCALE * with_a_global(x, n - 1) * x


def of_an_inner_function(x: float, n: int) -> float:
    def inner(k):
        return x if k == 0 else np.sin(x * inner(k - 1))

    return inner(n)


def in_a_loop(x: float, n: int) -> float:
    total = 0.1
    for i in range(n):
        total = total + power(x * total, i)
    return total


def hanoi(x: float, n: int) -> float:
    """Writes to a list and an array that all calls share."""
    moves = [0, 0]
    heights = np.zeros(3)

    def move(k, scale):
        if k == 0:
            return scale
        first = move(k - 1, scale * x)
        moves[k % 2] += 1
        heights[k % 3] = heights[k % 3] * x + first
        return first + move(k - 1, np.sin(scale))

    return move(n, x) * moves[0] + np.sum(heights * heights)


def counted(x: float, n: int) -> float:
    """What the calls change is no float."""

    def inner(x, n, seen):
        if n == 0:
            return x
        seen[n % 2] = n
        return x * inner(x, n - 1, seen)

    return inner(x, n, [1, 2])


def noisy(x: float, n: int) -> float:
    if n == 0:
        return 1.0
    print("at", n)
    if x < 0.0:
        raise ValueError("x is negative")
    return x * noisy(x, n - 1)


PROGRAMS = [power, twice, even, odd, with_a_global, of_an_inner_function, in_a_loop, hanoi, counted]


def slope(f: Callable[..., Any], x: float, n: int) -> float:
    ((found,),) = central_differences(f, (x, n), (0,), 1e-3)
    return float(found)


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("n", [0, 1, 4])
@pytest.mark.parametrize("f", PROGRAMS)
def test_gradient(f: Callable[..., Any], n: int, level: int) -> None:
    assert grad(f, level=level)(0.6, n) == pytest.approx(slope(f, 0.6, n), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("f", PROGRAMS)
def test_forward(f: Callable[..., Any]) -> None:
    value, moved = jvp(f, (0.6, 4), (1.0, None))
    assert value == f(0.6, 4)
    assert moved == pytest.approx(slope(f, 0.6, 4), rel=1e-9)


@pytest.mark.parametrize(("f", "level"), [(power, 0), (hanoi, 0), *((f, 1) for f in PROGRAMS)])
def test_second_order(f: Callable[..., Any], level: int) -> None:
    expected = slope(grad(f), 0.6, 4)
    close = pytest.approx(expected, rel=1e-8, abs=1e-9)
    assert hessian(f, level=level)(0.6, 4) == close
    assert hvp(f, (0.6, 4), (1.0, None), level=level)[0] == close
    assert grad(grad(f, level=level), level=level)(0.6, 4) == close
    assert jacobian(grad(f), direction="reverse", level=level)(0.6, 4) == close


def test_third_order() -> None:
    assert grad(grad(grad(power)))(0.6, 5) == pytest.approx(60.0 * 0.6**2)
    assert grad(hessian(power))(0.6, 5) == pytest.approx(60.0 * 0.6**2)


def test_inside_a_program() -> None:
    def f(x, n):
        value, pullback = vjp(power, x, n)
        return pullback(1.0)[0] * grad(tree)(np.stack([x, x * x]), 0, 2)[1] + value * x

    # n x^(n - 1) * 2 x^4 + x^(n + 1), since the tree is x^2 x^4 + x
    expected = 4.0 * 7.0 * 2.0 * 0.6**6 + 5.0 * 0.6**4
    assert grad(f)(0.6, 4) == pytest.approx(expected)


def of_two(x, n):
    return noisy(np.sum(x), n) * x


@pytest.mark.parametrize(
    ("derivative", "x"),
    [
        (grad(noisy), 0.6),
        (value_and_grad(noisy), 0.6),
        (hessian(noisy), 0.6),
        (jacobian(noisy, direction="forward"), 0.6),
        (jacobian(of_two), np.array([0.2, 0.4])),
        (jacobian(of_two, direction="reverse"), np.array([0.2, 0.4])),
        (hessian(lambda x, n: np.sum(of_two(x, n))), np.array([0.2, 0.4])),
        (lambda x, n: jvp(noisy, (x, n), (1.0, None)), 0.6),
        (lambda x, n: hvp(noisy, (x, n), (1.0, None)), 0.6),
        (grad(lambda x, n: grad(noisy)(x, n) * x), 0.6),
    ],
)
def test_what_is_printed_is_printed_once(
    derivative: Any, x: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    derivative(x, 2)
    assert capsys.readouterr().out == "at 2\nat 1\n"
    with pytest.raises(ValueError, match="negative"):
        derivative(-x, 2)


def tree(x, low, high):
    if high - low == 1:
        return x[low] ** 2
    middle = (low + high) // 2
    return tree(x, low, middle) * tree(x, middle, high) + x[low]


def test_an_array_that_is_passed_along() -> None:
    x = np.array([0.3, 0.9, 0.5, 1.1, 0.7])
    gradient = grad(tree)(x, 0, 5)
    for k in range(5):
        along = [tree(x + sign * 1e-6 * np.eye(5)[k], 0, 5) for sign in (1, -1)]
        assert gradient[k] == pytest.approx((along[0] - along[1]) / 2e-6, rel=1e-7)
