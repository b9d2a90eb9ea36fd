"""Loops of which the reverse sweep needs nothing that is not there: no tape, no list, no copy.

Their bodies are linear in what is differentiated, or read what no later trip writes to. What is
checked besides the text is the gradient, by central differences.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from s2s_ad import grad

Function = Callable[..., Any]
STEP = 1e-5  # the error of central differences of second order is about STEP**2 of the third one


def heat(x: np.ndarray, c: np.ndarray) -> float:
    u = x.copy()
    for _ in range(4):
        for i in range(1, len(u) - 1):
            u[i] = u[i] + 0.2 * c[i] * (u[i - 1] - 2.0 * u[i] + u[i + 1])
    return np.sum(u * u)


def heat_by_slices(x: np.ndarray, c: np.ndarray) -> float:
    u = x.copy()
    for _ in range(4):
        u[1:-1] += 0.1 * (u[:-2] - 2.0 * u[1:-1] + u[2:])
    return np.sum(u * c)


def wave(x: np.ndarray, c: np.ndarray) -> float:
    before, now = x.copy(), x.copy()
    for _ in range(4):
        after = 2.0 * now - before
        after[1:-1] += 0.1 * (now[:-2] - 2.0 * now[1:-1] + now[2:])
        before, now = now, after
    return np.sum(now * c)


def advection(x: np.ndarray, c: np.ndarray) -> float:
    u = x.copy()
    for _ in range(3):
        for i in range(len(u) - 1, 0, -1):
            u[i] -= 0.3 * (u[i] - u[i - 1])
    return np.sum(u * u)


def smoothing(x: np.ndarray, c: np.ndarray) -> float:
    s = 0.0
    total = 0.0
    for i in range(len(x)):
        s = 0.7 * s + 0.3 * x[i]
        total += c[i] * s
    return total


def feedback(x: np.ndarray, c: np.ndarray) -> float:
    y = np.zeros_like(x)
    for i in range(2, len(x)):
        y[i] = x[i] - 0.5 * y[i - 1] + c[i] * y[i - 2]
    return np.sum(y * y)


def horner(x: np.ndarray, c: np.ndarray) -> float:
    s = 0.0
    for k in range(len(x) - 1, -1, -1):
        s = s * c[0] + x[k]
    return s


def back_substitution(x: np.ndarray, c: np.ndarray) -> float:
    y = x.copy()
    for i in range(len(x) - 2, -1, -1):
        y[i] = (x[i] - c[i] * y[i + 1]) / (2.0 + c[i])
    return np.sum(y * y)


def recurrence(x: np.ndarray, c: np.ndarray) -> float:
    y = x.copy()
    for i in range(1, len(x)):
        y[i] = np.sin(y[i - 1] * x[i]) + c[i]
    return np.sum(y)


def cholesky(x: np.ndarray, c: np.ndarray) -> float:
    A = np.diag(x * x + 3.0) + np.outer(c, c)
    L = np.zeros_like(A)
    n = len(x)
    for j in range(n):
        L[j, j] = np.sqrt(A[j, j] - L[j, :j] @ L[j, :j])
        for i in range(j + 1, n):
            L[i, j] = (A[i, j] - L[i, :j] @ L[j, :j]) / L[j, j]
    return np.sum(np.log(np.diag(L)))


def elimination(x: np.ndarray, c: np.ndarray) -> float:
    U = np.diag(x * x + 3.0) + np.outer(c, c)
    n = len(x)
    for k in range(n):
        for i in range(k + 1, n):
            U[i, k] /= U[k, k]
            U[i, k + 1 :] -= U[i, k] * U[k, k + 1 :]
    return np.sum(np.log(np.diag(U)))


def differences(x: np.ndarray, c: np.ndarray) -> float:
    total = 0.0
    for i in range(1, len(x)):
        total += c[i] * (x[i] - x[i - 1]) ** 2
    return total


def convolution(x: np.ndarray, c: np.ndarray) -> float:
    y = np.zeros_like(x)
    for i in range(len(x)):
        for j in range(i + 1):
            y[i] += c[j] * x[i - j]
    return np.sum(y * y)


def transposed_walk(x: np.ndarray, c: np.ndarray) -> float:
    A = np.outer(c, c) / 4.0
    v = x
    for _ in range(5):
        v = A @ v + 0.5 * v
    return v @ v


PROGRAMS: tuple[Function, ...] = (
    heat, heat_by_slices, wave, advection, smoothing, feedback, horner, back_substitution,
    recurrence, cholesky, elimination, differences, convolution, transposed_walk,
)  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_nothing_is_saved(program: Function) -> None:
    random = np.random.default_rng(0)
    x, c = random.normal(size=5), random.random(5)
    derivative = grad(program, wrt=("x",))
    found = derivative(x, c)
    found = found[0] if isinstance(found, tuple) else found
    assert "saved_" not in derivative.source
    for k, unit in enumerate(np.eye(5)):
        ends = [program(x + sign * STEP * unit, c) for sign in (1.0, -1.0)]
        assert found[k] == pytest.approx((ends[0] - ends[1]) / (2.0 * STEP), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("program", (feedback, cholesky), ids=lambda one: one.__name__)
def test_no_element_is_cleared_that_nobody_reads(program: Function) -> None:
    derivative = grad(program, wrt=("x",))
    derivative(np.ones(5), np.ones(5))
    assert "] = 0.0" not in derivative.source
