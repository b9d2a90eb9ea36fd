"""Generated modules are in the language: what they give is differentiated again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

from s2s_ad import grad, jvp, vjp
from s2s_ad.modules import load_module
from tests.farm.differences import slope


class Line(NamedTuple):
    slope: float
    offset: float


@dataclass
class Layer:
    W: Any
    b: Any


def height(line: Line, x: float) -> float:
    return np.sin(line.slope * x) * line.offset**2


def signal(layer: Layer, x: Any) -> float:
    return np.sum(np.tanh(x @ layer.W + layer.b) ** 2)


W, X = np.array([[0.5, -0.3], [0.2, 0.8]]), np.array([[1.0, 0.5], [-0.4, 2.0]])
PROGRAMS: list[tuple[Callable[..., Any], Any, Any, Any]] = [
    (height, Line(0.7, -1.2), Line(0.3, 0.5), 0.9),
    (signal, Layer(W, np.array([0.1, -0.2])), Layer(W.T, np.array([1.0, 0.5])), X),
]


def parts(record: Any) -> list[Any]:
    return list(record if isinstance(record, tuple) else vars(record).values())


def inner(left: Any, right: Any) -> float:
    return float(sum(np.sum(a * b) for a, b in zip(parts(left), parts(right), strict=True)))


@pytest.mark.parametrize(("function", "record", "direction", "x"), PROGRAMS)
def test_records(function: Callable[..., Any], record: Any, direction: Any, x: Any) -> None:
    """Forward and reverse over reverse, against differences of the gradient."""
    first = grad(function)
    first(record, x)
    generated = load_module(first.source, first.__name__)[first.__name__]

    def line(step: float) -> float:
        moved = [a + step * b for a, b in zip(parts(record), parts(direction), strict=True)]
        return inner(first(type(record)(*moved), x), direction)

    expected = slope(line)
    _, tangent = jvp(generated, (record, x), (direction, None))
    pulled = vjp(generated, record, x)[1](direction)[0]
    for found in (tangent, pulled):
        assert type(found) is type(record)
        assert abs(inner(found, direction) - expected.value) <= 1e-9 + 20.0 * expected.error
