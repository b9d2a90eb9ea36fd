"""More small programs, each with one thing that is easily got wrong: writes that meet their own
right side, views of views, callees that write, kinds of numbers, ties and ends, loops, containers.
`test_programs.py` compares them with what NumPy does, as those of `traps.py`.
"""

from __future__ import annotations

import math

import numpy as np

from tests.collected import Collection

COLLECTION = Collection(12)
CASES, case, v = COLLECTION.cases, COLLECTION.case, COLLECTION.array


# Writes that meet their own right side ------------------------------------------------------------


@case(v(6))
def shifted_onto_itself(x):
    x[1:] = x[:-1]
    x[:-2] = 2.0 * x[2:]
    x[::2] = x[::2][::-1]
    return np.sum(x**2 * np.arange(1.0, 7.0))


@case(v(4, 4))
def rows_into_columns_apart(x):
    for i in range(4):
        x[i, i + 1 :] = x[i + 1 :, i] * 0.5
        x[i, :i] = x[:i, i]
        x[i] = x[:, i]
        x[i, i + 1 :] = x[i + 1 :, i]
    x[1:, 0] = x[0, 1:].copy()
    x[-1], x[0] = 0.5 * x[0], x[-2]
    return np.sum(x**2 * np.arange(16.0).reshape(4, 4))


@case(v(6))
def running_sum_by_slices(x):
    for k in range(1, 6):
        x[k:] += x[k - 1] * x[: 6 - k]
    return np.sum(x**2)


@case(v(3, 3))
def matrix_times_itself_in_place(x):
    x @= x
    x[:] = x.T @ x
    x *= x[0, 0]
    return np.sum(x * np.arange(9.0).reshape(3, 3))


@case(v(3, 3))
def transposed_onto_itself(x):
    x[:] = x.T
    x += x.T
    x[0] = x[:, 0]
    x[:, 1] += x[1, :]
    return np.sum(x**2 * np.arange(9.0).reshape(3, 3))


@case(v(3, 3))
def reversed_rows_and_columns(x):
    x[::-1] = x
    x[:, ::-1] *= x
    x[::-1, ::-1] -= 0.5 * x
    return np.sum(x**2 * np.arange(9.0).reshape(3, 3))


@case(v(3), v(3))
def results_into_their_operands(x, y):
    np.add(x, y, out=x[...])
    np.multiply(x, y, out=y)
    np.exp(x, out=x)
    np.maximum(x, y, out=x)
    return np.sum(x * y)


@case(v(2, 3), v(3, 2))
def product_into_a_slice(a, b):
    c = np.zeros((3, 4))
    np.matmul(b, a, out=c[:, 1:])
    return np.sum(c**2 * np.arange(12.0).reshape(3, 4))


@case(v(4))
def each_of_a_chain_of_targets(x):
    y = z = x * 2.0
    y[0] = 5.0 * x[1]
    x[2] = z[0] = y[3]
    a = b = x[1]
    a += 1.0
    return np.sum(x * z) * a * b


@case(v(4))
def value_first_then_place(x):
    k = [0]

    def place():
        k[0] += 1
        return k[0]

    x[place()] = x[place() - 1] * 3.0
    x[place()] += x[place() - 4]
    return np.sum(x**2 * np.arange(1.0, 5.0))


@case(v(4))
def augmented_element_by_element(x):
    for k in range(4):
        x[k] **= 2
        x[k] /= x[k - 1]
        x[k - 1] -= x[k] * x[k - 2]
    return np.sum(x)


@case(v(5))
def whole_divided_by_its_own_sum(x):
    x /= x.sum()
    x -= x.mean()
    x *= np.linalg.norm(x)
    x /= x[-1]
    return np.sum(x[:3] ** 3)


# Views of views -----------------------------------------------------------------------------------


@case(v(4, 6))
def view_of_a_view_of_a_view(x):
    y = x[1:, ::2]
    z = y.T[::-1]
    z[0][1:] = 4.0 * x[0, :2]
    w = z[1]
    w *= y[0, 2]
    return np.sum(x**2 * np.arange(24.0).reshape(4, 6))


