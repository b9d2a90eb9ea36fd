"""Difference quotients: as exact as they say, and honest where there is no derivative."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from s2s_ad.differences import UNKNOWN, complex_step, noise_of, slopes

Line = Callable[[float], float]

SMOOTH: list[tuple[str, Line, float]] = [
    ("sine", lambda h: math.sin(1.0 + h), math.cos(1.0)),
    ("cube at a root", lambda h: h**3, 0.0),
    ("steep", lambda h: math.exp(5.0 * (1.0 + h) ** 2), 10.0 * math.exp(5.0)),
    ("fast oscillation", lambda h: math.sin(1e3 * (1.0 + h)), 1e3 * math.cos(1e3)),
    ("near the end of its domain", lambda h: math.log(1e-6 + h) if h > -1e-6 else math.nan, 1e6),
    ("close to a kink", lambda h: abs(1e-7 + h), 1.0),
    ("large values", lambda h: 1e300 * (1.0 + h), 1e300),
    ("small slope of a large value", lambda h: 1e6 + 1e-3 * h, 1e-3),
    ("constant", lambda h: 3.0, 0.0),
    ("single precision", lambda h: float(np.sin(np.float32(1.0 + h))), math.cos(1.0)),
    ("smooth to first order only", lambda h: h * abs(h) + 2.0 * h, 2.0),
]


@pytest.mark.parametrize(("line", "expected"), [each[1:] for each in SMOOTH],
                         ids=[each[0] for each in SMOOTH])  # fmt: skip
def test_the_error_is_what_is_estimated(line: Line, expected: float) -> None:
    found = slopes(line, noise_of(line), 1e-8)
    assert not found.is_kink
    assert abs(found.central.value - expected) <= 10.0 * found.central.error
    assert found.central.error <= 1e-4 * max(abs(expected), found.typical)


def test_precision_of_a_smooth_function() -> None:
    found = slopes(math.exp, noise_of(math.exp), 1e-12)
    assert abs(found.central.value - 1.0) < 1e-11


@pytest.mark.parametrize(
    ("line", "left", "right"),
    [
        (abs, -1.0, 1.0),
        (lambda h: max(0.0, math.sin(h)), 0.0, 1.0),
        (lambda h: 1e3 * abs(h) + h, -999.0, 1001.0),
        (lambda h: h**1.5 + 2.0 * h if h >= 0.0 else math.nan, None, 2.0),
        (lambda h: math.floor(2.0 + h) * 1.0 + h, None, 1.0),
    ],
)
def test_kinks_have_the_slopes_of_both_sides(line: Line, left: float | None, right: float) -> None:
    found = slopes(line, noise_of(line), 1e-8)
    assert found.is_kink
    assert found.left is not None
    assert found.right is not None
    assert found.right.value == pytest.approx(right, abs=10.0 * found.right.error)
    if left is None:
        assert not math.isfinite(found.left.error)
    else:
        assert found.left.value == pytest.approx(left, rel=1e-6, abs=1e-6)


def test_a_vertical_tangent_is_not_known() -> None:
    found = slopes(lambda h: math.sqrt(abs(h)), 1e-16, 1e-8)
    assert not found.central.error < 0.01


def test_noise_is_measured_beside_kinks() -> None:
    generator = np.random.default_rng(0)
    noisy = noise_of(lambda h: math.sin(h) + 1e-9 * generator.normal())
    assert 1e-10 < noisy < 1e-8
    assert noise_of(lambda h: 1.0 + abs(h)) < 1e-14


def test_complex_steps_are_taken_from_analytic_functions_only() -> None:
    line = lambda z: np.exp(2.0 + z)  # noqa: E731
    reference = slopes(lambda h: float(line(h)), 1e-15, 1e-8).central
    assert complex_step(line, reference).value == pytest.approx(math.exp(2.0), rel=1e-15)
    wrong = slopes(lambda h: abs(1.0 + h) ** 2, 1e-15, 1e-8).central
    assert complex_step(lambda z: complex(abs(1.0 + z) ** 2), wrong) is UNKNOWN
    assert complex_step(lambda z: complex(math.sin(z)), wrong) is UNKNOWN  # type: ignore[arg-type]
