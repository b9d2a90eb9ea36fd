"""Patterns of functions: as small as they should be, and refused where they cannot be found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from s2s_ad.diagnostics import DifferentiationError
from s2s_ad.pipeline import Options, derive
from s2s_ad.sparse.pattern import Pattern, pattern_of
from tests.golden import lower

IMPORT = "import numpy as np\n"

JACOBIANS = {
    "slices": ("return x[:-2] - 2.0 * x[1:-1] * x[1:-1] + x[2:]", "111. .111"),
    "a store": ("y = x * x\n y[1] = x[3]\n return y", "1... ...1 ..1. ...1"),
    "twice": ("y = x * 0.0\n y[1:] += x[:-1]\n y[0] += x[3]\n return y", "...1 1... .1.. ..1."),
    "transposed": ("return np.reshape(x, (2, 2)).T * x[0]", "1... 1.1. 11.. 1..1"),
    "sums": ("return np.sum(np.reshape(x, (2, 2)), axis=1)", "11.. ..11"),
    "running": ("return np.cumsum(x)", "1... 11.. 111. 1111"),
    "a band": ("A = np.eye(4, k=1)\n return A @ x", ".1.. ..1. ...1 ...."),
    "a diagonal": ("return np.diag(x) @ x", "1... .1.. ..1. ...1"),
    "einsum": ("m = np.reshape(x, (2, 2))\n return np.einsum('ij,j->i', m, x[:2])", "11.. 1111"),
    "a known test": ("return np.where(np.arange(4) > 1, x, x[::-1])", "...1 ..1. ..1. ...1"),
    "a test of floats": ("return np.where(x > 1.0, x, x[::-1])", "1..1 .11. .11. 1..1"),
    "a branch": ("y = x[0] if x[3] > 0.0 else x[1]\n return np.stack((y, x[2]))", "11.. ..1."),
    "no derivative": ("return np.floor(x) + (x > 0.0) * x[0]", "1... 1... 1... 1..."),
    "zeros": ("return np.concatenate((np.zeros(1), x[2:] * 3.0))", ".... ..1. ...1"),
    "a loop": (
        "y = x.copy()\n for i in range(1, 4):\n  y[i] = y[i - 1] + x[i]\n return y",
        "1... 11.. 111. 1111",
    ),
    "a while": (
        "s, i = x[0], 0\n while i < 2:\n  i += 1\n  s = s * x[i]\n return np.stack((s, x[3]))",
        "111. ...1",
    ),
    "until it is enough": (
        "y = x\n while y[0] < 9.0:\n  y = y * x[2]\n return y",
        "1.1. .11. ..1. ..11",
    ),
    "a break": (
        "s = 0.0\n for i in range(4):\n  s += x[i]\n  if x[0] > i:\n   break\n return s * x[:1]",
        "1111",
    ),
    "a list": ("l = [x[0]]\n l.append(x[2])\n return np.array(l)", "1... ..1."),
    "solve": ("return np.linalg.solve(np.diag(x), x)", "1111 1111 1111 1111"),
    "stacked matrices": (
        "m = np.stack((np.diag(x[:2]), np.diag(x[2:])))\n return np.linalg.det(m)", "11.. ..11"
    ),
    "bins": ("return np.bincount(np.array([0, 1, 0, 1]), x)", "1.1. .1.1"),
}  # fmt: skip

HESSIANS = {
    "linear": ("return np.sum(x) + 2.0 * x[1]", ".... .... .... ...."),
    "squares": ("return np.sum(x * x)", "1... .1.. ..1. ...1"),
    "neighbours": ("return np.sum(x[1:] * x[:-1])", ".1.. 1.1. .1.1 ..1."),
    "a loop": (
        "s = 0.0\n for i in range(3):\n  s += (x[i + 1] - x[i]) ** 2 * 0.5\n return s",
        "11.. 111. .111 ..11",
    ),
    "partly linear": ("return x[0] * np.sin(x[1]) + np.sum(x)", ".1.. 11.. .... ...."),
}


def drawn(pattern: Pattern) -> str:
    picture = np.full(pattern.shape, ".")
    picture[pattern.rows, pattern.columns] = "1"
    return " ".join("".join(row) for row in picture)


def program(body: str, parameters: str = "x: 'float[4]'") -> str:
    return f"{IMPORT}def f({parameters}):\n " + body + "\n"


@pytest.mark.parametrize(("body", "expected"), JACOBIANS.values(), ids=JACOBIANS)
def test_jacobian(body: str, expected: str) -> None:
    function = lower(program(body, "x"), arguments=("x=float[4]",))
    assert drawn(pattern_of(function, ("x",))) == expected


@pytest.mark.parametrize(("body", "expected"), HESSIANS.values(), ids=HESSIANS)
def test_hessian(body: str, expected: str) -> None:
    function = lower(program(body, "x"), arguments=("x=float[4]",))
    (gradient,) = derive(function, Options("grad", ("x",), bare=True))
    assert drawn(pattern_of(gradient, ("x",))) == expected


CALLED = """
def f(x, k):
    y = np.zeros(k.size)
    for i in range(k.size):
        y[i] = x[k[i]] ** 2
    return y
"""


@pytest.mark.parametrize(
    ("known", "expected"), [({"k": np.array([2, 0, 2])}, "..1 1.. ..1"), ({}, "111 111 111")]
)
def test_an_index_that_is_not_known_may_be_any(known: Any, expected: str) -> None:
    function = lower(IMPORT + CALLED, arguments=("x=float[3]", "k=int[3]"))
    assert drawn(pattern_of(function, ("x",), known)) == expected


RECURSION = """
def product(x, n: int):
    if n == 0:
        return 1.0
    return x[n] * product(x, n - 1)


def f(x):
    return np.stack((product(x, 2), x[0]))
"""


def test_calls_are_followed() -> None:
    function = lower(IMPORT + RECURSION, arguments=("x=float[4]",))
    assert drawn(pattern_of(function, ("x",))) == ".11. 1..."


def test_several_arguments_and_results_stand_in_a_row() -> None:
    source = IMPORT + "def f(p, c, n):\n    return {'a': p['u'] * c, 'b': p['v'] + n}\n"
    types = ("p=dict(u=float[2], v=float)", "c=float[2]", "n=float")
    function = lower(source, arguments=types)
    pattern = pattern_of(function, ("p", "c"))
    assert pattern.shape == (3, 5)
    assert drawn(pattern) == "1..1. .1..1 ..1.."


REFUSED = {
    "unknown-size": ("return x * x", "float[n]"),
    "unknown-pattern": ("return x[x > 0.5]", "float[4]"),
}


@pytest.mark.parametrize(("name", "case"), REFUSED.items(), ids=REFUSED)
def test_refused(name: str, case: tuple[str, str]) -> None:
    function = lower(program(case[0], "x"), arguments=(f"x={case[1]}",))
    with pytest.raises(DifferentiationError) as caught:
        pattern_of(function, ("x",))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.name == name
    assert diagnostic.help
