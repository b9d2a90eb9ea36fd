"""Small programs, each with one thing that is easily got wrong: an alias, a broadcast store, an
index that repeats, an argument by position, an order of elements. `test_programs.py` compares their
values, derivatives and arguments with what NumPy does.
"""

from __future__ import annotations

import sys

import numpy as np

from tests.collected import Collection

COLLECTION = Collection(11)
CASES, case, v = COLLECTION.cases, COLLECTION.case, COLLECTION.array


# Arguments by position, and where results go ------------------------------------------------------


@case(v(5))
def method_with_output_by_position(x):
    x.clip(0.3, 0.7, x)
    return np.sum(x**2)


@case(v(5))
def functions_with_output_by_position(x):
    y = np.empty_like(x)
    np.sqrt(x, y)
    np.subtract(y, 1.0, y)
    np.clip(y, -0.4, -0.1, y)
    np.power(y, 2, y)
    return np.sum(y * x)


@case(v(3, 4))
def reductions_with_output_by_position(x):
    y = np.zeros(3)
    np.sum(x, 1, None, y)
    total = np.sum(y**2)
    x.max(1, y)
    return total * np.sum(y**2)


@case(v(5))
def output_where(x):
    y = np.divide(1.0, x, out=np.zeros_like(x), where=x > 0.5)
    np.add(y, x[0], out=x, where=x < 0.5)
    return np.sum(x**2)


@case(v(4))
def ends_by_position(x):
    return np.sum(np.diff(x, 1, -1, x[1:2]) ** 2) + np.sum(np.ediff1d(x, x[2], x[0]) ** 3)


@case(v(4), v(5))
def masks_of_other_names(x, m):
    m = m[1:] > 0.5
    np.putmask(x, m, x * x)
    np.copyto(x, x[::-1].copy(), where=~m)
    return np.sum(x**2)


# Numbers made of what is differentiated -----------------------------------------------------------


@case(0.5, 0.21)
def range_of_floats(a, h):
    t = np.arange(a, 3.0, h)
    return np.sum(t**2) * np.sum(np.arange(0.0, 1.0, h * a))


@case(v(4))
def range_of_dtype(x):
    return np.sum(x * np.arange(0, 4, 1, float) / np.arange(1, 5, dtype=np.float64))


# The order of elements ----------------------------------------------------------------------------


@case(v(3, 4))
def fortran_order(x):
    weights = np.arange(12.0)
    total = np.sum(x.flatten("F") * weights) + np.sum(np.ravel(x, order="F") ** 2 * weights)
    return total * np.sum(x.reshape(2, -1, order="F")[1] ** 2) + x.reshape(-1, order="F")[1]


@case(np.asfortranarray(v(3, 4)))
def argument_in_fortran_order(x):
    weights = np.arange(12.0)
    x.T[1] = 2.0 * x[:, 0]
    return np.sum(x.ravel() * weights) + np.sum(np.asarray(x, order="C").reshape(4, 3)[1] ** 2)


@case(v(3, 4))
def items_by_number(x):
    total = 0.0
    for k in range(x.size):
        total = 0.5 * total + x.item(k) ** 2
    return total * x.item(1, 2) + x[:1, :1].item()


@case(v(4, 3).T)
def strided_argument(x):
    x[0] = x[1]
    x[::-1, 1:] += x[:, :-1]
    return np.sum(x.ravel() * np.arange(12.0) * x.ravel())


# Names of the same array --------------------------------------------------------------------------


@case(v(4))
def slice_of_everything(x):
    b = x[:]
    b[0] = 3.0 * b[1]
    z = b[1:]
    z *= x[0]
    return np.sum(x**2 * np.arange(4.0))


@case(v(4))
def same_array_twice_in_a_list(x):
    rows = [x, x * 2.0] * 2
    rows[0][1] *= x[2]
    rows[3][0] = 7.0 * rows[2][1]
    return np.sum(rows[0] * rows[1] * rows[2] + rows[3])


@case(v(4))
def dict_of_views(x):
    parts = {"all": x, "tail": x[1:]}
    parts["all"][1] = 3.0 * parts["tail"][2]
    parts["tail"] *= parts["all"][0]
    return np.sum(x * np.arange(4.0))


def doubled(a, k=2.0):
    a *= k
    return a


@case(v(3))
def callee_writes_and_returns(x):
    y = doubled(x)
    z = doubled(x.copy(), y[0])
    return np.sum(x * y * z)


@case(v(3), 1.3)
def augmented_array_and_number(x, a):
    y, b = x, a
    y += 1.0
    b += 1.0
    y = y * 2.0
    return np.sum(x * y) * a * b


