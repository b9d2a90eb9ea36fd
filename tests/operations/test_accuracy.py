"""Derivatives of special functions keep the digits that the function's own condition allows."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy", reason="SciPy is an extra")
pytest.importorskip("mpmath", reason="mpmath is needed for what is exact")

import s2s_ad
from tests.operations.accuracy import ROWS, Row, differentiated, errors


@pytest.mark.parametrize("row", ROWS, ids=[row.call for row in ROWS])
def test_digits_of_derivatives(row: Row) -> None:
    with np.errstate(all="ignore"):
        found = differentiated(row.call)(np.array(row.points))
    worst = max(zip(errors(row, found), row.points, strict=True))
    assert worst[0] <= row.bound, f"an error of {worst[0]:.3g} units at {worst[1]}"


def test_sinc_is_smooth_at_0() -> None:
    """The second and fourth derivatives are -pi^2 / 3 and pi^4 / 5, not those of a constant."""

    def sinc(x: float) -> float:
        return np.sinc(x)

    second = s2s_ad.hessian(sinc)
    assert np.isclose(second(0.0), -(np.pi**2) / 3.0, rtol=1e-15)
    assert np.isclose(second(1e-9), -(np.pi**2) / 3.0, rtol=1e-15)
    assert s2s_ad.grad(sinc)(0.0) == 0.0
