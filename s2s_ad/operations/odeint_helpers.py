"""Helpers that are copied into modules: what `scipy.integrate.odeint` gives, for one quantity or
for several that move together.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def integrated(found: Any) -> Any:
    """What `scipy.integrate.odeint` has found. Raises RuntimeError where it has given up."""
    rows, details = found
    if "successful" not in details["message"] and "time was 0" not in details["message"]:
        raise RuntimeError(f"the differential equation was not solved: {details['message']}")
    return rows


def odeint_together(
    slopes: Any, start: Any, t: Any, args: Any = (), before: Any = (), **options: Any
) -> Any:
    """Quantities of any shape at the times `t`, where `slopes(*quantities, time, *args)` is how
    each of them moves. Raises RuntimeError where `odeint` has given up, and where the first of them
    arrive `before` with less than half of the digits that were asked for: then they are too
    unstable in this direction of time.
    """
    import scipy.integrate

    shapes = [np.shape(part) for part in start]
    bounds = np.cumsum([np.size(part) for part in start])[:-1]

    def slope(state: Any, time: float, *others: Any) -> Any:
        parts = zip(np.split(state, bounds), shapes, strict=True)
        moves = slopes(*(part.reshape(shape)[()] for part, shape in parts), time, *others)
        return np.concatenate([np.ravel(move) for move in moves])

    state = np.concatenate([np.ravel(part) for part in start])
    rows = scipy.integrate.odeint(slope, state, t, args, full_output=True, **options)
    parts = zip(np.split(integrated(rows), bounds, axis=1), shapes, strict=True)
    found = [part.reshape(len(t), *shape) for part, shape in parts]
    rtol, atol = options.get("rtol", 1.5e-8), options.get("atol", 1.5e-8)
    for part, known in zip(found, before, strict=False):
        allowed = np.sqrt(rtol) * np.max(np.abs(known), initial=0.0) + 1e3 * atol
        if not np.all(np.abs(part[-1] - known) <= allowed):
            raise RuntimeError(
                f"the differential equation is unstable backwards from {t[0]} to {t[-1]}: "
                "ask for states at more times in between, or use forward mode"
            )
    return found
