"""Derivatives as users take them: decorators, arguments of every kind, what is cached and when.

Gradients are compared with central differences of the function itself.
"""

from __future__ import annotations

import copy
import functools
import gc
import importlib
import inspect
import pickle
import subprocess
import sys
import threading
import timeit
import traceback
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest

import s2s_ad
from s2s_ad import Derivative, DifferentiationError, grad, jvp, value_and_grad, vjp
from tests.numerics import central_differences, items_of, leaves_of, shape_and_dtype

W = np.array([0.4, -0.7, 1.1])
X = np.arange(12.0).reshape(4, 3) / 10.0
Y = np.array([0.3, -0.2, 0.5, 1.0])


def agrees(derivative: Any, *arguments: Any, wrt: tuple[int, ...] = (0,), places: int = 7) -> None:
    """The gradients, a tuple, are those of differences and look like their arguments."""
    found = derivative(*arguments)
    expected = central_differences(derivative.primal, arguments, wrt)
    for place, gradient, differences in zip(wrt, found, expected, strict=True):
        if items_of(gradient) is not None:
            assert type(gradient) is type(arguments[place])
        leaves = leaves_of(gradient)
        for leaf, argument in zip(leaves, leaves_of(arguments[place]), strict=True):
            assert shape_and_dtype(leaf) == shape_and_dtype(argument)
        for leaf, difference in zip(leaves, differences, strict=True):
            np.testing.assert_allclose(leaf, difference, rtol=10**-places, atol=10**-places)


def refusal(call: Callable[[], object]) -> DifferentiationError:
    with pytest.raises(DifferentiationError) as caught:
        call()
    return caught.value


def refused(call: Callable[[], object]) -> list[str]:
    """The names of the diagnostics of a refused call."""
    return [diagnostic.name for diagnostic in refusal(call).diagnostics]


# Decorators and functions -------------------------------------------------------------------------


@grad
def cube(x: float) -> float:
    """The third power."""
    return x**3


@grad(wrt=("w", "b"))
def loss(w, b, x, y):
    r = x @ w + b - y
    return 0.5 * np.sum(r * r)


@value_and_grad
def energy(w, x=2.0, *, scale=1.0):
    return scale * np.sum(w * w) * x


def product(x, y, z):
    return x * y**2 * z**3


def test_a_decorator_gives_the_gradient() -> None:
    assert isinstance(cube, Derivative)
    assert cube(2.0) == 12.0
    assert cube.primal(2.0) == 8.0


def test_a_decorator_with_options() -> None:
    agrees(loss, W, 0.5, X, Y, wrt=(0, 1))


def test_value_and_gradient() -> None:
    value, gradient = energy(W)
    assert value == energy.primal(W)
    np.testing.assert_array_equal(gradient, 4.0 * W)


@pytest.mark.parametrize(
    ("wrt", "expected"),
    [
        (0, 576.0),
        (1, 768.0),
        (-1, 864.0),
        ("y", 768.0),
        ((0,), (576.0,)),
        ((2, 0), (864.0, 576.0)),
        (("z", 1), (864.0, 768.0)),
        ([0, "y", -1], (576.0, 768.0, 864.0)),
    ],
)
def test_forms_of_wrt(wrt: Any, expected: Any) -> None:
    assert grad(product, wrt)(2.0, 3.0, 4.0) == expected
    assert grad(product, argnums=wrt)(2.0, 3.0, 4.0) == expected


@pytest.mark.parametrize("wrt", [3, -4, "w", (0, "x"), (0, 0), (), ("x", -3)])
def test_wrt_that_names_no_parameter(wrt: Any) -> None:
    assert refused(lambda: grad(product, wrt)) == ["bad-wrt"]


@pytest.mark.parametrize("wrt", [1.0, True, (0, None), {"x": 1.0}.values()])
def test_wrt_of_a_wrong_type(wrt: Any) -> None:
    with pytest.raises(TypeError):
        grad(product, wrt)


def test_parameters_without_names() -> None:
    def f(x, *others):
        return x * others[0]

    assert refused(lambda: grad(f)(1.0, 2.0)) == ["star-parameters"]
    assert refused(lambda: grad(f, 1)) == ["star-parameters"]


def test_wrt_and_argnums_exclude_each_other() -> None:
    with pytest.raises(TypeError, match="argnums"):
        grad(product, 1, argnums=2)


def test_a_decorator_given_its_options_by_position_is_told_how() -> None:
    with pytest.raises(TypeError, match="function"):
        grad("w")  # type: ignore[call-overload]