@case(v(3))
def closure_sees_later_writes(x):
    state = np.zeros(3)

    def total():
        return np.sum(state) * x[0]

    state[0] = x[1] ** 2
    before = total()
    state[2] = x[2]
    return before * total()


@case(v(4, 4))
def rows_written_while_going_through(x):
    for k, row in enumerate(x):
        row[k] = 0.0
        row /= np.sum(row)
        row[:k] *= 2.0
    return np.sum(x**2 * np.arange(16.0).reshape(4, 4))


@case(v(2, 3))
def unpacked_rows_are_views(x):
    first, second = x
    first[0] = 2.0 * second[1]
    first = first * 2.0
    second += first
    (a, b, c), rest = x
    rest[0] = a * b
    return np.sum(x**2) * c


@case(v(5, 3))
def row_kept_while_rows_change(x):
    kept = x[2]
    for k in range(5):
        x[k] = kept * x[k]
    return np.sum(x * x)


@case(v(5))
def two_names_of_one_buffer(x):
    y = np.zeros(5)
    z = y
    for k in range(5):
        y[k] = 2.0 * x[k] + z[k - 1]
    return np.sum(z**2)


@case(v(5))
def buffers_change_places(x):
    y, z = np.zeros(5), np.zeros(5)
    for k in range(5):
        y[k] = 2.0 * x[k] + z[k - 1]
        y, z = z, y
    return np.sum(z**2) + y[0]


@case(v(3))
def copies_stay_copies(x):
    a, b, c, d, e, g = +x, x * 1.0, x / 1.0, x**1, x - 0.0, np.abs(x)
    for each in (a, b, c, d, e, g):
        each[0] = 5.0
    return np.sum(x * a * b * c * d * e * g)


@case(v(3, 3))
def diagonal_is_read_later(x):
    d, kept = np.diagonal(x), x.diagonal().copy()
    x[1, 1] = 3.0 * x[0, 2]
    return np.sum(d**2) + np.sum(kept**3)


# Stores -------------------------------------------------------------------------------------------


@case(v(4))
def overlapping_slices(x):
    x[1:] += x[:-1]
    x[::-1] += x
    x[::-2] = x[::2] * x[1]
    x[:] = x[::-1]
    return np.sum(x**2 * np.arange(1.0, 5.0))


@case(v(4))
def indices_that_repeat(x):
    x[[0, 0, 1]] += x[[1, 2, 3]]
    np.add.at(x, [0, 0, 1], x[[1, 2, 3]])
    x[[2, 2]] = x[[0, 1]] ** 2
    return np.sum(x**2 * np.arange(1.0, 5.0))


@case(v(4))
def masked_stores(x):
    m = x > 0.5
    x[m] *= x[0]
    x[~m] = np.sum(x[m])
    x[x > 100.0] = 3.0
    return np.sum(x**3)


@case(v(4, 5))
def fancy_and_slices(x):
    x[[0, 2], 1:3] = 2.0 * x[1:3, [3, 4]]
    x[1:3, [0, 0, 2]] += x[[0], 2:5]
    return np.sum(x**3)


@case(v(4, 5, 3))
def axes_of_fancy_indices(x):
    y, z = x[[0, 1], :, [2, 0]], x[1, :, [2, 0]]
    total = np.sum(y * np.arange(10.0).reshape(2, 5)) * np.sum(z * np.arange(10.0).reshape(2, 5))
    return total + np.sum(x[..., [2, 0], 0] * np.arange(8.0).reshape(4, 2))


@case(v(2, 3), v(3))
def stores_that_broadcast(a, b):
    a[1] = b
    a[:, 0] = b[1]
    a[0] = 0.5 * b[2]
    a[:, 1:] *= b[1:]
    a[a > 0.4] = b[0]
    return np.sum(a**2)


@case(v(2, 3), v(2))
def store_with_a_new_axis(a, b):
    a[:] = b[:, None]
    a /= b[:, np.newaxis] ** 2
    return np.sum(a**2)


@case(v(4))
def places_and_values_in_one_statement(x):
    x[-1], x[0] = x[0] * x[1], x[-1]
    k = 0
    k, x[k] = 2, x[3] * 2.0
    return np.sum(x**2 * np.arange(1.0, 5.0)) * x[k]


@case(v(4, 4))
def swapped_rows(x):
    x[0], x[1] = x[1], x[0]
    x[[2, 3]] = x[[3, 2]]
    x += x.T
    return np.sum(x**2 * np.arange(16.0).reshape(4, 4))


