"""`jacobian`, `hessian` and `hvp` of live functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from s2s_ad import DifferentiationError, hessian, hvp, jacobian, jvp, vjp
from s2s_ad.diagnostics import Diagnostic
from s2s_ad.frontend.lower import lower_function
from s2s_ad.frontend.resolve import FileScope
from s2s_ad.frontend.source import parse_text
from s2s_ad.frontend.values import UserFunction
from s2s_ad.pipeline import Options, generate

RANDOM = np.random.default_rng(3)
A = RANDOM.normal(size=(3, 4))
X = RANDOM.normal(size=4)
DIRECTIONS = ("forward", "reverse")


def layer(x: Any, w: Any) -> Any:
    return np.tanh(w @ x)


def by_columns(f: Any, x: Any) -> Any:
    """A Jacobian column by column, from tangents in unit directions."""
    units = np.eye(x.size).reshape(x.size, *x.shape)
    columns = [np.asarray(jvp(f, (x,), (unit,))[1]) for unit in units]
    return np.stack(columns, axis=-1).reshape(columns[0].shape + x.shape)


# results of every rank, of arguments of every rank
FUNCTIONS = {
    "scalar": lambda x: np.sum(x**3),
    "vector": lambda x: np.sin(x) * x[0],
    "matrix": lambda x: np.outer(x, x) + np.eye(len(x)),
    "of a matrix": lambda x: x @ x.T,
    "joins": lambda x: np.concatenate((x[1:], np.array([x[0] * x[1], 2.0]), np.ones(2))),
    "cube": lambda x: x[:, None, None] * np.cos(x)[:, None] * x,
    "solve": lambda x: np.linalg.solve(np.diag(x**2 + 1.0) + 0.1, x[::-1]),
    "loop without rules": lambda x: np.kron(x, np.cumprod(x)),
    "sums": lambda x: np.stack([np.sum(x), np.mean(x), x @ x, np.max(x)]),
}
MATRICES = {"of a matrix"}


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_jacobian_has_the_shape_of_result_and_argument(name: str, direction: str) -> None:
    f = FUNCTIONS[name]
    x = A if name in MATRICES else X
    found = jacobian(f, direction=direction)(x)
    assert found.shape == np.shape(f(x)) + x.shape
    np.testing.assert_allclose(found, by_columns(f, x), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("size", [0, 1, 2])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_small_sizes(size: int, direction: str) -> None:
    x = np.arange(1.0, size + 1.0)
    found = jacobian(lambda x: np.exp(x) * np.sum(x), direction=direction)(x)
    expected = np.exp(x)[:, None] * np.ones(size) + np.diag(np.exp(x) * np.sum(x))
    np.testing.assert_allclose(found, expected)
    assert found.shape == (size, size)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_single_precision_stays_single(direction: str) -> None:
    x, w = X.astype(np.float32), A.astype(np.float32)
    found = jacobian(layer, wrt=(0, 1), direction=direction)(x, w)
    assert [entry.dtype for entry in found] == [np.float32, np.float32]
    exact = jacobian(layer, wrt=(0, 1))(X, A)
    for got, expected in zip(found, exact, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_containers_nest(direction: str) -> None:
    def f(p: Any, k: int) -> Any:
        return {"a": p["w"] * p["x"], "b": (p["w"] ** 2, k)}

    p = {"w": 2.0, "x": np.array([1.0, 3.0]), "n": 3}
    found = jacobian(f, direction=direction)(p, 1)
    assert found["b"][1] == {"w": None, "x": None, "n": None}
    assert found["a"]["n"] is None
    np.testing.assert_array_equal(found["a"]["w"], [1.0, 3.0])
    np.testing.assert_array_equal(found["a"]["x"], [[2.0, 0.0], [0.0, 2.0]])
    assert found["b"][0]["w"] == 4.0
    np.testing.assert_array_equal(found["b"][0]["x"], [0.0, 0.0])


def test_the_way_is_chosen_by_sizes() -> None:
    scalar = jacobian(lambda x: np.sum(np.sin(x)))
    scalar(X)
    assert "np.eye" not in scalar.source  # one pullback, not a tangent for each element
    np.testing.assert_array_equal(scalar(X), np.cos(X))


def test_aux() -> None:
    def f(x: Any) -> Any:
        return np.sin(x), {"twice": 2.0 * x}

    for direction in DIRECTIONS:
        found, aux = jacobian(f, has_aux=True, direction=direction)(X)
        np.testing.assert_allclose(found, np.diag(np.cos(X)))
        np.testing.assert_array_equal(aux["twice"], 2.0 * X)
    found, aux = hessian(lambda x: (np.sum(x**3), x), has_aux=True)(X)
    np.testing.assert_allclose(found, np.diag(6.0 * X))
    np.testing.assert_array_equal(aux, X)
    product, aux = hvp(lambda x: (np.sum(x**3), 2.0 * x), X, X, has_aux=True)
    np.testing.assert_allclose(product, 6.0 * X**2)
    np.testing.assert_array_equal(aux, 2.0 * X)


def energy(x: Any, y: Any) -> Any:
    return np.sum(np.sin(x) * y) + y**3 * x[0]


def test_hessian_of_several_arguments() -> None:
    found = hessian(energy, wrt=("x", "y"))(X, 0.5)
    (xx, xy), (yx, yy) = found
    first = np.eye(len(X))[0]
    np.testing.assert_allclose(xx, np.diag(-np.sin(X) * 0.5))
    np.testing.assert_allclose(xy, np.cos(X) + 3.0 * 0.5**2 * first)
    np.testing.assert_allclose(yx, xy)
    np.testing.assert_allclose(yy, 6.0 * 0.5 * X[0])


def test_hvp_is_the_hessian_times_the_vector() -> None:
    v = RANDOM.normal(size=4)
    (xx, xy), (yx, yy) = hessian(energy, wrt=(0, 1))(X, 0.5)
    x, y = hvp(energy, (X, 0.5), (v, 2.0))
    np.testing.assert_allclose(x, xx @ v + xy * 2.0)
    np.testing.assert_allclose(y, yx @ v + yy * 2.0)
    x, y = hvp(energy, (X, 0.5), (v, None))
    np.testing.assert_allclose(x, xx @ v)
    assert y is None
    assert hvp(lambda x: x**3, 2.0, 1.0) == 12.0


def test_decorators_and_their_names() -> None:
    @hessian
    def f(x: Any) -> Any:
        return np.sum(x**4)

    assert f.__name__ == "hessian_f"
    np.testing.assert_allclose(f(X), np.diag(12.0 * X**2))

    @jacobian(wrt="w", direction="reverse")
    def g(x: Any, w: Any) -> Any:
        return w @ x

    assert "jacobian" in repr(g)
    np.testing.assert_allclose(g(X, A)[1], np.eye(3)[1][:, None] * X)


def name_of(error: pytest.ExceptionInfo[DifferentiationError]) -> str:
    (found,) = error.value.diagnostics
    assert isinstance(found, Diagnostic)
    return found.name


def test_refusals() -> None:
    def items(x: Any) -> Any:
        found = []
        for k in range(len(x)):
            found.append(x[k] ** 2)
        return found

    with pytest.raises(DifferentiationError) as error:
        jacobian(items)(X)
    assert name_of(error) == "not-an-array"
    with pytest.raises(DifferentiationError) as error:
        hessian(np.sin)(X)
    assert name_of(error) == "unsupported-function"
    with pytest.raises(DifferentiationError) as error:
        hessian(lambda x: x * 2.0)(X)
    assert name_of(error) == "not-a-scalar"
    with pytest.raises(DifferentiationError) as error:
        jacobian(lambda n: n * 2.0)(3)
    assert name_of(error) == "integer-argument"
    with pytest.raises(ValueError, match="direction"):
        jacobian(layer, direction="sideways")


# Many directions ----------------------------------------------------------------------------------


def mixed(p: Any, x: Any, s: float) -> Any:
    y = np.zeros(3)
    for k in range(3):
        y[k] = s * np.sum(p["w"][k] * np.sin(x)) + (y[k - 1] if k else p["b"])
    return y, s * np.outer(x, x), p["b"] ** 2


PRIMALS = ({"w": A, "b": 0.7}, X, 1.3)


def drawn(shape: tuple[int, ...], count: int) -> Any:
    return RANDOM.normal(size=(count, *shape))


@pytest.mark.parametrize("count", [0, 1, 5])
def test_many_tangents_are_tangents_one_by_one(count: int) -> None:
    tangents = ({"w": drawn((3, 4), count), "b": drawn((), count)}, None, drawn((), count))
    value, moved = jvp(mixed, PRIMALS, tangents, many=True)
    assert [part.shape for part in moved] == [(count, 3), (count, 4, 4), (count,)]
    for row in range(count):
        p, _, s = tangents
        one = ({"w": p["w"][row], "b": p["b"][row]}, None, s[row])
        expected_value, expected = jvp(mixed, PRIMALS, one)
        for got, wanted in zip(value, expected_value, strict=True):
            np.testing.assert_array_equal(got, wanted)
        for got, wanted in zip(moved, expected, strict=True):
            np.testing.assert_allclose(got[row], wanted, rtol=1e-13)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_many_adjoints_are_pulled_back_one_by_one(count: int) -> None:
    value, pullback = vjp(mixed, *PRIMALS, many=True)
    _, single = vjp(mixed, *PRIMALS)
    adjoints = tuple(drawn(np.shape(part), count) for part in value)
    p, x, s = pullback(adjoints)
    assert (p["w"].shape, p["b"].shape, x.shape, s.shape) == (
        (count, 3, 4),
        (count,),
        (count, 4),
        (count,),
    )
    for row in range(count):
        q, y, t = single(tuple(part[row] for part in adjoints))
        for got, wanted in ((p["w"], q["w"]), (p["b"], q["b"]), (x, y), (s, t)):
            np.testing.assert_allclose(got[row], wanted, rtol=1e-13)


def test_a_number_that_becomes_a_scalar_of_32_bits() -> None:
    """The first trip has a Python float, later ones have float32: so have the directions."""

    def f(x, a):
        total = np.zeros(2, np.float32)
        for z in x:
            total += np.cos(a)
            a = a - z
        return total

    x, rows = X.astype(np.float32), np.array([1.0, -2.0])
    _, moved = jvp(f, (x, 0.5), (None, rows), many=True)
    _, one = jvp(f, (x, 0.5), (None, 1.0))
    assert moved.dtype == one.dtype == np.float32
    np.testing.assert_allclose(moved, np.outer(rows, one).astype(np.float32), rtol=1e-6)


def test_many_products_with_the_hessian() -> None:
    vectors = drawn((4,), 3)
    found = hvp(lambda x: np.sum(np.sin(x)) ** 2, X, vectors, many=True)
    expected = vectors @ hessian(lambda x: np.sum(np.sin(x)) ** 2)(X)
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)


def test_directions_of_unknown_rank() -> None:
    """One loop over the directions: nothing is known of the axes before it runs."""
    lines = ["import numpy as np", "", "", "def f(x: np.ndarray, y: np.ndarray):"]
    lines += ["    return np.sum(x * y, axis=0) + x"]
    names: dict[str, Any] = {}
    text = generated("\n".join(lines), Options("jvp", ("x",), many=True))
    assert "for direction in range" in text
    exec(text, names)
    x, y = RANDOM.normal(size=(2, 3)), RANDOM.normal(size=3)
    rows = drawn((2, 3), 4)
    value, moved = names["jvp_f"](x, y, rows)
    np.testing.assert_array_equal(value, np.sum(x * y, axis=0) + x)
    np.testing.assert_allclose(moved, np.sum(rows * y, axis=1)[:, None] + rows)


def generated(source: str, options: Options) -> str:
    scope = FileScope(parse_text(source, "model.py"))
    function = scope.lookup("f")
    assert isinstance(function, UserFunction)
    return generate(lower_function(function, {})[0], options)


def test_many_directions_have_to_be_as_many() -> None:
    with pytest.raises(ValueError, match="has shape"):
        jvp(lambda x, y: x * y, (X, X), (drawn((4,), 2), drawn((4,), 3)), many=True)
    _, pullback = vjp(layer, X, A, many=True)
    with pytest.raises(ValueError, match="has shape"):
        pullback(np.ones(3))
