"""Arguments and functions of NumPy that choose what is computed: values to the last bit, gradients
against central differences, forward against reverse mode.

Each program is an expression as in `test_numpy_calls.py`, in `x`, `v`, `w` and `a`.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import s2s_ad
from tests.operations.test_numpy_calls import differences, points
from tests.operations.test_numpy_calls import test_expression as check_expression

EXPRESSIONS = """
np.linalg.qr(x, mode="r")
np.linalg.qr(x)[0] @ np.linalg.qr(x).R[:, 1:]
np.linalg.qr(x.T, mode="r")
np.linalg.qr(x @ x.T + np.eye(3) * a, mode="complete")[1]
np.linalg.pinv(x, rtol=1e-10)
np.linalg.pinv(x.T, 0.5)
np.linalg.lstsq(x.T, v[:4], rcond=0.5)[0]
np.linalg.cond(x)
np.linalg.cond(x, -2)
np.linalg.cond(x @ x.T + np.eye(3), 1)
np.linalg.cond(x @ x.T + np.eye(3), -np.inf)
np.linalg.cond(x @ x.T + np.eye(3), "fro")
np.linalg.cond(x @ x.T + np.eye(3), "nuc")
np.quantile(x, [0.2, a], axis=1, method="hazen", keepdims=True)
np.percentile(x, 35.0, method="median_unbiased")
np.quantile(v, [0.0, 0.4, 1.0], method="averaged_inverted_cdf")
np.quantile(v, [0.0, 0.5, 1.0], method="weibull")
np.cov(x, fweights=[1, 2, 3, 1])
np.cov(x, aweights=w[:4])
np.cov(x, aweights=w[:4], fweights=np.array([1, 2, 1, 1]))
np.cov(x[0], w[:4], aweights=w[1:], bias=True)
np.average(x, returned=True)[1] * v
np.average(x, axis=0, returned=True)[0] * np.average(x, axis=0, returned=True)[1]
np.average(x, axis=1, weights=w[:4], returned=True)[1]
np.average(x, axis=1, weights=x**2 + 1.0, returned=True)[1]
np.var(x, axis=0, correction=1)
np.std(x, mean=a, ddof=1)
np.var(x, axis=(0, 1), mean=np.mean(x, keepdims=True), keepdims=True)
np.polynomial.polynomial.polyval(x, v)
np.polynomial.polynomial.polyval(v, x[:, :2])
np.polynomial.chebyshev.chebval(x, v)
np.polynomial.chebyshev.chebval(a, v[:1])
np.polynomial.legendre.legval(v, w)
np.polynomial.hermite.hermval(x, v[:3])
np.polynomial.hermite_e.hermeval(a, w)
np.polynomial.laguerre.lagval(w, v)
np.histogram(v, bins=4, range=(-1.0, 1.0), weights=w)[0]
np.histogram(x, 3)[0] * np.histogram(x, 3)[1][1:]
np.histogram(v, bins=np.linspace(-3.0 * a, 3.0, 7), weights=w, density=True)[0]
np.histogram(v, bins=4, density=True)[0]
x.compress([True, False, True], axis=0)
np.array(v.tolist()) * a
np.array(x.tolist()) * a
sum([b * b for b in v.tolist()])
""".strip().splitlines()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_chosen(expression: str) -> None:
    check_expression(expression)


# Programs -----------------------------------------------------------------------------------------


def put(v, w):  # type: ignore[no-untyped-def]
    y = v * w
    y.put([1, 3], w[:2])
    np.put(y, [-1, 13], w[:2], mode="clip")
    np.put(y, [0, 2, 7], v[3:], mode="wrap")
    return np.sum(y * v)


def put_masked(x, w):  # type: ignore[no-untyped-def]
    y = x * x
    np.putmask(y, x > 0.0, w)
    y.partition(1, axis=0)
    return np.sum(y * x)


def diagonals(x, v):  # type: ignore[no-untyped-def]
    y = x * x
    np.fill_diagonal(y, v[:3])
    cube = np.ones((2, 2, 2)) * v[0]
    np.fill_diagonal(cube, v[1:3])
    return np.sum(y * x) + np.sum(cube**2)


def lists(v, a):  # type: ignore[no-untyped-def]
    numbers = v.tolist()
    numbers.append(a)
    total = 0.0
    for number in numbers:
        total = total * a + number * number
    return total


@pytest.mark.parametrize("function", [put, put_masked, diagonals, lists])
def test_programs(function: Callable[..., Any]) -> None:
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    arguments = [points()[name] for name in names]
    wrt = tuple(range(len(names)))
    value, grads = s2s_ad.value_and_grad(function, wrt=wrt)(*arguments)
    assert value == function(*arguments)
    for place in wrt:
        found = differences(function, arguments, place)
        np.testing.assert_allclose(grads[place], found, rtol=1e-7, atol=1e-7)
        assert np.array_equal(arguments[place], points()[names[place]])


# Not a number, results, errors --------------------------------------------------------------------


@pytest.mark.parametrize("method", ["linear", "hazen", "closest_observation"])
def test_quantiles_without_nan_are_those_of_the_rest(method: str) -> None:
    """The gradients in the elements and in `q` are those of the rows without NaN."""
    x, q = points()["x"], np.array([0.15, 0.55])
    x[0, 1] = x[2, 3] = np.nan

    def whole(x, q):  # type: ignore[no-untyped-def]
        return np.sum(np.nanquantile(x, q, axis=1, method=method) ** 2)

    def part(r, q):  # type: ignore[no-untyped-def]
        return np.sum(np.quantile(r, q, method=method) ** 2)

    in_x, in_q = s2s_ad.grad(whole, wrt=(0, 1))(x, q)
    slopes = [s2s_ad.grad(part, wrt=(0, 1))(row[~np.isnan(row)], q) for row in x]
    np.testing.assert_allclose(in_x[~np.isnan(x)], np.concatenate([each[0] for each in slopes]))
    np.testing.assert_allclose(in_q, sum(each[1] for each in slopes))
    assert np.all(in_x[np.isnan(x)] == 0.0)


@pytest.mark.parametrize("q", [0.0, 0.25, 0.6, 1.0])
def test_slopes_in_q_at_a_sample_are_the_mean_of_both_sides(q: float) -> None:
    """Beyond the ends nothing changes."""
    x = np.array([8.0, 7.0, 20.0, 12.0, 4.0])
    found = s2s_ad.grad(lambda q, x: np.quantile(x, q))(q, x)
    sides = [float(np.quantile(x, np.clip(q + h, 0.0, 1.0))) for h in (-1e-6, 1e-6)]
    np.testing.assert_allclose(found, (sides[1] - sides[0]) / 2e-6, rtol=1e-6)


def test_adjoints_of_named_tuples_go_by_place() -> None:
    """What `np.linalg.qr` returns is a tuple, also where a function returns it."""
    x = points()["x"]
    (q, r), pull = s2s_ad.vjp(lambda x: np.linalg.qr(x), x)
    (of_both,) = pull((np.ones_like(q), 2.0 * r))

    def total(x):  # type: ignore[no-untyped-def]
        q, r = np.linalg.qr(x)
        return np.sum(q) + np.sum(r**2)

    expected = s2s_ad.grad(total)(x)
    np.testing.assert_allclose(of_both, expected, rtol=1e-9, atol=1e-9)


def test_lists_of_lists_made_arrays() -> None:
    """The adjoint of the array, an expression here, is turned into lists as a whole."""
    x = points()["x"]
    _, pull = s2s_ad.vjp(lambda x: np.array(x.tolist()) * 2.0, x)
    (found,) = pull(np.ones_like(x))
    assert np.array_equal(found, np.full_like(x, 2.0))


def unchecked(expression: str) -> Callable[..., Any]:
    """A program that is not run here: the sum of what an expression gives."""
    source = f"def f(x, v, w, a):\n    return np.sum({expression})\n"
    file = f"<unchecked {expression}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    space: dict[str, Any] = {"np": np}
    exec(compile(source, file, "exec"), space)
    return space["f"]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("np.maximum.reduceat(v, [0, -2])", IndexError),
        ("np.cov(x, aweights=-w[:4])", ValueError),
        ("np.cov(x, fweights=np.array([1, -1, 1, 1]))", ValueError),
    ],
)
def test_what_numpy_raises_is_raised(expression: str, error: type[Exception]) -> None:
    function, given = unchecked(expression), tuple(points().values())
    with pytest.raises(error):
        function(*given)
    with pytest.raises(error):
        s2s_ad.grad(function)(*given)


REFUSED = {
    'np.linalg.qr(x.T, mode="raw")': "in the modes `reduced`, `r` and `complete`",
    "np.linalg.pinv(x, hermitian=True)": "`hermitian=True`",
    'np.histogram(v, bins="auto")[0] * a': "how many bins",
    "x.byteswap()": "bytes of an array",
    "x.resize(12)": "changes the memory",
    'np.quantile(v, 0.3, method="none")': "`method` is supported as one of",
}


@pytest.mark.parametrize("expression", REFUSED)
def test_refusals_say_why(expression: str) -> None:
    with pytest.raises(s2s_ad.DifferentiationError, match=REFUSED[expression]) as problem:
        s2s_ad.grad(unchecked(expression))(*points().values())
    assert "help:" in str(problem.value)
