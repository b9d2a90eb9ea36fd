"""`custom_vjp`, `custom_jvp`, `stop_gradient` and `on_adjoint` in Python, and the check of what is
declared. Programs as files are in `tests/cases/custom.md`.
"""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest

import s2s_ad
from s2s_ad import (
    DifferentiationError,
    check_grads,
    custom_jvp,
    custom_vjp,
    declare,
    grad,
    jvp,
    on_adjoint,
    stop_gradient,
    value_and_grad,
    vjp,
)

X = np.array([0.3, -0.8, 1.1])


def refused(action: Any) -> list[str]:
    with pytest.raises(DifferentiationError) as caught:
        action()
    return [diagnostic.name for diagnostic in caught.value.diagnostics]


# Stated adjoints ----------------------------------------------------------------------------------


@custom_vjp
def softplus(x):
    return np.log1p(np.exp(x))


softplus.defvjp(lambda x: (softplus(x), x), lambda x, g: (g / (1.0 + np.exp(-x)),))


@custom_vjp(nondiff_argnames=("n",))
def weighted(n, x, w):
    return n * x**2 * w


def weighted_forward(n, x, w):
    return weighted(n, x, w), (x, w)


def weighted_reverse(n, saved, g):
    x, w = saved
    return 2.0 * n * x * w * g, n * np.sum(x**2 * g)


weighted.defvjp(weighted_forward, weighted_reverse)


@custom_vjp
def scaled_adjoint(x):
    return x


scaled_adjoint.defvjp(lambda x: (x, None), lambda _, g: (10.0 * g,))


def in_a_loop(x):
    for k in range(4):
        if k != 2:
            x = softplus(x) - 0.3 * x
    return np.sum(x)


def with_two(x):
    return np.sum(weighted(3, x, x[0]) * softplus(x))


def in_a_list(x):
    found = []
    for k in range(3):
        found.append(softplus(x[k]))
    return found[0] * found[1] * found[2]


def of_a_slice(x):
    y = softplus(x[1:])
    y[0] = y[1] * x[0]
    return np.sum(y**2)


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize(
    "f", [in_a_loop, with_two, in_a_list, of_a_slice], ids=lambda f: f.__name__
)
def test_against_differences(f: Any, level: int) -> None:
    found = value_and_grad(f, level=level)(X)
    assert found[0] == f(X)
    check_grads(f, (X,), order=1)
    step = 1e-6
    for k, unit in enumerate(np.eye(3)):
        differences = (f(X + step * unit) - f(X - step * unit)) / (2.0 * step)
        assert found[1][k] == pytest.approx(differences, rel=1e-7, abs=1e-9)


def test_what_is_stated_counts_and_not_what_is_computed() -> None:
    assert grad(lambda x: scaled_adjoint(x) * 2.0)(1.0) == 20.0
    assert grad(scaled_adjoint)(1.0) == 10.0
    assert scaled_adjoint(3.0) == 3.0
    out, pullback = vjp(scaled_adjoint, X)
    np.testing.assert_array_equal(pullback(np.ones(3))[0], np.full(3, 10.0))
    np.testing.assert_array_equal(out, X)


def test_second_derivatives_go_through_the_reverse_function() -> None:
    x, step = 0.4, 1e-6
    first = grad(softplus)
    differences = (first(x + step) - first(x - step)) / (2.0 * step)
    assert grad(first)(x) == pytest.approx(differences, rel=1e-8)

    # where the value of a value and gradient is differentiated, the rule holds again
    @custom_vjp
    def ten(x):
        return x

    ten.defvjp(lambda x: (ten(x), None), lambda _, g: (10.0 * g,))
    both = value_and_grad(ten)
    assert grad(lambda x: both(x)[0] * x)(2.0) == 22.0


def test_forward_mode_is_reverse_mode_turned_round() -> None:
    w = np.array([0.5, 1.0, -2.0])

    def f(x):
        return weighted(3, x, x[0]) * softplus(x)

    _, tangent = jvp(f, (X,), (w,))
    _, pullback = vjp(f, X)
    v = np.array([1.0, -3.0, 0.3])
    assert np.vdot(v, tangent) == pytest.approx(np.vdot(pullback(v)[0], w), rel=1e-13)

    @custom_vjp
    def clipped(x):
        return x

    clipped.defvjp(lambda x: (x, None), lambda _, g: (np.clip(g, -1.0, 1.0),))
    assert grad(clipped)(1.0) == 1.0
    assert refused(lambda: jvp(clipped, (1.0,), (1.0,))) == ["custom-derivative"]


def test_keywords_and_defaults() -> None:
    @custom_vjp
    def product(x, y=3.0):
        return x * y

    product.defvjp(lambda x, y: (x * y, (x, y)), lambda saved, g: (g * saved[1], g * saved[0]))
    assert grad(lambda x: product(x))(2.0) == 3.0
    assert grad(lambda x: product(y=x, x=5.0))(2.0) == 5.0
    assert grad(product, "y")(2.0, 4.0) == 2.0


