"""Where `numba.njit` takes the primal of a golden case, it takes the gradient too, checks apart.

Checked are the topics that loops are written in: scalars, arrays, ranges, branches, `while`. What
Numba does not take for a reason that is known stands in `NOT_YET`; an entry that is no longer true
fails.
"""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
import pytest

from tests import golden
from tests.golden import Case, module_text
from tests.numerics import far_apart, leaves_of
from tests.test_cases import call, points, program, requests_of, run

numba = pytest.importorskip("numba", reason="numba is a development dependency")

TOPICS = ("loops", "branches", "writes_in_loops", "storage", "reading")
CASES = [case for t in TOPICS for case in golden.read_cases(golden.CASES / f"{t}.md")]
NOT_YET: dict[str, str] = {}


def without_checks(text: str) -> str:
    """The module without the statements at the entry that only raise, and without annotations."""
    tree = ast.parse(text)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            for argument in node.args.args:
                argument.annotation = None
            node.body = [s for s in node.body if not _only_raises(s)]
    return ast.unparse(tree)


def _only_raises(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and all(isinstance(s, ast.Raise) for s in statement.body)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_taken_by_numba(case: Case) -> None:
    request = requests_of(case)[0]
    block = next(block for block in case.expected if block.kind == "generated")
    function = golden.lower(case.source.text, request.func, request.arguments)
    arguments = list(points(case, block, function))[-1]
    try:
        call(numba.njit(program(case)[function.name]), _copies(arguments))
    except (numba.core.errors.NumbaError, NotImplementedError) as error:
        pytest.skip(f"the primal is not taken: {type(error).__name__}")
    expected = call(plain(case, request), arguments)
    gradient = numba.njit(plain(case, request))
    try:
        found = gradient(*_copies(arguments))
    except numba.core.errors.NumbaError as error:
        assert case.name in NOT_YET, str(error)
        pytest.skip(NOT_YET[case.name])
    assert case.name not in NOT_YET, "it is taken now"
    assert not far_apart(leaves_of(found), leaves_of(expected), 1e-12)


def plain(case: Case, request: Any) -> Any:
    """The generated gradient without its checks."""
    text = without_checks(module_text(case.source.text, request))
    names: dict[str, Any] = {"__name__": "generated"}
    run(text, f"<numba {case.name}>", names)
    return names["grad_f"]


def _copies(arguments: list[Any]) -> list[Any]:
    return [x.copy() if isinstance(x, np.ndarray) else x for x in arguments]
