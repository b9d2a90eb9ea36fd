"""The volume of a van der Waals gas, in reduced units: the root of its equation of state.

The derivatives follow from the equation by the implicit function theorem, not from the iteration.
"""

from __future__ import annotations

from scipy.optimize import brentq


def pressure_error(volume: float, pressure: float, temperature: float) -> float:
    gas = 8.0 * temperature / (3.0 * volume - 1.0) - 3.0 / volume**2
    return gas - pressure


def volume(pressure: float, temperature: float) -> float:
    return brentq(pressure_error, 0.6, 1e3, args=(pressure, temperature), xtol=1e-14)


if __name__ == "__main__":
    from s2s_ad import value_and_grad

    print(value_and_grad(volume)(1.2, 1.5))
