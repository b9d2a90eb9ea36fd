"""Names that loops bind first, and not by every trip: the last trip that bound one counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

X = np.array([0.9, 0.2, 0.7, 0.3])  # those above 0.5 and those below take turns


def last_but_skipped(x):
    for k in range(len(x)):
        if x[k] < 0.5:
            continue
        s = x[k] * x[0]
    return s


def last_before_a_break(x):
    for k in range(len(x)):
        if k == 2:
            break
        s = x[k] * x[0]
    return s


def last_of_one_branch(x):
    t = 0.0
    for k in range(len(x)):
        if x[k] > 0.5:
            s = x[k] * x[k]
        t += s * x[1]
    return t * s


def while_with_two_tests(x):
    k = 0
    while k < len(x) and np.sum(x[: k + 1] ** 2) < 1.0:
        s = x[k] * x[0]
        k += 1
    return s


def inner_loop_without_trips(x):
    t = 0.0
    for i in range(1, 5):
        for k in range(i % 2):
            s = x[k] * x[i - 1]
        t += s * x[1]
    return t * s


def inner_loop_that_skips(x):
    t = 0.0
    for i in range(len(x)):
        for k in range(len(x)):
            if x[i] * x[k] < 0.3:
                continue
            s = x[i] * x[k]
        t += s
    return t


def inner_while_without_trips(x):
    t = 0.0
    for i in range(len(x)):
        k = 0
        while k < 2 and x[i] > 0.5:
            s = x[k] * x[i]
            k += 1
        t += s * s
    return t


def an_array_of_one_branch(x):
    t = 0.0
    for k in range(len(x)):
        if k % 2 == 0:
            row = x * x[k]
        t += np.sum(row * row)
        row[k] = x[k]
    return t + row[0]


def two_names_at_once(x):
    for k in range(len(x)):
        if x[k] > 0.5:
            s, (t, u) = x[k], (x[k] ** 2, x)
    return s * t * u[1]


def after_an_exception_that_is_not_met(x):
    for k in range(len(x)):
        if k == 9:
            raise ValueError("never")
        if k < 2:
            s = x[k] * x[3]
    return s


def elif_without_else(x):
    for k in range(len(x)):
        if k == 0:
            s = x[k] ** 2
        elif k == 1:
            s = 3.0 * x[k] * x[0]
    return s


def from_a_nested_branch(x):
    t = 0.0
    for k in range(len(x)):
        if x[k] > 0.1:
            if x[k] > 0.5:
                s = x[k] * x[1]
        t += x[k]
    return t * s


def of_the_trip_before_last(x):
    for i in range(3):
        for k in range(len(x) - i):
            if i < 2:
                s = x[k] * x[i]
    return s


def a_loop_that_always_runs(x):
    t = 0.0
    for i in range(len(x)):
        for k in range(3):
            s = x[k] * x[i]
        t += s
    return t * s


def a_tuple_of_one_branch(x):
    t = 0.0
    for k in range(len(x)):
        if k % 2 == 0:
            pair = (x[k], x[k] * x[3])
        t += pair[0] * pair[1]
        pair = (pair[1], x[k])
    return t * pair[0]


CASES: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (function, (X,))
    for function in (
        last_but_skipped,
        last_before_a_break,
        last_of_one_branch,
        while_with_two_tests,
        inner_loop_without_trips,
        inner_loop_that_skips,
        inner_while_without_trips,
        an_array_of_one_branch,
        two_names_at_once,
        after_an_exception_that_is_not_met,
        elif_without_else,
        from_a_nested_branch,
        of_the_trip_before_last,
        a_loop_that_always_runs,
        a_tuple_of_one_branch,
    )
]
