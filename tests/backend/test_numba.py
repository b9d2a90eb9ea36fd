"""Numba compiles what is generated from loops over numbers and arrays, entry checks apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.golden import Request, module_text
from tests.test_numba import without_checks

numba = pytest.importorskip("numba")

PROGRAMS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "recurrence": (
        """
def f(x: float, n: int) -> float:
    s = 1.0
    for i in range(n):
        s = s * x + 0.1 * np.sin(s)
    return s
""",
        (0.7, 5),
    ),
    "stencil": (
        """
def f(u0: "Float[Array, 'n']", alpha: float, steps: int) -> float:
    u = u0.copy()
    for t in range(steps):
        for i in range(1, len(u) - 1):
            u[i] = u[i] + alpha * (u[i - 1] - 2.0 * u[i] + u[i + 1])
    return np.sum(u * u)
""",
        (np.linspace(0.0, 1.0, 7) ** 2, 0.3, 4),
    ),
    "root": (
        """
def f(a: float) -> float:
    y = a
    while abs(y * y - a) > 1e-12:
        y = 0.5 * (y + a / y)
    return y
""",
        (2.0,),
    ),
    "branches in a loop": (
        """
def f(x: "Float[Array, 'n']", a: float) -> float:
    s = 0.0
    for i in range(len(x)):
        if x[i] > a:
            s = s + x[i] * x[i] * a
        else:
            s = s - np.sin(x[i] * a)
        if s > 50.0:
            break
    return s
""",
        (np.linspace(-1.0, 2.0, 9), 0.6),
    ),
    "buffers": (
        """
def f(x: "Float[Array, 'n']", a: float, steps: int) -> float:
    u = x.copy()
    w = np.zeros_like(u)
    for t in range(steps):
        w[1:] = a * u[1:] * u[:-1]
        u, w = w, u
    return np.sum(u)
""",
        (np.linspace(0.5, 1.5, 6), 0.8, 3),
    ),
}


@pytest.mark.parametrize("title", PROGRAMS)
@pytest.mark.parametrize("level", [0, 1])
def test_the_compiled_gradient_is_the_same(title: str, level: int) -> None:
    text, arguments = PROGRAMS[title]
    module = module_text("import numpy as np\n\n" + text, Request(level=level))
    namespace: dict[str, Any] = {}
    exec(without_checks(module), namespace)
    expected = namespace["grad_f"](*arguments)
    found = numba.njit(namespace["grad_f"])(*arguments)
    if not isinstance(expected, tuple):
        expected, found = (expected,), (found,)
    for left, right in zip(expected, found, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-13)
