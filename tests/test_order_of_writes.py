"""When a called function writes to an array that the statement around it reads or changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from s2s_ad import DifferentiationError, value_and_grad

X = np.array([1.0, 2.0, 3.0])


def second(a: Any) -> int:
    a[1] = 5.0 * a[0]
    return 1


def changed(a: Any) -> Any:
    a[1] = 5.0 * a[0]
    return a


def read_after_the_index(x: Any) -> Any:
    u = x * 2.0
    return u[second(u)] * x[0]


def view_after_the_index(x: Any) -> Any:
    u = x * 2.0
    return np.sum(u[1:][: second(u)] * x[:1])


def method_after_its_argument(x: Any) -> Any:
    u = x * 2.0
    return np.sum(u.reshape(second(u), 3) * x)


def operand_after_another(x: Any) -> Any:
    u = x * 2.0
    return np.sum(u * changed(u) * x)


def item_and_value(x: Any) -> Any:
    u = x * 2.0
    u[0] += second(u)
    return np.sum(u * u)


def slice_and_value(x: Any) -> Any:
    u = x * 2.0
    u[:2] *= changed(u)[1:]
    return np.sum(u)


def all_and_value(x: Any) -> Any:
    u = x * 2.0
    u += changed(u)
    return np.sum(u)


def conversion_without_copy(x: Any) -> Any:
    u = x * 2.0
    s = np.array(u, copy=None)
    u[0] = x[1] ** 2
    return np.sum(s * s)


def rank_zero(x: Any) -> Any:
    s = np.array(x[1])
    s[...] = x[0] ** 2
    return s * x[2]


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize(
    "function",
    [
        *(read_after_the_index, view_after_the_index, method_after_its_argument),
        *(operand_after_another, item_and_value, slice_and_value, all_and_value),
    ],
)
def test_the_write_is_seen(function: Callable[..., Any], level: int) -> None:
    value, grad = value_and_grad(function, level=level)(X)
    assert value == function(X)
    step = 1e-5
    for place in range(len(X)):
        moved = np.zeros(len(X))
        moved[place] = step
        expected = (function(X + moved) - function(X - moved)) / (2 * step)
        assert abs(grad[place] - expected) < 1e-7 * (1.0 + abs(expected))


@pytest.mark.parametrize("function", [conversion_without_copy, rank_zero])
def test_what_is_not_followed_is_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(DifferentiationError):
        value_and_grad(function)(X)


def item_taken_before(x: Any) -> Any:
    rows = [[each, 1.0] for each in x]
    own = [x[0], x[1]]
    rows.append(own)
    taken = rows[-1]
    own[0] = 9.0
    return taken[0] * x[2]


def item_gone_through(x: Any) -> Any:
    rows = [[each, 1.0] for each in x]
    own = [x[0], x[1]]
    rows.append(own)
    total = 0.0
    for row in rows:
        total += row[0]
        own[0] = 9.0
    return total * x[2]


def item_of_the_next_trip(x: Any) -> Any:
    rows = [[each, 1.0] for each in x]
    own = [x[0], x[1]]
    rows.append(own)
    total = 0.0
    for _ in range(3):
        total += rows[-1][0]
        own[0] = 2.0 * total
    return total


def item_that_a_loop_took(x: Any) -> Any:
    own, rows = [x[0], x[1]], []
    for each in x:
        rows.append([each, 1.0])
        rows.append(own)
        taken = rows[-1]
    own[0] = 9.0
    return taken[0] * x[2]


ITEMS = [item_taken_before, item_gone_through, item_of_the_next_trip, item_that_a_loop_took]


@pytest.mark.parametrize("program", ITEMS)
def test_a_list_of_unknown_length_whose_items_change(program: Callable[[Any], Any]) -> None:
    with pytest.raises(DifferentiationError, match="may or may not"):
        value_and_grad(program)(X)