@case(v(4, 4))
def nested_stores(x):
    for k in range(4):
        x[k][k] += x[k - 1][k]
        x[k][1:][0] = 2.0 * x[k][2]
    return np.sum(x**2 * np.arange(16.0).reshape(4, 4))


@case(v(4))
def empty_stores(x):
    x[2:2] = 5.0
    x[4:] = x[0:0]
    x[np.array([], dtype=int)] = 3.0
    x[np.zeros(4, bool)] *= 5.0
    return np.sum(x**2) + np.sum(x[3:1])


@case(v(6))
def each_value_divides_all(x):
    x /= x[0]
    x -= x[1]
    x += 0.1
    x *= x[2]
    return np.sum(x**3)


@case(v(4))
def list_of_one_buffer(x):
    seen = []
    y = x.copy()
    for k in range(3):
        y *= x[k]
        seen.append(y.copy())
    y[0] = 3.0
    return sum(np.sum(each**2) for each in seen) + y[0] * y[1]


# Kinds of numbers ---------------------------------------------------------------------------------


@case(v(4), np.arange(1, 5), 3)
def integers_beside_floats(x, k, n):
    k *= 2
    k[0] += 5
    return np.sum(x * k) / n + np.sum(x[k[:2] // 4] / k[1:3]) + n // 2 * x[0] + x[1] ** -n


@case(v(4), np.array([1, 2, 3, 4], dtype=np.uint8))
def small_integers_wrap_around(x, k):
    return np.dot(255 * k, x) + np.sum((k - 2) * x)


@case(v(4), np.array([True, False, True, True]))
def booleans_count(x, m):
    return np.sum(x * m) + np.sum(x[m]) / m.sum() + (x[0] > 0.0) * x[1]


@case(np.zeros(0), 2.0)
def nothing_at_all(x, a):
    total = a
    for each in x:
        total *= each
    return total + np.sum(x * a) + a * np.prod(x)


@case(np.array([0.0, 0.0, 0.2]))
def zeros_in_products(x):
    return np.prod(x) + np.sum(np.cumprod(x)) + np.prod(x[1:]) + np.sum(x**2) + np.sum(x**3)


@case(np.array([0.0, 1.0, 2.0]))
def powers_of_zero(x):
    return np.sum(x ** np.arange(3)) + np.sum(x**2.0) + np.sum((x + 1.0) ** x[1])


@case(np.array([-1.0, -1.5, 2.0]))
def undefined_in_the_branch_not_taken(x):
    return np.sum(np.where(x > 0, np.log(x), 0.0)) + np.sum(np.where(x > 0, np.sqrt(x), x**2))


@case(np.array([800.0, -801.0, 2.0]))
def large_exponents(x):
    sigmoid = np.where(x >= 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x)))
    shifted = np.exp(x - x.max())
    return np.sum(sigmoid) + np.sum(np.logaddexp(0, x)) + np.log(np.sum(shifted)) + np.max(x)


# Zeros that are left out --------------------------------------------------------------------------


@case(v(4, 2))
def distances_above_the_diagonal(x):
    d = np.sqrt(np.sum((x[:, None] - x[None]) ** 2, axis=-1))
    total = np.sum(np.triu(1 / (1 + d), 1))
    for i in range(4):
        for j in range(i + 1, 4):
            total += 1 / d[i, j]
    return total


@case(v(4, 2))
def distances_with_another_diagonal(x):
    d = np.sqrt(np.sum((x[:, None] - x[None]) ** 2, axis=-1))
    np.fill_diagonal(d, 1.0)
    return np.sum(1 / d)


@case(v(4))
def missing_data(x):
    y = np.array([3.0, np.nan, 1.0, 2.0])
    residual = y - x**2
    return np.nansum(residual**2) + np.nanmean((y * x) ** 2)


# Functions that call themselves -------------------------------------------------------------------


def quicksort(a):
    if len(a) <= 1:
        return a
    pivot, rest = a[0], a[1:]
    below, above = quicksort(rest[rest < pivot]), quicksort(rest[rest >= pivot])
    return np.concatenate([below, [pivot], above])


