"""Arguments that the user's function writes to: a copy is written to instead, and overlaps with
other arguments, which a copy would hide, are refused.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.golden import Request, module_text

PROGRAM = """
import numpy as np


def f(x: "Float[Array, 'n']", y: "Float[Array, 'n']", a: float) -> float:
    for i in range(len(x)):
        x[i] = x[i] * a + y[i]
    return np.sum(x * y)
"""


def run(mode: str, *arguments: object) -> object:
    namespace: dict[str, object] = {}
    exec(module_text(PROGRAM, Request(mode=mode)), namespace)
    function = namespace[f"{mode.replace('-', '_')}_f"]
    assert callable(function)
    return function(*arguments)


@pytest.mark.parametrize("mode", ["grad", "value-and-grad", "vjp"])
def test_an_argument_that_is_written_must_not_overlap_another(mode: str) -> None:
    x = np.arange(4.0)
    with pytest.raises(ValueError, match="writes to x, which must not share memory with y"):
        run(mode, x[:3], x[1:], 2.0)
    run(mode, x[:2], x[2:], 2.0)
    np.testing.assert_array_equal(x, np.arange(4.0))


def test_tangents_may_be_the_arguments_themselves() -> None:
    x, y = np.arange(3.0), np.ones(3)
    run("jvp", x, y, 2.0, x, y, 1.0)
    np.testing.assert_array_equal(x, np.arange(3.0))


ROWS = """
def f(rows) -> float:
    rows[0][0] = rows[1][1] * 2.0
    for row in rows:
        row[1] = row[1] * row[0]
    return rows[-1][1] * rows[0][1]
"""


@pytest.mark.parametrize("count", [3, 7])
def test_rows_that_are_written_are_different_lists(count: int) -> None:
    row = "list[float,float]"
    request = Request(arguments=(f"rows=list[{','.join([row] * count)}]",))
    namespace: dict[str, object] = {}
    exec(module_text(ROWS, request), namespace)
    gradient = namespace["grad_f"]
    assert callable(gradient)
    rows = [[1.0 + k, 2.0] for k in range(count)]
    found = gradient(rows)
    # rows[0][0] is 4.0 then, and rows[-1][1] is 2.0 * count
    assert found[0][1] == 2.0 * 2.0 * count * 2.0
    rows[1] = rows[-1]
    with pytest.raises(ValueError, match=r"these must not be one object: rows\[0\], rows\[1\]"):
        gradient(rows)
