"""Small programs about loops, branches, calls and containers, each with one thing that is easily
got wrong: writes in a test, names that a loop of no trips leaves alone, buffers that are used
again, returns out of nested loops, what closures see. `test_programs.py` compares them with Python.
"""

from __future__ import annotations

import numpy as np

from tests.collected import Collection

COLLECTION = Collection(14)
CASES, case, v = COLLECTION.cases, COLLECTION.case, COLLECTION.array
W = np.arange(1.0, 13.0)


# Loops --------------------------------------------------------------------------------------------


def halve_first(x):
    x[0] *= 0.5
    return x[0]


@case(v(3) + 2.0)
def test_of_while_writes(x):
    count = 0
    while halve_first(x) > 0.4:
        x[1] += x[0]
        count += 1
    return np.sum(x**2) * count


def halve_and_rebind(y):
    for _ in range(1):
        y *= 0.5
        y = y + 3.0
    return np.sum(y)


@case(v(3) + 2.0)
def test_of_while_writes_and_rebinds(x):
    y = 1.0 * x
    count = 0
    while count < 3 and halve_and_rebind(y) < 100.0:
        count += 1
    return np.sum(y**2) + np.sum(x)


@case(v(4))
def else_of_a_loop(x):
    total = 0.0
    for k in range(4):
        if x[k] > 5.0:
            break
        total += x[k] ** 2
    else:
        x[0] = total
    for each in x[1:]:
        if each > 0.1:
            break
    else:
        total = 99.0
    k = 0
    while k < 2:
        k += 1
    else:
        total *= x[k]
    return total * np.sum(x)


@case(v(4), 0)
def nothing_done_by_loops_of_no_trips(x, n):
    each, k, y = x[0] * 2.0, 3, x
    for k in range(n):
        each = x[k]
        y = x * 3.0
    for each in x[:n]:
        y = y * each
    while n > 0:
        n -= 1
        y[0] = 9.0
    y[1] = each
    return np.sum(x**2) * k


@case(v(4))
def return_out_of_nested_loops(x):
    def search(y, limit):
        for i in range(4):
            y[i] *= 1.5
            for j in range(i):
                y[j] += 0.1 * y[i]
                if y[j] * y[i] > limit:
                    return y[j] * y[i]
            if y[i] > 100.0:
                return 0.0
        return np.sum(y)

    first = search(x, 0.5)
    return first * search(x.copy(), 50.0) + search(x[::-1], 0.01) * x[0]


@case(v(5))
def break_from_the_inner_goes_on_in_the_outer(x):
    total = 0.0
    for i in range(5):
        for j in range(5):
            if j > i:
                break
            if (i + j) % 3 == 0:
                continue
            x[j] += 0.1 * x[i]
            total += x[j]
        else:
            total *= x[i]
    return total + np.sum(x**2)


@case(v(4))
def buffer_used_again_without_clearing(x):
    buffer = np.zeros(4)
    total = 0.0
    for k in range(4):
        buffer[: k + 1] += x[k] ** 2
        buffer[k:] *= x[k - 1]
        total += np.sum(buffer * x)
    return total


@case(v(4))
def buffer_cleared_in_each_trip(x):
    total, buffer = 0.0, np.empty(4)
    for k in range(3):
        buffer[:] = 0.0
        for j in range(4):
            buffer[j] = x[j] ** (k + 1) + buffer[j - 1]
        total += np.sum(buffer**2)
    return total + buffer[0]


@case(v(4))
def temporary_row_by_row(x):
    out = np.empty((3, 4))
    row = out[0]
    row[:] = x
    for k in range(1, 3):
        row = out[k]
        row[:] = out[k - 1] * x
        row[0] += out[k - 1, 3]
    out[1, 1] = 7.0 * x[2]
    return np.sum(out**2)


@case(v(3))
def three_buffers_take_turns(x):
    a, b, c = x.copy(), x * 2.0, np.zeros(3)
    for k in range(4):
        c[:] = a * b + k
        a, b, c = b, c, a
    return np.sum(a * b) + c[0]