@case(v(2, 3, 4))
def axes_moved_and_written(x):
    np.moveaxis(x, 0, -1)[1, 2] = x[:, 0, 0]
    np.swapaxes(x, 0, 2)[0] *= x[1, 1, 2]
    x.transpose(2, 0, 1)[1, 1] = x[0, :, 3]
    return np.sum(x**2 * np.arange(24.0).reshape(2, 3, 4))


@case(v(3, 4))
def one_element_three_names(x):
    row, column, flat = x[1], x[:, 2], x.reshape(-1)
    row[2] = 2.0 * flat[0]
    column[1] *= row[3]
    flat[6] += column[0]
    return np.sum(x**2 * np.arange(12.0).reshape(3, 4)) * row[2]


@case(v(3, 4))
def elements_by_flat_number(x):
    x.flat[5] = x.flat[2] ** 2
    x.ravel()[7] += x[0, 0]
    x.reshape(-1)[[1, 3]] = x[2, :2]
    x.reshape(2, 6)[1, ::2] *= 3.0
    return np.sum(x**2 * np.arange(12.0).reshape(3, 4))


@case(v(3, 4))
def flat_copy_is_no_view(x):
    y = x.flatten()
    y[0] = 9.0 * x[1, 1]
    z = x.T.ravel().copy()
    z[1] = 7.0
    return np.sum(x**2) * np.sum(y**2) + z[1] * z[2]


@case(v(6))
def picked_elements_are_no_view(x):
    y, z, w = x[[0, 1]], x[x > 0.3], x[::2]
    y *= 5.0
    z += 1.0
    w *= 2.0
    return np.sum(x**2) * np.sum(y) + np.sum(z)


@case(v(6))
def picked_elements_of_picked_elements(x):
    x[[0, 1, 2]][1] = 99.0
    x[2:5][[0, 2]] = x[0] * 2.0
    x[1:][x[1:] > 0.6] = x[0]
    x[::2][1:][0] *= 3.0
    return np.sum(x**2 * np.arange(1.0, 7.0))


@case(v(3, 3))
def diagonal_by_stride(x):
    x.flat[::4] = x[0] * 2.0
    x.reshape(-1)[2:8:2] += 1.5 * x[1, 0]
    return np.sum(x**2 * np.arange(9.0).reshape(3, 3))


@case(v(4))
def new_axis_is_a_view(x):
    column, row = x[:, None], x[np.newaxis]
    column[0, 0] = 3.0 * row[0, 1]
    row[:, 2:] *= column[:2].T
    x[None, :, None][0, 3, 0] = x[0]
    return np.sum(x**2 * np.arange(1.0, 5.0))


@case(v(3, 4))
def dots_and_empty_brackets(x):
    x[...] = x[::-1]
    x[..., 0] = x[:, 1] * 2.0
    y = x[...]
    y[1, ...] *= y[2, ...]
    return np.sum(x**2 * np.arange(12.0).reshape(3, 4))


@case(np.array(0.7), 0.3)
def array_without_axes(x, a):
    y = x * 2.0
    z = np.array(a) * y
    return float(x * z) + z[()] * y.item() + x.sum()


@case(v(4))
def split_parts_are_views(x):
    left, right = x[:2], x[2:]
    left[:], right[:] = right.copy(), left.copy()
    left += right
    return np.sum(x**2 * np.arange(1.0, 5.0))


@case(v(4))
def swapped_slices_share(x):
    x[:2], x[2:] = x[2:], x[:2]
    x[0], x[1], x[2] = x[1], x[2], x[0]
    return np.sum(x**2 * np.arange(1.0, 5.0))


@case(v(4, 2))
def swapped_rows_share(x):
    x[0], x[1] = x[1], x[0]
    x[[1, 2]] = x[[2, 1]]
    x[2], x[3] = x[3].copy(), x[2].copy()
    return np.sum(x**2 * np.arange(8.0).reshape(4, 2))


@case(v(3))
def name_bound_anew_leaves_the_array(x):
    y = x
    x = x * 2.0
    y[0] = 5.0 * x[1]
    x += y
    return np.sum(x * y)


@case(v(3, 3))
def row_name_bound_anew(x):
    row = x[0]
    row = row + 1.0
    row[0] = 50.0
    for row in x:
        row = row * 2.0
        row[1] = 9.0
    return np.sum(x**2) + np.sum(row)