def test_auxiliary_results() -> None:
    def f(w, x):
        z = x @ w
        return np.sum(z * z), {"z": z, "name": None}

    gradient, aux = grad(f, has_aux=True)(W, X)
    np.testing.assert_allclose(gradient, 2.0 * X.T @ X @ W)
    np.testing.assert_array_equal(aux["z"], X @ W)
    (value, aux), gradients = value_and_grad(f, wrt=("w",), has_aux=True)(W, X)
    assert value == f(W, X)[0]
    assert aux["name"] is None
    np.testing.assert_allclose(gradients[0], gradient)


def test_levels_agree() -> None:
    textbook, short = grad(loss.primal, level=0), grad(loss.primal)
    np.testing.assert_allclose(textbook(W, 0.5, X, Y), short(W, 0.5, X, Y), rtol=1e-14)
    assert len(textbook.source) > len(short.source)
    with pytest.raises(ValueError, match="level"):
        grad(product, level=2)


def test_metadata() -> None:
    assert cube.__name__ == "grad_cube"
    assert cube.__doc__ == "The third power."
    assert cube.__module__ == __name__
    assert list(inspect.signature(cube).parameters) == ["x"]
    assert "grad_cube" in repr(cube)
    assert energy.__name__ == "value_and_grad_energy"


def test_lambdas_and_closures() -> None:
    square = grad(lambda x: x * x)
    assert square(3.0) == 6.0
    assert "def grad_f(" in square.source
    scales = [grad(lambda x, k=k: k * x * x) for k in (1.0, 2.0)]
    assert [scale(3.0) for scale in scales] == [6.0, 12.0]

    def made(k):
        return grad(lambda x: k * x * x)

    assert [made(k)(1.0) for k in (1.0, 2.0, W[0])] == [2.0, 4.0, 2.0 * W[0]]


def test_only_functions_have_derivatives() -> None:
    with pytest.raises(TypeError):
        grad(3.0)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="@staticmethod"):
        grad(staticmethod(product))
    assert refused(lambda: grad(np.sin)) == ["unsupported-function"]


def test_a_wrapper_is_not_taken_for_what_it_wraps() -> None:
    @functools.wraps(product)
    def twice(x, y, z):
        return 2.0 * product(x, y, z)

    assert grad(twice)(1.0, 1.0, 1.0) == 2.0

    @functools.wraps(product)
    def forwarding(*args):
        return 2.0 * product(*args)

    assert refused(lambda: grad(forwarding)(1.0, 1.0, 1.0)) != []


# Arguments ----------------------------------------------------------------------------------------


def test_arguments_bind_as_in_python() -> None:
    assert energy(W)[0] == energy(w=W)[0] == energy(W, 2.0)[0] == energy(W, x=2.0, scale=1.0)[0]
    assert energy(W, 3.0, scale=2.0)[0] == energy.primal(W, 3.0, scale=2.0)


@pytest.mark.parametrize(
    "call",
    [
        lambda f: f(),
        lambda f: f(W, 1.0, 2.0),
        lambda f: f(W, unknown=1.0),
        lambda f: f(W, w=W),
        lambda f: f(W, 1.0, x=2.0),
    ],
)
def test_wrong_calls_raise_what_the_function_raises(call: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError) as expected:
        call(energy.primal)
    with pytest.raises(TypeError) as found:
        call(energy)
    assert str(found.value) == str(expected.value).replace("energy()", "value_and_grad_energy()")


def test_positional_only_parameters() -> None:
    def f(x, /, y, *, z=2.0):
        return x * y * z

    assert grad(f)(1.0, 3.0) == 6.0
    assert grad(f, "z")(1.0, y=3.0) == 3.0
    with pytest.raises(TypeError, match="positional-only"):
        grad(f)(x=1.0, y=2.0)


def test_integers_are_not_differentiated() -> None:
    error = refusal(lambda: cube(3))
    assert error.diagnostics[0].name == "integer-argument"
    assert "pass 3.0" in str(error)
    assert "test_api.py" in str(error)
    assert "pass `x.astype(float)`" in str(refusal(lambda: cube(np.arange(3))))
    assert refused(lambda: cube(True)) == ["integer-argument"]
    assert refused(lambda: cube(np.int64(3))) == ["integer-argument"]
    assert refused(lambda: vjp(cube.primal, 3)) == ["integer-argument"]


def test_vjp_passes_integers_by() -> None:
    def power(x: float, n: int, w: np.ndarray, name: str) -> np.ndarray:
        return x**n * w

    out, pullback = vjp(power, 2.0, 3, np.ones(2), "w")
    assert out.tolist() == [8.0, 8.0]
    grad_x, *rest = pullback(np.ones(2))
    assert (grad_x, rest[0], rest[1].tolist(), rest[2]) == (24.0, None, [8.0, 8.0], None)


