"""Functions of NumPy that are compositions of others: what they compute, as NumPy computes it.

A call of one is lowered as if its body stood there, so derivatives of every order and mode follow
from those of the parts, and the value is NumPy's own to the last bit. `frontend/definitions.py`
reads the texts; `frontend/calls_numpy.py` chooses between them where NumPy looks at ranks or at
which arguments there are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from s2s_ad.operations.helpers import leading_zeros

# Sums ---------------------------------------------------------------------------------------------


def ptp(a: Any, axis: Any = None, keepdims: Any = False) -> Any:
    """The largest element less the smallest."""
    return np.max(a, axis=axis, keepdims=keepdims) - np.min(a, axis=axis, keepdims=keepdims)


def average(a: Any, weights: Any, axis: Any = None, keepdims: Any = False) -> Any:
    """A mean with weights of the shape of `a`, or that broadcast to it."""
    total = np.sum(weights, axis=axis, keepdims=keepdims)
    return np.sum(np.multiply(a, weights), axis=axis, keepdims=keepdims) / total


def total_of_weights(mean: Any, weights: Any, axis: Any, keepdims: Any) -> Any:
    """The sums of the weights, in the shape of the means."""
    total = np.sum(weights, axis=axis, keepdims=keepdims)
    return np.copy(np.broadcast_to(total, np.shape(mean)))


def average_along(a: Any, weights: Any, others: Any, axis: Any, keepdims: Any = False) -> Any:
    """A mean with a vector of weights along one axis."""
    spread = np.expand_dims(weights, others)
    total = np.sum(spread, axis=axis, keepdims=keepdims)
    return np.sum(np.multiply(a, spread), axis=axis, keepdims=keepdims) / total


def trapezoid(y: Any, d: Any, upper: Any, lower: Any, axis: Any) -> Any:
    """An integral by the trapezoidal rule, with steps `d`."""
    return np.sum(d * (y[upper] + y[lower]) / 2.0, axis=axis)


# Differences --------------------------------------------------------------------------------------


def ediff1d(ary: Any) -> Any:
    """Differences of neighbours, of all elements in a row."""
    flat = np.ravel(ary)
    return flat[1:] - flat[:-1]


def gradient_even(f: Any, h: Any, inner: Any, axis: Any) -> Any:
    """Central differences with equal steps, one-sided ones at the ends."""
    first, second, later, earlier, last, before = inner
    middle = (f[later] - f[earlier]) / (2.0 * h)
    return np.concatenate(
        ((f[second] - f[first]) / h, middle, (f[last] - f[before]) / h), axis=axis
    )


def gradient_even_twice(f: Any, h: Any, inner: Any, ends: Any, axis: Any) -> Any:
    """Central differences with equal steps, one-sided ones of second order at the ends."""
    first, second, later, earlier, last, before = inner
    third, before_that = ends
    middle = (f[later] - f[earlier]) / (2.0 * h)
    start = (-1.5 / h) * f[first] + (2.0 / h) * f[second] + (-0.5 / h) * f[third]
    stop = (0.5 / h) * f[before_that] + (-2.0 / h) * f[before] + (1.5 / h) * f[last]
    return np.concatenate((start, middle, stop), axis=axis)


def gradient_uneven(f: Any, x: Any, others: Any, inner: Any, centre: Any, axis: Any) -> Any:
    """Central differences at coordinates `x`, one-sided ones at the ends."""
    first, second, later, earlier, last, before = inner
    steps = np.diff(x)
    left = np.expand_dims(steps[:-1], others)
    right = np.expand_dims(steps[1:], others)
    a = -right / (left * (left + right))
    b = (right - left) / (left * right)
    c = left / (right * (left + right))
    middle = a * f[earlier] + b * f[centre] + c * f[later]
    start = (f[second] - f[first]) / steps[0]
    stop = (f[last] - f[before]) / steps[-1]
    return np.concatenate((start, middle, stop), axis=axis)


# Histograms ---------------------------------------------------------------------------------------


def histogram_edges(a: Any, count: Any) -> Any:
    """Bins of one width from the smallest element to the largest."""
    first, last = np.min(a), np.max(a)
    if first == last:
        first, last = first - 0.5, last + 0.5
    return np.linspace(first, last, count)


def histogram_density(counts: Any, edges: Any) -> Any:
    """Counts whose integral is 1."""
    return counts / np.diff(edges) / np.sum(counts)


# Variances ----------------------------------------------------------------------------------------


def covariance(rows: Any, ddof: Any) -> Any:
    """The covariances of the rows of a matrix."""
    centred = rows - np.expand_dims(np.mean(rows, axis=1), -1)
    return np.dot(centred, centred.T) * np.true_divide(1, np.shape(rows)[1] - ddof)


def variance_around(x: Any, mean: Any, axis: Any, keepdims: Any, count: Any, ddof: Any) -> Any:
    """The variance with a mean that is given."""
    centred = x - mean
    total = np.sum(centred * centred, axis=axis, keepdims=keepdims)
    return np.true_divide(total, max(count - ddof, 0))


def weighted_covariance(rows: Any, weights: Any, lost: Any) -> Any:
    """The same with a weight for each column; `lost` is what the sum of the weights loses."""
    total = np.sum(weights)
    mean = np.sum(np.multiply(rows, np.expand_dims(weights, 0)), axis=1) / total
    centred = rows - np.expand_dims(mean, -1)
    fact = np.maximum(total - lost, 0.0)
    return np.dot(centred, (centred * weights).T) * np.true_divide(1, fact)


def reliability(weights: Any, aweights: Any, ddof: Any) -> Any:
    """What the sum of the weights loses where not all of them count how often something is seen."""
    return ddof * np.sum(weights * aweights) / np.sum(weights)


def check_frequencies(fweights: Any) -> None:
    """What NumPy refuses."""
    if np.any(fweights < 0):
        raise ValueError("fweights cannot be negative")


def check_weights(aweights: Any) -> None:
    """What NumPy refuses."""
    if np.any(aweights < 0):
        raise ValueError("aweights cannot be negative")


def correlation(c: Any) -> Any:
    """Correlations from covariances."""
    deviations = np.sqrt(np.diag(c))
    return np.clip(c / np.expand_dims(deviations, 1) / np.expand_dims(deviations, 0), -1, 1)


def nanmean_where(x: Any, axis: Any, where: Any, keepdims: Any) -> Any:
    """The mean of the elements that are numbers and are wanted."""
    missing = np.isnan(x)
    count = np.sum(np.logical_not(missing), axis=axis, where=where, keepdims=keepdims)
    total = np.sum(np.where(missing, 0.0, x), axis=axis, where=where, keepdims=keepdims)
    return np.true_divide(total, count)


def nanvar_where(x: Any, axis: Any, where: Any, keepdims: Any, ddof: Any) -> Any:
    """The variance of the elements that are numbers and are wanted."""
    missing = np.isnan(x)
    numbers = np.logical_not(missing)
    filled = np.where(missing, 0.0, x)
    mean = np.true_divide(
        np.sum(filled, axis=axis, where=where, keepdims=True),
        np.sum(numbers, axis=axis, where=where, keepdims=True),
    )
    centred = np.where(missing, 0.0, filled - mean)
    total = np.sum(centred * centred, axis=axis, where=where, keepdims=keepdims)
    freedom = np.sum(numbers, axis=axis, where=where, keepdims=keepdims) - ddof
    return np.where(freedom <= 0, np.nan, np.true_divide(total, freedom))[()]


def root_of_variance(variance: Any) -> Any:
    """A standard deviation, whose slope is 0 where the elements are equal."""
    return np.where(variance > 0.0, np.sqrt(variance), variance)[()]


# Polynomials --------------------------------------------------------------------------------------


def polynomial_derivative(p: Any) -> Any:
    """The coefficients of a derivative."""
    return p[:-1] * np.arange(np.shape(p)[0] - 1, 0, -1)


def polynomial_integral(p: Any, k: Any) -> Any:
    """The coefficients of an integral, with `k` as that of the power 0."""
    return np.concatenate((p / np.arange(np.shape(p)[0], 0, -1), np.reshape(k, (1,))))


def polynomial_from_roots(roots: Any) -> Any:
    """The coefficients of the polynomial with these zeros."""
    a = np.ones(1)
    for zero in roots:
        a = np.convolve(a, np.array([1.0, -zero]))
    return a


def polynomial_division(u: Any, v: Any) -> Any:
    """The quotient, and the remainder without its leading zeros."""
    scale = 1.0 / v[0]
    steps = np.size(u) - np.size(v) + 1
    rest = u + 0.0
    quotient = np.zeros(max(steps, 1), dtype=rest.dtype)
    for k in range(steps):
        quotient[k] = scale * rest[k]
        rest[k : k + np.size(v)] -= quotient[k] * v
    return quotient, rest[leading_zeros(rest) :]


def power_series(x: Any, c: Any) -> Any:
    """`np.polynomial.polynomial.polyval`"""
    c0 = c[-1] + x * 0
    for i in range(2, np.shape(c)[0] + 1):
        c0 = c[-i] + c0 * x
    return c0


def two_or_more(c: Any) -> Any:
    """The coefficients of a series, of which there are two at least."""
    if np.shape(c)[0] == 1:
        c = np.concatenate((c, np.zeros_like(c)))
    return c


def chebyshev_series(x: Any, c: Any) -> Any:
    """`np.polynomial.chebyshev.chebval`, by the recurrence of C. W. Clenshaw, as the next ones."""
    x2 = 2 * x
    c0, c1 = c[-2] + np.zeros_like(x), c[-1] + np.zeros_like(x)
    for i in range(3, np.shape(c)[0] + 1):
        c0, c1 = c[-i] - c1, c0 + c1 * x2
    return c0 + c1 * x


def legendre_series(x: Any, c: Any) -> Any:
    """`np.polynomial.legendre.legval`"""
    c0, c1 = c[-2] + np.zeros_like(x), c[-1] + np.zeros_like(x)
    for i in range(3, np.shape(c)[0] + 1):
        nd = np.shape(c)[0] + 2 - i
        c0, c1 = c[-i] - c1 * ((nd - 1) / nd), c0 + c1 * x * ((2 * nd - 1) / nd)
    return c0 + c1 * x


def hermite_series(x: Any, c: Any) -> Any:
    """`np.polynomial.hermite.hermval`"""
    x2 = x * 2
    c0, c1 = c[-2] + np.zeros_like(x), c[-1] + np.zeros_like(x)
    for i in range(3, np.shape(c)[0] + 1):
        nd = np.shape(c)[0] + 2 - i
        c0, c1 = c[-i] - c1 * (2 * (nd - 1)), c0 + c1 * x2
    return c0 + c1 * x2


def hermite_e_series(x: Any, c: Any) -> Any:
    """`np.polynomial.hermite_e.hermeval`"""
    c0, c1 = c[-2] + np.zeros_like(x), c[-1] + np.zeros_like(x)
    for i in range(3, np.shape(c)[0] + 1):
        nd = np.shape(c)[0] + 2 - i
        c0, c1 = c[-i] - c1 * (nd - 1), c0 + c1 * x
    return c0 + c1 * x


def laguerre_series(x: Any, c: Any) -> Any:
    """`np.polynomial.laguerre.lagval`"""
    c0, c1 = c[-2] + np.zeros_like(x), c[-1] + np.zeros_like(x)
    for i in range(3, np.shape(c)[0] + 1):
        nd = np.shape(c)[0] + 2 - i
        c0, c1 = c[-i] - (c1 * (nd - 1)) / nd, c0 + (c1 * ((2 * nd - 1) - x)) / nd
    return c0 + c1 * (1 - x)


def polynomial_fit(x: Any, y: Any, degree: Any) -> Any:
    """The coefficients of the polynomial nearest to y at x, its columns scaled to length 1."""
    powers = np.vander(x + 0.0, degree + 1)
    lengths = np.sqrt(np.sum(powers * powers, axis=0))
    cutoff = np.shape(x)[0] * 2.220446049250313e-16
    fitted = np.linalg.lstsq(powers / lengths, y + 0.0, rcond=cutoff)[0]
    return (fitted.T / lengths).T


def weighted_polynomial_fit(x: Any, y: Any, degree: Any, w: Any) -> Any:
    """The same with a weight for each point."""
    powers = np.vander(x + 0.0, degree + 1) * np.expand_dims(w, 1)
    lengths = np.sqrt(np.sum(powers * powers, axis=0))
    cutoff = np.shape(x)[0] * 2.220446049250313e-16
    fitted = np.linalg.lstsq(powers / lengths, (y + 0.0) * w, rcond=cutoff)[0]
    return (fitted.T / lengths).T


# Spacing ------------------------------------------------------------------------------------------


def logspace(start: Any, stop: Any, num: Any = 50, endpoint: Any = True, base: Any = 10.0) -> Any:
    """Numbers whose logarithms are evenly spaced."""
    return np.power(base, np.linspace(start, stop, num, endpoint=endpoint))


def cumulative_trapezoid(y: Any, d: Any, upper: Any, lower: Any, axis: Any) -> Any:
    """Integrals by the trapezoidal rule up to each of the points, with steps `d`."""
    return np.cumsum(d * (y[upper] + y[lower]) / 2.0, axis=axis)


# Functions of each element ------------------------------------------------------------------------


def for_each_element(f: Any, x: Any) -> Any:
    """What f gives for each of the elements, in their shape."""
    return np.reshape(np.array([f(element) for element in np.ravel(x)]), np.shape(x))


def for_each_pair(f: Any, x: Any, y: Any) -> Any:
    """What f gives for elements in the same places of two arrays of one shape."""
    first, second = np.ravel(x), np.ravel(y)
    values = np.array([f(first[k], second[k]) for k in range(np.size(first))])
    return np.reshape(values, np.shape(x))


def for_each_row(f: Any, x: Any) -> Any:
    """What f gives for each row of a matrix."""
    return np.array([f(row) for row in x])


def accumulated(f: Any, x: Any) -> Any:
    """What f gives of all before and the next, along the first axis."""
    out = np.copy(x)
    for k in range(1, np.shape(x)[0]):
        out[k] = f(out[k - 1], x[k])
    return out


def reduced(f: Any, x: Any) -> Any:
    """What f gives of all before and the next in the end, along the first axis."""
    total = x[0]
    for k in range(1, np.shape(x)[0]):
        total = f(total, x[k])
    return total


def reduced_pieces(f: Any, x: Any, indices: Any) -> Any:
    """A reduction from each index to the next; of one element if the next is not larger."""
    if np.any((indices < 0) | (indices >= np.shape(x)[0])):
        raise IndexError("index out-of-bounds in reduceat")
    out = np.copy(x[indices])
    for k in range(np.size(indices)):
        total = out[k]
        stop = indices[k + 1] if k + 1 < np.size(indices) else np.shape(x)[0]
        for j in range(indices[k] + 1, stop):
            total = f(total, x[j])
        out[k] = total
    return out


def changed_at(f: Any, x: Any, indices: Any, values: Any) -> None:
    """Elements of x changed one after the other."""
    for k in range(np.size(indices)):
        x[indices[k]] = f(x[indices[k]], values[k])


def interp_periodic(x: Any, xp: Any, fp: Any, period: Any) -> Any:
    """Interpolation between knots that repeat."""
    p = np.abs(period)
    within = xp % p
    order = np.argsort(within)
    knots, values = within[order], fp[order]
    knots = np.concatenate((knots[-1:] - p, knots, knots[0:1] + p))
    return np.interp(x % p, knots, np.concatenate((values[-1:], values, values[0:1])))


# SciPy --------------------------------------------------------------------------------------------


def standard_error(a: Any, axis: Any, ddof: Any) -> Any:
    """The standard deviation of a mean: `scipy.stats.sem`."""
    return np.std(a, axis=axis, ddof=ddof) / np.shape(a)[axis] ** 0.5


def companion(a: Any) -> Any:
    """The matrix whose characteristic polynomial has these coefficients."""
    n = np.size(a) - 1
    c = np.zeros((n, n), dtype=a.dtype)
    c[0, :] = -a[1:] / (1.0 * a[0:1])
    c[np.arange(1, n), np.arange(0, n - 1)] = 1.0
    return c


def fiedler(a: Any) -> Any:
    """The distances of the elements from each other."""
    return np.abs(a[:, np.newaxis] - a[np.newaxis, :])


def fiedler_companion(a: Any) -> Any:
    """A companion matrix with five diagonals."""
    if a[0] == 0.0:
        raise ValueError("Leading coefficient is zero.")
    scaled = a / a[0]
    n = np.size(a) - 1
    c = np.zeros((n, n), dtype=a.dtype)
    c[np.arange(3, n, 2), np.arange(1, n - 2, 2)] = 1.0
    c[np.arange(2, n, 2), np.arange(1, n - 1, 2)] = -scaled[3::2]
    c[np.arange(0, n - 2, 2), np.arange(2, n, 2)] = 1.0
    c[np.arange(0, n - 1, 2), np.arange(1, n, 2)] = -scaled[2::2]
    c[0, 0] = -scaled[1]
    c[1, 0] = 1.0
    return c


def convolution_matrix(a: Any, n: Any, mode: Any) -> Any:
    """The matrix that convolves vectors of length n with `a`."""
    m = np.size(a)
    start, trimmed = 0, 0
    if mode == "same":
        trimmed = min(m, n) - 1
        start = trimmed // 2
    if mode == "valid":
        start = min(m, n) - 1
        trimmed = 2 * start
    rows = np.arange(start, start + m + n - 1 - trimmed)
    lags = rows[:, np.newaxis] - np.arange(n)
    return np.where((lags >= 0) & (lags < m), a[np.clip(lags, 0, m - 1)], 0.0)


def leslie(f: Any, s: Any) -> Any:
    """The matrix of a population: fertilities in the first row, survivals below the diagonal."""
    n = np.size(f)
    a = np.zeros((n, n), dtype=s.dtype)
    a[0] = f
    a[np.arange(1, n), np.arange(0, n - 1)] = s
    return a


def detrend_constant(data: Any, axis: Any) -> Any:
    """What is left of a signal without its mean."""
    return data - np.mean(data, axis, keepdims=True)
