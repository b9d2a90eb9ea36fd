"""Calls of NumPy as users write them: value to the last bit, gradients against central differences.

Each program is an expression in `x` (3 by 4), `v` (5 numbers), `w` (5 positive numbers) and `a` (a
number); its elements are summed with weights. Forward mode is compared with reverse mode, and the
gradient is differentiated again.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import s2s_ad

EXPRESSIONS = """
np.ptp(x)
np.ptp(x, axis=0, keepdims=True)
np.average(v, weights=w)
np.average(x, axis=0)
np.average(x, axis=1, weights=v[:4] ** 2 + 1.0)
np.average(x, weights=x**2 + 1.0, axis=-1, keepdims=True)
np.trapezoid(v)
np.trapezoid(v, dx=a)
np.trapezoid(v, np.cumsum(w))
np.trapezoid(x, axis=0)
np.trapezoid(x, np.cumsum(w)[:3], axis=0)
np.trapezoid(x, np.cumsum(x**2, axis=1))
np.diff(v, prepend=0.0, append=a)
np.diff(x, axis=0, prepend=x[:1] ** 2)
np.diff(x, 2, 1, np.zeros((3, 1)))
np.diff(v, 0, prepend=a) * w
np.ediff1d(v)
np.ediff1d(x, to_end=[a, 1.0], to_begin=w)
np.gradient(v)
np.gradient(v, 2.0)
np.gradient(v, a)
np.gradient(v, np.cumsum(w))
np.gradient(v, edge_order=2)
np.gradient(x, axis=1)
np.gradient(x, 0.5, axis=0)
np.gradient(x)[0] * np.gradient(x)[1]
np.gradient(x, np.cumsum(w)[:3], np.array([0.0, 0.5, 0.7, 1.5]))[1]
np.cov(x)
np.cov(x, rowvar=False)
np.cov(v, w)
np.cov(v)
np.cov(x, ddof=0)
np.corrcoef(x)
np.corrcoef(v, w)
np.logspace(a, 2.0, 5)
np.logspace(0.0, a, num=4, base=2.0)
np.geomspace(1.0 + a, 7.0, 5)
np.linspace(a, v, 3)
np.linspace(a, 2.0)
np.linspace(v, a, 4, endpoint=False)
np.sum(x, where=x > 0.0, initial=a)
np.prod(x, axis=0, initial=a, where=x > 0.0)
np.max(x, axis=1, initial=a)
x.min(initial=a, where=x > 0.0)
np.nansum(np.where(x > 1.0, np.nan, x), axis=0, initial=a)
np.nanprod(np.where(x > 1.0, np.nan, x), where=x > 0.0)
np.nanmax(np.where(x > 1.0, np.nan, x), axis=1, where=x > 0.0, initial=a)
np.add.reduce(x, initial=a, where=x > 0.0)
np.minimum.reduce(x, axis=None, initial=a)
np.add.reduce(x)
np.add.reduce(x, axis=None)
np.maximum.reduce(x, axis=1)
np.multiply.reduce(v)
np.add.accumulate(x)
np.multiply.accumulate(x, axis=1)
np.maximum.accumulate(x, axis=1)
np.minimum.accumulate(v)
np.logaddexp.reduce(v)
np.logaddexp.reduce(x, axis=1, keepdims=True)
np.add.reduceat(v, [0, 2])
np.multiply.reduceat(x, [0, 2, 1], axis=1)
np.maximum.reduceat(v, np.array([0, 3]))
np.logaddexp.reduceat(x, [1, 0], axis=-1)
np.logaddexp.accumulate(x, axis=1)
np.hypot.accumulate(v)
np.subtract.reduce(x, axis=1)
np.hypot.reduce(x, axis=-1, keepdims=True)
np.fmax.reduce(x, axis=None)
np.fmin.reduce(x, axis=0)
np.logaddexp.outer(v, w)
np.arctan2.outer(v, a)
np.add.reduce(x, dtype=x.dtype)
np.multiply(v, w, dtype=np.float64)
np.add(np.arange(5), v, dtype=float)
np.mean(x, axis=1, dtype=x.dtype)
np.add.outer(v, w)
np.subtract.outer(x, v)
np.multiply.outer(v, a)
np.cumulative_sum(x, axis=0)
np.cumulative_prod(v)
np.apply_along_axis(np.sum, 0, x)
np.interp(v, np.cumsum(w), w**2, period=7.0)
np.vectorize(lambda t: t * t if t > 0.0 else -t)(x)
np.vectorize(lambda s, t: s * np.sin(t))(x, a)
np.apply_along_axis(lambda r: r * np.sum(r), 0, x)
np.apply_along_axis(np.linalg.norm, 1, x)
np.fromfunction(lambda i, j: a * i + j, (2, 3))
a * x * np.mgrid[0:3, 0:4][1]
np.mgrid[0.0:1.0:3j, -1.0:1.0:4j][0] * x * a
np.ogrid[0:3, 0:4][1] * x * a
np.indices((3, 4))[0] * x * a
np.select([x > 0.5, x < -0.5], [x**2, -x], a)
np.piecewise(v, [v < 0.0, v > 0.5], [lambda t: t**2, np.exp, 0.5])
np.piecewise(v, [v < 0.0], [lambda t: a * t, lambda t: t**3])
np.choose([0, 1, 1, 0, 2], [v, w, a])
np.clip(x, -0.5, 0.5)
x.clip(max=0.25)
np.clip(v, a_min=a, a_max=None)
np.extract(v > 0.0, v)
v[np.where(v > 0.0)]
x[np.nonzero(x > 0.0)] ** 2
np.divmod(v, w)[1] * np.divmod(v, 0.3)[0]
divmod(a, 0.3)[1]
np.modf(v)[0] + np.modf(v)[1]
np.frexp(w)[0] * np.frexp(w)[1]
np.split(v[:4], 2)[1] * np.split(v[:4], 2)[0]
np.split(x, [1, 2], axis=1)[2]
np.array_split(v, 3)[1]
np.hsplit(x, 2)[0] + np.hsplit(x, [2])[1]
np.vsplit(x, 3)[1]
np.unstack(x.reshape(3, 4))[1] * np.unstack(x.reshape(3, 4), axis=0)[2]
np.unique(v) * np.arange(5.0)
np.unique(np.round(v), return_inverse=True)[1] * v
np.meshgrid(v, w)[0] * np.meshgrid(v, w)[1] ** 2
np.meshgrid(v, w, indexing="ij")[0] * np.meshgrid(v, w, indexing="ij")[1] ** 2
np.meshgrid(v, w, sparse=True)[0] ** 2
np.broadcast_arrays(v[:4], x, a)[0] * np.broadcast_arrays(v[:4], x, a)[2]
x[np.ix_([0, 2], [1, 1, 3])]
x[np.triu_indices(3)] * x[np.tril_indices(3)]
x[np.triu_indices_from(x, 1)] ** 2
x[np.diag_indices(3)]
x[np.unravel_index([1, 6], (3, 4))]
np.block([[x, x**2], [a * x, x]])
np.block([v, a, w])
np.atleast_3d(v) * a
np.rollaxis(np.expand_dims(x, 0), 2)
np.rollaxis(np.expand_dims(x, 0), 0, 3)
np.rot90(x)
np.rot90(x, 3) * np.rot90(x, -1)
np.insert(v, 1, a)
np.insert(x, [0, 2], v[:4], axis=0)
np.delete(x, [0, 3], 1)
np.append(v, x)
np.resize(v, (2, 4))
np.take(x, 5) * np.take(v, [0, 0, -1])
np.take_along_axis(x, np.argsort(x, axis=1), axis=1)
np.lib.stride_tricks.sliding_window_view(v, 3) ** 2
np.sort(v) * np.arange(5.0)
np.sort(x, axis=None) ** 2
np.partition(v, 2) ** 2
np.median(x, axis=0) * np.median(x)
np.quantile(v, a / 3.0)
np.percentile(x, [10.0, 80.0], axis=1, method="linear")
np.searchsorted(np.sort(v), w) * w
np.digitize(v, [0.0, 1.0]) * v
np.bincount([0, 1, 1, 3, 0], weights=v)
np.interp(w, [0.0, 1.0, 2.0, 3.0], np.sort(v)[:4])
np.interp(w, np.cumsum(w), v)
np.interp(a, np.cumsum(w), v, left=a, right=2.0)
np.pad(v, 2, mode="edge")
np.pad(v, (1, 2), "reflect")
np.pad(x, ((1, 0), (2, 1)), mode="symmetric")
np.pad(x, 2, mode="wrap")
np.pad(v, 1, constant_values=2.0)
np.pad(x, ((1,), (2,)))
np.pad(x, ((1,), (2,)), "edge")
np.pad(x, ((1,), (2,)), "mean")
np.pad(v, 2, "mean")
np.pad(x, ((1, 2), (2, 0)), mode="mean", stat_length=2)
np.pad(x, 1, mode="maximum", stat_length=((1, 2), (3, 9)))
np.pad(v, (2, 0), mode="minimum")
np.pad(x, ((2, 1), (0, 1)), mode="median", stat_length=(2, 3))
np.pad(v, (3, 2), mode="linear_ramp", end_values=(1.0, a))
np.pad(x, ((1, 2), (2, 3)), "linear_ramp", end_values=((1.0, 2.0), (a, 3.0)))
np.nan_to_num(v, nan=1.0)
np.unwrap(4.0 * v)
np.i0(v)
np.sinc(v)
np.heaviside(v, a)
np.ldexp(v, 2)
np.nextafter(v, w)
np.real(v) + np.conj(v) - np.imag(v)
np.hamming(5) * v + np.kaiser(5, 2.0) + np.bartlett(5) + np.blackman(5) + np.hanning(5)
np.repeat(v, [1, 0, 2, 1, 3])
np.repeat(x, [2, 0, 1], axis=0)
np.tile(x, (2, 1))
np.sum(x, 0, None)
np.var(x, 0, None, None, 1)
np.std(v, ddof=1)
np.nansum(np.where(x > 1.0, np.nan, x), axis=0)
np.nanmean(np.where(x > 0.5, np.nan, x))
np.nanmax(np.where(x > 1.0, np.nan, x), axis=0)
np.isclose(v, w) * v
np.tri(5) * v
np.tri(5, 4, -1) * v[:4]
np.permute_dims(x, (1, 0)) * np.matrix_transpose(x)
np.concat([v, w]) * np.concatenate((v, w))
x.take([1, 2], axis=0)
x.repeat(2)
np.spacing(v) + v
np.float_power(w, a)
np.fabs(v) + np.cbrt(w) + np.exp2(v) + np.log2(w)
np.diagflat(v, 1)
np.fix(v) + v
np.indices((2, 5))[1] * v
np.pow(w, 2)
x[:, :3][np.diag_indices_from(x[:, :3])]
np.apply_over_axes(np.sum, x, [0, 1])
np.astype(v, np.float64)
x.mT @ x
np.sum(x, axis=0, where=x > 0.0)
np.sum(x, where=[True, False, True, True])
np.mean(x, axis=1, where=np.array([[True], [False], [True]]) | (x[:1] > 0.0))
np.mean(x, axis=0, where=np.array([[True], [False], [True]]))
np.nanvar(np.where(x > 1.0, np.nan, x), where=[True, False, True, True])
np.std(x, axis=1, where=x > 0.0, ddof=1, keepdims=True)
x.mean(0, where=x > 0.0)
np.polyadd(v, w[:3]) * np.polysub(w[:3], v)
np.polyadd(v, a)
np.polymul(v, w[:3])
np.polymul(v, a)
np.polydiv(v, w[:3])[0]
np.polydiv(v, w[:3])[1] * np.array([1.0, a])
np.polydiv(np.polymul(v, w[:3]), v)[0] * w[:3]
np.polydiv(v, a)[0]
np.polydiv(w[:2], v)[1]
np.polyder(v)
np.polyder(v, 3)
np.polyder(v, m=0)
np.polyint(v)
np.polyint(v, 3)
np.polyint(v, 2, k=a)
np.polyint(v, 3, k=[a, 1.0, v[2]])
np.polyint(v, 2, k=w[:2])
np.real(np.roots(v))
np.abs(np.roots(w)) * np.arange(4.0)
np.imag(np.roots(np.append(w, 0.0)) ** 2)
np.real(np.linalg.eigvals(x[:, :3]))
np.imag(np.linalg.eigvals(np.stack([x[:, :3], x[:, 1:]])) ** 3)
np.abs(np.linalg.eig(x[:, :3])[0])
np.real(np.linalg.eig(x[:, :3])[1] ** 2)
np.imag(np.linalg.eig(x[:, 1:])[1]) * np.arange(3.0)
np.real(np.linalg.eig(np.stack([x[:, :3], x[:, 1:]])).eigenvectors)
np.real(np.linalg.solve(x[:, :3] + 2j * np.eye(3), v[:3]))
np.abs(np.linalg.inv(1j * a * np.eye(3) - x[:, :3]))
np.polyfit(w, v, 2)
np.polyfit(w, v, 1, w=w**2)
np.polyfit(np.arange(5.0), np.stack([v, w], axis=1), 1)
np.poly(v)
np.polyval(np.poly(v), a)
np.trim_zeros(np.where(v > 0.5, v, 0.0))
np.trim_zeros(np.where(v < 0.5, v, 0.0), "f")
np.unique_values(v) ** 2
np.vecdot(v, w)
np.vecdot(x, x[0])
np.vecdot(x, x**2, axis=0)
np.matvec(x, v[:4])
np.matvec(x, x)
np.vecmat(v[:3], x)
np.linalg.vecdot(x, np.cos(x), axis=0)
np.linalg.cross(x[:, :3], x[:, 1:])
np.linalg.cross(x, np.cos(x), axis=0)
np.cross(x, np.cos(x), axisa=0, axisb=0, axisc=0)
np.cross(np.stack([x, 2.0 * x]), x, axisa=1, axisb=0)
np.linalg.diagonal(np.stack([x, 2.0 * x]))
np.linalg.diagonal(np.stack([x, x**2]), offset=-1)
np.linalg.trace(np.stack([x, x**2]), offset=1)
np.linalg.matrix_transpose(x) ** 2
np.linalg.outer(v, w)
np.linalg.vector_norm(x)
np.linalg.vector_norm(x, axis=1, ord=3)
np.linalg.vector_norm(np.stack([x, x**2]), axis=(2, 0), keepdims=True)
np.linalg.vector_norm(x, keepdims=True, ord=1)
np.linalg.matrix_norm(np.stack([x, x**2]))
np.linalg.matrix_norm(x, ord=1, keepdims=True)
np.linalg.tensorinv((x[:, :3] + 3.0 * np.eye(3)).reshape(3, 1, 3), ind=1)
np.fft.fftshift(v) * np.fft.ifftshift(v)
np.fft.fftshift(x, axes=1)
np.fft.fftfreq(5, a) * v
np.fft.rfftfreq(5, d=a)
np.einsum(x, [0, 1], [1, 0])
np.einsum(x, [0, 1], v[:4], [1], [0])
np.einsum(x, (0, 1), x, (0, 2))
np.einsum(x, [0, ...], v[:3], [0], [...])
np.einsum("ij->ji", x)
np.einsum("ii->i", x[:, :3])
np.einsum("iij->ji", np.stack([x[:2], x[1:]]))
np.einsum("i...->...i", np.stack([x, x**2]))
np.einsum("ij", x) ** 2
np.vstack(x) ** 2
np.hstack(x) ** 2
np.column_stack(v) ** 2
np.column_stack(x) ** 2
np.dstack(x) * 2.0
np.vstack(np.stack([x, x**2])) ** 2
np.hstack(np.stack([x, x**2])) ** 2
np.stack(x, axis=1) ** 2
np.concatenate(x) ** 2
np.concatenate(np.stack([x, x**2]), axis=1)
np.r_[v, a, w]
np.r_[x, 2.0 * x]
np.r_[a, 0.0:2.0:0.5, v]
np.c_[v, w]
np.c_[x, v[:3]]
np.c_[x, x**2]
np.abs(np.fft.rfft(v)) ** 2
np.abs(np.fft.fft(x, axis=0))
np.fft.irfft(np.fft.rfft(v) * w[:3], 5)
np.fft.irfft(np.fft.rfft(x))
np.fft.irfft(np.fft.rfft(v, 8), norm="forward")
np.real(np.fft.ifft(np.fft.fft(v) ** 2))
np.angle(np.fft.rfft(v + a, norm="ortho"))
np.real(np.fft.fft2(x)) * np.imag(np.fft.ifft2(x**2))
np.fft.irfft2(np.fft.rfft2(x) * np.fft.rfft2(x**2), (3, 4))
np.abs(np.fft.fftn(x, s=(4, 3), axes=(0, 1)))
np.abs(np.fft.rfftn(x, axes=(1, 0)))
np.fft.irfftn(np.fft.rfftn(np.stack([x, x**2]), axes=(0, 2)), s=(2, 4), axes=(0, 2))
np.fft.irfftn(np.fft.rfftn(x), (5, 2), (0, 1))
np.abs(np.fft.ifftn(np.fft.fftn(x) ** 2, axes=(1,)))
np.fft.hfft(np.exp(1j * v))
np.abs(np.fft.ihfft(v, 4))
np.abs(np.fft.fftshift(np.fft.fft(v)) + 1j * v)
np.abs(np.exp(1j * v) / (w + 2j)) * np.log(v + 3j).imag
np.real(np.conj(np.sqrt(v + 1j)) @ np.sin(w * 1j))
abs(np.exp(1j * a) + a**2)
np.abs((x + 1j) @ (x.T * 2j))
np.sum(np.fft.fft(v)[1:3]).imag
""".strip().splitlines()


def points() -> dict[str, Any]:
    rng = np.random.default_rng(7)
    return {
        "x": rng.normal(size=(3, 4)),
        "v": rng.normal(size=5),
        "w": rng.random(5) + 0.4,
        "a": 0.7,
    }


def program(expression: str) -> Callable[..., Any]:
    """The weighted sum of what an expression gives."""
    names = [name for name in points() if name in identifiers(expression)]
    shape = np.shape(eval(expression, {"np": np, **points()}))
    weights = np.random.default_rng(1).normal(size=shape)
    source = (
        f"def f({', '.join(names)}):\n    return np.sum(({expression}) * weights)\n"
        if np.ndim(weights)
        else f"def f({', '.join(names)}):\n    return ({expression}) * 1.5\n"
    )
    file = f"<expression {expression}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    space: dict[str, Any] = {"np": np, "weights": weights}
    exec(compile(source, file, "exec"), space)
    return space["f"]  # type: ignore[no-any-return]


def identifiers(expression: str) -> set[str]:
    return set(compile(expression, "", "eval").co_names) | {
        name
        for constant in compile(expression, "", "eval").co_consts
        if hasattr(constant, "co_names")
        for name in constant.co_names
    }


def differences(function: Callable[..., Any], arguments: list[Any], place: int) -> Any:
    """Central differences, with one extrapolation."""
    base = np.asarray(arguments[place], dtype=float)
    result = np.zeros(base.shape)

    def value(where: tuple[int, ...], step: float) -> float:
        moved = base.copy()
        moved[where] += step
        changed = list(arguments)
        changed[place] = moved if base.ndim else float(moved)
        return float(function(*changed))

    for where in np.ndindex(base.shape):
        coarse, fine = (
            (value(where, step) - value(where, -step)) / (2.0 * step) for step in (2e-4, 1e-4)
        )
        result[where] = (4.0 * fine - coarse) / 3.0
    return result


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expression(expression: str) -> None:
    function = program(expression)
    names = list(function.__code__.co_varnames)
    arguments = [points()[name] for name in names]
    wrt = tuple(range(len(names)))
    value, grads = s2s_ad.value_and_grad(function, wrt=wrt)(*arguments)
    expected = function(*arguments)
    assert np.array_equal(value, expected, equal_nan=True)
    for place in wrt:
        found = differences(function, arguments, place)
        np.testing.assert_allclose(grads[place], found, rtol=1e-7, atol=1e-7)
        assert np.shape(grads[place]) == np.shape(arguments[place])
    rng = np.random.default_rng(3)
    directions = [rng.normal(size=np.shape(each)) if np.ndim(each) else 0.3 for each in arguments]
    _, tangent = s2s_ad.jvp(function, tuple(arguments), tuple(directions))
    total = sum(float(np.sum(g * d)) for g, d in zip(grads, directions, strict=True))
    np.testing.assert_allclose(tangent, total, rtol=1e-9, atol=1e-11)


# Programs -----------------------------------------------------------------------------------------


def fill_diagonal(x, a):  # type: ignore[no-untyped-def]
    y = np.sin(x)
    np.fill_diagonal(y, a)
    return np.sum(y * x)


def put(v, a):  # type: ignore[no-untyped-def]
    y = v**2
    np.put(y, [0, 3], a * v[:2])
    np.putmask(y, v > 1.0, a)
    return np.sum(y * v)


def copy_to(x, v):  # type: ignore[no-untyped-def]
    y = x * x
    np.copyto(y, v[:4], where=x > 0.3)
    return np.sum(y * x)


def put_along_axis(x, v):  # type: ignore[no-untyped-def]
    y = x * x
    largest = np.argmax(x, axis=1, keepdims=True)
    np.put_along_axis(y, largest, 0.5 * v[:3].reshape(3, 1), axis=1)
    return np.sum(y * x)


def change_at(v, w):  # type: ignore[no-untyped-def]
    y = w * w
    np.maximum.at(y, [0, 2, 2], v[:3])
    np.multiply.at(y, np.array([1, 1, 4]), v[0])
    np.logaddexp.at(y, [3, 3], v[3:])
    return np.sum(y * w)


@pytest.mark.parametrize("function", [fill_diagonal, put, copy_to, put_along_axis, change_at])
def test_writes(function: Callable[..., Any]) -> None:
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    arguments = [points()[name] for name in names]
    before = [np.copy(each) for each in arguments]
    wrt = tuple(range(len(names)))
    value, grads = s2s_ad.value_and_grad(function, wrt=wrt)(*arguments)
    assert value == function(*arguments)
    for place in wrt:
        found = differences(function, arguments, place)
        np.testing.assert_allclose(grads[place], found, rtol=1e-7, atol=1e-7)
        assert np.array_equal(arguments[place], before[place])


# Not a number -------------------------------------------------------------------------------------

WITH_NAN = """
np.nansum(x)
np.nansum(x, axis=0)
np.nanmean(x, axis=1)
np.nanprod(x, axis=0)
np.nanvar(x, axis=0, ddof=1)
np.nanmean(x, axis=1, where=x < 1.5)
np.nanmean(x, where=np.abs(x) < 1.5, keepdims=True)
np.nanvar(x, axis=0, where=x < 2.0, ddof=1)
np.nanstd(x, where=x < 1.5)
np.nanstd(x, axis=1, keepdims=True)
np.nanmax(x, axis=0)
np.nanmin(x)
np.nanmedian(x)
np.nanmedian(x, axis=0)
np.nanquantile(x, 0.3, axis=1)
np.nanpercentile(x, 60.0)
np.nancumsum(x, axis=1)
np.nancumprod(x)
np.nan_to_num(x, nan=3.0)
""".strip().splitlines()


@pytest.mark.parametrize("expression", WITH_NAN)
def test_nan_is_left_out(expression: str) -> None:
    """The slope in a NaN is 0, and those in the others are right."""
    x = points()["x"]
    x[0, 1] = x[2, 3] = np.nan
    shape = np.shape(eval(expression, {"np": np, "x": x}))
    weights = np.random.default_rng(1).normal(size=shape)
    source = f"def f(x):\n    return np.sum(({expression}) * weights)\n"
    file = f"<nan {expression}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    space: dict[str, Any] = {"np": np, "weights": weights}
    exec(compile(source, file, "exec"), space)
    found = s2s_ad.grad(space["f"])(x)
    expected = differences(space["f"], [x], 0)
    expected[np.isnan(x)] = 0.0
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-7)


# Types --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression",
    ["np.sum(x, 0, np.float32)", "np.max(x, 0, x)", "np.cumsum(x, 0, np.float32)"],
)
def test_arguments_by_position_are_those_of_numpy(expression: str) -> None:
    """A dtype or `out` by position is not taken for the catalogue's next parameter."""
    source = f"def f(x):\n    return np.sum({expression})\n"
    file = f"<position {expression}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    space: dict[str, Any] = {"np": np}
    exec(compile(source, file, "exec"), space)
    with pytest.raises(s2s_ad.DifferentiationError):
        s2s_ad.grad(space["f"])(points()["x"])


