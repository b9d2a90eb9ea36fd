"""Values as Python text."""

from __future__ import annotations

from typing import Any

import numpy as np


def spelled(value: Any) -> str:
    """An argument as Python text, to the last digit."""
    if isinstance(value, np.ndarray):
        if not value.size:
            return f"np.zeros({value.shape}, np.{value.dtype.name})"
        kind = "" if value.dtype in (float, bool) else f", np.{value.dtype.name}"
        return f"np.array({value.tolist()}{kind})"
    if isinstance(value, np.generic):
        return f"np.{value.dtype.name}({value.item()!r})"
    return repr(value)
