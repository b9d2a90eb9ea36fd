"""Branches of the forward and the reverse sweep with one test become one, where nothing has to stay
between them.
"""

from __future__ import annotations

import numpy as np
import pytest

from s2s_ad.interpret import interpret
from s2s_ad.ir import Function, If
from s2s_ad.passes.fuse_branches import fuse_branches
from s2s_ad.passes.place_copies import place_copies
from s2s_ad.pipeline import derive
from s2s_ad.rewrite import all_statements
from tests import golden
from tests.golden import Request, module_text, options_of

HUBER = """
def f(r: float, d: float) -> float:
    if abs(r) <= d:
        y = 0.5 * r * r
    else:
        y = d * (abs(r) - 0.5 * d)
    return y
"""
BETWEEN = """
import numpy as np


def f(x: float, a: float) -> float:
    if x > a:
        y = x * a
    else:
        y = a
    z = np.sin(y) * x
    return z * z
"""
TWICE = """
def f(x: float, a: float) -> float:
    big = x > a
    y = x
    if big:
        y = x * a
    z = y * y
    if big:
        z = z + a
    return z
"""


def branches(function: Function) -> int:
    return sum(isinstance(statement, If) for statement in all_statements(function.body))


@pytest.mark.parametrize(
    ("text", "left"), [(HUBER, 1), (BETWEEN, 2), (TWICE, 3)], ids=["huber", "between", "twice"]
)
def test_how_many_branches_are_left(text: str, left: int) -> None:
    """`left`: with something between that needs the first and is needed by the second, both."""
    request = Request(mode="value-and-grad")
    function = golden.lower(text)
    (derived,) = derive(function, options_of(request, function))
    assert branches(derived) == left


@pytest.mark.parametrize("text", [HUBER, BETWEEN, TWICE], ids=["huber", "between", "twice"])
@pytest.mark.parametrize("point", [(0.5, 1.0), (2.0, 0.75), (-3.0, 1.0)])
def test_the_gradient_is_that_of_level_0(text: str, point: tuple[float, float]) -> None:
    results = []
    for level in (0, 1):
        namespace: dict[str, object] = {}
        exec(module_text(text, Request(mode="value-and-grad", level=level)), namespace)
        run = namespace["value_and_grad_f"]
        assert callable(run)
        value, gradient = run(*point)
        results.append([value, *gradient])
    np.testing.assert_allclose(results[0], results[1], rtol=1e-14)


def test_nothing_to_fuse_gives_the_function_itself() -> None:
    function = golden.lower(HUBER)
    assert fuse_branches(function) is function
    assert interpret(place_copies(function), (0.5, 1.0)) == 0.125
