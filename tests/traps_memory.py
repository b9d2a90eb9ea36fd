"""Small programs about memory, each with one thing that is easily got wrong: a view that outlives
a write, a write that is lost in a copy, where results go, kinds and orders of elements, arrays
without axes or elements. `test_programs.py` compares them with what NumPy does.
"""

from __future__ import annotations

import numpy as np

from tests.collected import Collection

COLLECTION = Collection(13)
CASES, case, v = COLLECTION.cases, COLLECTION.case, COLLECTION.array
W = np.arange(1.0, 13.0)


# Views that outlive writes ------------------------------------------------------------------------


@case(v(6))
def view_taken_before_two_writes(x):
    y = x[1:5]
    z = y[::-1]
    x[2] = 3.0 * z[0]
    y[1] *= x[2]
    x[:] = x * z[3]
    return np.sum(z**2 * W[:4]) + y[0]


@case(v(3, 4))
def view_of_a_turned_view_is_kept(x):
    turned = x.T
    corner = turned[1:, :2]
    x[0, 2] = 5.0 * x[2, 3]
    turned[3] = corner[0, 0]
    corner *= 2.0
    return np.sum(x * x * W.reshape(3, 4)) + np.sum(corner)


@case(v(6))
def reshaped_before_the_write(x):
    x = x * 1.0
    grid = x.reshape(2, 3)
    line = x[:]
    x[4] = 2.0 * grid[0, 0]
    grid[1] *= line[4]
    line[0] = x[5]
    return np.sum(grid**2 * W[:6].reshape(2, 3))


@case(v(4, 3))
def row_in_a_tuple_outlives_its_write(x):
    kept = (x[0], x[0].copy(), x[0] * 1.0)
    x[0] = x[1]
    x[0, 1] = 7.0 * kept[0][2]
    return np.sum(kept[0] * kept[1] * kept[2])


@case(v(5))
def element_is_a_number_view_is_not(x):
    number, view = x[2], x[2:3]
    x[2] = 10.0 * x[0]
    return number * view[0] + np.sum(x)


@case(v(3, 3))
def column_kept_while_rows_change(x):
    column = x[:, 1]
    for k in range(3):
        x[k] = x[k] * column[k - 1]
    return np.sum(column * W[:3])


@case(v(2, 3))
def rows_by_unpacking_after_a_write(x):
    a, b = x
    x *= 2.0
    a += b
    b[:] = a[::-1]
    return np.sum(x**2 * W[:6].reshape(2, 3)) * b[0]


@case(v(6))
def two_views_that_overlap(x):
    left, right = x[:4], x[2:]
    left *= right
    right += left
    left[2:] = right[:2] * x[0]
    return np.sum(x * W[:6])


@case(v(5))
def slice_object_used_twice(x):
    part = slice(1, None, 2)
    x[part] *= x[0]
    y = x[part]
    x[part] = y + y[::-1]
    return np.sum(y**2) + np.sum(x)


@case(v(4))
def mask_made_before_what_it_picks(x):
    small = x < 0.6
    x[:] = x[::-1] + 1.0
    x[small] *= 3.0
    return np.sum(x[small]) * np.sum(x * W[:4])


@case(v(3, 2))
def iterated_rows_of_a_view(x):
    for row in x[::2]:
        row *= x[1]
    for row in x.T:
        row[1] += row[0]
    return np.sum(x * x * W[:6].reshape(3, 2))


@case(v(4))
def writes_through_a_view_with_a_stop(x):
    y = x[::-1][1:]
    y[0] = 2.0 * x[0]
    y[-1] *= x[3]
    return np.sum(x * x * W[:4])


@case(v(3, 4))
def broadcast_view_is_read_again(x):
    row = np.broadcast_to(x[0], (3, 4))
    x[0, 1] = 4.0 * x[2, 2]
    return np.sum(row * x)


@case(v(4))
def windows_see_the_write(x):
    windows = np.lib.stride_tricks.sliding_window_view(x, 2)
    x[1] = 3.0 * x[3]
    return np.sum(windows**2 * W[:6].reshape(3, 2))