# Calls --------------------------------------------------------------------------------------------


def accumulate_into(out, x, k):
    out += k * x
    out = out * 2.0
    out[0] = 100.0
    return out


@case(v(3))
def parameter_bound_anew_in_a_callee(x):
    y = np.zeros(3)
    z = accumulate_into(y, x, 2.0)
    w = accumulate_into(out=x, x=y, k=x[0])
    return np.sum(x * y) + np.sum(z * w)


def swap(a, b):
    t = a.copy()
    a[:] = b
    b[:] = t


@case(v(3), v(3))
def callee_swaps(x, y):
    swap(x, y)
    x[0] *= 2.0
    swap(x[1:], y[:2])
    return np.sum(x**2 * y)


def same_twice(a, b):
    a[0] = 2.0 * b[1]
    b[1] = a[0] + b[2]
    return a[1] * b[0]


@case(v(3))
def same_array_as_two_arguments(x):
    return same_twice(x, x) + same_twice(x, x[::-1]) + np.sum(x**2)


def returns_its_argument(a, double):
    if double:
        a = a * 2.0
    return a


@case(v(3))
def result_may_be_the_argument(x):
    y, z = returns_its_argument(x, False), returns_its_argument(x, True)
    y[0] = 3.0 * z[1]
    z[2] = 4.0
    return np.sum(x * z)


def fill_rows(grid, k=0):
    if k < len(grid):
        grid[k] *= k + 1.0
        fill_rows(grid, k + 1)


@case(v(3, 2))
def recursion_writes(x):
    fill_rows(x)
    fill_rows(x[1:], 1)
    return np.sum(x**2)


@case(v(3))
def closure_writes_to_an_outer_array(x):
    total = np.zeros(2)
    count = 0

    def add(value):
        nonlocal count
        total[count % 2] += value
        count += 1

    for each in x:
        add(each**2)
    return total[0] * total[1] * count


@case(v(3))
def functions_that_keep_a_number(x):
    kept = [lambda a, k=k: a * x[k] for k in range(3)]
    return sum(g(1.0) * k for k, g in enumerate(kept)) * kept[0](x[1])


@case(v(3), 0.5)
def default_is_evaluated_once(x, a):
    def scaled(y, k=a * 2.0):
        return y * k

    a = 7.0
    return np.sum(scaled(x)) * scaled(a, x[0])


@case(v(3))
def keywords_in_another_order(x):
    def weighted(a, b, *, c, d=2.0):
        return a - b * c + d

    options = {"c": x[1], "b": x[2]}
    return weighted(c=x[0], a=x[1], b=x[2]) * weighted(x[0], d=x[0], **options)


# Kinds of numbers ---------------------------------------------------------------------------------


