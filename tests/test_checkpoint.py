"""Loops that keep snapshots instead of tapes."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from s2s_ad import grad, value_and_grad
from s2s_ad.operations.helpers import next_snapshot


@cache
def fewest(trips: int, snapshots: int) -> int:
    """How many trips have to be run again at least, by dynamic programming."""
    if trips <= 1:
        return 0
    if snapshots == 0:
        return trips * (trips - 1) // 2
    return min(
        middle + fewest(trips - middle, snapshots - 1) + fewest(middle, snapshots)
        for middle in range(1, trips)
    )


def run_again(trips: int, snapshots: int) -> int:
    """How many trips the schedule runs again."""
    total, stop = 0, trips
    while stop > 1:
        middle = next_snapshot(0, stop, snapshots)
        assert 0 < middle < stop
        total += middle + run_again(stop - middle, snapshots - 1)
        stop = middle
    return total


@pytest.mark.parametrize("snapshots", range(6))
def test_the_schedule_is_the_best_one(snapshots: int) -> None:
    for trips in range(1, 60):
        assert run_again(trips, snapshots) == fewest(trips, snapshots)


def network(x, w, n):
    for _ in range(n):
        x = np.tanh(w @ x) * 1.1 + 0.1
    return np.sum(x)


def stencil(u, a, n):
    for t in range(1, n):
        u[1:-1] += a * np.sin(u[:-2]) - u[2:] * t / n
        for i in range(len(u)):
            if u[i] > 0.5:
                u[i] = u[i] * a
    return np.sum(u * u)


@pytest.mark.parametrize("checkpoint", ["bisection", 0, 1, 3, 50])
@pytest.mark.parametrize("n", [0, 1, 2, 13])
def test_the_gradient_is_that_of_tapes(n: int, checkpoint: int | str) -> None:
    rng = np.random.default_rng(1)
    x, w = rng.random(3), rng.random((3, 3))
    tapes = grad(network, wrt=("x", "w"))(x, w, n)
    parts = grad(network, wrt=("x", "w"), checkpoint=checkpoint)(x, w, n)
    for left, right in zip(tapes, parts, strict=True):
        np.testing.assert_allclose(right, left, rtol=1e-14)


@pytest.mark.parametrize("checkpoint", ["bisection", 2])
def test_writes_and_branches(checkpoint: int | str) -> None:
    u = np.random.default_rng(2).random(6)
    given = u.copy()
    tapes = value_and_grad(stencil, wrt=("u", "a"))(u, 0.3, 9)
    parts = value_and_grad(stencil, wrt=("u", "a"), checkpoint=checkpoint)(u, 0.3, 9)
    assert parts[0] == tapes[0]
    np.testing.assert_allclose(parts[1][0], tapes[1][0], rtol=1e-13)
    assert parts[1][1] == pytest.approx(tapes[1][1], rel=1e-13)
    np.testing.assert_array_equal(u, given)


@pytest.mark.parametrize("checkpoint", [-1, "half"])
def test_other_options_are_refused(checkpoint: int | str) -> None:
    with pytest.raises(ValueError, match="checkpoint"):
        grad(network, checkpoint=checkpoint)