@pytest.mark.parametrize(
    "corners",
    [[0, 2], (2, 0), {"a": 1, "b": True}, [(0,), [np.int64(1)]], (np.array([0, 1]),), []],
    ids=str,
)
def test_vjp_passes_containers_of_integers_by(corners: object) -> None:
    def scaled(x: np.ndarray, corners: object, w: float) -> np.ndarray:
        return x * w

    _, pullback = vjp(scaled, np.array([1.0, 2.0]), corners, 3.0)
    grad_x, grad_corners, grad_w = pullback(np.array([1.0, 10.0]))
    assert (grad_x.tolist(), grad_corners, grad_w) == ([3.0, 30.0], None, 21.0)
    with pytest.raises(DifferentiationError, match="integer-argument"):
        vjp(lambda corners: corners, corners)


def test_vjp_of_one_value_returned_twice() -> None:
    def f(x, s):
        return x + s, x + s

    _, pullback = vjp(f, np.array([1.0, 2.0]), 3.0)
    along_x, along_s = pullback((np.array([1.0, 10.0]), np.array([100.0, 1000.0])))
    np.testing.assert_allclose(along_x, [101.0, 1010.0])
    assert along_s == 1111.0


def test_vjp_of_a_sum_over_triangles() -> None:
    def area(x: np.ndarray, triangles: list[tuple[int, int, int]], names: list[str]) -> float:
        total = 0.0
        for a, b, c in triangles:
            total = total + x[a] * x[b] - x[c] ** 2
        return total

    out, pullback = vjp(area, np.array([2.0, 3.0, 5.0]), [(0, 1, 2), (1, 1, 0)], ["p", "q"])
    grad_x, *rest = pullback(1.0)
    assert (out, grad_x.tolist(), rest) == (-14.0, [-1.0, 8.0, -10.0], [None, None])


def test_a_default_that_is_an_integer() -> None:
    def annotated(x: float = 1, n: int = 2):
        return x**n

    def plain(x=1):
        return x * x

    assert grad(annotated)() == 2.0
    assert grad(annotated)(3.0) == 6.0
    assert grad(plain)(2.0) == 4.0
    assert "pass 1.0" in str(refusal(grad(plain)))


def test_integers_beside_floats() -> None:
    def f(x: float, n: float):
        return x**n

    assert grad(f)(2.0, 3) == 12.0
    assert grad(f)(2.0, 3.0) == 12.0
    assert grad(f)(2.0, np.int32(3)) == 12.0


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({1.0}, "the argument `y` is of type set"),
        (1j, "the argument `y` is of type complex"),
        (np.array([1j]), "the argument `y` is an array of dtype complex128"),
        (np.array([None]), "the argument `y` is an array of dtype object"),
        (np.array(["a"]), "the argument `y` is an array of dtype <U1"),
        (np.array([1.0], ">f8"), "the argument `y` is an array of dtype >f8"),
        (np.ma.masked_array([1.0]), "the argument `y` is of type MaskedArray"),
        (OrderedDict(a=1.0), "the argument `y` is of type OrderedDict"),
        ({1.5: 1.0}, "the argument `y` is a dict with the key 1.5"),
        ([1.0, {"a": (object(),)}], "the argument `y[1]['a'][0]` is of type object"),
        (object(), "the argument `y` is of type object"),
    ],
)
def test_arguments_that_are_refused(value: object, message: str) -> None:
    def f(x, y):
        return x

    error = refusal(lambda: grad(f)(1.0, value))
    assert [diagnostic.name for diagnostic in error.diagnostics] == ["unsupported-argument"]
    assert message in str(error)
    assert "test_api.py" in str(error)


def test_all_refused_arguments_are_named_at_once() -> None:
    assert refused(lambda: grad(product)(1, {2}, 1j)) == [
        "integer-argument",
        "unsupported-argument",
        "unsupported-argument",
    ]


def test_a_list_within_itself() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert len(refused(lambda: grad(product)(1.0, endless, 1.0))) == 1


def test_none_and_strings_choose_the_code() -> None:
    def f(x, weights, kind):
        y = x * x if kind == "square" else x
        return np.sum(y if weights is None else weights * y)

    derivative = grad(f)
    np.testing.assert_array_equal(derivative(W, None, "square"), 2.0 * W)
    np.testing.assert_array_equal(derivative(W, None, "linear"), np.ones(3))
    np.testing.assert_array_equal(derivative(W, 2.0 * W, "linear"), 2.0 * W)
    np.testing.assert_array_equal(derivative(W, None, "square"), 2.0 * W)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_gradient_has_the_dtype_of_its_argument(dtype: str) -> None:
    w, x = W.astype(dtype), X.astype(np.float64)
    gradient = loss(w, np.float32(0.5), x, Y)
    assert (gradient[0].dtype, gradient[1].dtype) == (np.dtype(dtype), np.dtype("float32"))
    np.testing.assert_allclose(gradient[0], loss(W, 0.5, X, Y)[0], rtol=1e-5)


