"""Arrays of integers as source give the arrays back."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
import pytest

from s2s_ad.sparse.spelling import assignment, assignment_of_parts, orders

RANDOM = np.random.default_rng(0)

ARRAYS = {
    "nothing": ([], "np.zeros(0, np.int64)"),
    "a range": (np.arange(5), "np.arange(5)"),
    "backwards": (np.arange(9, 0, -2), "np.arange(9, 0, -2)"),
    "one number": ([4] * 7, "np.full(7, 4)"),
    "repeated": (np.repeat(np.arange(5), 3), "np.repeat(np.arange(5), 3)"),
    "tiled": (np.tile(np.arange(4), 7), "np.tile(np.arange(4), 7)"),
    "period": (np.arange(100) % 3, "np.arange(100) % 3"),
    "lattice": (
        np.add.outer(2 * np.arange(9), np.arange(8)).ravel() % 5,
        "np.add.outer(2 * np.arange(9), np.arange(8)).ravel() % 5",
    ),
    "rows of a grid": (
        np.arange(30).reshape(5, 6)[:, 1:].ravel(),
        "np.add.outer(np.arange(1, 26, 6), np.arange(5)).ravel()",
    ),
    "ranges": (
        np.concatenate([np.arange(10), np.full(90, -1)]),
        "np.concatenate([np.arange(10), np.full(90, -1)])",
    ),
    "few": ([3, 1, 4, 1, 5], "np.array([3, 1, 4, 1, 5])"),
}


def value(lines: list[str]) -> Any:
    assert all(len(line) <= 100 for line in lines)
    names: dict[str, Any] = {"np": np, "base64": base64, "zlib": zlib}
    exec("\n".join(lines), names)
    return names["X"]


@pytest.mark.parametrize(("array", "expected"), ARRAYS.values(), ids=ARRAYS)
def test_regular(array: Any, expected: str) -> None:
    array = np.array(array, np.int64)
    lines = assignment("X", array)
    assert lines == [f"X = {expected}"]
    np.testing.assert_array_equal(value(lines), array)


@pytest.mark.parametrize("count", [30, 300, 3000])
def test_irregular(count: int) -> None:
    array = RANDOM.integers(0, 10**6, count)
    np.testing.assert_array_equal(value(assignment("X", array)), array)


def test_parts() -> None:
    parts = [np.arange(100) + 7 * k for k in range(5)]
    np.testing.assert_array_equal(value(assignment_of_parts("X", parts)), np.concatenate(parts))


@pytest.mark.parametrize("seed", range(5))
def test_every_order_has_each_entry_once(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows, columns = np.nonzero(random.random(random.integers(1, 40, 2)) < 0.3)
    for groups in orders(rows, columns, np.array([5])):
        together = np.concatenate([np.zeros(0, np.int64), *groups])
        np.testing.assert_array_equal(np.sort(together), np.arange(len(rows)))
