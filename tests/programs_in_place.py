"""Programs that write to arrays in loops and read all of them: what is overwritten is put back in
the reverse sweep. Each with arguments at which it is smooth.
"""

from __future__ import annotations

import numpy as np

RANDOM = np.random.default_rng(7)
VECTOR = RANDOM.normal(size=5)
OTHER = RANDOM.normal(size=5)
MATRIX = RANDOM.normal(size=(5, 5)) + 4.0 * np.eye(5)


def gauss_seidel(x, A, b, sweeps: int):
    for _ in range(sweeps):
        for i in range(len(b)):
            x[i] = (b[i] - A[i] @ x + A[i, i] * x[i]) / A[i, i]
    return np.sum(x * x)


def relaxation(u, omega: float, sweeps: int):
    for _ in range(sweeps):
        for i in range(1, u.shape[0] - 1):
            for j in range(1, u.shape[1] - 1):
                mean = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] * u[i, j + 1])
                u[i, j] = u[i, j] + omega * (mean - u[i, j]) * u[i, j]
    return np.sum(u * u)


def until_it_settles(x, A, b, most: int):
    for _ in range(most):
        before = x.copy()
        for i in range(len(b)):
            x[i] += 0.9 * (b[i] - A[i] @ x) / A[i, i]
            if abs(x[i]) > 1e6:
                raise ValueError("far away")
        if np.max(np.abs(x - before)) < 0.05:
            break
    return np.sum(np.sin(x))


def in_branches(x, a: float):
    for i in range(len(x)):
        if x[i] > 0.0:
            assert np.all(np.isfinite(x)), "not finite"
            x[i] = np.sum(x * x) * a
        elif i % 2 == 0:
            x[i] = np.tanh(x[i] * a)
            x[0] += x @ x * 0.1
        else:
            a = a * 0.9
    return np.sum(x) * a


def while_loop(x, a: float):
    k = 0
    while k < len(x) and np.sum(x * x) < 50.0:
        x[k] = np.sin(x[k]) + a * np.sum(x * x) * 0.1
        k += 1
    return np.prod(x + 2.0)


def two_arrays(x, y):
    for i in range(len(x)):
        x[i] = np.sin(y @ x)
        y[-1 - i] = np.cos(np.sum(x * y)) * y[i]
    return x @ y


def three_loops(D, a: float):
    n = len(D)
    for k in range(n):
        D[k] = D[k] * np.sum(np.tanh(D))
        for i in range(n):
            for j in range(i):
                D[i, j] = np.sin(D[i, k] * D[k, j]) + 0.1 * np.sum(D * D) * a
            D[i] *= np.cos(np.sum(D * D))
        D[k, k] = np.sum(np.sin(D)) * a
    return np.sum(D * D)


def before_and_after(x, w):
    total = 0.0
    for i in range(len(x)):
        total += np.sum(w * np.sin(x))
        x[i] = np.sin(np.sum(x * x))
        total += np.sum(w * np.cos(x)) * x[i]
        x[1:] = np.tanh(x[1:] * np.sum(x[:-1] ** 2))
        total *= np.sum(x * w)
    return total


def by_a_helper(x, A):
    def eliminate(row, k):
        row[k] = np.sum(row * A[k]) / A[k, k]

    for k in range(len(x)):
        eliminate(x, k)
        eliminate(x, -1 - k)
    return np.sum(x * x)


def new_in_each_trip(x, k: int):
    total = 0.0
    for t in range(k):
        y = x * (t + 1.0)
        for i in range(len(y)):
            y[i] = np.sin(np.sum(y * y))
        total += np.sum(y) * total + y[0]
    return total


def at_indices(x, k: int):
    for t in range(k):
        x[[t, 0, t]] = x[[1, 2, 3]] * np.sum(x * x)
        np.add.at(x, [0, 1, 0], np.sin(x[:3]) * np.sum(x))
        x[::-2] *= np.cos(np.sum(x * x))
        x[...] = np.sin(x)
    return np.sum(x * x)


def at_a_mask(x, k: int):
    for _ in range(k):
        x[x > 0.1] *= np.sin(np.sum(x * x))
        x[0] = np.sum(x * x)
    return np.sum(x)


def pivoting(A, b):
    n = len(b)
    order = np.arange(n)
    for k in range(n):
        pivot = k + int(np.argmax(np.abs(A[k:, k])))
        A[[k, pivot]] = A[[pivot, k]]
        order[k], order[pivot] = order[pivot], order[k]
        for i in range(k + 1, n):
            A[i, k] /= A[k, k]
            A[i, k + 1 :] -= A[i, k] * A[k, k + 1 :]
    s = 0.0
    for k in range(n):
        b[order[k]] = np.sum(b * b) * 0.1 * A[k, k]
        s += b[order[k]]
    return s + np.sum(A * A)


def returns_early(x, a: float):
    for i in range(len(x)):
        x[i] = np.sum(x * x) * a
        if x[i] > 3.0:
            return np.sum(x * x) * x[i]
    return np.sum(x)