def test_ranks_and_sizes_one() -> None:
    def f(a, b):
        return np.sum(np.exp(a) * b)

    derivative = grad(f, (0, 1))
    for left in ((), (1,), (3,), (2, 3), (2, 1), (1, 3), (0, 3), (1, 1)):
        for right in ((), (1,), (3,), (2, 3), (2, 1)):
            if not (0 in left and 2 in right):
                a, b = np.full(left, 0.3), np.linspace(0.1, 0.7, int(np.prod(right))).reshape(right)
                agrees(derivative, a, b, wrt=(0, 1))
    agrees(derivative, 0.3, np.array(0.7), wrt=(0, 1))
    agrees(derivative, np.float64(0.3), 0.7, wrt=(0, 1))


def test_arguments_are_not_modified_and_results_are_new() -> None:
    def f(x, y):
        return np.sum(x * y)

    x, y = W.copy(), 2.0 * W
    gradients = grad(f, (0, 1))(x, y)
    for gradient in gradients:
        gradient[:] = 7.0
    np.testing.assert_array_equal(x, W)
    np.testing.assert_array_equal(y, 2.0 * W)
    np.testing.assert_array_equal(grad(f, (0, 1))(x, y)[0], y)


def test_one_array_given_twice() -> None:
    def f(x, y):
        return np.sum(x * y * y)

    first, second = grad(f, (0, 1))(W, W)
    np.testing.assert_allclose(first, W * W)
    np.testing.assert_allclose(second, 2.0 * W * W)


def test_shapes_that_do_not_fit_are_said_at_the_call() -> None:
    with pytest.raises(ValueError, match=r"w\[.*X|w.*x"):
        loss(W, 0.5, X[:, :2], Y)


# Structures ---------------------------------------------------------------------------------------


class Layer(NamedTuple):
    w: Any
    b: Any


@dataclass
class Model:
    first: Layer
    scale: float
    rest: list[Any]


def test_tuples_lists_and_dicts() -> None:
    def f(p, x):
        (u, v), others = p["pair"], p["others"]
        return np.sum((x @ u) * v) + others[0] * others[1] ** 2

    p = {"pair": (W, 0.5), "others": [2.0, np.array(3.0)]}
    agrees(grad(f, ("p",)), p, X)
    gradient = grad(f)(p, X)
    assert list(gradient) == ["pair", "others"]
    assert type(gradient["pair"]) is tuple
    assert type(gradient["others"]) is list


def test_named_tuples_and_dataclasses() -> None:
    def f(model, x):
        hidden = np.tanh(x @ model.first.w + model.first.b)
        return model.scale * np.sum(hidden) + model.rest[0] * np.sum(model.rest[1] ** 2)

    model = Model(Layer(W, 0.2), 1.5, [0.3, Y])
    agrees(grad(f, (0,)), model, X)
    assert grad(f)(model, X).first._fields == ("w", "b")


def test_an_item_that_is_an_integer() -> None:
    def f(p):
        return p["x"] ** p["n"]

    assert grad(f)({"x": 2.0, "n": 3})["x"] == 12.0


def test_structures_of_one_shape_and_other_keys_are_compiled_anew() -> None:
    def f(p):
        return p["x"] * 2.0

    derivative = grad(f)
    assert derivative({"x": 1.0, "y": 2.0}) == {"x": 2.0, "y": 0.0}
    assert list(derivative({"y": 1.0, "x": 2.0})) == ["y", "x"]
    assert refused(lambda: derivative({"y": 1.0})) == ["bad-index"]


# Free variables -----------------------------------------------------------------------------------

lam: Any = 0.5
helper: Any = lambda x: x * x  # noqa: E731


def test_globals_are_read_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def f(x):
        return np.sum(lam * x * x)

    derivative = grad(f)
    for value in (0.5, 2.0, np.float32(0.25), W, 3, 0.5, 1.0):
        monkeypatch.setitem(globals(), "lam", value)
        np.testing.assert_allclose(derivative(W), 2.0 * value * W)
    monkeypatch.delitem(globals(), "lam")
    assert refused(lambda: derivative(W)) == ["unknown-name"]


def test_closures_are_read_at_each_call() -> None:
    k = 2.0
    shift = {"by": np.ones(4)}

    def f(x):
        return k * np.sum(x * x) * np.sum(shift["by"])

    derivative = grad(f)
    np.testing.assert_allclose(derivative(W), 16.0 * W)
    k = 3.0
    np.testing.assert_allclose(derivative(W), 24.0 * W)
    shift["by"] = np.ones((2, 3))
    np.testing.assert_allclose(derivative(W), 36.0 * W)