@case(v(3, 3))
def diagonal_view_sees_the_write(x):
    d = np.diagonal(x)
    t = np.einsum("ii->i", x)
    x[2, 2] = x[0, 1] * 5.0
    return np.sum(d * t * W[:3])


# Writes that are lost in copies -------------------------------------------------------------------


@case(v(5))
def slices_of_picked_elements(x):
    x[[0, 2, 4]][1:] = 50.0
    x[x > 0.0][0] = 50.0
    y = x[[1, 3]][::-1]
    y += 1.0
    y[:1] *= x[0]
    return np.sum(x**2) * np.sum(y * W[:2])


@case(v(3, 3))
def rows_picked_by_a_list(x):
    y = x[[0, 0, 2]]
    y[0] *= 10.0
    y[1] += x[1]
    x[[2]][0, 0] = 9.0
    return np.sum(y**2 * W[:9].reshape(3, 3)) + np.sum(x)


@case(v(4))
def functions_that_copy(x):
    np.sort(x)[0] = 9.0
    np.roll(x, 1)[1] = 9.0
    np.concatenate([x])[2] = 9.0
    np.tile(x, 1)[3] = 9.0
    np.repeat(x, 1)[0] = 9.0
    np.array(x)[1] = 9.0
    x.astype(float)[2] = 9.0
    x.take([0, 1])[0] = 9.0
    return np.sum(x**2)


@case(v(4))
def functions_that_do_not_copy(x):
    np.asarray(x)[0] *= 2.0
    np.ravel(x)[1] *= 3.0
    np.asanyarray(x)[2] = x[0]
    x.reshape(-1)[3] *= x[1]
    np.atleast_1d(x)[0] += 1.0
    return np.sum(x**2 * W[:4])


@case(v(2, 2), v(2, 2))
def products_and_blocks_are_new(a, b):
    c = np.block([[a, b], [b, a]])
    c[0] *= 2.0
    d = np.vstack([a, b])
    d[0] = 5.0
    e = np.where(True, a, b)
    e[0, 0] = 7.0
    return np.sum(a * b) + np.sum(c**2) + d[1, 0] * e[1, 1]


@case(v(4), 0.4)
def sums_with_nothing_are_new(x, a):
    y, z = x + 0, np.add(x, 0.0)
    y[0] = 1.0
    z *= a
    w = sum([x])
    w[1] = 3.0
    return np.sum(x**2) + np.sum(z) * np.sum(w)


@case(v(3))
def sum_of_a_list_starts_anew(x):
    total = sum([x, x])
    total += x
    largest = max([x[0], x[1]])
    x[0] = 5.0
    return np.sum(total * x) * largest


# Where results go ---------------------------------------------------------------------------------


@case(v(5), v(5))
def output_is_a_slice_of_an_operand(x, y):
    np.multiply(x[1:], y[:-1], out=x[:-1])
    np.add(x, y, out=y[::-1])
    np.subtract(y, x, x)
    return np.sum(x * y * W[:5])


@case(v(4), v(4))
def output_and_mask_and_result(x, m):
    y = np.sqrt(x, out=x, where=m > 0.6)
    y[0] *= 2.0
    z = np.multiply(x, m, where=m < 0.6, out=m)
    return np.sum(x**2 * z)


@case(v(3, 4))
def sums_into_a_row(x):
    np.sum(x, axis=0, out=x[1])
    np.cumsum(x[0], out=x[0])
    np.mean(x, axis=1, out=x[:, 3])
    return np.sum(x**2 * W.reshape(3, 4))


@case(v(3, 3), v(3))
def products_into_rows(a, x):
    np.dot(a, x, out=x)
    np.outer(x, x, out=a)
    np.matmul(a, a.copy(), out=a)
    return np.sum(a * W[:9].reshape(3, 3)) + np.sum(x)


@case(v(4), v(4))
def copyto_with_masks_and_numbers(x, y):
    np.copyto(x, y, where=y > 0.5)
    np.copyto(x[1:3], x[0])
    np.copyto(y, 2.0 * x[3], where=[True, False, False, True])
    return np.sum(x * y * W[:4])


