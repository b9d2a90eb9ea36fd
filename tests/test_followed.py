"""Arguments that are followed instead of computed with: functions, and objects of the user's."""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from s2s_ad import DifferentiationError, grad, hessian, jvp, value_and_grad

X = np.array([0.5, -1.25, 2.0])


def square(v: Any) -> Any:
    return v * v


def cube(v: Any) -> Any:
    return v**3


class Model:
    scale = 2.0

    def __init__(self, k: float) -> None:
        self.k = k
        self.weights = np.array([1.0, 2.0, 3.0])

    @property
    def double(self) -> float:
        return 2.0 * self.k

    def __call__(self, x: Any) -> Any:
        return self.scale * x * self.k + self.double * self.weights

    def energy(self, x: Any) -> Any:
        return np.sum(self(x) ** 2)


def applied(x: Any, g: Any) -> Any:
    return np.sum(g(x) ** 2)


def differences(f: Callable[[Any], float], x: Any, step: float = 1e-6) -> Any:
    """Central differences; the error is about step**2 and 1e-16 / step."""
    return np.array([(f(x + step * e) - f(x - step * e)) / (2 * step) for e in np.eye(len(x))])


CALLED = {
    "function": square,
    "ufunc": np.sin,
    "lambda": lambda v: 2.0 * v,
    "partial": functools.partial(np.power, 1.5),
    "object": Model(0.5),
    "bound method": Model(2.0).__call__,
}


@pytest.mark.parametrize("g", CALLED.values(), ids=CALLED)
def test_what_is_called(g: Any) -> None:
    value, gradient = value_and_grad(applied)(X, g)
    assert value == applied(X, g)
    expected = differences(lambda x: applied(x, g), X)
    np.testing.assert_allclose(gradient, expected, rtol=1e-7, atol=1e-8)
    moved = jvp(applied, (X, g), (X, None))[1]
    assert moved == pytest.approx(X @ expected, rel=1e-7)


def test_another_function_is_another_derivative() -> None:
    derivative = grad(applied)
    for g, expected in [(square, 4 * X**3), (cube, 6 * X**5), (square, 4 * X**3)]:
        np.testing.assert_allclose(derivative(X, g), expected, rtol=1e-14)
    for a in (1.0, 2.0):  # one lambda, whose closure has changed
        np.testing.assert_allclose(derivative(X, lambda v: a * v), 2 * a * a * X)  # noqa: B023
    np.testing.assert_allclose(hessian(applied)(X, cube).diagonal(), 30 * X**4)


def test_an_object_is_read_at_every_call() -> None:
    derivative = grad(lambda x, model: model.energy(x) * model.k)
    model, other = Model(0.5), Model(3.0)
    for changed in (0.5, 1.5):
        model.k = changed
        for each in (model, other):
            expected = differences(lambda x, m=each: m.energy(x) * m.k, X)  # type: ignore[misc]
            np.testing.assert_allclose(derivative(X, each), expected, rtol=1e-6)


def test_a_list_of_functions() -> None:
    def both(x: Any, layers: Any) -> Any:
        for layer in layers:
            x = layer(x)
        return np.sum(x)

    for layers in ([np.sin, square], [np.sin, cube], [square]):
        expected = differences(lambda x, ls=layers: both(x, ls), X)  # type: ignore[misc]
        np.testing.assert_allclose(grad(both)(X, layers), expected, rtol=1e-7, atol=1e-8)


def test_a_module_takes_what_it_was_made_for() -> None:
    def once(x: Any, g: Any) -> Any:
        return np.sum(g(x))

    derivative = grad(once)
    derivative(X, square)
    namespace: dict[str, Any] = {}
    exec(derivative.source, namespace)
    np.testing.assert_array_equal(namespace["grad_once"](X, square), 2.0 * X)
    with pytest.raises(TypeError, match="generated for the function square as g"):
        namespace["grad_once"](X, cube)


@pytest.mark.parametrize("value", [3j, {1, 2}, object(), np.ma.array([1.0]), int])
def test_what_is_not_followed(value: object) -> None:
    with pytest.raises(DifferentiationError, match="the argument `g` is of type"):
        grad(applied)(X, value)


def test_nothing_is_differentiated_with_respect_to_an_object() -> None:
    with pytest.raises(DifferentiationError, match="the argument `g` is of type"):
        grad(applied, wrt=("x", "g"))(X, square)


def test_what_was_followed_is_not_pickled() -> None:
    derivative = grad(lambda x, g: np.sum(g(x)))
    derivative(X, square)
    with pytest.raises(pickle.PicklingError):
        pickle.dumps(derivative)


class Counter:
    def __init__(self) -> None:
        self.n = 2.0
        self.seen: Any = None

    def add(self, x: Any) -> Any:
        self.n = self.n + x
        return self.n

    def maybe(self, x: Any) -> Any:
        if x > 0.0:
            self.n = x
        return self.n * x

    def down(self, x: Any) -> Any:
        self.seen = x
        return x if x < 1.0 else self.down(x / 2.0) * self.seen


@pytest.mark.parametrize("method", ["add", "maybe", "down"])
def test_an_object_that_every_call_would_find_changed(method: str) -> None:
    with pytest.raises(DifferentiationError) as refused:
        grad(getattr(Counter(), method))(3.0)
    assert refused.value.diagnostics[0].name == "unsupported-value"
    assert "from outside" in str(refused.value)


def test_what_a_method_keeps_lasts_as_long_as_the_call() -> None:
    counter = Counter()

    def kept(x: float) -> float:
        counter.seen = x * x
        return counter.seen * counter.n

    assert grad(kept)(3.0) == 12.0
    assert counter.seen is None