def test_free_variables_that_have_to_be_constants_are_read_at_each_call() -> None:
    axis: Any = 0
    places = [0, 1]

    def f(x):
        return np.sum(np.max(x, axis=axis) * x[places].sum() * np.transpose(x, places)[0, 0])

    derivative = grad(f)
    x = np.array([[1.0, 2.0], [4.0, 3.0]])
    for axis in (0, 1, None, (0,), -1):  # noqa: B007
        expected = [
            (f(x + step) - f(x - step)) / 2e-5 for step in 1e-5 * np.eye(4).reshape(4, 2, 2)
        ]
        np.testing.assert_allclose(derivative(x).ravel(), expected, rtol=1e-7)
    places[:] = [1, 0]
    assert derivative(x)[1, 0] == grad(f)(x)[1, 0]


def test_a_free_variable_is_not_confused_with_a_parameter() -> None:
    n, grad_x, np_ = 2.0, 3.0, 4.0

    def f(x, y):
        lam_ = x * n
        return lam_ * grad_x * np_ * y * lam

    assert grad(f)(1.0, 2.0) == 24.0


def test_a_helper_that_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    def f(x):
        return helper(x)

    derivative = grad(f)
    assert derivative(3.0) == 6.0
    monkeypatch.setitem(globals(), "helper", lambda x: x * x * x)
    assert derivative(3.0) == 27.0
    monkeypatch.setitem(globals(), "helper", np.exp)
    assert derivative(0.0) == 1.0


def test_a_builtin_that_is_hidden_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def f(x):
        return abs(x) * x

    derivative = grad(f)
    assert derivative(3.0) == 6.0
    monkeypatch.setitem(globals(), "abs", lambda x: x * x)
    assert derivative(3.0) == 27.0


def test_defaults_are_evaluated_where_functions_are_defined() -> None:
    k = 2.0

    def scaled(x, k=k):
        return k * x

    def f(x):
        s = 5.0

        def inner(x, s=s):
            return s * x

        s = 7.0
        return scaled(x) + inner(x)

    k = 3.0
    assert grad(f)(1.0) == 7.0
    assert k == 3.0


def test_derivatives_as_arguments_are_followed() -> None:
    assert grad(lambda x, f: f(x))(2.0, cube) == 12.0  # of 3 * x**2


def test_recursion_is_refused() -> None:
    def f(x):
        return x * f(x / 2.0)

    assert refused(lambda: grad(f)(1.0)) == ["recursion"]


# Source, files, caches ----------------------------------------------------------------------------