@case(v(4))
def last_row_is_what_was_appended(x):
    rows = [x.copy()]
    for k in range(3):
        row = rows[-1] * x[k]
        row[k] = 2.0 * rows[-1][k - 1]
        rows.append(row)
    x[0] = 5.0
    return sum(np.sum(row * row) for row in rows) * x[0]


@case(v(5))
def loop_over_what_is_changed(x):
    for k, each in enumerate(x):
        x[k - 1] = each * 2.0
        if k + 1 < len(x):
            x[k + 1] += 0.5 * each
    return np.sum(x**2 * W[:5])


@case(v(4))
def loop_over_two_views_of_one(x):
    for a, b in zip(x[:2], x[2:], strict=True):
        x[1] += a * b
        x[3] *= b
    return np.sum(x**2 * W[:4])


@case(v(3))
def index_changed_in_the_body(x):
    total = 0.0
    for k in range(3):
        j = k
        k = (k * k) % 3
        x[k] += x[j] * x[k - 1]
        total += k * x[j]
    return total * np.sum(x) * k


@case(v(4))
def number_that_becomes_an_array(x):
    s = 0.0
    for k in range(3):
        s = s * 0.5 + x * k
        x[k] = np.sum(s)
    return np.sum(s * x)


@case(v(4))
def name_of_two_kinds_by_branches(x):
    total = 0.0
    for k in range(4):
        y = 2
        if k % 2:
            y = x[k]
        total += y * x[0]
    return total * y


@case(v(4), 3)
def names_made_in_the_first_trip(x, n):
    for k in range(n):
        if k == 0:
            kept = x[0] ** 2
            row = 2.0 * x[1:]
        else:
            row[k - 1] *= kept
            kept = kept + row[0]
            x[k] *= row[k - 1]
    return kept * np.sum(x * x)


@case(v(4))
def while_with_many_conditions(x):
    k = 0
    while k < 3 and (x[k] < 5.0 or x[k + 1] > 9.0) and not x[k] < 0.0:
        x[k + 1] += x[k] * x[k]
        k += 1
    return x[k] * np.sum(x)


@case(np.array([0.9, 0.4]))
def walrus_in_a_test(x):
    total, k = 0.0, 0
    while (y := x[0] * 0.7**k) > x[1]:
        total += y**2
        k += 1
    if (n := len(x)) > 1 and (z := x[1] * n) > 0.0:
        total += z
    return total * y


@case(v(3, 3))
def triangular_solution_in_place(a):
    b = a[0].copy()
    for i in range(3):
        for j in range(i):
            b[i] -= a[i, j] * b[j]
        b[i] /= a[i, i]
    for i in range(2, -1, -1):
        b[i] = (b[i] - a[i + 1 :, i] @ b[i + 1 :]) / a[i, i]
    return np.sum(b**2)


@case(v(3, 3))
def rows_swapped_by_what_they_hold(a):
    for i in range(3):
        for j in range(2 - i):
            if a[j, 0] > a[j + 1, 0]:
                a[j], a[j + 1] = a[j + 1].copy(), a[j].copy()
                a[j, 2] *= 2.0
    return np.sum(a**2 * W[:9].reshape(3, 3))


@case(v(5))
def elements_swapped_by_what_they_are(x):
    for i in range(5):
        for j in range(4 - i):
            if x[j] > x[j + 1]:
                x[j], x[j + 1] = x[j + 1], x[j]
    return np.sum(x**2 * W[:5])


# Branches -----------------------------------------------------------------------------------------


@case(v(3), v(3))
def name_for_one_of_two_arrays(x, y):
    for k in range(3):
        z = x if k % 2 else y
        z[k] *= 2.0
        z = y if x[k] > y[k] else x
        z[k - 1] += x[k]
    return np.sum(x**2 * y)


@case(v(4))
def written_on_one_path_only(x):
    y = x
    if x[0] > 0.1:
        y = x.copy()
        y[0] = 5.0
    if x[1] > 100.0:
        x[1] = 0.0
    y[1] *= 3.0
    return np.sum(x * y)


@case(v(4))
def short_circuits_do_not_run(x):
    def write():
        x[0] = 50.0
        return True

    if x[1] > 100.0 and write():
        x[1] = 3.0
    if x[1] < 100.0 or write():
        x[2] *= 2.0
    a = x[3] if x[3] < 9.0 else write() * 1.0
    return a * np.sum(x**2)


