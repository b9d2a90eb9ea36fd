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


def odeint_together(slopes: Any, start: Any, t: Any, args: Any = (), **options: Any) -> Any:
    """Quantities of any shape at the times `t`, where `slopes(*quantities, time, *args)` is how
    each of them moves. Raises RuntimeError where `odeint` has given up.
    """
    import scipy.integrate

    shapes = [np.shape(part) for part in start]
    bounds = np.cumsum([np.size(part) for part in start])[:-1]

    def slope(state: Any, time: float, *others: Any) -> Any:
        parts = zip(np.split(state, bounds), shapes, strict=True)
        moves = slopes(*(part.reshape(shape)[()] for part, shape in parts), time, *others)
        return np.concatenate([np.ravel(move) for move in moves])

    state = np.concatenate([np.ravel(part) for part in start])
    found = scipy.integrate.odeint(slope, state, t, args, full_output=True, **options)
    parts = zip(np.split(integrated(found), bounds, axis=1), shapes, strict=True)
    return [part.reshape(len(t), *shape) for part, shape in parts]
