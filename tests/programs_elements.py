"""Recurrences on elements whose adjoints are read again: later, from the end, in an outer loop, at
an index that comes twice, in buffers that take turns. Clearing them, and adding to them, must stay;
where nobody reads them it goes. Each with arguments at which it is smooth.
"""

from __future__ import annotations

import numpy as np

RANDOM = np.random.default_rng(11)
VECTOR = RANDOM.normal(size=6)
OTHER = RANDOM.normal(size=6)
MATRIX = RANDOM.normal(size=(5, 5)) + 4.0 * np.eye(5)


def element_from_the_end(x):
    y = x.copy()
    for i in range(1, len(y)):
        y[i] = y[i - 1] * y[-1] + x[i]
    return np.sum(y)


def last_element_behind(x):
    y = np.zeros(6)
    y[5] = x[0] * x[1]
    for i in range(5):
        y[i] = x[i] * y[i + 1]
    return y[0] * y[-1]


def each_element_twice(x):
    y = np.zeros(6)
    for i in range(6):
        y[i // 2] += x[i] * x[i // 2]
    return np.sum(y * y)


def element_written_twice(x):
    y = x.copy()
    for i in range(1, 6):
        y[i] = y[i - 1] * x[i]
        y[i] = y[i] * y[i] + y[i - 1]
    return y[5]


def steps_of_two(x):
    y = x.copy()
    for i in range(2, 6, 2):
        y[i] = y[i - 2] * y[i - 1] + x[i - 1]
    return np.sum(y * x)


def sweeps_up_and_down(x, steps: int):
    y = x.copy()
    for _ in range(steps):
        for i in range(1, len(y)):
            y[i] = y[i] * 0.5 + y[i - 1] * x[i]
        for i in range(len(y) - 2, -1, -1):
            y[i] = y[i] - y[i + 1] * x[i]
    return np.sum(y)


def new_array_each_trip(x, steps: int):
    total = 0.0
    for t in range(steps):
        y = np.zeros(6)
        for i in range(1, 6):
            y[i] = x[i] * y[i - 1] + x[t] * x[i - 1]
        total += y[5] * y[0] + y[4]
    return total


def overlapping_slices(x):
    y = np.zeros(6)
    for i in range(1, 5):
        y[i - 1 : i + 2] += x[i] * x[i - 1 : i + 2]
    return np.sum(y * y)


def negative_first_index(x, shift: int):
    y = x.copy()
    for i in range(4):
        y[i - shift] = y[i] * x[i - shift]
    return np.sum(y * y)


def lower_solve(L, b):
    x = np.zeros_like(b)
    for i in range(len(b)):
        s = b[i]
        for j in range(i):
            s = s - L[i, j] * x[j]
        x[i] = s / L[i, i]
    return np.sum(x * x)


def until_it_is_large(x):
    y = np.zeros(6)
    i = 0
    while i < 5 and y[i] < 3.0:
        y[i + 1] = y[i] * x[i] + 1.0
        i += 1
    return np.sum(y * y)


def in_one_branch(x):
    y = x.copy()
    for i in range(1, 6):
        if x[i] > 0.0:
            y[i] = y[i - 1] * x[i]
        else:
            y[i - 1] = y[i] * x[i - 1]
    return np.sum(y * y)


def whole_rows(A):
    U = A.copy()
    for k in range(4):
        for i in range(k + 1, 5):
            U[i] -= U[i, k] / U[k, k] * U[k]
    return np.sum(U * U)


def slices_with_the_pivot(A):
    U = A.copy()
    for k in range(4):
        for i in range(k + 1, 5):
            U[i, k:] -= U[i, k] / U[k, k] * U[k, k:]
    return np.sum(U * A)


def own_beginning(x):
    y = x.copy()
    for i in range(1, 6):
        y[i:] -= 0.3 * y[i] * y[: 6 - i]
    return np.sum(y * x)


def row_before_and_behind(A):
    U = A.copy()
    for i in range(1, 5):
        row = U[i, 1:] * U[i - 1, :-1]
        U[i, 1:] = row * U[i, :1]
        U[i - 1, 2:] += row[1:] * U[i, 2:]
    return np.sum(U * U)


def buffers_in_turn(x, steps: int):
    bufs = [x.copy(), np.zeros_like(x)]
    for t in range(steps):
        old, new = bufs[t % 2], bufs[(t + 1) % 2]
        for i in range(1, len(x) - 1):
            new[i] = np.sin(old[i]) + 0.1 * old[i - 1] * old[i + 1]
    return np.sum(bufs[steps % 2] ** 2)


def three_buffers(x):
    bufs = (x.copy(), 2.0 * x, np.zeros_like(x))
    for t in range(-2, 4):
        bufs[t % 3][1:] += bufs[(t - 1) % 3][:-1] * bufs[(t + 1) % 3][1:]
    return np.sum(bufs[0] * bufs[1] + bufs[2])


CASES = [
    (buffers_in_turn, (VECTOR, 3)),
    (three_buffers, (VECTOR,)),
    (whole_rows, (MATRIX,)),
    (slices_with_the_pivot, (MATRIX,)),
    (own_beginning, (VECTOR,)),
    (row_before_and_behind, (MATRIX,)),
    (element_from_the_end, (VECTOR,)),
    (last_element_behind, (VECTOR,)),
    (each_element_twice, (VECTOR,)),
    (element_written_twice, (VECTOR,)),
    (steps_of_two, (VECTOR,)),
    (sweeps_up_and_down, (VECTOR, 3)),
    (new_array_each_trip, (VECTOR, 3)),
    (overlapping_slices, (VECTOR,)),
    (negative_first_index, (VECTOR, 2)),
    (lower_solve, (MATRIX, OTHER[:5])),
    (until_it_is_large, (VECTOR,)),
    (in_one_branch, (VECTOR,)),
]
