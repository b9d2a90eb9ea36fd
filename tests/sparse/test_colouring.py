"""Coverings: few directions, and each entry of the matrix read back from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from s2s_ad.sparse.colouring import Covering, covering, symmetric_covering
from s2s_ad.sparse.pattern import Pattern


def pattern(matrix: Any, shape: tuple[int, ...] = ()) -> Pattern:
    rows, columns = np.nonzero(matrix)
    return Pattern(
        matrix.shape, rows, columns, ((matrix.shape[0],),), (shape or (matrix.shape[1],),)
    )


def read_back(matrix: Any, found: Covering) -> Any:
    """The matrix from its products with the directions, as a module reads it."""
    rows, columns = found.pattern.rows, found.pattern.columns
    forward = np.arange(found.forward_count)[:, None] == found.forward
    reverse = np.arange(found.reverse_count)[:, None] == found.reverse
    tangents, adjoints = forward @ matrix.T, reverse @ matrix
    result = np.zeros(matrix.shape)
    for k, (i, j) in enumerate(zip(rows, columns, strict=True)):
        if found.by_reverse[k]:
            result[i, j] = adjoints[found.reverse[i], j]
        elif found.mirrored[k]:
            result[i, j] = tangents[found.forward[i], j]
        else:
            result[i, j] = tangents[found.forward[j], i]
    return result


def band(n: int, *offsets: int) -> Any:
    return sum(np.eye(n, k=k) for k in offsets)


def grid(n: int) -> Any:
    return np.kron(np.eye(n), band(n, -1, 0, 1)) + np.kron(band(n, -1, 1), np.eye(n))


def bordered(n: int, width: int, diagonal: bool = False) -> Any:
    matrix = np.eye(n) * diagonal
    matrix[:width], matrix[:, :width] = 1.0, 1.0
    return matrix


JACOBIANS = {
    "tridiagonal": (band(50, -1, 0, 1), 3, 0),
    "diagonal": (np.eye(9), 1, 0),
    "five points": (grid(12), 5, 0),
    "arrow": (bordered(40, 1, diagonal=True), 2, 1),
    "three rows and columns": (bordered(40, 3), 3, 3),
    "full rows": (np.eye(30)[:, ::-1] + bordered(30, 2) * (np.arange(30) < 2)[:, None], 0, 3),
    "full": (np.ones((4, 7)), 0, 4),
    "empty": (np.zeros((3, 4)), 0, 0),
}


@pytest.mark.parametrize(("matrix", "forward", "reverse"), JACOBIANS.values(), ids=JACOBIANS)
def test_as_few_directions_as_possible(matrix: Any, forward: int, reverse: int) -> None:
    values = matrix * np.random.default_rng(0).uniform(1.0, 2.0, matrix.shape)
    shape = (12, 12) if len(matrix) == 144 else ()
    found = covering(pattern(matrix, shape))
    assert (found.forward_count, found.reverse_count) == (forward, reverse)
    np.testing.assert_allclose(read_back(values, found), values, rtol=1e-15)


@pytest.mark.parametrize("direction", ["", "forward", "reverse", "mixed"])
@pytest.mark.parametrize("seed", range(12))
def test_every_entry_is_read_back(seed: int, direction: str) -> None:
    random = np.random.default_rng(seed)
    shape = random.integers(1, 20, 2)
    matrix = random.integers(1, 99, shape) * (random.random(shape) < random.uniform(0.02, 0.5))
    found = covering(pattern(matrix), direction)
    np.testing.assert_array_equal(read_back(matrix, found), matrix)
    assert found.count <= min(shape) or direction in ("forward", "reverse")


HESSIANS = {
    "tridiagonal": (band(50, -1, 0, 1), 3),
    "diagonal": (np.eye(9), 1),
    "arrow": (bordered(40, 1, diagonal=True), 2),
    "a band without its diagonal": (band(20, -1, 1), 3),
    "five points": (grid(12), 5),
    "empty": (np.zeros((4, 4)), 0),
}


@pytest.mark.parametrize(("matrix", "count"), HESSIANS.values(), ids=HESSIANS)
def test_symmetric(matrix: Any, count: int) -> None:
    values = matrix * np.add.outer(*[np.random.default_rng(0).uniform(1.0, 2.0, len(matrix))] * 2)
    shape = (12, 12) if len(matrix) == 144 else ()
    found = symmetric_covering(pattern(matrix, shape))
    assert found.count <= count
    np.testing.assert_allclose(read_back(values, found), values, rtol=1e-15)


@pytest.mark.parametrize("seed", range(20))
def test_symmetric_at_random(seed: int) -> None:
    random = np.random.default_rng(seed)
    size = int(random.integers(1, 25))
    matrix = random.integers(1, 99, (size, size)) * (random.random((size, size)) < 0.2)
    matrix = matrix + matrix.T
    found = symmetric_covering(pattern(matrix))
    np.testing.assert_array_equal(read_back(matrix, found), matrix)


def test_the_same_every_time() -> None:
    matrix = np.random.default_rng(1).random((30, 30)) < 0.1
    first, second = covering(pattern(matrix)), covering(pattern(matrix))
    np.testing.assert_array_equal(first.forward, second.forward)
    np.testing.assert_array_equal(first.reverse, second.reverse)