@case(v(4))
def put_place_and_fill(x):
    np.put(x, [0, -1], [2.0 * x[1], x[2]])
    np.place(x, x > 0.9, [x[1] * 0.5])
    x[1:2].fill(x[3])
    np.fill_diagonal(x.reshape(2, 2), x[0] ** 2)
    return np.sum(x**2 * W[:4])


@case(v(4), v(3))
def at_with_repeats_and_broadcasting(x, y):
    np.add.at(x, [1, 1, 1], y[0])
    np.subtract.at(x, [0, 2, 0], y)
    np.multiply.at(x, [3, 3], y[1])
    return np.sum(x**2)


@case(v(3, 2), v(2))
def rows_added_at_repeated_places(a, y):
    np.add.at(a, [0, 2, 0], y)
    a[[1, 1]] += y * a[0]
    return np.sum(a**2)


@case(v(3, 3), v(2))
def places_that_broadcast_and_repeat(a, y):
    rows, columns = np.array([[0], [2]]), np.array([0, 0, 1])
    np.add.at(a, (rows, columns), y[:, None])
    a[rows, columns] *= y[0]
    return np.sum(a**2 * W[:9].reshape(3, 3))


@case(v(5), v(2))
def last_of_repeated_stores_wins(x, y):
    x[[1, 1]] = y
    x[np.array([2, 3, 2])] = x[:3] * 2.0
    x[[4, 4]] -= y
    return np.sum(x**2 * W[:5])


@case(v(4))
def sorted_in_place_through_a_view(x):
    x[::2].sort()
    x[1:][::-1].sort()
    return np.sum(x**2 * W[:4])


@case(np.array([[0.6, 0.2, 0.9], [0.3, 0.8, 0.1]]))
def sorted_along_axes(x):
    x.sort(axis=0)
    x[0][:2].sort()
    y = np.sort(x, axis=None)
    x[:, 1:].sort(axis=1)
    return np.sum(x[:, 1] ** 2) + np.sum(y * W[:6])


# Kinds and orders of elements ---------------------------------------------------------------------


@case(v(4))
def halves_into_singles_and_back(x):
    y = np.zeros(4, dtype=np.float32)
    y[:] = 0.5
    z = x * y
    z[0] += y[1]
    return np.sum(z**2) + float(y[2]) * x[0]


@case(v(4), np.array([0.5, 0.25, 1.5, 2.0], dtype=np.float32).astype(np.float64))
def doubles_in_place(x, y):
    x *= np.float32(0.5)
    y += x.sum()
    return np.sum(x * y)


@case(v(4), np.array([3, 1, 2, 0]))
def integers_that_are_changed_in_place(x, k):
    k[1:] += k[:-1]
    k %= 4
    k[k == 0] = 3
    x[k] += x[k[::-1]]
    return np.sum(x * k)


@case(v(4))
def truth_values_changed_in_place(x):
    m = x > 0.5
    m[0] = not m[0]
    m ^= True
    m |= x > 0.9
    x[m] = x[~m].sum()
    return np.sum(x**2 * W[:4])


@case(np.asfortranarray(v(3, 3)), v(3, 3))
def orders_that_meet(a, b):
    c = a.T + b
    a += b.T
    b *= a
    c.T[0] = a[:, 1]
    return np.sum(c) * np.sum(a * b)


@case(v(4, 4)[::2, ::-1], v(8)[::-2])
def arguments_with_steps(a, x):
    a[0] = x
    x[::-1] *= a[1]
    a += x
    return np.sum(a**2) + np.sum(x * W[:4])


@case(v(5)[::-1])
def reversed_argument_reversed_again(x):
    y = x[::-1]
    y[0] = 2.0 * x[1]
    y[::-1][0] = y[2]
    return np.sum(x**2 * W[:5])


@case(v(3, 3))
def transposed_in_a_loop(x):
    for _ in range(3):
        x = x.T
        x[0] *= x[1, 0]
        x += x[:, ::-1]
    return np.sum(x**2 * W[:9].reshape(3, 3))


