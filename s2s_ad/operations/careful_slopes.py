"""Helpers for slopes of special functions whose plain formulas lose digits by cancellation.

They are helpers as those of `helpers.py` are, which has them too, and obey its rules.
"""

from typing import Any

import numpy as np


def digamma_rise(x: Any, d: Any) -> Any:
    """`digamma(x + d) - digamma(x)` without cancellation: DLMF 5.5.2 up to 10, then 5.11.2;
    arguments below -1000 are reflected (5.5.4).
    """
    y = x + d
    left, right = x < -1000.0, y < -1000.0
    # distances from the poles; of those that are not reflected half a period, where cot is 0
    near_x = np.where(left, x - np.rint(x), 0.5)
    near_y = np.where(right, y - np.rint(y), 0.5)
    between = np.where(left & right, d - (np.rint(y) - np.rint(x)), near_y - near_x)
    reflected = np.sin(np.pi * between) / (np.sin(np.pi * near_x) * np.sin(np.pi * near_y))
    x, y = np.where(left, 1.0 - x, x), np.where(right, 1.0 - y, y)
    d = np.where(left & right, -d, np.where(left | right, y - x, d))
    rise = np.pi * reflected
    for _ in range(int(np.clip(10.0 - np.min(np.minimum(x, y), initial=10.0), 0.0, 1010.0)) + 1):
        rise = rise + d / (x * y)
        x, y = x + 1.0, y + 1.0
    u, v = 1.0 / (x * x), 1.0 / (y * y)
    # the difference of the series, by u^k - v^k = (u - v) (u^(k - 1) + ... + v^(k - 1))
    powers, last, series = 1.0, 1.0, 1.0 / 12.0
    for coefficient in (-1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12):
        last = last * v
        powers = powers * u + last
        series = series + coefficient * powers
    rise = rise + np.log1p(d / x) + d / (2.0 * x * y) + d * (x + y) * u * v * series
    return rise[()]


def sinc_derivative(x: Any, n: Any) -> Any:
    """The derivative of order n of `np.sinc`: a series near 0, where the recurrence cancels."""
    near = np.abs(x) < 0.25 * (n + 1)
    small: Any = np.where(near, x, 0.0)
    series: Any = 0.0
    for k in reversed(range((n + 1) // 2, n + 12)):
        factors = (2 * k + 1) * np.prod(np.arange(1.0, 2 * k - n + 1))
        series = series * small * small + float((-1) ** k * np.pi ** (2 * k) / factors)
    series = series * small ** (n % 2)
    far = np.where(near, 1.0, x)
    value = np.sinc(far)
    for m in range(1, n + 1):  # x * sinc(x) is a sine: the m-th derivative of that
        wave = np.cos(np.pi * far) if m % 2 else np.sin(np.pi * far)
        value = (np.pi ** (m - 1) * (-1.0) ** (m // 2) * wave - m * value) / far
    return np.where(near, series, value)[()]


def ellipk_slope(q: Any) -> Any:
    """The derivative of `ellipk` at 1 - q: DLMF 19.25.1."""
    import scipy.special

    return scipy.special.elliprd(0.0, 1.0, q) / 6.0


def ellipe_slope(q: Any) -> Any:
    """The derivative of `ellipe` at 1 - q: DLMF 19.25.1."""
    import scipy.special

    return scipy.special.elliprd(0.0, q, 1.0) / -6.0


def rgamma_slope(x: Any) -> Any:
    """The derivative of `rgamma`, by reflection (DLMF 5.5.3) where digamma has poles."""
    import scipy.special

    left = x < 0.5
    y, z = np.where(left, 1.0 - x, 1.0), np.where(left, 1.0, x)
    sine = scipy.special.digamma(y) * np.sin(np.pi * x) / np.pi
    reflected = scipy.special.gamma(y) * (np.cos(np.pi * x) - sine)
    return np.where(left, reflected, -scipy.special.rgamma(x) * scipy.special.digamma(z))[()]
