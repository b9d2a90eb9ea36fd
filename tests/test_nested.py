"""Derivatives of functions that take derivatives, live: against differences, to both levels.

Programs as files are in `tests/cases/nested.md`.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import s2s_ad
from s2s_ad import (
    DifferentiationError,
    check_grads,
    cli,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_grad,
    vjp,
)

Array = Any
X = np.array([0.3, -0.8, 1.1])


def cubic(x, c=2.0):
    return c * x**3


def bowl(x, w):
    return np.sum(np.sin(x * w)) ** 2


@grad
def slope(x):
    return np.sin(x) ** 2


@value_and_grad(wrt=(0, 1), has_aux=True)
def fitted(a, b):
    return a**2 * b, {"sum": a + b}


class Spring:
    def __init__(self, stiffness: float) -> None:
        self.stiffness = stiffness

    def energy(self, x):
        return 0.5 * self.stiffness * x**4

    @grad
    def force(self, x):
        return self.energy(x)


spring = Spring(3.0)
third = functools.partial(cubic, c=3.0)


def by_name(x):
    return slope(x) * x


def by_call(x):
    return grad(cubic)(x, x)


def by_module(x):
    return s2s_ad.grad(cubic, wrt="c")(x, x)


def by_position_from_the_end(x):
    return grad(cubic, -1)(x, x)


def of_a_default(x):
    first, second = grad(cubic, (0, 1))(x)
    return first * second


def with_aux(x):
    (value, aux), (first, second) = fitted(x, b=x * x)
    return value + aux["sum"] * first * second


def of_a_method(x):
    return spring.force(x) + grad(spring.energy)(x) ** 2


def of_a_partial(x):
    return grad(third)(x) + grad(functools.partial(cubic, c=x))(x)


def of_a_closure(x):
    def inner(y):
        return y**2 * x

    return grad(inner)(x)


def of_a_derivative(x):
    return grad(grad(cubic))(x) + grad(slope)(x)


def in_a_branch(x):
    g = grad(cubic)
    if x > 0.5:
        g = grad(cubic)
    return g(x) if x < 10.0 else x


def in_a_loop_until(x):
    steps = 0
    while abs(grad(cubic)(x)) > 0.1:
        x = x - 0.05 * grad(cubic)(x)
        steps += 1
        if steps > 5:
            break
    return x


def pulled(x):
    out, pullback = vjp(cubic, x, 2.0)
    first, second = pullback(x)
    return out + first * second + pullback(1.0)[0]


def pushed(x):
    out, tangent = jvp(cubic, (x, x), (1.0, None))
    return out * tangent


def pushed_with_aux(x):
    out, tangent, aux = jvp(lambda y: (y**2, y), (x,), (x,), has_aux=True)
    return out * tangent + aux


SCALAR = [
    by_name,
    by_call,
    by_module,
    by_position_from_the_end,
    of_a_default,
    with_aux,
    of_a_method,
    of_a_partial,
    of_a_closure,
    of_a_derivative,
    in_a_branch,
    in_a_loop_until,
    pulled,
    pushed,
    pushed_with_aux,
]


@pytest.mark.parametrize("f", SCALAR, ids=lambda f: f.__name__)
def test_of_numbers(f: Callable[[float], float]) -> None:
    check_grads(f, (0.7,), order=2 if f in (by_call, in_a_loop_until, pulled) else 1)
    assert grad(f)(0.7) == pytest.approx(grad(f, level=0)(0.7), rel=1e-13)
    assert value_and_grad(f)(0.7)[0] == f(0.7)


def descent(x, w):
    for _ in range(3):
        x = x - 0.1 * grad(bowl)(x, w)
    return np.sum(x * w)


def both_share_one_adjoint(x, w):
    first, second = grad(lambda a, b: np.sum(a + b), (0, 1))(x, w)
    first[0] = w[1]
    return np.sum(first * x) + np.sum(second * w)


def the_argument_is_left_alone(x, w):
    def doubled(y):
        y *= 2.0
        return np.sum(y**3)

    y = x + w
    slope = grad(doubled)(y)
    return np.sum(slope * y)


def lists_of_arrays(x, w):
    def loss(p):
        return np.sum(p[0] * p[1]["w"] ** 2)

    first, second = grad(loss)([x, {"w": w}])
    return np.sum(first * second["w"])


def a_list_that_grows(x, w):
    steps = []
    for k in range(3):
        steps.append(grad(bowl, (k % 2,))(x, w)[0])
    return np.sum(steps[0] * steps[1] + steps[2])


def pulled_twice(x, w):
    out, pullback = vjp(lambda a: np.tanh(a) * w, x)
    (once,) = pullback(out)
    (twice,) = pullback(once)
    return np.sum(twice)


def pushed_along(x, w):
    _, tangent = jvp(bowl, (x, w), (w, x))
    return tangent


def product_with_a_hessian(x, w):
    first, second = hvp(bowl, (x, w), (w, None))
    return np.sum(first * hvp(lambda y: bowl(y, w), x, x)) if second is None else 0.0


def product_and_aux(x, w):
    product, aux = hvp(lambda y: (bowl(y, w), y * 2.0), x, w, has_aux=True)
    return np.sum(product * aux)


def of_a_jacobian(x, w):
    by_rows = jacobian(lambda y: np.tanh(w * y) * y[0], direction="reverse")(x)
    return np.sum(by_rows @ jacobian(lambda y: np.tanh(w * y) * y[0], direction="forward")(w))


def of_a_hessian(x, w):
    (first, second), _ = hessian(bowl, (0, 1))(x, w)
    return np.sum(first @ second @ w)


def many_pushed(x, w):
    out, moved = jvp(bowl, (x, w), (np.stack([x, w]), None), many=True)
    return np.sum(hvp(bowl, (x, w), (np.stack([x, w]), None), many=True)[0]) * out + moved[1]


def many_pulled(x, w):
    out, pullback = vjp(lambda a, n: np.sin(a) ** n, x, 2, many=True)
    first, second = pullback(np.stack([w, out]))
    return np.sum(first * first) if second is None else 0.0


ARRAYS = [
    product_with_a_hessian,
    product_and_aux,
    of_a_jacobian,
    of_a_hessian,
    many_pushed,
    many_pulled,
    descent,
    both_share_one_adjoint,
    the_argument_is_left_alone,
    lists_of_arrays,
    pulled_twice,
    pushed_along,
]


@pytest.mark.parametrize("f", ARRAYS, ids=lambda f: f.__name__)
def test_of_arrays(f: Callable[[Array, Array], float]) -> None:
    w = np.array([1.2, 0.4, -0.5])
    check_grads(f, (X.copy(), w), order=1)
    for one, other in zip(grad(f, (0, 1))(X, w), grad(f, (0, 1), level=0)(X, w), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    assert value_and_grad(f)(X, w)[0] == f(X.copy(), w)


def test_dtypes_stay() -> None:
    x = X.astype(np.float32)
    found = grad(descent)(x, np.float32(0.5) * x)
    assert found.dtype == np.float32


def test_what_a_nested_derivative_reads_may_change() -> None:
    scale = 2.0

    def energy(x):
        return scale * x**3

    force = grad(energy)

    def f(x):
        return force(x) * x

    assert grad(f)(1.0) == 18.0
    scale = 3.0
    assert grad(f)(1.0) == 27.0


def test_a_rebound_derivative_counts() -> None:
    inner = grad(lambda x: x**2)

    def f(x):
        return inner(x) * x

    assert grad(f)(3.0) == 12.0
    inner = grad(lambda x: x**3)
    assert grad(f)(3.0) == 81.0


def test_printing_inside_prints_once(capsys: pytest.CaptureFixture[str]) -> None:
    def noisy(x):
        print("seen", x)
        return x**3

    assert grad(lambda x: grad(noisy)(x) * 2.0)(1.5) == 18.0
    assert capsys.readouterr().out == "seen 1.5\n"


# Derivatives of derivatives -----------------------------------------------------------------------


def test_the_gradient_of_a_gradient_is_a_function() -> None:
    second = grad(grad(cubic))
    assert second(2.0) == 24.0
    assert second(2.0, c=1.0) == 12.0
    assert second.__name__ == "grad_grad_cubic"
    assert "def grad_grad_cubic(x: float, c: float = 2.0)" in second.source
    assert "s2s_ad" not in second.source.split('"""', 2)[2]