def test_a_float32_adjoint_stays_one() -> None:
    x = X.astype(np.float32)
    found = grad(lambda x: np.sum(weighted(2, x, np.float32(0.5))))(x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, 2.0 * x, rtol=1e-6)


def test_a_rule_that_is_stated_anew_counts() -> None:
    @custom_vjp
    def f(x):
        return x

    g = grad(lambda x: f(x))
    assert refused(lambda: g(1.0)) == ["custom-derivative"]
    f.defvjp(lambda x: (x, None), lambda _, g: (2.0 * g,))
    assert g(1.0) == 2.0
    f.defvjp(lambda x: (x, None), lambda _, g: (3.0 * g,))
    assert g(1.0) == 3.0


def test_what_a_rule_reads_from_around() -> None:
    scale = 2.0

    @custom_vjp
    def f(x):
        return scale * x

    f.defvjp(lambda x: (scale * x, None), lambda _, g: (scale * g,))
    g = grad(lambda x: f(x) * x)
    assert g(1.0) == 4.0
    scale = 3.0
    assert g(1.0) == 6.0

    def active(x):
        @custom_vjp
        def inner(y):
            return x * y

        return inner

    assert refused(lambda: grad(lambda x: active(x)(x))(1.0)) != []

    def outer(x, y):
        return f(y) * x

    assert grad(outer)(1.0, 2.0) == 6.0


def test_a_result_that_is_the_argument_is_not_written_to() -> None:
    def f(x):
        y = x * 1.0
        z = scaled_adjoint(y)
        z[0] = 0.0
        return np.sum(y * x)

    assert refused(lambda: grad(f)(X)) == ["write-through-view"]


def test_effects_happen_once(capsys: pytest.CaptureFixture[str]) -> None:
    @custom_vjp
    def noisy(x):
        print("value")
        return x * x

    def forward(x):
        print("forward")
        return x * x, x

    def reverse(x, g):
        print("reverse")
        return (2.0 * x * g,)

    noisy.defvjp(forward, reverse)
    assert grad(lambda x: noisy(x) * 3.0)(2.0) == 12.0
    assert capsys.readouterr().out.split() == ["forward", "reverse"]
    # nothing goes through it
    assert grad(lambda x: noisy(1.0) * x)(2.0) == 1.0
    assert capsys.readouterr().out.split() == ["value"]


def test_wrong_names() -> None:
    with pytest.raises(TypeError, match="`k`"):
        custom_vjp(lambda x: x, nondiff_argnames="k")


# Stated tangents ----------------------------------------------------------------------------------


@custom_jvp
def norm(x, w):
    return np.sqrt(np.sum(w * x**2))


@norm.defjvp
def norm_moved(primals, tangents):
    (x, w), (dx, dw) = primals, tangents
    value = np.sqrt(np.sum(w * x**2))
    return value, (np.sum(w * x * dx) + 0.5 * np.sum(x**2 * dw)) / value


@pytest.mark.parametrize("level", [0, 1])
def test_a_stated_tangent_in_both_modes(level: int) -> None:
    w = np.array([0.5, 1.0, 2.0])

    def f(x, w):
        for _ in range(2):
            x = x / norm(x, w)
        return np.sum(x**3 * w)

    found = grad(f, (0, 1), level=level)(X, w)
    _, tangent = jvp(f, (X, w), (w, X), level=level)
    assert tangent == pytest.approx(np.vdot(found[0], w) + np.vdot(found[1], X), rel=1e-12)
    check_grads(f, (X, w), order=2)


def test_a_tangent_of_one_argument() -> None:
    w = np.ones(3)
    gradient = grad(norm, "w")(X, w)
    np.testing.assert_allclose(gradient, 0.5 * X**2 / np.linalg.norm(X), rtol=1e-14)
    assert jvp(norm, (X, w), (None, w))[1] == pytest.approx(np.sum(gradient))


# Constants and code for adjoints ------------------------------------------------------------------


def test_a_stopped_gradient_stays_stopped() -> None:
    def f(x):
        return stop_gradient(x) ** 2 * x

    assert grad(f)(3.0) == 9.0
    assert grad(grad(f))(3.0) == 0.0
    assert jvp(f, (3.0,), (1.0,)) == (27.0, 9.0)
    assert "stop" not in grad(f).source
    kept = stop_gradient({"a": X})
    assert kept["a"] is X
    assert grad(lambda p: np.sum(stop_gradient(p)["a"] * p["a"]))({"a": X})["a"] is not X
    np.testing.assert_array_equal(
        grad(lambda p: np.sum(stop_gradient(p)["a"] * p["a"]))({"a": X})["a"], X
    )