def goes_on(x, a: float):
    for i in range(len(x)):
        if x[i] < 0.0:
            x[i] = a * np.sum(x * x)
            continue
        x[0] = np.sum(x * x) * x[i]
    return np.sum(x)


def a_row_kept(A, k: int):
    for t in range(k):
        row = A[t].copy()
        A[t] = A[t + 1] * np.sum(A * A) * 0.01
        A[t + 1] = row * np.sum(np.sin(A))
        A[t, 0] += row @ A[t]
    return np.sum(A * A)


def read_by_an_inner_loop(x, A):
    for i in range(len(x)):
        s = 0.0
        for j in range(len(x)):
            s += A[i, j] * x[j] * x[j]
        x[i] = np.tanh(s)
    return np.sum(x)


def sums_in_place(x, k: int):
    counts = np.zeros(3, dtype=np.int64)
    for t in range(k):
        place = counts[t % 3]
        counts[t % 3] = (place + t) % 5
        x[counts[t % 3]] = np.sin(np.sum(x * x)) * x[place]
        counts[place % 3] += np.sum(counts) % 2
    return np.sum(x * x)


def cholesky_in_place(A):
    n = len(A)
    for j in range(n):
        A[j, j] = np.sqrt(A[j, j] ** 2 + 9.0 - A[j, :j] @ A[j, :j])
        for i in range(j + 1, n):
            A[i, j] = (A[i, j] - A[i, :j] @ A[j, :j]) / A[j, j]
    return np.sum(np.log(np.diag(A)))


def orthonormal(A):
    for k in range(len(A)):
        for j in range(k):
            A[k] -= (A[j] @ A[k]) * A[j]
        A[k] /= np.sqrt(A[k] @ A[k])
    return np.sum(A[:, 0] * A[:, 1]) + A[0, 0] + np.sum(np.sin(A))


def shortest_paths(D):
    for k in range(len(D)):
        for i in range(len(D)):
            for j in range(len(D)):
                D[i, j] = min(D[i, j], D[i, k] ** 2 + D[k, j])
    return np.sum(D * D)


def tridiagonal_steps(d, a: float, steps: int):
    n = len(d)
    for _ in range(steps):
        c = np.zeros(n)
        c[0] = a / (2.0 + d[0] ** 2)
        d[0] = d[0] / (2.0 + d[0] ** 2)
        for i in range(1, n):
            m = 2.0 + d[i] ** 2 - a * c[i - 1]
            c[i] = a / m
            d[i] = (d[i] + a * d[i - 1]) / m
        for i in range(n - 2, -1, -1):
            d[i] = d[i] + c[i] * d[i + 1]
    return np.sum(d * d)


def swapped_buffers(u, v, k: int):
    for _ in range(k):
        for i in range(1, len(u)):
            v[i] = np.sum(u * v) * 0.1 + u[i - 1]
        u, v = v, u
    return np.sum(u * v)


def kept_on_some_trips(x, a):
    kept = np.zeros(len(x))
    for i in range(len(x)):
        v = np.sin(x[i]) * a
        if x[i] > 0.4:
            kept[i] = v
        a = a * v + 0.5
    return a + np.sum(kept)


def kept_by_an_inner_loop(x, a):
    kept = np.zeros((len(x), 2))
    for i in range(len(x)):
        v = np.sin(x[i]) * a
        for k in range(i % 3):
            kept[i, k] = v
        a = a * v + 0.5
    return a + np.sum(kept * kept)


CASES = [
    (gauss_seidel, (VECTOR, MATRIX, OTHER, 3)),
    (gauss_seidel, (VECTOR, MATRIX, OTHER, 0)),
    (relaxation, (MATRIX[:4] - 3.0 * np.eye(5)[:4], 0.7, 3)),
    (until_it_settles, (VECTOR, MATRIX, OTHER, 9)),
    (in_branches, (VECTOR, 0.3)),
    (while_loop, (VECTOR, 0.7)),
    (two_arrays, (VECTOR, OTHER)),
    (three_loops, (0.3 * MATRIX[:3, :3], 0.4)),
    (before_and_after, (VECTOR, OTHER)),
    (by_a_helper, (VECTOR, MATRIX)),
    (new_in_each_trip, (VECTOR, 3)),
    (at_indices, (0.5 * VECTOR, 2)),
    (at_a_mask, (VECTOR, 3)),
    (pivoting, (MATRIX[::-1].copy(), OTHER)),
    (returns_early, (VECTOR, 0.3)),
    (returns_early, (VECTOR, 0.05)),
    (goes_on, (VECTOR, 0.2)),
    (a_row_kept, (0.3 * MATRIX, 3)),
    (read_by_an_inner_loop, (VECTOR, 0.2 * MATRIX)),
    (sums_in_place, (VECTOR, 7)),
    (cholesky_in_place, (MATRIX,)),
    (orthonormal, (MATRIX,)),
    (shortest_paths, (np.abs(MATRIX),)),
    (tridiagonal_steps, (VECTOR, 0.6, 3)),
    (swapped_buffers, (VECTOR, OTHER, 3)),
    (kept_on_some_trips, (VECTOR, 0.7)),
    (kept_by_an_inner_loop, (VECTOR, 0.7)),
]
