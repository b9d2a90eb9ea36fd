"""Derivatives of special functions keep the digits that the function's own condition allows."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy", reason="SciPy is an extra")
pytest.importorskip("mpmath", reason="mpmath is needed for what is exact")

import scipy.special

import s2s_ad
from s2s_ad.operations import catalogue
from tests.operations.accuracy import ROWS, Row, differentiated, errors


@pytest.mark.parametrize("row", ROWS, ids=[row.call for row in ROWS])
def test_digits_of_derivatives(row: Row) -> None:
    with np.errstate(all="ignore"):
        found = differentiated(row.call)(np.array(row.points))
    worst = max(zip(errors(row, found), row.points, strict=True))
    assert worst[0] <= row.bound, f"an error of {worst[0]:.3g} units at {worst[1]}"


NOT_IN_ROWS = {
    # of several elements: tests/operations/test_rules.py has their derivatives
    *("scipy.special.logsumexp", "scipy.special.softmax", "scipy.special.log_softmax"),
}


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, op in catalogue().operations.items()
        if op.rules and name.startswith("scipy.special.") and not name.endswith("]")
    ],
)
def test_every_special_function_has_a_row(name: str) -> None:
    short = name.removeprefix("scipy.special.")
    assert name in NOT_IN_ROWS or any(row.call.startswith(f"sp.{short}(") for row in ROWS)


@pytest.mark.parametrize("x", [0.0, -1.0, -2.0, -5.0])
def test_reciprocal_of_gamma_at_its_zeros(x: float) -> None:
    """(-1)^n n! at -n, where digamma has poles."""
    slope = differentiated("sp.rgamma(x)")(np.array([x]))
    exact = (-1.0) ** int(-x) * scipy.special.factorial(-x)
    np.testing.assert_allclose(slope, [exact], rtol=4e-15)


def test_elliptic_integrals_at_0() -> None:
    """pi / 8 and -pi / 8, where the usual formulas are 0 / 0."""
    for call, exact in (("sp.ellipk(x)", np.pi / 8.0), ("sp.ellipe(x)", -np.pi / 8.0)):
        np.testing.assert_allclose(differentiated(call)(np.array([0.0])), [exact], rtol=1e-15)


def test_sinc_is_smooth_at_0() -> None:
    """The second and fourth derivatives are -pi^2 / 3 and pi^4 / 5, not those of a constant."""

    def sinc(x: float) -> float:
        return np.sinc(x)

    second = s2s_ad.hessian(sinc)
    assert np.isclose(second(0.0), -(np.pi**2) / 3.0, rtol=1e-15)
    assert np.isclose(second(1e-9), -(np.pi**2) / 3.0, rtol=1e-15)
    assert s2s_ad.grad(sinc)(0.0) == 0.0
