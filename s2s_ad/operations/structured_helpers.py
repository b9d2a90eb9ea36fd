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


def eigen_of(a: Any) -> Any:
    """The eigenvalues and eigenvectors of a matrix, as complex numbers also where all are real."""
    values, vectors = np.linalg.eig(a)
    dtype = np.result_type(values.dtype, np.complex64)
    return values.astype(dtype), vectors.astype(dtype)


def eigenvalues_of(a: Any) -> Any:
    """The eigenvalues of a matrix, as complex numbers also where all are real."""
    values = np.linalg.eigvals(a)
    return values.astype(np.result_type(values.dtype, np.complex64))


def vectors_of(a: Any, values: Any) -> Any:
    """The eigenvectors that belong to these eigenvalues, in their order."""
    found, vectors = eigen_of(a)
    gaps = np.abs(np.expand_dims(values, -1) - np.expand_dims(found, -2))
    return np.take_along_axis(vectors, np.expand_dims(np.argmin(gaps, axis=-1), -2), axis=-1)


def of_largest(vectors: Any) -> Any:
    """Where the largest element of each column stands, which LAPACK makes real."""
    sizes = np.where(np.imag(vectors) == 0, np.abs(vectors), -1.0)
    rows = np.expand_dims(np.arange(np.shape(vectors)[-2]), -1)
    return rows == np.expand_dims(np.argmax(sizes, axis=-2), -2)


def roots_of(p: Any) -> Any:
    """The roots of a polynomial, as complex numbers also where all are real."""
    roots = np.roots(p)
    return roots.astype(np.result_type(roots.dtype, np.complex64))
