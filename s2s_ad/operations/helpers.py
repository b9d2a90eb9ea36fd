"""Functions that generated modules use: the ones needed are copied into them, as they stand here.

Each is plain NumPy, typed and documented for the reader of a generated module, and an operation of
the catalogue, so that a generated module can be differentiated again. Nothing here may refer to
anything but NumPy and other functions of this file, or of `careful_slopes.py`.
"""

from typing import Any

import numpy as np

from s2s_ad.operations.careful_slopes import digamma_rise as digamma_rise
from s2s_ad.operations.careful_slopes import ellipe_slope as ellipe_slope
from s2s_ad.operations.careful_slopes import ellipk_slope as ellipk_slope
from s2s_ad.operations.careful_slopes import rgamma_slope as rgamma_slope
from s2s_ad.operations.careful_slopes import sinc_derivative as sinc_derivative
from s2s_ad.operations.odeint_helpers import integrated as integrated
from s2s_ad.operations.odeint_helpers import odeint_together as odeint_together
from s2s_ad.operations.spectral_helpers import first_of as first_of
from s2s_ad.operations.spectral_helpers import istft_adjoint as istft_adjoint
from s2s_ad.operations.spectral_helpers import poisson_counts as poisson_counts
from s2s_ad.operations.spectral_helpers import stft_adjoint as stft_adjoint
from s2s_ad.operations.structured_helpers import eigen_of as eigen_of
from s2s_ad.operations.structured_helpers import eigenvalues_of as eigenvalues_of
from s2s_ad.operations.structured_helpers import filter_sums as filter_sums
from s2s_ad.operations.structured_helpers import lagged_sums as lagged_sums
from s2s_ad.operations.structured_helpers import lower_toeplitz as lower_toeplitz
from s2s_ad.operations.structured_helpers import minus_transpose as minus_transpose
from s2s_ad.operations.structured_helpers import of_largest as of_largest
from s2s_ad.operations.structured_helpers import roots_of as roots_of
from s2s_ad.operations.structured_helpers import vectors_of as vectors_of
from s2s_ad.operations.structured_helpers import without_first as without_first


def unbroadcast(grad: Any, like: Any) -> Any:
    """Sum `grad` over the axes along which `like` was broadcast, to its shape and dtype."""
    grad = sum_to_shape(grad, np.shape(like))
    return np.asarray(grad, dtype=like.dtype)[()] if hasattr(like, "dtype") else grad


def sum_to_shape(grad: Any, shape: Any) -> Any:
    """Sum `grad` over the axes along which something of this shape was broadcast to it."""
    # a store drops leading axes of size 1
    grad = np.expand_dims(grad, tuple(range(len(shape) - np.ndim(grad))))
    grad = np.sum(grad, axis=tuple(range(np.ndim(grad) - len(shape))))
    stretched = tuple(k for k, size in enumerate(shape) if size == 1 and np.shape(grad)[k] != 1)
    return np.sum(grad, axis=stretched, keepdims=True)


def copied(x: Any) -> Any:
    """A copy of an array; a number has no memory of its own."""
    return np.copy(x) if isinstance(x, np.ndarray) else x


def required_real(result: Any, function: Any) -> Any:
    """What a function gives for a real matrix; stops where that is complex, as of negative
    eigenvalues: the derivatives are those of real results.
    """
    if np.iscomplexobj(result):
        raise ValueError(f"{function} gives complex numbers here: no derivative is known")
    return result


def joined_shape(first: Any, second: Any) -> Any:
    """The sizes of both shapes, one behind the other; a number is a shape of one axis."""
    return (*np.atleast_1d(first), *np.atleast_1d(second))


