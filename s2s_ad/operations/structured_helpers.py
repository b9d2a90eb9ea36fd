"""Helpers that are copied into modules: sums along the diagonals of matrices, filters.

Like those of `helpers.py`, which gives them on, each is one function that needs only NumPy, SciPy
and other helpers.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def lagged_sums(x: Any, y: Any) -> Any:
    """The sums of `x[k + i] * y[i]` for each k: those along the diagonals of `x @ y.T`."""
    if np.ndim(x) == 1:
        return np.correlate(x, y, "full")[len(y) - 1 :]
    return np.array([np.sum(x[k:] * y[: len(y) - k]) for k in range(len(x))])


def lower_toeplitz(c: Any) -> Any:
    """The matrix with `c[i - j]` at i, j, and zeros above the diagonal."""
    lag = np.arange(len(c))[:, np.newaxis] - np.arange(len(c))
    return np.where(lag >= 0, c[lag], 0.0)


def without_first(x: Any) -> Any:
    """A copy with 0 as the first element."""
    return np.concatenate((np.zeros_like(x[:1]), x[1:]))


def minus_transpose(x: Any) -> Any:
    """`x - x.T`, of matrices or stacks of them."""
    return x - np.swapaxes(x, -1, -2)


def filter_sums(x: Any, y: Any, c: Any, axis: Any) -> Any:
    """What each coefficient of a filter gains: the sums of `x[k + i] * y[i]` along an axis."""
    x, y = np.moveaxis(x, axis, 0), np.moveaxis(y, axis, 0)
    return np.array([np.sum(x[k:] * y[: max(len(y) - k, 0)]) for k in range(len(c))], c.dtype)
