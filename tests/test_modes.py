"""Jacobians, Hessians and their products, on the golden cases: against tangents and differences.

The Jacobian by tangents and the one by pullbacks are compared, and both with the tangent in a
random direction; the Hessian with the product along it, that with differences of the gradient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from s2s_ad import DifferentiationError
from s2s_ad.types import ListOf
from tests import golden
from tests.golden import Request, module_text
from tests.numerics import far_apart, is_floating, is_scalar_result, leaves_of
from tests.test_cases import (
    EXECUTED,
    SINGLE,
    Case,
    Execution,
    call,
    careful,
    points,
    run_module,
    same_request,
)


def executions(case: Case, request: Request) -> Iterator[Execution]:
    function = golden.lower(case.source.text, request.func, request.arguments)
    block = next(b for b in case.expected if b.kind == "generated" and same_request(b, request))
    for arguments in points(case, block, function):
        yield Execution(case, block, request, function, arguments)


def derived(execution: Execution, mode: str, direction: str = "") -> Any:
    """What the function of a mode gives; the auxiliary result is left out."""
    text = module_text(execution.case.source.text, replace(execution.request, mode=mode), direction)
    function = careful(run_module(text)[f"{mode}_{execution.function.name}"])
    more = execution.directions() if mode == "hvp" else ()
    result = call(function, execution.arguments, more)
    return result[0] if execution.request.has_aux else result


def arguments_of(execution: Execution) -> list[Any]:
    return [leaf for place in execution.places for leaf in leaves_of(execution.arguments[place])]


def along(
    found: Any, execution: Execution, results: Sequence[Any]
) -> list[np.ndarray[Any, Any] | None]:
    """A Jacobian times the directions: for each leaf of the result how it moves."""
    entries = iter(leaves_of(found))
    directions = leaves_of(execution.directions())
    moved: list[Any] = []
    for result in results:
        if not is_floating(result):
            # one None for the whole: no derivative of what is no float
            moved.append(None)
            for _ in directions:
                assert next(entries) is None
            continue
        total = np.zeros(np.shape(result))
        for argument, direction in zip(arguments_of(execution), directions, strict=True):
            entry = next(entries)
            if direction is None:
                assert entry is None
                continue
            assert np.shape(entry) == np.shape(result) + np.shape(argument)
            total = total + np.tensordot(entry, direction, axes=np.ndim(direction))
        moved.append(total)
    assert next(entries, None) is None
    return moved


IDS = [case.name for case, _ in EXECUTED]


def refused_for_lists(case: Case, request: Request, mode: str) -> bool:
    """Whether the function takes lists of unknown length, and is refused for it."""
    function = golden.lower(case.source.text, request.func, request.arguments)
    if not any(isinstance(var.type, ListOf) for var in function.body.parameters):
        return False
    with pytest.raises(DifferentiationError, match="not lists of unknown length"):
        module_text(case.source.text, replace(request, mode=mode))
    return True


@pytest.mark.parametrize(("case", "request_"), EXECUTED, ids=IDS)
def test_jacobians(case: Case, request_: Request) -> None:
    if refused_for_lists(case, request_, "jacobian"):
        return
    for execution in executions(case, request_):
        results = leaves_of(execution.value)
        _, tangent, *_ = call(
            execution.generated("jvp", 1), execution.arguments, execution.directions()
        )
        expected = [moved for moved in leaves_of(tangent) if is_floating(moved)]
        for direction in ("forward", "reverse"):
            found = derived(execution, "jacobian", direction)
            moved = [m for m in along(found, execution, results) if m is not None]
            problem = far_apart(moved, expected, 20 * execution.rounding)
            assert not problem, f"{direction}: {problem}"


@pytest.mark.parametrize(("case", "request_"), EXECUTED, ids=IDS)
def test_hessians(case: Case, request_: Request) -> None:
    if refused_for_lists(case, request_, "hessian"):
        return
    function = golden.lower(case.source.text, request_.func, request_.arguments)
    block = next(b for b in case.expected if b.kind == "generated" and same_request(b, request_))
    if not is_scalar_result(function, request_.has_aux):
        return
    for execution in executions(case, request_):
        product = [x for x in leaves_of(derived(execution, "hvp")) if is_floating(x)]
        hessian = derived(execution, "hessian")
        moved = [m for m in along(hessian, execution, arguments_of(execution)) if m is not None]
        problem = far_apart(moved, product, 100 * execution.rounding)
        assert not problem, problem
        if execution.rounding == SINGLE or block.option("second") == "no" or request_.has_aux:
            continue
        expected = execution.directional_difference(execution.directions())
        floats = [x for x in expected if is_floating(x)]
        assert not (problem := far_apart(product, floats, 1e-6)), problem