@case(v(4))
def chained_comparison_reads_once(x):
    count = [0.0]

    def middle():
        count[0] += x[0]
        return 0.5

    if 0.0 < middle() < 1.0 and not 0.7 < middle() < 0.9:
        x[1] *= 2.0
    return count[0] * np.sum(x**2)


@case(v(3))
def deleted_and_made_again(x):
    y = x
    del x
    x = y * 2.0
    y[0] = x[1]
    del y
    return np.sum(x**2) * x[0]


@case(v(3), None)
def argument_that_may_be_none(x, y):
    if y is None:
        y = x
    y[0] *= 3.0
    z = y if y is not None else x * 2.0
    z[1] = 4.0 * x[2]
    return np.sum(x**2)


# Calls and closures -------------------------------------------------------------------------------


@case(v(3), 0.5)
def closure_sees_the_name_bound_anew(x, a):
    def scaled():
        return a * x

    first = scaled()
    a = a * 3.0
    x = x[::-1]
    second = scaled()
    x[0] = 2.0
    return np.sum(first * second * scaled())


@case(v(3))
def closures_made_in_a_loop_share_the_name(x):
    made = []
    for k in range(3):
        made.append(lambda y: y * x[k])  # noqa: B023
    x[2] = 2.0 * x[0]
    return made[0](1.0) + made[1](x[1])


@case(v(4))
def callee_gives_a_view_that_is_written(x):
    def tail(a, k):
        return a[k:]

    tail(x, 1)[0] = 3.0 * x[3]
    y = tail(tail(x, 1), 1)
    y *= x[1]
    x[2] += 1.0
    return np.sum(y**2) + np.sum(x * W[:4])


@case(v(3))
def callee_keeps_what_it_is_given(x):
    kept = []

    def keep(a):
        kept.append(a)
        return len(kept)

    keep(x)
    keep(x * 2.0)
    x[0] = 5.0 * x[1]
    kept[0][1] *= 3.0
    return np.sum(kept[0] * kept[1]) + np.sum(x)


@case(v(4))
def callee_writes_to_two_views(x):
    def mix(a, b):
        a += b
        b *= a
        return np.sum(a * b)

    return mix(x[:2], x[2:]) * mix(x[::2], x[1::2]) + np.sum(x**2)


@case(v(4))
def callee_is_given_views_that_overlap(x):
    def shift(a, b):
        for k in range(len(a)):
            a[k] += b[k] * a[k - 1]

    shift(x[1:], x[:-1])
    shift(x[:-1], x[1:])
    return np.sum(x**2 * W[:4])