@pytest.mark.parametrize(
    "expression",
    [each for each in EXPRESSIONS if "x" in identifiers(each) and "a" not in identifiers(each)],
)
def test_single_precision(expression: str) -> None:
    """float32 in, float32 out, and near the gradient in float64."""
    function = program(expression)
    names = list(function.__code__.co_varnames)
    double = [points()[name] for name in names]
    single = [np.asarray(each, dtype=np.float32) for each in double]
    wrt = tuple(range(len(names)))
    if expression.startswith(("np.nanmean", "np.nanvar", "np.nanstd")) and "where=" in expression:
        with pytest.raises(s2s_ad.DifferentiationError, match="double precision"):
            s2s_ad.grad(function, wrt=wrt)(*single)
        return
    expected = s2s_ad.grad(function, wrt=wrt)(*double)
    for found, exact in zip(s2s_ad.grad(function, wrt=wrt)(*single), expected, strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, exact, rtol=1e-3, atol=1e-3)


def counted(t):
    k = 1
    return k if t > 0.0 else t * t


def rounded(t):
    return int(t) if t > 0.0 else t


@pytest.mark.parametrize("function", [counted, rounded])
def test_results_that_may_be_integers_are_refused(function: Callable[..., Any]) -> None:
    point = np.array([0.5, -0.7])
    with pytest.raises(s2s_ad.DifferentiationError, match="may be an integer"):
        s2s_ad.grad(lambda x: np.sum(np.vectorize(function)(x)))(point)
    with pytest.raises(s2s_ad.DifferentiationError, match="may be an integer"):
        s2s_ad.grad(lambda x: np.sum(np.apply_along_axis(lambda r: function(r[0]), 1, x)))(
            point[:, None]
        )
    slope = s2s_ad.grad(lambda x: np.sum(np.vectorize(counted, otypes=[float])(x)))(point)
    assert np.array_equal(slope, [0.0, -1.4])


def factors(x):  # type: ignore[no-untyped-def]
    return np.linalg.qr(x.T)


def test_adjoints_of_results_that_have_names() -> None:
    """A program may ask for `qr(x).Q`; who calls its pullback has a tuple."""
    x = points()["x"]
    rng = np.random.default_rng(13)
    (q, r), pullback = s2s_ad.vjp(factors, x)
    direction, for_q, for_r = (
        rng.normal(size=(3, 4)),
        rng.normal(size=q.shape),
        rng.normal(size=r.shape),
    )
    (grad,) = pullback((for_q, for_r))
    moved_q, moved_r = s2s_ad.jvp(factors, (x,), (direction,))[1]
    expected = float(np.sum(moved_q * for_q) + np.sum(moved_r * for_r))
    np.testing.assert_allclose(np.sum(grad * direction), expected, rtol=1e-12)
