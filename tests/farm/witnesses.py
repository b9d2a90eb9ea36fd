"""Other ways to a derivative, for programs that are in their language: the complex step, autograd,
the generated code compiled by Numba. Each gives None for a program that it does not take.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.numerics import leaves_of

STEP = 1e-150
# not analytic, or not of complex numbers
KINKED = {"abs", "max", "min", "float", "fabs", "maximum", "minimum", "sign", "absolute"}
REAL = {"math", "norm", "linalg", "scipy", "conjugate", "real", "imag", "angle", "sort", "median"}


def is_analytic(text: str) -> bool:
    """Whether the text calls only what complex numbers pass through as the real ones do."""
    nodes = list(ast.walk(ast.parse(text)))
    names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    names |= {node.id for node in nodes if isinstance(node, ast.Name)}
    return not names & (KINKED | REAL)


def complex_step(
    primal: Callable[..., Any], arguments: Sequence[Any], directions: Sequence[Any], seeds: Any
) -> float | None:
    """The derivative along a direction, to the last digits; None if complex numbers do not get
    through.
    """
    moved = [
        _copied(x) if d is None else np.asarray(x) + 1j * STEP * np.asarray(d)
        for x, d in zip(arguments, directions, strict=True)
    ]
    moved = [x[()] if isinstance(x, np.ndarray) and not x.ndim else x for x in moved]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an imaginary part that is dropped
            found = leaves_of(primal(*moved))
    except Exception:
        return None
    if not any(np.iscomplexobj(leaf) for leaf in found):
        return None
    pairs = zip(found, seeds, strict=True)
    return float(sum(np.sum(np.imag(leaf) / STEP * seed) for leaf, seed in pairs))


def _copied(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value


def by_autograd(text: str, arguments: Sequence[Any], places: Sequence[int]) -> Any:
    """The value and the gradients that autograd gives; None if it refuses, or is not installed."""
    try:
        import autograd
    except ImportError:
        return None
    names: dict[str, Any] = {"__name__": "autograd_case"}
    exec(text.replace("import numpy as np", "import autograd.numpy as np"), names)
    copies = [_copied(x) for x in arguments]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return autograd.value_and_grad(names["f"], list(places))(*copies)
    except Exception:
        return None


def by_numba(names: dict[str, Any], name: str, arguments: Sequence[Any]) -> Any:
    """What the generated function gives when Numba compiles it; None if it does not."""
    try:
        import numba
    except ImportError:
        return None
    compiled = {
        key: numba.njit(value) if callable(value) and hasattr(value, "__code__") else value
        for key, value in names.items()
    }
    scope: dict[str, Any] = names[name].__globals__
    before = dict(scope)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scope.update(compiled)
            return compiled[name](*[_copied(x) for x in arguments])
    except Exception:
        return None
    finally:
        scope.update(before)