def product_of_others(x: Any, axis: Any = None) -> Any:
    """The product over `axis` of all elements but one, for each; right where some are zero."""
    axes = tuple(range(np.ndim(x))) if axis is None else axis
    axes = axes if isinstance(axes, tuple) else (axes,)
    moved = np.moveaxis(x, axes, range(-len(axes), 0))
    kept = np.ndim(x) - len(axes)
    flat = moved.reshape(*moved.shape[:kept], np.prod(moved.shape[kept:], dtype=int))
    ones = np.ones_like(flat[..., :1])
    before = np.cumprod(np.concatenate((ones, flat[..., :-1]), axis=-1), axis=-1)
    after = np.cumprod(np.concatenate((ones, flat[..., :0:-1]), axis=-1), axis=-1)[..., ::-1]
    return np.moveaxis((before * after).reshape(moved.shape), range(-len(axes), 0), axes)


def cumprod_adjoint(grad: Any, x: Any, axis: Any) -> Any:
    """The adjoint of `x` in `np.cumprod(x, axis)`; right where elements are zero."""
    if axis is None:
        return cumprod_adjoint(grad, np.ravel(x), 0).reshape(np.shape(x))
    factors = np.moveaxis(x, axis, 0)
    before = np.ones_like(factors)
    before[1:] = np.cumprod(factors[:-1], axis=0)
    after = np.array(np.moveaxis(grad, axis, 0))
    for k in range(len(after) - 2, -1, -1):
        after[k] += factors[k + 1] * after[k + 1]
    return np.moveaxis(before * after, 0, axis)


def cumprod_tangent(tangent: Any, x: Any, axis: Any) -> Any:
    """The tangent of `np.cumprod(x, axis)`; right where elements are zero."""
    if axis is None:
        return cumprod_tangent(np.ravel(tangent), np.ravel(x), 0)
    factors = np.moveaxis(x, axis, 0)
    before = np.ones_like(factors)
    before[1:] = np.cumprod(factors[:-1], axis=0)
    result = before * np.moveaxis(tangent, axis, 0)
    for k in range(1, len(result)):
        result[k] += factors[k] * result[k - 1]
    return np.moveaxis(result, 0, axis)


def last_writes(i: Any, shape: Any) -> Any:
    """Where `x[i] = v` leaves a trace in `x` of this shape: of indices that repeat, the last."""
    writer = np.zeros(shape, dtype=int)
    order = np.arange(np.size(writer[i])).reshape(np.shape(writer[i]))
    writer[i] = order
    return writer[i] == order


def places(shape: Any) -> Any:
    """The place of each element of an array of this shape, counted row by row."""
    return np.arange(np.prod(shape, dtype=int)).reshape(shape)


def scattered(grad: Any, origin: Any, shape: Any) -> Any:
    """Zeros of this shape, with each element of `grad` added at its place, counted row by row."""
    total = np.bincount(np.ravel(origin), np.ravel(grad), np.prod(shape, dtype=int))
    return total.reshape(shape).astype(np.result_type(grad))


def reduceat_adjoint(grad: Any, indices: Any, axis: Any, shape: Any) -> Any:
    """The adjoint of an array of this shape in `np.add.reduceat(array, indices, axis)`."""
    result = np.zeros(shape, dtype=grad.dtype)
    rows, parts = np.moveaxis(result, axis, 0), np.moveaxis(grad, axis, 0)
    for k, start in enumerate(indices):
        stop = indices[k + 1] if k + 1 < len(indices) else len(rows)
        rows[start : max(stop, start + 1)] += parts[k]
    return result


def unique_places(x: Any) -> Any:
    """Where the elements of `np.unique(x)` stand in `x`, counted row by row: the first of each."""
    return np.unique(x, return_index=True)[1]


def first_places(x: Any, values: Any) -> Any:
    """Where each of `values` stands first among the elements of `x`, counted row by row."""
    order = np.argsort(np.ravel(x), kind="stable")
    return order[np.searchsorted(np.ravel(x)[order], values)]


def trimmed_places(filt: Any, trim: Any) -> Any:
    """Which elements `np.trim_zeros(filt, trim)` keeps."""
    kept = np.flatnonzero(filt)
    if len(kept) == 0:
        return kept
    start = kept[0] if "f" in trim.lower() else 0
    stop = kept[-1] + 1 if "b" in trim.lower() else len(filt)
    return np.arange(start, stop)


