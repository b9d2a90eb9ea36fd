"""Derivatives of whole programs, in both modes and at both levels, against difference quotients."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from s2s_ad import jvp, value_and_grad
from tests import (
    programs,
    programs_elements,
    programs_in_place,
    programs_lists,
    programs_unbound,
    traps,
    traps_flow,
    traps_memory,
    traps_more,
)
from tests.numerics import central_differences

Program = Callable[..., Any]
CASES = [
    *programs.CASES,
    *programs_elements.CASES,
    *programs_in_place.CASES,
    *programs_lists.CASES,
    *programs_unbound.CASES,
    *traps.CASES,
    *traps_more.CASES,
    *traps_memory.CASES,
    *traps_flow.CASES,
]
NAMES = [function.__name__ for function, _ in CASES]


def is_float(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, np.ndarray) and value.dtype.kind == "f")


def run(function: Program, arguments: tuple[Any, ...]) -> float:
    return float(function(*copy.deepcopy(arguments)))


@pytest.mark.filterwarnings("ignore:.* encountered in:RuntimeWarning")  # the programs' own
@pytest.mark.parametrize(("function", "arguments"), CASES, ids=NAMES)
def test_program(function: Program, arguments: tuple[Any, ...]) -> None:
    places = tuple(k for k, value in enumerate(arguments) if is_float(value))
    value = function(*copy.deepcopy(arguments))
    quotients = central_differences(lambda *moved: run(function, moved), arguments, places, 2e-4)
    expected = [each for (each,) in quotients]
    scale = max([1.0, *(np.max(np.abs(each), initial=0.0) for each in expected)])
    for level in (0, 1):
        given = copy.deepcopy(arguments)
        found, grads = value_and_grad(function, wrt=places, level=level)(*given)
        assert found == value
        for before, after in zip(arguments, given, strict=True):
            np.testing.assert_array_equal(before, after)
        for grad, reference in zip(grads, expected, strict=True):
            assert np.shape(grad) == reference.shape
            np.testing.assert_allclose(grad, reference, rtol=1e-6, atol=1e-8 * scale)
    random = np.random.default_rng(1)
    along = [random.normal(size=np.shape(arguments[place])) for place in places]
    tangents: list[Any] = [None] * len(arguments)
    for place, direction in zip(places, along, strict=True):
        tangents[place] = direction if direction.shape else float(direction)
    found, moved = jvp(function, arguments, tangents)
    assert found == value
    total = sum(float(np.sum(a * b)) for a, b in zip(along, expected, strict=True))
    assert moved == pytest.approx(total, rel=1e-5, abs=1e-7 * scale)