def test_a_stopped_array_is_the_same_array() -> None:
    def f(x):
        y = x * 1.0
        z = stop_gradient(y)
        y[0] = x[1]
        return np.sum(z * x)

    step = np.array([1e-6, 0.0, 0.0])
    gradient = grad(f)(X)
    # z is y, as it is after the write: z = (x1, x1, x2) and counts as constant
    np.testing.assert_allclose(gradient, np.array([X[1], X[1], X[2]]))
    assert f(X + step) == pytest.approx(f(X) + 1e-6 * X[1])


@pytest.mark.parametrize("level", [0, 1])
def test_adjoints_are_seen_in_the_order_of_the_sweep(
    level: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def f(x):
        for k in range(3):
            x = on_adjoint(x * 2.0, lambda g, k=k: print("adjoint", k, g))
        return x * 3.0

    assert grad(f, level=level)(1.0) == 24.0
    assert capsys.readouterr().out == "adjoint 2 3.0\nadjoint 1 6.0\nadjoint 0 12.0\n"
    assert f(1.0) == 24.0
    assert capsys.readouterr().out == ""


def test_an_adjoint_may_be_changed() -> None:
    def f(x, most):
        return np.sum(on_adjoint(x, lambda g: np.clip(g, -most, most)) * np.array([1.0, 5.0, -7.0]))

    np.testing.assert_array_equal(grad(f)(X, 2.0), [1.0, 2.0, -2.0])
    assert jvp(f, (X, 2.0), (np.ones(3), None))[1] == pytest.approx(-1.0)
    assert s2s_ad.on_adjoint(3.0, None) == 3.0  # type: ignore[arg-type]


def test_the_debugger_sees_the_adjoint(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []

    def stopped() -> None:
        import sys

        seen.append(dict(sys._getframe(1).f_locals))

    monkeypatch.setattr(builtins, "breakpoint", stopped)

    def look(grad):
        doubled = grad * 2.0
        breakpoint()
        return doubled

    assert grad(lambda x: on_adjoint(x * x, look) ** 2)(2.0) == 64.0
    assert seen[0]["doubled"] == 16.0


def test_an_adjoint_of_another_shape_is_refused() -> None:
    assert refused(lambda: grad(lambda x: np.sum(on_adjoint(x, lambda g: g[0])))(X)) == [
        "custom-derivative"
    ]


# Declarations -------------------------------------------------------------------------------------


def identity(x, y=1.0):
    return x


@pytest.mark.parametrize(
    "line",
    [
        "grad_x += grad_out**2",
        "grad_x += grad_out * (grad_out + 0.0 * x)",
        "grad_x += grad_out + x",
        "grad_x += x",
        "grad_x += x / grad_out",
        "grad_x += np.exp(grad_out)",
        "grad_x += abs(grad_out)",
        "grad_x += np.where(grad_out > 0.0, grad_out, 0.0)",
        "grad_x += np.multiply(grad_out, grad_out)",
        "grad_x += x[grad_out]",
        "grad_x += grad_out if grad_out > 0.0 else 0.0",
    ],
)
def test_a_rule_that_is_not_linear_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="grad_out"):
        declare("out = identity(x, y=1.0)", line)


@pytest.mark.parametrize(
    "line",
    [
        "grad_x += -grad_out * x / (1.0 + y**2)",
        "grad_x += np.where(x > 0.0, grad_out, 0.0)",
        "grad_x += np.where(x > 0.0, 0.0, np.negative(grad_out))",
        "grad_x += np.sum(grad_out * x) + grad_out.sum()",
        "grad_x += np.reshape(grad_out, np.shape(x)) - x @ grad_out",
        "grad_x += np.cumsum(grad_out[::-1])[::-1] * grad_out.size",
        "grad_x += grad_out if y > 0.0 else 2.0 * grad_out",
        "grad_x += 0.0",
    ],
)
def test_linear_rules_are_taken(line: str) -> None:
    declare("out = identity(x, y=1.0)", line, function=identity)


# Branches that are not taken ----------------------------------------------------------------------


@custom_vjp
def rooted(x):
    return np.sqrt(x)


rooted.defvjp(lambda x: (np.sqrt(x), np.sqrt(x)), lambda root, g: (0.5 * g / root,))


@pytest.mark.parametrize(
    "branch",
    [
        lambda x: rooted(x),
        lambda x: rooted(x) * rooted(x),
        lambda x: 2.0 * np.sin(rooted(x * x)),
        lambda x: rooted(x) + x,
    ],
)
def test_what_a_where_discards_has_no_adjoint(branch: Any) -> None:
    def f(x):
        return np.sum(np.where(x > 0.0, branch(x), 0.0))

    x = np.array([0.0, 1.0, 4.0])
    with np.errstate(divide="ignore", invalid="ignore"):
        found = grad(f)(x)
        number = grad(lambda x: np.where(x > 0.0, branch(x), 0.0))(0.0)
    step = 1e-5
    differences = (branch(x[1:] + step) - branch(x[1:] - step)) / (2.0 * step)
    assert (found[0], number) == (0.0, 0.0)
    np.testing.assert_allclose(found[1:], differences, rtol=1e-8)