def tree_product(a):
    if len(a) == 1:
        return a[0]
    return tree_product(a[: len(a) // 2]) * tree_product(a[len(a) // 2 :]) + 0.1


@case(v(6))
def recursion_on_halves(x):
    return np.sum(quicksort(x) * np.arange(6.0)) * tree_product(x)


def fourier(x):
    n = len(x)
    if n <= 1:
        return x
    even, odd = fourier(x[0::2]), fourier(x[1::2])
    turned = np.exp(-2j * np.pi * np.arange(n // 2) / n) * odd
    return np.concatenate([even + turned, even - turned])


@case(v(8))
def recursive_fourier_transform(x):
    return np.sum(np.abs(fourier(x.astype(complex))) ** 2 * np.arange(8.0))


# What lists, ranges and objects stand for ---------------------------------------------------------


@case(v(5, 5))
def ranges_as_indices(x):
    n = len(x)
    x[range(n), range(n)] = 0.0
    x[range(1, 4)] *= x[0, list(range(2, 5))][:, None]
    below = range(n - 1, 0, -2)
    total = np.dot(range(n), x[0])
    for k in below:
        total += x[k, k - 1] ** 2
    return total * len(below)


@case(v(4))
def rows_that_are_collected(x):
    rows, pairs = [], [[each, each**2] for each in x]
    for k in range(len(x)):
        rows.append((x[k], x[k - 1] * 2.0, 1.0))
    columns = np.array([[each * 2.0 for each in x], list(x)])
    return np.sum(np.array(pairs)[:, 1] * np.array(rows)[:, 1]) + np.sum(columns @ np.array(rows))


class Spring:
    stiffness = 3.0

    def __init__(self, length, pull):
        self.length = length
        self.stretched = np.zeros(2)
        self.stretched[0] = length + pull

    def __call__(self, x):
        return self.stiffness * np.sum((self.stretched - x) ** 2) * self.length

    @classmethod
    def loose(cls, length):
        return cls(length, 0.0)


HERE = sys.modules[__name__]  # as `import springs` gives it
SPRING = Spring(0.5, 0.25)


@case(0.4, 0.7)
def classes_and_objects_of_a_module(length, x):
    own, other = HERE.Spring(length, x), HERE.Spring.loose(x)
    return own(x) * HERE.Spring.stiffness + other(length) * HERE.SPRING(x) * HERE.np.exp(x)


# Functions that give their argument back, and no copy ---------------------------------------------


@case(v(3, 3))
def conjugate_method(x):
    y, z = x.conj(), np.conj(x)
    y *= 2.0
    x.conjugate()[0] += z[1]
    return np.sum(x**2)


@case(v(3, 3))
def real_if_close(x):
    y = np.real_if_close(x)
    y *= 2.0
    return np.sum(x**2)


@case(v(4))
def no_differences(x):
    y = np.diff(x, n=0)
    np.diff(x, 0)[1:] *= y[0]
    return np.sum(x**2)


@case(v(3, 3))
def first_power(x):
    y = np.linalg.matrix_power(x, 1)
    y[0] *= y[1]
    return np.sum(x**2)


@case(v(3), 2)
def dtype_as_a_function(x, n):
    for _ in range(n):
        y = np.float64(x)
        y *= 0.5
    return np.sum(x**2)


# Arrays made of numbers are new, whatever makes them ----------------------------------------------


@case(0.5, 0.3)
def at_least_1d_of_a_number(b, a):
    y = np.atleast_1d(b)
    y *= a
    z = np.atleast_2d(a * b)
    z[0] += y
    return np.sum(np.tanh(y)) + b * np.sum(z)


@case(0.5, 0.3)
def axes_for_a_number(b, a):
    y = np.expand_dims(b, 0)
    y[0] = y[0] * a
    z = np.reshape(b, (1, 1))
    z *= y
    return np.sum(np.tanh(y) * z) + b


@case(v(3))
def at_least_1d_of_an_element(x):
    w = x[0]
    y = np.atleast_1d(w)
    y += 2.0
    x[0] = 5.0
    return np.sum(y**2) * w + np.sum(x)


# What a `where` does not take ---------------------------------------------------------------------


@case(v(3, 3) - 0.5, 0.3)
def root_of_what_is_scaled(S, a):
    M = S * np.tanh(a)
    return np.sum(np.where(M <= 0.0, S, M**0.5))


@case(v(3, 3) - 0.5)
def root_and_reversed_rows(A):
    C = np.where(A > 0.0, np.sqrt(A / (1.0 + A**2)), A[::-1] / (1.0 + A**2))
    return np.sum(np.where(C <= 0.0, A, C**0.5) * A)


# Values to the last bit: where elements lie decides how sums are rounded --------------------------


@case(v(7), v(5, 7))
def product_with_reversed_rows(x, A):
    np.copyto(A, A[::-1])
    a = A[::-1] @ x
    b = np.sum(A[:, ::2] * A[:, 1:2])
    A[0] -= 1.0
    return np.sum(a**2) + A[0, -1] * b