def test_what_was_compiled_is_found_again() -> None:
    def f(x):
        return x**4

    first, again = grad(grad(f)), grad(grad(f))
    assert first(1.0) == again(1.0) == 12.0
    assert first._table is again._table
    assert grad(grad(f), level=0)._table is not first._table


@pytest.mark.parametrize("level", [0, 1])
def test_every_mode_takes_a_gradient(level: int) -> None:
    def f(x):
        return np.exp(2.0 * x)

    x, first, second = 0.7, 2.0 * np.exp(1.4), 4.0 * np.exp(1.4)
    assert grad(grad(f), level=level)(x) == pytest.approx(second)
    assert value_and_grad(grad(f), level=level)(x) == pytest.approx((first, second))
    assert vjp(grad(f), x, level=level)[1](3.0) == pytest.approx((3.0 * second,))
    assert jvp(grad(f), (x,), (3.0,), level=level) == pytest.approx((first, 3.0 * second))


def test_a_value_and_its_gradient_move_together() -> None:
    value, tangent = jvp(value_and_grad(cubic), (2.0,), (1.0,))
    assert (value, tangent) == ((16.0, 24.0), (24.0, 24.0))
    assert vjp(value_and_grad(cubic), 2.0)[1]((1.0, 10.0)) == (264.0,)
    with pytest.raises(DifferentiationError, match="not-a-scalar"):
        grad(value_and_grad(cubic))(2.0)


