"""Arguments for which a module was not generated: each message names the argument, what was
expected and what came. What the file calls like a helper of the module changes nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.golden import Request, module_text

PROGRAM = """
import numpy as np


def f(u: "Float[Array, 'n']", W: "Float[Array, 'm n']", a: float, steps: int) -> float:
    for _ in range(steps):
        u = u * a
    return np.sum(W @ u)
"""
U, W = np.ones(3), np.ones((2, 3))


def generated(program: str, name: str) -> Any:
    namespace: dict[str, Any] = {}
    exec(module_text(program, Request()), namespace)
    return namespace[name]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([1.0, 2.0, 3.0], W, 0.5, 2), "u float64[n], W float64[m, n], not list, float64[2, 3]"),
        ((None, W, 0.5, 2), "not NoneType, float64[2, 3]"),
        (("text", W, 0.5, 2), "not str, float64[2, 3]"),
        ((2.0, W, 0.5, 2), "not float, float64[2, 3]"),
        ((U.astype(np.float32), W, 0.5, 2), "not float32[3], float64[2, 3]"),
        ((U.astype(int), W, 0.5, 2), "not int64[3], float64[2, 3]"),
        ((U.astype(object), W, 0.5, 2), "not object[3], float64[2, 3]"),
        ((U.astype(">f8"), W, 0.5, 2), "not >f8[3], float64[2, 3]"),
        ((U, np.ma.array(W, mask=W > 0), 0.5, 2), "not float64[3], MaskedArray"),
        ((U, W.view(np.matrix), 0.5, 2), "not float64[3], matrix"),
        ((U, np.zeros(3, [("x", float)]), 0.5, 2), "[('x', '<f8')][3]"),
        ((U, W[0], 0.5, 2), "not float64[3], float64[3]"),
        ((U, W, U, 2), "expected a number a, not ndarray"),
        ((U, W, "a", 2), "expected a number a, not str"),
        ((U, W, 0.5, 2.0), "expected an integer steps, not float"),
        ((U, W, 0.5, None), "expected an integer steps, not NoneType"),
    ],
)
def test_wrong_types(given: tuple[Any, ...], message: str) -> None:
    with pytest.raises(TypeError) as caught:
        generated(PROGRAM, "grad_f")(*given)
    assert str(caught.value).startswith("grad_f: expected ")
    assert message in str(caught.value)


@pytest.mark.parametrize(("u", "came"), [(U[:2], "float64[2]"), (U[:, None], "float64[3, 1]")])
def test_wrong_sizes(u: Any, came: str) -> None:
    with pytest.raises(ValueError) as caught:
        generated(PROGRAM, "grad_f")(u, W, 0.5, 2)
    assert f"u[n], W[m, n], not {came}, float64[2, 3]" in str(caught.value)


NAMES = ("described", "type", "NUMBER", "INTEGER", "isinstance", "np", "npt", "math", "unbroadcast")
CONSTANT = """
import numpy

{name} = 2.0


def f(x, y, a: float, b: float):
    return numpy.sum({name} * x * y) * a * b
"""
FUNCTION = """
import numpy

from s2s_ad import declare


def {name}(x):
    return 2.0 * x


declare("out = {name}(x)", "grad_x += 2.0 * grad_out")


def f(x, y, a: float, b: float):
    return numpy.sum({name}(x * y)) * a * b
"""


@pytest.mark.parametrize("program", [CONSTANT, FUNCTION], ids=["constant", "function"])
@pytest.mark.parametrize("name", NAMES)
def test_names_of_the_file_that_modules_use(program: str, name: str) -> None:
    if program is FUNCTION and name in ("np", "npt", "math"):
        program = program.replace("{name}", "len")  # what is copied calls NumPy `np`
    grad_f = generated(program.replace("{name}", name), "grad_f")
    x, y = np.array([[0.5], [1.5]]), np.array([1.0, 2.0, 3.0])
    grad_x, grad_y, grad_a, grad_b = grad_f(x, y, 3.0, 0.5)
    np.testing.assert_allclose(grad_x, np.full((2, 1), 18.0))
    np.testing.assert_allclose(grad_y, np.full(3, 6.0))
    assert (grad_a, grad_b) == (12.0, 72.0)
    with pytest.raises(TypeError, match="not str"):
        grad_f("text", y, 3.0, 0.5)
    with pytest.raises(TypeError, match="expected numbers a, b, not float, ndarray"):
        grad_f(x, y, 3.0, x)
