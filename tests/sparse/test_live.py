"""`jac_sparsity`: the pattern for arguments at hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from s2s_ad import jac_sparsity, jacobian
from tests.sparse import programs

SHAPES = {
    programs.tridiagonal: 9,
    programs.differences: 9,
    programs.tridiagonal_loop: 7,
    programs.five_point: (4, 5),
    programs.arrow: 8,
    programs.border: 9,
}


def numerical(f: Callable[..., Any], x: Any) -> Any:
    """Central differences."""
    columns = []
    for place in range(x.size):
        step = np.zeros(x.size)
        step[place] = 1e-6
        step = step.reshape(x.shape)
        columns.append((f(x + step) - f(x - step)).ravel() / 2e-6)
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("f", SHAPES, ids=lambda f: f.__name__)
def test_neither_too_small_nor_too_large(f: Callable[..., Any]) -> None:
    x = np.random.default_rng(0).uniform(0.5, 1.0, SHAPES[f])
    expected = np.abs(numerical(f, x)) > 1e-9
    np.testing.assert_array_equal(jac_sparsity(f, x).toarray() != 0, expected)


def test_integers_count_with_their_values() -> None:
    shift = 2

    def f(t: float, x: Any, index: Any, n: int) -> Any:
        return x[index] * x[n] + np.roll(x, shift)[:2]

    for index, n in (([0, 1], 2), ([3, 0], 1)):
        found = jac_sparsity(f, 0.0, np.ones(4), np.array(index), n, wrt=1).toarray()
        expected = np.zeros((2, 4))
        expected[[0, 1], index] = 1
        expected[:, n] = 1
        expected[[0, 1], [2, 3]] = 1
        np.testing.assert_array_equal(found, expected)


def test_scipy_takes_it() -> None:
    from scipy.optimize import least_squares

    x = np.linspace(0.1, 0.9, 12)
    found = least_squares(
        programs.tridiagonal, x, jac_sparsity=jac_sparsity(programs.tridiagonal, x)
    )
    assert found.cost < 1e-12


def rows_and_columns(x: Any, k: Any) -> Any:
    return x[k, 1:3] * 2.0


def chosen_columns(x: Any, k: Any) -> Any:
    return x[k[:, None], k]


def written(x: Any, k: Any) -> Any:
    y = np.zeros((4, 3))
    y[k, 0:2] = x[k, 1:] ** 2
    return y


@pytest.mark.parametrize("f", [rows_and_columns, chosen_columns, written], ids=lambda f: f.__name__)
def test_indices_of_arrays_and_slices(f: Callable[..., Any]) -> None:
    x, k = np.arange(1.0, 13.0).reshape(4, 3), np.array([2, 0, 1])
    matrix = jacobian(f, sparse="csr")(x, k)
    dense = jacobian(f)(x, k).reshape(matrix.shape)
    np.testing.assert_array_equal(matrix.toarray(), dense)
    assert matrix.nnz == np.count_nonzero(dense)