def test_stacked_decorators() -> None:
    @grad
    @grad
    @grad
    def f(x):
        return np.sin(x)

    assert f(0.4) == pytest.approx(-np.cos(0.4))


def test_methods() -> None:
    other = Spring(1.0)
    assert grad(spring.force)(2.0) == 72.0
    assert grad(other.force)(2.0) == 24.0
    other.stiffness = 2.0
    assert grad(other.force)(2.0) == 48.0


def test_partials() -> None:
    assert grad(third)(2.0) == 36.0
    assert grad(functools.partial(cubic, 2.0), "c")(5.0) == 8.0
    assert grad(grad(third))(1.0) == 18.0
    with pytest.raises(DifferentiationError, match="bad-wrt"):
        grad(third, "c")


def test_a_wrapper_has_derivatives_of_its_own() -> None:
    def f(x):
        return x**3

    assert grad(grad(f))(1.0) == 6.0

    @functools.wraps(f)
    def twice(x):
        return 2.0 * f(x)

    assert grad(grad(twice))(1.0) == 12.0
    assert grad(grad(f))(1.0) == 6.0


# The programs of GradBench ------------------------------------------------------------------------


def program(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PARTICLE = '''
import numpy as np
from s2s_ad import grad


def potential(x0, x1, w):
    first = np.sqrt((x0 - 10.0) ** 2 + (x1 - (10.0 - w)) ** 2)
    return 1.0 / first + 1.0 / np.sqrt((x0 - 10.0) ** 2 + x1 * x1)


force = grad(potential, (0, 1))


def end(w):
    """Where a particle that falls with friction arrives: an Euler integration, left by `return`."""
    x0, x1, v0, v1 = 0.0, 8.0, 0.75, 0.0
    while True:
        g0, g1 = force(x0, x1, w)
        x0, x1 = x0 + 0.1 * v0, x1 + 0.1 * v1
        if x1 <= 0.0:
            xf = x0 - x1 / v1 * v0
            return xf * xf
        v0, v1 = v0 - 0.1 * g0, v1 - 0.1 * g1


def steered(w):
    """Two steps towards the origin."""
    for _ in range(2):
        w = w - 1e-5 * grad(end)(w)
    return w
'''

SADDLE = """
import numpy as np
from s2s_ad import grad


def height(x, y, u, v):
    return x**2 * u + y**2 - (u - x) ** 2 - v**2 * (1.0 + y**2)


def highest(x, y):
    u, v = 0.3, 0.2
    du, dv = grad(height, wrt=("u", "v"))(x, y, u, v)
    while np.sqrt(du * du + dv * dv) > 1e-7:
        u, v = u + 0.2 * du, v + 0.2 * dv
        du, dv = grad(height, wrt=("u", "v"))(x, y, u, v)
    return height(x, y, u, v)


def lowest(x, y):
    for _ in range(3):
        dx, dy = grad(highest, (0, 1))(x, y)
        x, y = x - 0.1 * dx, y - 0.1 * dy
    return highest(x, y)
"""


def test_the_end_of_a_path(tmp_path: Path) -> None:
    (tmp_path / "particle.py").write_text(PARTICLE, encoding="utf-8")
    module = program(tmp_path / "particle.py")
    check_grads(module.end, (0.7,), order=1)
    # two orders more: the step goes through the integration's own derivative
    step = 1e-4
    differences = (module.steered(0.7 + step) - module.steered(0.7 - step)) / (2 * step)
    assert grad(module.steered)(0.7) == pytest.approx(differences, rel=1e-6)


def test_a_saddle_point(tmp_path: Path) -> None:
    (tmp_path / "saddle.py").write_text(SADDLE, encoding="utf-8")
    module = program(tmp_path / "saddle.py")
    # at the maximum over u and v the gradient is that at fixed u and v
    u = 0.4 + 0.4**2 / 2
    expected = (2 * 0.4 * u + 2 * (u - 0.4), 2 * 0.3)
    assert grad(module.highest, (0, 1))(0.4, 0.3) == pytest.approx(expected, rel=1e-5)
    step = 1e-4
    differences = (module.lowest(0.4 + step, 0.3) - module.lowest(0.4 - step, 0.3)) / (2 * step)
    assert grad(module.lowest)(0.4, 0.3) == pytest.approx(differences, rel=1e-5)


# Sparse ones are no arrays -----------------------------------------------------------------------


def neighbours(x: Array) -> Any:
    return x[1:] * x[:-1]


ENTRIES = jacobian(neighbours, sparse="triplets")


@jacobian(sparse="csr")
def decorated_neighbours(x: Array) -> Any:
    return x[1:] * x[:-1]


REFUSED = [
    lambda x: np.sum(jacobian(neighbours, sparse="csr")(x) @ x),
    lambda x: np.sum(ENTRIES(x)[0] ** 2),
    lambda x: np.sum(decorated_neighbours(x) @ x),
]


@pytest.mark.parametrize("f", REFUSED, ids=["written", "bound", "decorated"])
def test_sparse_derivatives_are_refused(f: Callable[[Array], Any]) -> None:
    with pytest.raises(DifferentiationError, match="leave `sparse` out"):
        grad(f)(X)


@pytest.mark.parametrize("what", ["ENTRIES(x)[0]", "below(x)[0]", "jacobian(f, sparse='csr')(x)"])
def test_sparse_derivatives_are_refused_in_files(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [
        "import numpy as np",
        "from s2s_ad import jacobian",
        "def f(x):",
        "    return x[1:] * x[:-1]",
        "ENTRIES = jacobian(f, sparse='triplets', direction='mixed')",
        "@jacobian(sparse='triplets')",
        "def below(x):",
        "    return x**2",
        "def g(x: 'Float[Array, \"3\"]'):",
        f"    return np.sum({what})",
    ]
    path = tmp_path / "entries.py"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert cli.main([str(path), "g"]) == cli.REFUSED
    said = capsys.readouterr().err
    assert "error[nested-derivative]: a sparse derivative is a matrix of its own kind" in said
    assert "entries.py:10:" in said
