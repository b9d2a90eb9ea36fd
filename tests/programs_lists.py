"""Lists of lists, lists of integers that get floats, objects in lists, and flags on which the code
hangs; each with arguments at which it is smooth.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

RANDOM = np.random.default_rng(17)
X = RANDOM.uniform(0.3, 1.2, size=3)


def prefix_table(x, n):
    table = [[0.0] * n for _ in range(n)]
    for i in range(n):
        for j in range(n):
            left = table[i][j - 1] if j > 0 else 1.0
            above = table[i - 1][j] if i > 0 else 1.0
            table[i][j] = x[i % 3] * left + 0.5 * above * x[j % 3]
    return table[n - 1][n - 1] * table[0][1]


def elements_again(x, n):
    table = [[0.0] * n for _ in range(n)]
    for i in range(3):
        for j in range(3):
            table[i][j] += x[i] * x[j]
            table[i][j] *= table[i - 1][j] + 1.0
    return sum(value * value for row in table for value in row)


def backward_in_a_triangle(x, n):
    tree = [[x[0] * (k - j) for j in range(k + 1)] for k in range(n)]
    for k in range(n - 2, -1, -1):
        for j in range(k + 1):
            tree[k][j] = 0.5 * (tree[k + 1][j] + tree[k + 1][j + 1] * x[1]) + tree[k][j] ** 2
    return tree[0][0]


def rows_of_other_lengths(x, n):
    table = []
    for k in range(n):
        row = []
        for j in range(k):
            row.append(x[j % 3] * k)
        table.append(row)
    total = 0.0
    for k in range(n):
        for j in range(len(table[k])):
            total += table[k][j] ** 2 * k
    return total


def whole_rows(x, n):
    table = [[x[0]] * n for _ in range(n)]
    for k in range(1, n):
        table[k] = [0.5 * a + b * x[1] for a, b in zip(table[k - 1], table[k], strict=True)]
    table[3][2] = table[3][2] ** 2
    return table[n - 1][0] + table[3][2] + sum(table[2])


def second_name_of_the_list(x, n):
    table = [[0.0] * n for _ in range(n)]
    same = table
    table[0][1] = x[0] ** 2
    same[0][1] = same[0][1] * x[1]
    return table[0][1]


def rows_of_a_helper(x, n):
    def new():
        return [x[2]] * n

    table = []
    for _ in range(n):
        table.append(new())
    table[0][0] = x[0] ** 2
    return table[0][0] * table[1][0]


def columns(x, n):
    table = [[0.0, x[0]] for _ in range(n)]
    for k in range(3):
        table[k][0] = x[k] * table[k - 1][1]
        table[k][1] *= table[k][0]
    return sum(a * b for a, b in table)


def an_array_of_lists(x, n):
    table = [[0] * n for _ in range(n)]
    for k in range(3):
        table[k][k] = x[k] ** 2
        table[0][k] += x[1]
    matrix = np.array(table)
    return np.sum(matrix @ matrix)


def integers_first(x, n):
    terms = [0] * n
    terms[0] = 1
    for k in range(1, n):
        terms[k] = terms[k - 1] * x[0] / k
    return terms[n - 1] + terms[2]


def integers_and_one_float(x, n):
    terms = [0] * n
    if x[0] > 0:
        terms[1] = x[0]
    others = [0.0] * n
    others[n - 1] = terms[1] ** 2
    return others[n - 1] + others[0] + terms[1]


def a_list_of_another_one(x, n):
    first = []
    for value in x:
        first.append(value * n)
    second = [*first, x[0]]
    second[0] = 3.0 * second[1]
    more = [x[0], x[1]]
    third = first + more
    return sum(second) * sum(third) + first[0] * first[1]


def parts_of_a_list(x, n):
    values = []
    for k in range(n):
        values.append(x[k % 3] * k)
    total = 0.0
    for k in range(n):
        for value in values[k::2]:
            total += value * x[k % 3]
        values[k] = sum(values[:k]) + sum(values[max(0, k - 2) :]) + 0.1
    front = values[n - 2 :] + values[: n - 2]
    values[0] = 5.0 * x[0]
    return total + sum(a * b for a, b in zip(values, front, strict=True))


def from_both_ends(x, n):
    window = []
    total = 0.0
    for k in range(n):
        window.insert(0, x[k % 3] * k)
        if len(window) > 3:
            window.pop()
        for place, value in enumerate(window):
            total += value * value * (place + 1)
    turned = window.copy()
    turned.reverse()
    window[0] = window[0] * 3.0
    del turned[1]
    window.extend(turned)
    window += turned
    return total * turned[0] + sum(a * b for a, b in zip(window, window[2:], strict=False))


def a_window(x, n):
    window, total = [], 1.0
    for k in range(n):
        window.append(x[k % 3] * total)
        if len(window) > 2:
            total += window.pop(0)
        total += sum(window) ** 2
    return total


def a_longer_list_on_one_path(x, n):
    states = [x[0]]
    for k in range(n):
        if k % 3 == 1:
            continue
        states = [*states, x[k % 3] * states[-1]]
    best = []
    for value in states:
        best = [value * 2.0, *best] if value > 0.5 else [*best, value, x[1]]
    return sum(a * (k + 1) for k, a in enumerate(best))


def a_row_from_the_one_before(x, n):
    row = [x[0]]
    rows = [row]
    for _ in range(n):
        inner = [row[k] + row[k + 1] * x[1] for k in range(len(row) - 1)]
        row = [1.0, *inner, x[2]]
        rows.append(row)
    return sum(row) + sum(rows[-2])


def soft_time_warping(x, n):
    def softmin(values, width):
        least = min(values)
        terms = [np.exp(-(value - least) / width) for value in values]
        return least - width * np.log(sum(terms))

    other = [0.3 * k for k in range(n)]
    costs = [[1e10] * (n + 1) for _ in range(len(x) + 1)]
    costs[0][0] = 0.0
    for i in range(1, len(x) + 1):
        for j in range(1, n + 1):
            before = [costs[i - 1][j], costs[i][j - 1], costs[i - 1][j - 1]]
            costs[i][j] = (x[i - 1] - other[j - 1]) ** 2 + softmin(before, 0.5)
    return costs[len(x)][n]


class Dense:
    def __init__(self, weights, shift):
        self.weights = weights
        self.shift = shift

    def forward(self, x):
        return np.tanh(x @ self.weights + self.shift)

    def __call__(self, x):
        return self.forward(x) * 2.0

    def __deepcopy__(self, memo):
        return self  # so that what a test gives and keeps can be compared


class Network:
    def __init__(self, layers):
        self.layers = layers
        self.depth = len(layers)

    def by_item(self, x):
        for layer in self.layers:
            x = layer(x)
        return np.sum(x)

    def by_number(self, x):
        for k in range(self.depth):
            x = self.layers[k].forward(x)
        return np.sum(x)


NETWORK = Network([Dense(RANDOM.normal(size=(3, 3)), RANDOM.normal(size=3)) for _ in range(3)])
NAMED = {"first": NETWORK.layers[0], "last": NETWORK.layers[-1]}


def objects_in_a_list(x):
    return NETWORK.by_item(x) * NETWORK.by_number(x)


def objects_in_a_dict(x):
    for key in NAMED:
        x = NAMED[key](x)
    return np.sum(x)


def objects_given(x, layers):
    for place, layer in enumerate(layers):
        x = layer.forward(x) * (place + 1)
    return np.sum(x)


def axis_given(x, axis):
    return np.sum(np.sum(np.outer(x, x), axis=axis) ** 2)


def result_by_flag(x, more=False):
    y = np.sin(x)
    if more:
        return y, y * x
    return np.sum(y * y)


def functions_by_number(x, n):
    steps = [np.sin, np.exp, np.tanh]
    for k in range(n):
        x = steps[k](x)
    return np.sum(x)


Case = tuple[Callable[..., Any], tuple[Any, ...]]
CASES: list[Case] = [
    *((function, (X, 5)) for function in (
        prefix_table, elements_again, backward_in_a_triangle, rows_of_other_lengths, whole_rows,
        second_name_of_the_list, rows_of_a_helper, columns, an_array_of_lists, integers_first,
        integers_and_one_float, a_list_of_another_one, parts_of_a_list, from_both_ends, a_window,
        a_longer_list_on_one_path, a_row_from_the_one_before, soft_time_warping,
    )),
    (objects_in_a_list, (X,)),
    (objects_in_a_dict, (X,)),
    (objects_given, (X, NETWORK.layers)),
    (axis_given, (X, 1)),
    (result_by_flag, (X,)),
    (functions_by_number, (X, 2)),
]  # fmt: skip

__all__ = ["CASES"]
