"""Calls of SciPy as users write them: value to the last bit, gradients against central differences,
forward against reverse mode, and the gradient differentiated again.

Each program is an expression in `s` and `u` (signals of 11), `z` (two signals of 9), `v` (4
numbers) and `p` (3 positive numbers); its elements are summed with weights.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import s2s_ad
from tests.operations.test_numpy_calls import differences, identifiers

pytest.importorskip("scipy", reason="SciPy is an extra")

import scipy
import scipy.linalg
import scipy.signal
import scipy.stats

EXPRESSIONS = """
np.abs(scipy.signal.stft(s, nperseg=6)[2])
np.real(scipy.signal.stft(z, nperseg=5, noverlap=2, nfft=8, scaling="psd", fs=3.0)[2])
np.imag(scipy.signal.stft(s, window=np.hamming(6), nperseg=6, boundary=None, padded=False)[2])
np.real(scipy.signal.stft(s, nperseg=4, detrend="linear", return_onesided=False)[2])
scipy.signal.stft(s, nperseg=4)[1] * np.real(scipy.signal.stft(s, nperseg=4)[2])
scipy.signal.istft(scipy.signal.stft(s, nperseg=6)[2], nperseg=6)[1]
scipy.signal.istft(scipy.signal.stft(z, nperseg=5)[2] ** 2, nperseg=5, boundary=False)[1]
scipy.signal.istft(scipy.signal.stft(s, nperseg=4, nfft=6)[2], nperseg=4, nfft=6, scaling="psd")[1]
scipy.signal.welch(s, nperseg=6)[1]
scipy.signal.welch(s, nperseg=8, window="boxcar", average="mean")[1]
scipy.signal.welch(z, nperseg=5, fs=2.0, detrend=False, scaling="spectrum", nfft=8)[1]
scipy.signal.welch(s, window=np.hanning(4), return_onesided=False)[1]
np.real(scipy.signal.csd(s, u, nperseg=6)[1])
np.imag(scipy.signal.csd(z, z**2, nperseg=4, noverlap=1)[1])
np.abs(scipy.signal.csd(s, s * u, nperseg=5, return_onesided=False)[1])
scipy.linalg.convolution_matrix(v, 3)
scipy.linalg.convolution_matrix(v, 2, mode="same")
scipy.linalg.convolution_matrix(v, 6, "valid")
scipy.linalg.fiedler_companion(v)
scipy.linalg.fiedler_companion(s)
scipy.stats.multinomial.logpmf([1, 0, 2], 3, p / np.sum(p))
scipy.stats.multinomial.pmf(np.array([[1, 0, 2], [1, 1, 1]]), 3, p / np.sum(p))
scipy.stats.poisson.entropy(10.0 * p)
scipy.stats.poisson.entropy(p[0])
scipy.stats.mode(np.stack([v, v, -v]), axis=0)[0]
scipy.stats.mode(v)[0] * v
scipy.stats.norm(v[0], p[1]).logpdf(s)
scipy.stats.norm(scale=p).cdf(v[:3]) * scipy.stats.gamma(2.5, scale=p).logpdf(p)
scipy.stats.poisson(p).logpmf(np.array([0, 1, 4]))
scipy.stats.multivariate_normal(v[:3], np.diag(p)).logpdf(p)
scipy.signal.convolve(s, v, method="fft")
scipy.signal.convolve(z, z[:, :3], mode="same", method="direct")
scipy.stats.rankdata(v) * v
scipy.stats.rankdata(z, axis=1, method="min") * z
""".strip().splitlines()


def points() -> dict[str, Any]:
    rng = np.random.default_rng(11)
    return {
        "s": rng.normal(size=11),
        "u": rng.normal(size=11),
        "z": rng.normal(size=(2, 9)),
        "v": rng.normal(size=4),
        "p": rng.random(3) + 0.2,
    }


def program(expression: str) -> Callable[..., Any]:
    """The weighted sum of what an expression gives."""
    names = [name for name in points() if name in identifiers(expression)]
    shape = np.shape(eval(expression, {"np": np, "scipy": scipy, **points()}))
    weights = np.random.default_rng(1).normal(size=shape)
    source = f"def f({', '.join(names)}):\n    return np.sum(({expression}) * weights)\n"
    file = f"<expression {expression}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    space: dict[str, Any] = {"np": np, "scipy": scipy, "weights": weights}
    exec(compile(source, file, "exec"), space)
    return space["f"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expression(expression: str) -> None:
    function = program(expression)
    arguments = [points()[name] for name in function.__code__.co_varnames]
    places = tuple(range(len(arguments)))
    gradient = s2s_ad.value_and_grad(function, wrt=places)
    value, grads = gradient(*arguments)
    assert np.array_equal(value, function(*arguments))
    for place in places:
        found = differences(function, arguments, place)
        np.testing.assert_allclose(grads[place], found, rtol=1e-7, atol=1e-7)
    rng = np.random.default_rng(3)
    directions = tuple(rng.normal(size=np.shape(each)) for each in arguments)
    _, tangent = s2s_ad.jvp(function, tuple(arguments), directions)
    total = sum(float(np.sum(g * d)) for g, d in zip(grads, directions, strict=True))
    np.testing.assert_allclose(tangent, total, rtol=1e-9, atol=1e-11)
    curved = s2s_ad.jvp(s2s_ad.grad(function), tuple(arguments), directions)[1]

    def moved(step: float) -> Any:
        return gradient(*(x + step * d for x, d in zip(arguments, directions, strict=True)))[1][0]

    quotients = [(moved(h) - moved(-h)) / (2.0 * h) for h in (2e-4, 1e-4)]
    expected = (4.0 * quotients[1] - quotients[0]) / 3.0
    np.testing.assert_allclose(curved, expected, rtol=1e-6, atol=1e-6)
