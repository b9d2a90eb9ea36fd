"""The table of `docs/operations.md` where a derivative is not defined: each row, in both modes."""

from __future__ import annotations

import linecache
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import s2s_ad

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "operations.md"


def rows() -> list[tuple[str, str, str]]:
    """Expression, point and gradient of each row."""
    text = PAGE.read_text()
    head = text.index("## Where a derivative is not defined")
    table = text[head : text.index("\n## ", head + 1)]
    return re.findall(r"^\| `(.*?)` \| `(.*?)` \| `(.*?)` \|", table, re.MULTILINE)


def program(expression: str, names: tuple[str, ...]) -> Callable[..., Any]:
    source = f"def f({', '.join(names)}):\n    return {expression}\n"
    file = f"<convention {expression}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    space: dict[str, Any] = {"np": np}
    exec(compile(source, file, "exec"), space)
    return space["f"]  # type: ignore[no-any-return]


def test_the_table_is_read() -> None:
    assert len(rows()) > 30


@pytest.mark.parametrize(("expression", "point", "gradient"), rows())
def test_convention(expression: str, point: str, gradient: str) -> None:
    """The gradient of the page; where it is finite, forward mode has the same in each direction."""
    arguments: dict[str, Any] = eval(f"dict({point})", {"np": np})
    values = tuple(arguments.values())
    function = program(expression, tuple(arguments))
    grad = s2s_ad.grad(function, wrt=tuple(range(len(values))))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        if gradient.endswith("Error"):
            with pytest.raises(ArithmeticError) as caught:
                grad(*values)
            assert caught.type.__name__ == gradient
            return
        found = np.concatenate([np.ravel(each) for each in grad(*values)])
        expected = np.array(eval(gradient, {"nan": np.nan, "inf": np.inf}), dtype=float)
        np.testing.assert_allclose(found, np.ravel(expected), rtol=1e-6, atol=0.0)
        # beside an infinite slope, 0 in a direction makes NaN; so does a value that is NaN
        if not (np.all(np.isfinite(found)) and np.isfinite(function(*values))):
            return
        for place, slope in enumerate(found):
            moved = s2s_ad.jvp(function, values, direction(values, place))[1]
            np.testing.assert_allclose(moved, slope, rtol=1e-12, atol=0.0)


def direction(values: tuple[Any, ...], place: int) -> tuple[Any, ...]:
    """One of the numbers moves, the others do not."""
    found: list[Any] = []
    for value in values:
        size = int(np.size(value))
        step = np.zeros(size)
        if 0 <= place < size:
            step[place] = 1.0
        place -= size
        found.append(step if np.ndim(value) else float(step[0]))
    return tuple(found)