@case(v(8))
def recursion_writes_to_halves(x):
    def butterfly(a):
        n = len(a)
        if n == 1:
            a *= 1.5
            return
        butterfly(a[: n // 2])
        butterfly(a[n // 2 :])
        for k in range(n // 2):
            a[k], a[k + n // 2] = a[k] + a[k + n // 2], a[k] - 0.5 * a[k + n // 2]

    butterfly(x)
    return np.sum(x**2 * W[:8])


@case(v(4))
def bare_return_leaves_early(x):
    def grow(a, limit):
        if limit < 0.0:
            return
        for k in range(len(a)):
            a[k] *= 1.5
            if a[k] > limit:
                return
            a[k] += a[k - 1]

    grow(x, 0.7)
    grow(x[1:], -1.0)
    grow(x[::-1], 1.1)
    return np.sum(x**2 * W[:4])


@case(v(4))
def function_as_argument_writes(x):
    def each(function, a):
        for k in range(len(a)):
            function(a, k)

    def double(a, k):
        a[k] *= 2.0 + a[k - 1]

    each(double, x)
    each(lambda a, k: double(a, -k), x[1:])
    return np.sum(x**2)


@case(v(3))
def default_array_is_one_array(x):
    def add(value, total=x):
        total[0] += value
        return total

    y = add(x[1])
    z = add(x[2])
    return y[0] * z[0] * np.sum(x)


@case(v(3))
def many_results_some_are_one(x):
    def both(a):
        b = a[1:]
        return a, b, a

    p, q, r = both(x)
    p[1] = 4.0 * q[1]
    q *= r[0]
    (_, s, _), t = both(r), both(x)[0]
    s[0] += t[2]
    return np.sum(x**2 * W[:3])


@case(v(3))
def arguments_in_a_starred_list(x):
    def weighted(a, b, *rest, scale=1.0):
        a[0] = scale * b
        return a[0] + sum(rest)

    parts = [x, x[1], x[2], 2.0]
    total = weighted(*parts, scale=x[2])
    options = {"scale": 0.5}
    return total * weighted(*parts[:2], **options) * np.sum(x)


# Containers ---------------------------------------------------------------------------------------


@case(v(3))
def list_changed_through_a_nested_name(x):
    tree = {"left": {"w": x}, "right": [x, x * 2.0]}
    tree["left"]["w"][0] = 4.0 * tree["right"][1][2]
    inner = tree["right"]
    inner[1] = inner[0]
    inner[1][1] *= 3.0
    tree["left"] = {"w": inner[0] * 1.0}
    tree["left"]["w"][2] = 0.0
    return np.sum(x**2) * tree["left"]["w"][0]


@case(v(4))
def list_of_views_of_one_array(x):
    parts = [x[k : k + 2] for k in range(3)]
    for part in parts:
        part *= 2.0
        part[0] += parts[0][1]
    x[1] = 3.0 * parts[2][1]
    return sum(np.sum(part**2) for part in parts)


@case(v(4))
def pop_insert_and_reverse(x):
    items = [x[k] * 2.0 for k in (0, 1, 2, 3)]
    last = items.pop()
    first = items.pop(0)
    items.insert(1, last * first)
    items.reverse()
    items[0] *= 3.0
    items.extend([x[0]] * 2)
    return sum(k * each for k, each in enumerate(items)) * len(items)


@case(v(3))
def slices_of_lists_are_copies(x):
    items = [x[0], x[1], x[2]]
    part = items[1:]
    part[0] = 9.0 * x[0]
    items[2] = part[0]
    items[0], items[1] = items[1], items[0]
    return items[0] * items[1] + items[2] * part[1]


@case(v(3))
def slices_of_lists_of_arrays_share(x):
    rows = [x, x * 2.0, x * 3.0]
    part = rows[:2]
    part[0][0] = 5.0 * rows[1][2]
    part[1] = part[1] + 1.0
    rows[1] *= 2.0
    return np.sum(rows[0] * rows[1]) + np.sum(part[1])


@case(v(4))
def stack_of_intervals(x):
    stack, total = [(0, 4, 1.0)], 0.0
    while stack:
        low, high, weight = stack.pop()
        if high - low == 1:
            total += weight * x[low] ** 2
        else:
            middle = (low + high) // 2
            stack.append((low, middle, weight * 0.5))
            stack.append((middle, high, weight * x[middle]))
    return total


@case(v(3))
def key_in_a_dict(x):
    memory = {}
    for key in ("a", "b", "a"):
        if key not in memory:
            memory[key] = x * len(memory)
        else:
            memory[key] += x[0]
            memory["b"][1] *= memory[key][2]
    return sum(np.sum(each) for each in memory.values()) * memory.get("c", x[1])


@case(v(3))
def enumerated_dict_of_arrays(x):
    parts = {"a": x, "b": x[1:]}
    for name, part in parts.items():
        part *= 2.0 if name == "a" else x[0]
    parts["c"] = parts["a"] + 1.0
    parts["c"][0] = 9.0
    return np.sum(x**2) + sum(np.sum(part) for part in parts.values())


@case(v(2))
def float64_of_an_array_without_axes(x):
    total = 2.0 * x[0]
    for k in range(2):
        total = np.float64(np.where(x[k] > 100.0, 0.5, total))
    return total + np.sum(x)


@case(v(4) - 0.7)
def root_for_one_side_of_where_in_branches(x):
    root, logarithm = np.sqrt(x), np.log(x)
    total = 0.0
    for k in range(3):
        if k > 0:
            total += np.sum(np.where(x > 0.0, root * k, x))
        else:
            total += np.sum(np.where(x > 0.0, 2.0 * root, 1.0))
        total += np.sum(np.where(x <= 0.0, 0.5, logarithm) ** 2)
    return total