@case(v(3), 3)
def divisions_of_integers(x, n):
    k = np.arange(1, 4)
    return (
        np.sum(x * (n / k)) + np.sum(x ** (n // k)) + n / 2 * x[0] + 7 // n * x[1] + -7 // n * x[2]
    )


@case(v(3))
def remainders(x):
    k = np.array([-3, 4, 5])
    return np.sum(x * (k % 3)) + np.sum((10.0 * x) % 1.0) + np.sum(x % -0.7) + np.fmod(-x[0], 0.15)


@case(np.array([0.0, -2.0, 1.5]))
def powers_at_zero_and_below(x):
    return np.sum(x**2) + np.sum(x**3) + np.sum(x**1) + np.sum(x**0) + np.sum((x + 3.0) ** -2)


@case(v(3), np.array([2, 0, 1]))
def float_to_the_power_of_integers(x, k):
    return np.sum(x**k) + np.sum(2.0**x) + np.sum((-2.0) ** k * x) + np.sum(x ** (k / 2.0))


@case(v(3))
def booleans_as_numbers(x):
    positive = x > 0.5
    return np.sum(positive * x) + positive.sum() * x[0] + (~positive).mean() * x[1] + True * x[2]


@case(v(3))
def integers_made_of_floats(x):
    k = int(3.7 * x[0]) + round(x[1]) + math.floor(5.0 * x[2]) + len(x)
    return k * x[0] * x[1] + np.floor(3.0 * x[1]) * x[2] + x[int(2.0 * x[0])] ** 2


@case(v(3))
def signs_and_roundings(x):
    y = x - 0.5
    return np.sum(np.sign(y) * x) + np.sum(np.rint(10.0 * x) * x) + np.sum(np.trunc(3.0 * y) * x)


# Kinks, ties and ends -----------------------------------------------------------------------------


@case(np.array([0.3, -0.4, 0.6]))
def where_with_an_undefined_branch(x):
    safe = np.where(x > 0, x, 1.0)
    root = np.where(x > 0, np.sqrt(safe), 0.0)
    inverse = np.where(x > 0, 1.0 / np.abs(x) ** 0.5, 0.0)
    return np.sum(root) + np.sum(inverse) + np.sum(np.where(x < 0, np.log(-x), x))


@case(np.array([0.5, 0.0, 2.0]))
def zero_in_the_branch_not_taken(x):
    ratio = np.where(np.abs(x) < 0.1, 1.0 - x**2 / 6.0, np.sin(x) / x)
    power = np.where(x > 0.0, x**1.5, x * 2.0)
    divided = np.divide(1.0, x, out=np.zeros(3), where=x > 0.1)
    return np.sum(ratio**2) + power[0] * power[2] + np.sum(divided)


@case(np.array([-700.0, 0.0, 701.0]))
def soft_functions_do_not_overflow(x):
    shifted = x - np.max(x)
    soft = np.exp(shifted) / np.sum(np.exp(shifted))
    log_sum = np.max(x) + np.log(np.sum(np.exp(x - np.max(x))))
    plus = np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0.0) * 0.5 + np.abs(x[2])
    return np.sum(soft * np.arange(3.0)) + log_sum + plus[0] + plus[2] + np.tanh(x[0])


@case(np.array([0.2, 0.5]))
def log_of_zero_weights(x):
    log_weights = np.array([0.0, -np.inf, -1.0])
    scores = np.logaddexp.reduce(log_weights + x[0])
    return scores * x[1] + np.logaddexp(-np.inf, x[1]) + np.exp(-np.inf) * x[0]


@case(np.array([0.1, 0.9, 0.5, 0.7]))
def clipped_away_from_the_ends(x):
    y = np.clip(x, 0.3, 0.8)
    z = np.minimum(np.maximum(x, 0.2), 0.6)
    w = np.clip(x, None, 0.6) + np.clip(x, x[2], None) + min(max(x[0], 0.2), x[1])
    return np.sum(y * x) + np.sum(z**2) + np.sum(w**2)


@case(np.array([0.1, 0.9, 0.5, 0.7]))
def ends_that_carry_a_slope(x):
    y = np.clip(x, x[0] * 2.0, x[3])
    return np.sum(y**2) + max(x) * min(x[1:]) + np.max(np.minimum(x, x[2])) + np.ptp(x)


@case(np.array([0.3, 0.1, 0.2, 0.4]))
def order_decides_who_gets_it(x):
    order = np.argsort(x)
    ranks = np.empty(4)
    ranks[order] = np.arange(4.0)
    top = x[order[-2:]]
    return np.sum(x * ranks) + np.sum(top**2) + x[np.argmax(x)] * x[np.argmin(x)] + np.sort(x)[1]


@case(np.array([1.5e-3, 2.0, 0.5]))
def loop_ends_by_a_float(x):
    total, step = 0.0, 1.0
    while step > x[0]:
        total += x[1] * step
        step *= x[2]
    return total * step * x[0]


@case(0.3)
def newton_with_a_tolerance(a):
    x = 1.0
    for _ in range(50):
        new = x - (x * x - a) / (2.0 * x)
        if abs(new - x) < 1e-12:
            break
        x = new
    else:
        x = 0.0
    return x * 3.0


@case(v(4))
def early_return_in_a_nested_loop(x):
    def first_large(row):
        for k in range(len(row)):
            for j in range(k):
                if row[k] * row[j] > 0.3:
                    return row[k] * j + row[j]
        return 0.0 * row[0]

    return first_large(x) + first_large(x[::-1]) ** 2 + first_large(x * 0.1)


@case(np.array([3.0, 4.0]), np.array([0.0, 0.0]))
def norms_and_zero_vectors(x, y):
    return np.linalg.norm(x) * 2.0 + np.sum(y**2) + np.dot(y, y) + np.hypot(x[0], x[1]) + np.sum(y)


# Loops --------------------------------------------------------------------------------------------


@case(v(6))
def two_buffers_and_a_view(x):
    old, new = x, np.empty(6)
    for _ in range(3):
        inner = old[1:-1]
        new[1:-1] = 0.5 * (old[:-2] + old[2:]) - 0.1 * inner**2
        new[0], new[-1] = new[1], old[-1]
        old, new = new, old
    return np.sum(old**2) + new[0]


@case(v(6))
def buffers_chosen_by_parity(x):
    buffers = np.zeros((2, 6))
    buffers[0] = x
    for k in range(4):
        now, then = k % 2, (k + 1) % 2
        buffers[then, 1:] = buffers[now, :-1] * x[k]
        buffers[then, 0] = buffers[now, -1]
    return np.sum(buffers[0] ** 2) + np.sum(buffers[1])


@case(v(5))
def history_of_one_buffer(x):
    state, history = x.copy(), []
    for k in range(3):
        state[k] = state[k + 1] * state[k - 1]
        history.append(state.copy())
        history.append(state * 1.0)
    state[:] = 0.0
    return sum(np.sum(each**2) for each in history)


@case(v(4))
def loop_variable_after_its_loop(x):
    total = 0.0
    for k, each in enumerate(x):
        k += 1
        each = each * k
        total += each
    return total * each * k


@case(v(4))
def loop_that_runs_never(x):
    y = x * 2.0
    for k in range(3, 3):
        y[k] = 0.0
        x = y
    for row in x[:0]:
        y = y * row
    while False:
        y = y * 0.0
    return np.sum(y * x)


@case(v(4))
def bounds_are_taken_once(x):
    n = 2
    total = 0.0
    for k in range(n):
        n += 2
        total += x[k] * n
    return total * n


@case(v(4))
def counting_down_and_by_steps(x):
    for k in range(3, 0, -1):
        x[k] += x[k - 1] ** 2
    for k in range(-1, -4, -2):
        x[k] *= x[k - 1]
    for k in reversed(range(0, 4, 3)):
        x[k] -= x[1]
    return np.sum(x**2)


@case(v(5))
def triangle_of_writes(x):
    table = np.zeros((5, 5))
    table[:, 0] = x
    for j in range(1, 5):
        for i in range(5 - j):
            table[i][j] = table[i + 1][j - 1] * table[i][0] - table[i][j - 1]
    return np.sum(table[0] ** 2)


@case(v(4))
def skipped_and_stopped(x):
    total = 0.0
    for k in range(4):
        if x[k] < 0.3:
            continue
        x[k] *= 2.0
        if total > 1.5:
            break
        total += x[k] * x[0]
    return total * np.sum(x)


@case(v(3, 3))
def elimination_with_row_swaps(a):
    n = 3
    for k in range(n):
        p = k + np.argmax(np.abs(a[k:, k]))
        a[[k, p]] = a[[p, k]]
        for i in range(k + 1, n):
            a[i, k] /= a[k, k]
            a[i, k + 1 :] -= a[i, k] * a[k, k + 1 :]
    return np.sum(np.abs(np.diag(a)) * np.arange(1.0, 4.0)) + a[2, 0]


# Containers ---------------------------------------------------------------------------------------


@case(v(3))
def one_array_in_many_places(x):
    rows = [x] * 3
    rows[0][0] = 5.0 * x[1]
    rows[1] = rows[1] * 2.0
    rows[2] += 1.0
    return np.sum(rows[0] * rows[1] * rows[2])


@case(v(3))
def list_of_lists_shares_its_rows(x):
    shared = [[0.0] * 2] * 2
    own = [[0.0] * 2 for _ in range(2)]
    shared[0][1] = x[0]
    own[0][1] = x[1]
    return shared[1][1] * own[0][1] + own[1][1] + shared[0][0] + x[2]


@case(v(3))
def list_under_two_names(x):
    a = [x[0], x[1]]
    b, c = a, a[:]
    a.append(x[2])
    b[0] = a[1] * 2.0
    a += [x[0]]
    a = a + [x[1]]  # noqa: RUF005
    return sum(b) * c[0] * a[-1] * len(b)


@case(v(3))
def dict_under_two_names(x):
    state = {"x": x, "n": 1.0}
    other, copied = state, dict(state)
    other["n"] *= x[0]
    state["x"] = x * 2.0
    copied["x"][1] = 9.0 * x[2]
    return np.sum(state["x"] * other["x"]) * state["n"] * copied["n"] * np.sum(x)


@case(v(3))
def tuples_hold_what_they_held(x):
    pair = (x, x.sum())
    x[0] = 4.0 * x[1]
    a, total = pair
    a[2] = total
    return np.sum(pair[0] ** 2) * pair[1]


@case(v(4))
def generators_run_late(x):
    squares = [each**2 for each in x]
    x[0] = 9.0
    return sum(a * b for a, b in zip(squares, x, strict=True)) + sum(
        x[k] for k in range(4) if k != 1
    )


# Names --------------------------------------------------------------------------------------------


@case(v(3), v(3))
def names_of_the_generated_module(grad_x, saved_x):
    v1 = grad_x * saved_x
    dot_x = v1[0]
    trip = 0.0
    for out in v1:
        trip += out * dot_x
    sum, value = trip, np.sum(saved_x)
    return sum * value


@case(v(3))
def numpy_under_other_names(x):
    import numpy
    from numpy import exp as e
    from numpy import sum as total

    abs = total(e(x))
    return abs * numpy.max(x) * numpy.linalg.norm(x)


@case(v(4), v(3))
def lists_beside_arrays(x, y):
    total = 0.0
    for each, k, (left, right) in zip(
        x, range(3, 0, -1), [(y[0], 2.0), (y[1], y[2])], strict=False
    ):
        total = total * each + left * right * k
    return total + sum(a * b for a, b in zip([0.5, 1.5, 2.5], y, strict=True))


@case(v(3), 0.4)
def numbers_of_numpy_are_indexed(x, a):
    total = np.sum(x)
    column = total[None, None] * x[0][np.newaxis]
    return total[()] * np.sum(column**2) * np.array(a)[()] * total[...]


# Objects from outside, which stay as they are -----------------------------------------------------


class Layer:
    __slope = 0.5

    def __init__(self, weights):
        self.weights = weights
        self.inputs = None

    def forward(self, x):
        self.inputs = x
        self.outputs = np.tanh(self.weights * x)
        return self.outputs * self.__slope

    def backward(self, grad):
        return self.__factor() * grad * self.weights * self.inputs

    def __factor(self):
        return (1.0 - self.outputs**2) * self.__slope


class Steeper(Layer):
    __slope = 3.0

    def both(self, x):
        return self.forward(x) * self.__slope


FIRST, SECOND = Layer(0.7), Steeper(np.array([0.5, 0.25, 2.0]))


@case(v(3))
def layers_that_remember(x):
    y = SECOND.both(FIRST.forward(x))
    return np.sum(FIRST.backward(SECOND.backward(y))) * np.sum(SECOND.outputs)


@case(v(4, 3))
def layers_in_a_loop(rows):
    total = 0.0
    for row in rows:
        total += np.sum(FIRST.forward(row))
    return total + np.sum(FIRST.backward(rows[0])) * rows[3, 0]


@case(v(3))
def one_object_two_names(x):
    other = FIRST
    other.bias = x[0]
    FIRST.bias *= x[1]
    return other.bias * np.sum(x)


class State:
    def __init__(self, place, speed):
        self.place = place
        self.speed = speed

    def __add__(self, other):
        return State(self.place + other.place, self.speed + other.speed)


@case(0.3, 0.4)
def states_of_an_orbit(place, speed):
    state = State(place, speed)
    history, pairs = [state], []
    for k in range(5):
        state = state + State(0.1 * state.speed, -0.1 * history[-1].place)
        history.append(state)
        pairs.append([state.place, k])
    return history[-1].place * history[2].speed + pairs[1][0]