def leading_zeros(p: Any) -> int:
    """How many coefficients `np.polydiv` drops in front of a remainder: all but the last may be."""
    count = 0
    while count < len(p) - 1 and np.allclose(p[count], 0, rtol=1e-14):
        count += 1
    return count


def fitted(x: Any, size: Any, axis: Any) -> Any:
    """The first elements of `x` along an axis, so many; zeros stand for those that it has not."""
    moved = np.moveaxis(x, axis, -1)[..., :size]
    missing = np.zeros((*np.shape(moved)[:-1], size - np.shape(moved)[-1]), moved.dtype)
    return np.moveaxis(np.concatenate((moved, missing), axis=-1), -1, axis)


def doubled(x: Any, size: Any, axis: Any) -> Any:
    """Twice the frequencies of a real signal of this size that stand for two; the others as they
    are: the first one and, if the size is even, the last.
    """
    weights = np.full(size // 2 + 1, 2.0, dtype=np.real(x).dtype)
    weights[0] = 1.0
    weights[size - size // 2 :] = 1.0
    return np.moveaxis(np.moveaxis(x, axis, -1) * weights, -1, axis)


def running_choice(x: Any, out: Any, axis: Any) -> Any:
    """The index along `axis` of the extreme so far, where `out` is `np.maximum.accumulate(x)`."""
    shape = [1] * np.ndim(x)
    shape[axis] = -1
    index = np.reshape(np.arange(np.shape(x)[axis]), shape)
    return np.maximum.accumulate(np.where(x == out, index, 0), axis=axis)


def bessel_i1(x: Any) -> Any:
    """The modified Bessel function I1: the mean of sinh(x * c) * c over cosines c."""
    cosines = np.cos((np.arange(64) + 0.5) * (np.pi / 128.0))
    return np.mean(np.sinh(np.expand_dims(x, -1) * cosines) * cosines, axis=-1)


def diagonal_adjoint(grad: Any, shape: Any, offset: Any, axis1: Any, axis2: Any) -> Any:
    """Zeros of this shape, with `grad` along the diagonal."""
    result = np.zeros(shape, dtype=grad.dtype)
    moved = np.moveaxis(result, (axis1, axis2), (-2, -1))
    k = np.arange(np.shape(grad)[-1])
    moved[..., k + max(-offset, 0), k + max(offset, 0)] = grad
    return result


def matmul_left(grad: Any, b: Any, shape: Any) -> Any:
    """The adjoint of `a`, of this shape, in `a @ b`, from that of the product."""
    if np.ndim(b) == 1:
        return sum_to_shape(np.expand_dims(grad, -1) * b, shape)
    if len(shape) == 1:
        return sum_to_shape((b @ np.expand_dims(grad, -1))[..., 0], shape)
    return sum_to_shape(grad @ np.swapaxes(b, -1, -2), shape)


def matmul_right(grad: Any, a: Any, shape: Any) -> Any:
    """The adjoint of `b`, of this shape, in `a @ b`, from that of the product."""
    if len(shape) == 1:
        return sum_to_shape(np.expand_dims(grad, -1) * a, shape)
    if np.ndim(a) == 1:
        return sum_to_shape(np.expand_dims(a, 1) * np.expand_dims(grad, -2), shape)
    return sum_to_shape(np.swapaxes(a, -1, -2) @ grad, shape)


def tensordot_left(grad: Any, b: Any, shape: Any, axes: Any) -> Any:
    """The adjoint of `a`, of this shape, in `np.tensordot(a, b, axes)`, from that of the result."""
    left, right = contracted_axes(len(shape), np.ndim(b), axes)
    free = [k for k in range(len(shape)) if k not in left]
    others = [k for k in range(np.ndim(b)) if k not in right]
    product = np.tensordot(grad, b, axes=(range(len(free), np.ndim(grad)), others))
    order = free + [left[right.index(k)] for k in sorted(right)]
    return np.transpose(product, sorted(range(len(order)), key=order.__getitem__))


def tensordot_right(grad: Any, a: Any, shape: Any, axes: Any) -> Any:
    """The adjoint of `b`, of this shape, in `np.tensordot(a, b, axes)`, from that of the result."""
    left, right = contracted_axes(np.ndim(a), len(shape), axes)
    free = [k for k in range(len(shape)) if k not in right]
    others = [k for k in range(np.ndim(a)) if k not in left]
    product = np.tensordot(a, grad, axes=(others, range(len(others))))
    order = [right[left.index(k)] for k in sorted(left)] + free
    return np.transpose(product, sorted(range(len(order)), key=order.__getitem__))


def contracted_axes(left: int, right: int, axes: Any) -> tuple[list[int], list[int]]:
    """The axes over which `np.tensordot` sums, for operands of these ranks."""
    if isinstance(axes, int):
        return list(range(left - axes, left)), list(range(axes))
    first, second = ([part] if isinstance(part, int) else list(part) for part in axes)
    return [k % left for k in first], [k % right for k in second]


def dot_left(grad: Any, b: Any, shape: Any) -> Any:
    """The adjoint of `a`, of this shape, in `np.dot(a, b)`, from that of the result."""
    if len(shape) == 0 or np.ndim(b) == 0:
        return sum_to_shape(grad * b, shape)
    return tensordot_left(grad, b, shape, (-1, -min(2, np.ndim(b))))


def dot_right(grad: Any, a: Any, shape: Any) -> Any:
    """The adjoint of `b`, of this shape, in `np.dot(a, b)`, from that of the result."""
    if len(shape) == 0 or np.ndim(a) == 0:
        return sum_to_shape(grad * a, shape)
    return tensordot_right(grad, a, shape, (-1, -min(2, len(shape))))


def inner_left(grad: Any, b: Any, shape: Any) -> Any:
    """The adjoint of `a`, of this shape, in `np.inner(a, b)`, from that of the result."""
    if len(shape) == 0 or np.ndim(b) == 0:
        return sum_to_shape(grad * b, shape)
    return tensordot_left(grad, b, shape, (-1, -1))


def inner_right(grad: Any, a: Any, shape: Any) -> Any:
    """The adjoint of `b`, of this shape, in `np.inner(a, b)`, from that of the result."""
    if len(shape) == 0 or np.ndim(a) == 0:
        return sum_to_shape(grad * a, shape)
    return tensordot_right(grad, a, shape, (-1, -1))


def zero_items(items: list[Any]) -> list[Any]:
    """Zeros like each of the items."""
    return [np.zeros_like(item) if isinstance(item, np.ndarray) else 0.0 for item in items]


def add_items(items: list[Any], others: list[Any]) -> list[Any]:
    """The sums of the items of two lists, one by one."""
    return [item + other for item, other in zip(items, others, strict=True)]


def zero_rows(rows: list[list[float]]) -> list[list[float]]:
    """Zeros for all the numbers in a list of lists."""
    return [[0.0] * len(row) for row in rows]


def add_rows(rows: list[list[float]], others: list[list[float]]) -> list[list[float]]:
    """The sums of the numbers in two lists of lists, one by one."""
    pairs = zip(rows, others, strict=True)
    return [[a + b for a, b in zip(row, other, strict=True)] for row, other in pairs]


def convolution_in_full(part: Any, n: Any, m: Any, mode: Any) -> Any:
    """What `np.convolve` of n and m elements gives in a mode, where it stands in the full one."""
    full = np.zeros(n + m - 1, dtype=part.dtype)
    start = min(n, m) - 1 if mode == "valid" else (min(n, m) - 1) // 2
    full[start : start + len(part)] = part
    return full


def convolution_part(full: Any, n: Any, m: Any, mode: Any) -> Any:
    """The part of a full convolution of n and m elements that a mode gives."""
    short = min(n, m) - 1
    if mode == "valid":
        return np.array(full[short : len(full) - short])
    return np.array(full[short // 2 : short // 2 + max(n, m)])


def correlation_in_full(part: Any, n: Any, m: Any, mode: Any) -> Any:
    """What `np.correlate` of n and m elements gives in a mode, where it stands in the full one."""
    if n < m:
        return convolution_in_full(part[::-1], n, m, mode)[::-1]
    return convolution_in_full(part, n, m, mode)


def correlation_part(full: Any, n: Any, m: Any, mode: Any) -> Any:
    """The part of a full correlation of n and m elements that a mode gives."""
    if n < m:
        return convolution_part(full[::-1], n, m, mode)[::-1]
    return convolution_part(full, n, m, mode)


def half_lower(x: Any) -> Any:
    """The lower triangles of matrices, with their diagonals halved."""
    return 0.5 * (np.tril(x) + np.tril(x, -1))


def fold_lower(x: Any) -> Any:
    """What lies above the diagonal added to its mirror image: the adjoint of `mirror_lower`."""
    return np.tril(x) + np.swapaxes(np.triu(x, 1), -1, -2)


def fold_upper(x: Any) -> Any:
    """What lies below the diagonal added to its mirror image: the adjoint of `mirror_upper`."""
    return np.triu(x) + np.swapaxes(np.tril(x, -1), -1, -2)


def mirror_lower(x: Any) -> Any:
    """The symmetric matrices with these lower triangles."""
    return np.tril(x) + np.swapaxes(np.tril(x, -1), -1, -2)


def mirror_upper(x: Any) -> Any:
    """The symmetric matrices with these upper triangles."""
    return np.triu(x) + np.swapaxes(np.triu(x, 1), -1, -2)


def plus_transpose(x: Any) -> Any:
    """Matrices plus their transposes."""
    return x + np.swapaxes(x, -1, -2)


def over_gaps(x: Any, values: Any) -> Any:
    """`x[i, j] / (values[j] - values[i])`, and 0 on the diagonal."""
    gaps = np.expand_dims(values, -2) - np.expand_dims(values, -1)
    same = np.eye(np.shape(values)[-1], dtype=bool)
    return np.where(same, 0.0, x / np.where(same, 1.0, gaps))


def pivoted_rows(pivots: Any) -> Any:
    """The order of the rows of a matrix after the exchanges of `scipy.linalg.lu_factor`."""
    order = np.arange(len(pivots))
    for k, other in enumerate(pivots):
        order[[k, other]] = order[[other, k]]
    return order


def next_snapshot(start: int, stop: int, snapshots: int) -> int:
    """The trip whose state to keep next, so that the fewest trips are run again (Griewank 1992)."""
    # with s states, all of binomial(s + r, s) trips are reached by running each r times at most
    states = snapshots + 1
    rounds, before, reached = 0, 0, 1
    while reached < stop - start:
        rounds += 1
        before, reached = reached, reached * (states + rounds) // rounds
    least = before * (rounds - 1) // (states + rounds - 1)
    behind = reached * states // (states + rounds)
    return start + max(1, least, stop - start - behind)


def stop_unless_finite(place: str, names: Any, found: Any, *values: Any) -> None:
    """Raise FloatingPointError unless all of `found`, a derivative, is finite.

    The message says in which place of the user's code, and what the derivative and the values that
    it was made from are; `names` are theirs. Of arrays of one shape it shows one element.
    """
    finite = np.isfinite(found)
    if np.all(finite):
        return
    index = tuple(np.argwhere(np.logical_not(finite))[0].tolist())
    where = f"{place}: at {list(index)}: " if index else f"{place}: "
    shown = []
    for name, value in zip(names, (found, *values), strict=True):
        one = np.shape(value) == np.shape(found)
        text = (
            str(np.asarray(value)[index])
            if one
            else np.array2string(np.asarray(value), threshold=12)
        )
        shown.append(f"{name} = {' '.join(text.split())}")
    raise FloatingPointError(where + ", ".join(shown))


def rows_of(x: Any) -> list[Any]:
    """The rows of an array, each with memory of its own."""
    return [np.copy(row) if isinstance(row, np.ndarray) else row for row in x]


def repeated(value: Any, items: list[Any]) -> list[Any]:
    """A list with the value for each of the items."""
    return [np.copy(value) if isinstance(value, np.ndarray) else value for _ in items]


def converged(found: Any) -> Any:
    """What a solver of SciPy has found. Raises RuntimeError where it found no solution."""
    if hasattr(found, "root"):
        value, success, reason = found.root, found.converged, found.flag
    else:
        value, success, reason = found.x, found.success, found.message
    if not success:
        raise RuntimeError(f"the solver has not converged: {reason}")
    return value


def solved(found: Any) -> Any:
    """The solution of `scipy.optimize.fsolve`. Raises RuntimeError where it found none."""
    if found[2] != 1:
        raise RuntimeError(f"the solver has not converged: {found[3]}")
    return found[0]


def transposed_band(ab: Any, lower: Any, upper: Any) -> Any:
    """The diagonals of the transposed matrix, as `scipy.linalg.solve_banded` has them."""
    n = np.shape(ab)[1]
    result = np.zeros_like(ab)
    for row in range(lower + upper + 1):
        shift = upper - row
        first, last = max(shift, 0), min(n, n + shift)
        result[lower + upper - row, first - shift : last - shift] = ab[row, first:last]
    return result


def band_of_outer(left: Any, right: Any, lower: Any, upper: Any) -> Any:
    """The diagonals of the product of two vectors, or of the sum of those of columns."""
    n = len(right)
    result = np.zeros((lower + upper + 1, n), dtype=left.dtype)
    for row in range(lower + upper + 1):
        shift = upper - row
        first, last = max(shift, 0), min(n, n + shift)
        part = left[first - shift : last - shift] * right[first:last]
        result[row, first:last] = np.sum(np.reshape(part, (max(last - first, 0), -1)), axis=1)
    return result


def band_times(ab: Any, right: Any, lower: Any, upper: Any) -> Any:
    """The product of a matrix given by its diagonals with a vector or the columns of a matrix."""
    n = len(right)
    result = np.zeros_like(right)
    for row in range(lower + upper + 1):
        shift = upper - row
        first, last = max(shift, 0), min(n, n + shift)
        result[first - shift : last - shift] += (ab[row, first:last] * right[first:last].T).T
    return result


def simpson_weights(h: Any) -> Any:
    """The weights of `scipy.integrate.simpson` at points with these distances.

    An odd number of intervals ends with one by the formula of Cartwright (2017).
    """
    n = len(h) + 1
    weights = np.zeros(n)
    if n == 2:
        return weights + 0.5 * h[0]
    first, second = h[: n - 2 : 2], h[1 : n - 1 : 2]
    pairs = len(second)
    first, both = first[:pairs], first[:pairs] + second
    weights[0 : 2 * pairs : 2] += both / 6.0 * (2.0 - second / first)
    weights[1 : 2 * pairs : 2] += both / 6.0 * (both * both / (first * second))
    weights[2 : 2 * pairs + 1 : 2] += both / 6.0 * (2.0 - first / second)
    if n > 2 and n % 2 == 0:
        before, last = h[-2], h[-1]
        weights[-1] += (2.0 * last**2 + 3.0 * before * last) / (6.0 * (before + last))
        weights[-2] += (last**2 + 3.0 * before * last) / (6.0 * before)
        weights[-3] -= last**3 / (6.0 * before * (before + last))
    return weights


def middle_in_full(x: Any, other: Any) -> Any:
    """What a convolution with `other` gives in the mode `same`, where it stands in the full one."""
    pairs = list(zip(np.shape(x), np.shape(other), strict=True))
    full = np.zeros([n + m - 1 for n, m in pairs], dtype=x.dtype)
    full[tuple(slice((m - 1) // 2, (m - 1) // 2 + n) for n, m in pairs)] = x
    return full


def middle_of_full(x: Any, other: Any) -> Any:
    """The part of a full convolution with `other` that the mode `same` gives."""
    pairs = zip(np.shape(x), np.shape(other), strict=True)
    return np.array(x[tuple(slice((m - 1) // 2, (m - 1) // 2 + n - m + 1) for n, m in pairs)])


def described(*given: object) -> str:
    """What arguments are, for a message: `float64[3, 4]`, or the name of a type."""
    return ", ".join(
        f"{one.dtype}{list(one.shape)}" if type(one) is np.ndarray else type(one).__name__
        for one in given
    )
