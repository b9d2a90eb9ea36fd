"""Helpers that are copied into modules: adjoints of transforms of overlapping pieces of a signal.

Like those of `helpers.py`, which gives them on, each is one function that needs only NumPy, SciPy
and other helpers.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def stft_adjoint(
    grad: Any,
    size: Any,
    fs: Any,
    window: Any,
    nperseg: Any,
    noverlap: Any,
    nfft: Any,
    detrend: Any,
    boundary: Any,
    scaling: Any,
    onesided: Any,
    padded: Any,
) -> Any:
    """The adjoint of a signal of this size in `scipy.signal.stft`, frequencies and times last.

    Which frequencies there are, and how many pieces, shows in the spectra.
    """
    import scipy.signal

    if isinstance(window, str):
        window = scipy.signal.get_window(window, min(256 if nperseg is None else nperseg, size))
    length = len(window)
    step = length - (length // 2 if noverlap is None else noverlap)
    total = np.sum(window) ** 2 if scaling == "spectrum" else fs * np.sum(window**2)
    pieces = np.fft.fft(np.swapaxes(grad, -1, -2), length if nfft is None else nfft)
    pieces = np.real(pieces[..., :length]) * (window / np.sqrt(total))
    if detrend:
        pieces = scipy.signal.detrend(pieces, type=detrend)
    count, before = np.shape(pieces)[-2], length // 2 if boundary else 0
    whole = np.zeros((*np.shape(pieces)[:-2], max(before + size, (count - 1) * step + length)))
    for k in range(count):
        whole[..., k * step : k * step + length] += pieces[..., k, :]
    return whole[..., before : before + size]


def istft_adjoint(
    grad: Any,
    frequencies: Any,
    count: Any,
    fs: Any,
    window: Any,
    nperseg: Any,
    noverlap: Any,
    nfft: Any,
    boundary: Any,
    scaling: Any,
) -> Any:
    """The adjoint of the pieces' spectra in `scipy.signal.istft`."""
    import scipy.signal

    usual = 2 * (frequencies - 1)
    length = usual if nperseg is None else nperseg
    size = nfft if nfft is not None else length if length == usual + 1 else usual
    if isinstance(window, str):
        window = scipy.signal.get_window(window, length)
    step = length - (length // 2 if noverlap is None else noverlap)
    places = [slice(k * step, k * step + length) for k in range(count)]
    weights = np.zeros((count - 1) * step + length)
    for place in places:
        weights[place] += window**2
    whole = np.zeros((*np.shape(grad)[:-1], len(weights)))
    cut = length // 2 if boundary else 0
    whole[..., cut : len(weights) - cut] = grad
    whole /= np.where(weights > 1e-10, weights, 1.0)
    total = np.sum(window) if scaling == "spectrum" else np.sqrt(fs * np.sum(window**2))
    pieces = np.stack([whole[..., place] for place in places], axis=-2) * (window * total)
    spectra = np.fft.rfft(pieces, size, norm="forward")
    spectra[..., 1 : (size + 1) // 2] *= 2.0  # frequencies that stand for two
    wide = np.zeros((*np.shape(spectra)[:-1], frequencies), dtype=spectra.dtype)
    kept = min(frequencies, np.shape(spectra)[-1])
    wide[..., :kept] = np.conjugate(spectra[..., :kept])
    return np.swapaxes(wide, -1, -2)


def first_of(x: Any, value: Any, axis: Any) -> Any:
    """Which elements are the first along an axis that have a value."""
    equal = x == np.expand_dims(value, axis)
    return equal & (np.cumsum(equal, axis=axis) == 1)


def poisson_counts(mu: Any) -> Any:
    """The counts that Poisson distributions of these means give with a probability that counts."""
    largest = np.max(mu, initial=0.0)
    return np.arange(int(largest + 12.0 * np.sqrt(largest)) + 40)