@case(v(3, 4), v(4, 3))
def transposed_and_added_to(x, y):
    z = x.T
    z += y
    z *= 2.0
    z /= y[::-1]
    z -= z[0, 0]
    return np.sum(x * x) + np.sum(z * y)


# Without axes, without elements -------------------------------------------------------------------


@case(np.array(0.7), v(3))
def array_without_axes_is_broadcast(a, x):
    x *= a
    y = np.full(3, a) * x
    z = np.broadcast_to(a, (2, 3)) * y
    return np.sum(z) * float(a)


@case(np.zeros((0, 3)), v(3))
def rows_that_are_not_there(a, x):
    a *= x
    a[:, 0] = 5.0
    y = np.concatenate([a, x[None]])
    y[:0] = 9.0
    return np.sum(a.sum(axis=0) * x) + np.sum(y**2) + np.prod(a, axis=0).sum() * x[0]


@case(v(3), np.zeros(0, dtype=int))
def no_places_at_all(x, k):
    x[k] = 9.0
    x[k] *= 5.0
    np.add.at(x, k, x[k])
    for each in k:
        x[each] = 7.0
    return np.sum(x**2) + np.sum(x[k])


@case(v(1))
def one_element_is_all(x):
    y = x[0:1] * x[-1]
    x[::-1] += y
    x[:1] = x[-1:] ** 2
    total = 0.0
    for a, b in zip(x[1:], x[:-1], strict=True):
        total += a * b
    return total + x[0] * y[-1] + np.sum(np.diff(x))


@case(v(2, 1), v(1, 3))
def axes_of_one_element(a, b):
    c = a * b
    c += a
    c *= b[0]
    c[:, [0, 0]] += a
    c[...] -= c[:, :1]
    return np.sum(c**2)


@case(v(4))
def slices_beyond_the_ends(x):
    x[2:99] *= 2.0
    x[-99:1] += x[3:50]
    x[5:] = 3.0
    x[3:0:-1] = x[:3]
    return np.sum(x**2 * W[:4])


@case(v(2, 2, 2))
def numbers_axes_and_dots(x):
    x[0, ..., 1] = x[1, 0]
    x[..., None, 0][1, 0, 0] *= 3.0
    x[:, 1][0] += x[0, 0]
    return np.sum(x**2 * W[:8].reshape(2, 2, 2))


@case(v(2, 3))
def elements_with_their_places(x):
    total = 0.0
    for (i, j), each in np.ndenumerate(x):
        total += each * (i + 2 * j)
    for i, j in np.ndindex(2, 3):
        x[i, j] *= x[1 - i, j]
    return total * np.sum(x**2)


@case(v(2, 3))
def indices_made_by_functions(x):
    i, j = np.indices((2, 3))
    x[np.unravel_index([1, 5], x.shape)] *= 2.0
    x[np.ix_([1, 0], [2, 0])] = x[:, :2].copy()
    k = np.argwhere(x > 0.3)[:, 0]
    return np.sum(x**2 * (i + j)) + np.sum(x[np.nonzero(x > 0.5)]) + k.sum() * x[0, 0]


@case(v(3) + 1.0)
def element_written_before_a_matrix_of_the_diagonal(x):
    y = x * 2.0
    y[0] = y[1]
    return np.sum(np.tanh(0.3 * np.diagflat(y)) ** 2)


@case(v(3) + 1.0)
def written_and_put_on_a_diagonal(x):
    x[...] = x * 1.5
    total = np.sum(np.tanh(0.3 * np.diag(x)))
    for k in range(2):
        x[k] = x[2] * total
    return total + np.sum(np.diag(x, 1) ** 2)


def halve(y):
    y /= 2.0
    return np.sum(y)


@case(v(3) + 1.0)
def index_of_an_update_that_writes(x):
    r = 1.0 * x
    r[r > halve(r) - 2.0] -= 0.5 * x[0]
    r[int(halve(r)) % 3] += r[0]
    r[::-1][int(halve(r)) % 2] *= x[1]
    return np.sum(r * r)