def module_of(text: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(text, names)
    return names


def test_source_is_a_module() -> None:
    derivative = grad(loss.primal, wrt="w")
    derivative(W, 0.5, X, Y)
    module = module_of(derivative.source)
    np.testing.assert_array_equal(module["grad_loss"](W, 0.5, X, Y), derivative(W, 0.5, X, Y))
    assert "s2s_ad" not in derivative.source.replace("generated by s2s_ad", "")


def test_source_before_the_first_call() -> None:
    def f(x: float, n: int = 2) -> float:
        return x**n

    assert "def grad_f(x: float, n: int = 2) -> float:" in grad(f).source


def test_source_with_several_signatures() -> None:
    def f(x, y=2.0):
        return np.sum(x * y)

    derivative = grad(f)
    for x in (1.0, W, X, X[:, :1], np.float32(2.0)):
        derivative(x)
    module = module_of(derivative.source)
    assert [name for name in module if name.startswith("grad_")] == [
        "grad_f_float",
        "grad_f_f64_1d",
        "grad_f_f64_2d",
        "grad_f_f64_nx1",
        "grad_f_f32",
    ]
    assert derivative.source.count("import numpy as np\n") == 1
    np.testing.assert_array_equal(module["grad_f_f64_nx1"](X[:, :1]), np.full((4, 1), 2.0))


def test_save(tmp_path: Path) -> None:
    path = tmp_path / "loss_grad.py"
    path.write_text("old")
    derivative = value_and_grad(loss.primal, wrt=("w", "b"))
    expected = derivative(W, 0.5, X, Y)
    derivative.save(path)
    assert path.read_text() == derivative.source
    assert [other.name for other in tmp_path.iterdir()] == ["loss_grad.py"]
    program = (
        "import sys; sys.modules['s2s_ad'] = None\n"
        "import numpy as np, loss_grad\n"
        f"print(loss_grad.value_and_grad_loss(np.array({W.tolist()}), 0.5,"
        f" np.array({X.tolist()}), np.array({Y.tolist()}))[0].hex())"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == float(expected[0]).hex()
    with pytest.raises(OSError):
        derivative.save(tmp_path / "missing" / "loss_grad.py")


def test_a_refused_function_saves_nothing(tmp_path: Path) -> None:
    def f(x: float):
        return np.unknown(x)

    path = tmp_path / "out.py"
    assert refused(lambda: grad(f).save(path)) == ["unknown-operation"]
    assert not path.exists()


def test_derivatives_of_one_function_share_their_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def f(x):
        return x * x

    assert grad(f)(1.0) == 2.0
    monkeypatch.setattr("s2s_ad.specialise.Table.compile", None)  # nothing is compiled any more
    assert grad(f)(2.0) == 4.0
    assert grad(f)(3.0) == 6.0


def test_tables_do_not_keep_functions_alive() -> None:
    def made() -> weakref.ref[Any]:
        big = np.ones(10)

        def f(x):
            return np.sum(big) * x * helper(x)

        grad(f)(1.0)
        return weakref.ref(f)

    reference = made()
    gc.collect()
    assert reference() is None


def test_tracebacks_show_generated_code() -> None:
    def f(x, i):
        return x[i]

    try:
        grad(f)(W, 7)
    except IndexError:
        shown = traceback.format_exc()
    assert "grad_x[i]" in shown or "x[i]" in shown.split("grad_f")[-1]


def test_threads() -> None:
    def f(x, y):
        return np.sum(np.sin(x) * y)

    derivative = grad(f)
    failures: list[BaseException] = []
    start = threading.Barrier(8)

    def work(number: int) -> None:
        try:
            start.wait()
            for k in range(20):
                x = np.full((3,) * ((number + k) % 3), 0.5)
                np.testing.assert_allclose(derivative(x, 2.0), 2.0 * np.cos(x))
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert derivative.source.count("def grad_f") == 3  # nothing was compiled twice


def test_a_cached_call_costs_microseconds() -> None:
    derivative = grad(product)
    derivative(1.0, 2.0, 3.0)
    generated = module_of(derivative.source)["grad_product"]
    calls = 2000
    with_cache = min(timeit.repeat(lambda: derivative(1.0, 2.0, 3.0), number=calls, repeat=5))
    without = min(timeit.repeat(lambda: generated(1.0, 2.0, 3.0), number=calls, repeat=5))
    assert (with_cache - without) / calls < 20e-6  # about 1.5 where nothing else runs


# Pickle and copy ----------------------------------------------------------------------------------


def round_trip(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


gradient_of_product = grad(product, ("x", "z"))


def test_pickle_by_name() -> None:
    assert round_trip(cube) is cube
    assert copy.copy(cube) is cube
    assert copy.deepcopy([cube])[0] is cube


def test_pickle_by_the_name_of_the_primal() -> None:
    again = round_trip(grad(product, ("x", "z")))
    assert again(1.0, 2.0, 3.0) == grad(product, ("x", "z"))(1.0, 2.0, 3.0)
    assert again.primal is product
    assert round_trip(gradient_of_product).primal is product


def test_pickle_by_source() -> None:
    k = 3.0
    derivative = grad(lambda x, y=2.0, *, z=1.0: k * x * x * y * z)
    with pytest.raises(pickle.PicklingError):
        pickle.dumps(derivative)
    derivative(1.0)
    derivative(W[0], z=2.0)
    again = round_trip(derivative)
    k = 4.0
    assert again(2.0) == 24.0
    assert again(2.0, 1.0, z=0.5) == 6.0
    assert again.source == derivative.source
    assert round_trip(again)(2.0) == 24.0
    assert refused(lambda: again(W)) == ["unknown-signature"]
    assert derivative(2.0) == 32.0


# Methods ------------------------------------------------------------------------------------------


@dataclass
class Regression:
    x: Any
    y: Any

    @grad
    def loss(self, w):
        r = self.x @ w - self.y
        return np.sum(r * r)

    def risk(self, w, k=1.0):
        return k * np.sum((self.x @ w) ** 2)


class Linked:
    kind = "scaled"
    factor = 6.0

    def link(self, z):
        return np.tanh(z) * self.scale


class Network(Linked):
    def __init__(self, x: Any, scale: float) -> None:
        self.x, self.scale = x, scale

    @property
    def doubled(self) -> float:
        return 2.0 * self.scale

    @value_and_grad(wrt=("w", "b"))
    def loss(self, w, b=0.0):
        weight = self.doubled if self.kind == "scaled" else 1.0
        return weight * np.sum(self.link(self.x @ w + b) ** 2)

    @classmethod
    def of_class(cls, w):
        return np.sum(w) * cls.factor


def test_methods_of_dataclasses() -> None:
    model = Regression(X, Y)
    np.testing.assert_allclose(model.loss(W), 2.0 * X.T @ (X @ W - Y))
    np.testing.assert_allclose(grad(model.risk)(W), 2.0 * X.T @ X @ W)
    assert grad(model.risk, "k")(W, k=2.0) == model.risk(W)
    assert isinstance(Regression.loss, Derivative)
    assert round_trip(model).y.shape == (4,)


def test_attributes_of_objects_are_read_at_each_call() -> None:
    network, other = Network(X, 1.5), Network(X[:2], np.float32(0.5))
    for _ in range(2):
        for model in (network, other):
            value, gradients = model.loss(W, 0.3)

            def primal(w: Any, b: Any, model: Any = model) -> Any:
                return Network.loss.primal(model, w, b)

            assert value == primal(W, 0.3)
            expected = central_differences(primal, (W, 0.3), (0, 1))
            np.testing.assert_allclose(gradients[0], expected[0][0], rtol=1e-6)
            np.testing.assert_allclose(gradients[1], expected[1][0], rtol=1e-6)
        network.kind, network.x = "plain", X[:3]
    del network.scale
    assert "`self` has no attribute `scale`" in str(refusal(lambda: network.loss(W)))


def test_bound_methods_as_functions() -> None:
    network = Network(X, 2.0)

    def f(w):
        return np.sum(network.link(w)) * network.scale

    np.testing.assert_allclose(grad(f)(W), 4.0 * (1.0 - np.tanh(W) ** 2))
    np.testing.assert_array_equal(grad(network.of_class)(W), np.full(3, 6.0))
    value, _ = round_trip(network.loss)(W)
    assert value == network.loss(W)[0]
    _, pullback = vjp(network.link, W)
    np.testing.assert_allclose(pullback(np.ones(3))[0], 2.0 * (1.0 - np.tanh(W) ** 2))
    assert refused(lambda: grad(lambda x: x * network)(1.0)) == ["free-variable"]


def test_derivatives_do_not_keep_objects_alive() -> None:
    network = Network(X, 2.0)
    network.loss(W)
    reference = weakref.ref(network)
    del network
    gc.collect()
    assert reference() is None


def test_modules_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "user_helpers.py").write_text("K = 3.0\n\n\ndef cube(x):\n    return K * x**3\n")
    monkeypatch.syspath_prepend(tmp_path)
    helpers = importlib.import_module("user_helpers")

    def f(x):
        return helpers.cube(x) * helpers.K

    derivative = grad(f)
    assert derivative(1.0) == 27.0
    monkeypatch.setattr(helpers, "K", 2.0)
    assert derivative(1.0) == 12.0
    monkeypatch.setattr(helpers, "cube", lambda x: x)
    assert derivative(1.0) == 2.0


def test_the_primal_of_a_derivative_may_be_called() -> None:
    def f(x):
        return cube.primal(x) * 2.0

    assert grad(f)(1.0) == 6.0


# vjp and jvp --------------------------------------------------------------------------------------


def linear_maps(x, y):
    return np.sin(x) * y, {"sum": np.sum(x * x) * y}


def test_forward_and_reverse_agree() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=3), 0.7
    direction = (generator.normal(size=3), 0.3)
    out, pullback = vjp(linear_maps, x, y)
    again, tangent = jvp(linear_maps, (x, y), direction)
    adjoint = (generator.normal(size=3), {"sum": 1.5})
    gradients = pullback(adjoint)
    np.testing.assert_array_equal(out[0], again[0])
    pushed = np.sum(adjoint[0] * tangent[0]) + adjoint[1]["sum"] * tangent[1]["sum"]
    pulled = np.sum(gradients[0] * direction[0]) + gradients[1] * direction[1]
    assert pushed == pytest.approx(pulled, rel=1e-13)
    np.testing.assert_array_equal(pullback(adjoint)[0], gradients[0])


def test_a_pullback_keeps_what_it_needs() -> None:
    x = W.copy()
    out, pullback = vjp(np_exp, x)
    out[:] = 0.0
    x[:] = 0.0
    (gradient,) = pullback(np.ones(3))
    gradient[:] = 0.0
    np.testing.assert_allclose(pullback(np.ones(3))[0], np.exp(W))


def np_exp(x):
    return np.exp(x) * 1.0


def test_pullback_of_several_arguments_is_a_tuple() -> None:
    out, pullback = vjp(product, 2.0, 3.0, 1.0)
    assert out == 18.0
    assert pullback(1.0) == (9.0, 12.0, 54.0)
    assert pullback(2) == (18.0, 24.0, 108.0)
    assert "def reverse_product" in pullback.source


def test_auxiliary_results_of_products() -> None:
    def f(x):
        return x * x, "aux"

    out, pullback, aux = vjp(f, 3.0, has_aux=True)
    assert (out, pullback(1.0), aux) == (9.0, (6.0,), "aux")
    assert jvp(f, (3.0,), (1.0,), has_aux=True) == (9.0, 6.0, "aux")


def test_free_variables_and_defaults_of_products() -> None:
    k = 2.0

    def f(x, y=3.0):
        return k * x * y

    assert vjp(f, 1.0)[1](1.0) == (6.0,)
    assert jvp(f, (1.0, 3.0), (1.0, 1.0)) == (6.0, 8.0)
    assert jvp(f, (1.0,), (1.0,)) == (6.0, 6.0)
    k = 4.0
    assert jvp(f, (1.0,), (1.0,)) == (12.0, 12.0)


def test_an_argument_that_does_not_move() -> None:
    def f(x, n):
        return x**n

    assert jvp(f, (2.0, 3), (1.0, None)) == (8.0, 12.0)


def test_tangents_and_adjoints_take_the_type_of_what_they_belong_to() -> None:
    _, tangent = jvp(lambda x: x * x, (W.astype("f4"),), (np.ones(3),))
    assert tangent.dtype == np.float32
    assert jvp(product, (1.0, 1.0, 1.0), (1, np.float64(0.0), np.array(0.0)))[1] == 1.0
    with pytest.raises(ValueError, match=r"tangent of `x` has shape \(3,\), not \(\)"):
        jvp(product, (1.0, 1.0, 1.0), (W, 0.0, 0.0))
    with pytest.raises(TypeError, match="dtype complex128"):
        jvp(product, (1.0, 1.0, 1.0), (1j, 0.0, 0.0))
    with pytest.raises(TypeError, match="structure"):
        vjp(linear_maps, W, 1.0)[1]((W, 1.0))
    with pytest.raises(ValueError, match=r"adjoint\[1\]\['sum'\] has shape"):
        vjp(linear_maps, W, 1.0)[1]((W, {"sum": W}))
    with pytest.raises(TypeError, match="2 tangents"):
        jvp(product, (1.0, 1.0, 1.0), (1.0, 1.0))


def test_products_through_records() -> None:
    def f(layer):
        return np.sum(layer.w) * layer.b

    layer = Layer(W, 2.0)
    assert jvp(f, (layer,), (Layer(np.ones(3), 0.0),))[1] == pytest.approx(6.0)


# Errors -------------------------------------------------------------------------------------------


def test_a_result_that_is_no_scalar() -> None:
    assert refused(lambda: grad(lambda x: x * x)(W)) == ["not-a-scalar"]


def test_every_refusal_of_a_function_is_shown_at_once() -> None:
    def f(x):
        y = np.unknown(x)
        z = x.no_such_method()
        return y + z

    error = refusal(lambda: grad(f)(W))
    assert [diagnostic.name for diagnostic in error.diagnostics] == ["unknown-operation"] * 2
    assert "y = np.unknown(x)" in str(error)


def test_a_function_without_source() -> None:
    names: dict[str, Any] = {}
    exec("def f(x): return x", names)
    assert refused(lambda: grad(names["f"])(1.0)) == ["no-source"]


def test_a_file_that_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "changing.py"
    path.write_text("def f(x, y):\n    return x * y\n")
    monkeypatch.syspath_prepend(tmp_path)
    module: ModuleType = importlib.import_module("changing")
    path.write_text("def f(x):\n    return x\n")
    assert refused(lambda: grad(module.f)(1.0, 2.0)) == ["no-source"]


def test_internal_errors_are_refusals_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("lost")

    monkeypatch.setattr("s2s_ad.frontend.lower.lower_function", broken)
    error = refusal(lambda: grad(lambda x: x)(1.0))
    assert error.diagnostics[0].name == "internal-error"
    assert isinstance(error.__cause__, KeyError)


# The package --------------------------------------------------------------------------------------


def test_names_of_the_package() -> None:
    for name in s2s_ad.__all__:
        assert getattr(s2s_ad, name) is not None
    assert set(s2s_ad.__all__) <= set(dir(s2s_ad))
    with pytest.raises(AttributeError, match="no_such_name"):
        s2s_ad.no_such_name  # noqa: B018


@pytest.fixture
def loaded() -> Iterator[Callable[[str], set[str]]]:
    def modules(statement: str) -> set[str]:
        program = f"import sys; {statement}; print(*sys.modules)"
        shown = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        return set(shown.stdout.split())

    yield modules


def test_nothing_is_imported_before_it_is_needed(loaded: Callable[[str], set[str]]) -> None:
    assert not {"numpy", "libcst"} & loaded("import s2s_ad, s2s_ad.cli")
    assert "libcst" not in loaded("from s2s_ad import grad; grad(lambda x: x)")


def test_a_pullback_of_a_result_that_is_not_read() -> None:
    """The adjoint of a constant is given and not read: it must not take another one's name."""
    out, pullback = vjp(lambda z: (z**2, 0.5 * 1.0), 3.0)
    assert out == (9.0, 0.5)
    assert pullback((1.0, 7.0)) == (6.0,)
