"""What is asked of the forms of a call: see `check_first`, `check_single` and `check_second`."""

from __future__ import annotations

import itertools
import linecache
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import s2s_ad
from tests.numerics import same_bits
from tests.operations.forms import (
    LAYOUTS,
    function_of,
    laid_out,
    leaves,
    operands_of,
    space,
)

EPSILON = float(np.finfo(float).eps)
SINGLE = float(np.finfo(np.float32).eps)
STEPS = tuple(2e-3 / 2.0**k for k in range(4))


def check_first(
    texts: Sequence[str], operands: Mapping[str, Any], layouts: Sequence[str] = tuple(LAYOUTS)
) -> None:
    """Operands of every layout: the value to the last bit, with its type, shape and dtype; forward
    mode against differences; reverse mode against forward mode, with gradients like the operands,
    which nothing writes to."""
    operands = operands_of(texts, operands)
    function = function_of(texts, tuple(operands))
    # rounded to single precision, a value has no differences
    wide = function_of([text.replace("float32", "float64") for text in texts], tuple(operands))
    rng = np.random.default_rng(29)
    directions = [random_like(rng, value) for value in operands.values()]
    for layout in layouts:
        arguments = laid_out(operands, LAYOUTS[layout])
        expected = function(*arguments)
        value, pullback = s2s_ad.vjp(function, *arguments)
        moved = s2s_ad.jvp(function, tuple(arguments), tuple(directions))[1]
        quotients = differences(wide, arguments, directions)
        weights = [[random_like(rng, leaf) for leaf in leaves(item)] for item in expected]
        for place, text in enumerate(texts):
            where = f"{text}, {layout}"
            assert same_bits(value[place], expected[place]), f"another value: {where}"
            is_single = "float32" in text
            tangent = flat(moved[place])
            found, bound = quotients[place]
            bound = bound + (2000.0 * SINGLE * size_of(tangent) if is_single else 0.0)
            assert np.shape(tangent) == np.shape(found)
            far = np.max(np.abs(tangent - found), initial=0.0)
            assert far <= bound, f"forward mode: {where}: {tangent} is not {found}"
            grads = pullback(adjoint_of(place, value, weights))
            for grad, argument in zip(grads, arguments, strict=True):
                assert is_like(grad, argument), f"gradient of another type: {where}"
            total = sum(float(np.sum(g * d)) for g, d in zip(grads, directions, strict=True))
            weight = flat([np.asarray(leaf) for leaf in weights[place]])
            scale = 1.0 + float(np.sum(np.abs(weight * tangent)))
            near = 2000.0 * (SINGLE if is_single else EPSILON) * scale
            assert abs(total - float(np.sum(weight * tangent))) <= near, f"reverse mode: {where}"
        for argument, given in zip(arguments, operands.values(), strict=True):
            assert np.array_equal(argument, given, equal_nan=True), (
                f"{layout}: an argument is changed"
            )


def check_single(texts: Sequence[str], operands: Mapping[str, Any]) -> None:
    """In single precision: NumPy's value, type and dtype, and gradients like the operands, near
    those of double precision."""
    double = operands_of(texts, operands)
    function = function_of(texts, tuple(double))
    narrow = [
        value.astype(np.float32) if isinstance(value, np.ndarray) else value
        for value in double.values()
    ]
    exact = [
        value.astype(np.float64) if isinstance(value, np.ndarray) else value for value in narrow
    ]
    expected = function(*narrow)
    value, pullback = s2s_ad.vjp(function, *narrow)
    _, pullback_exact = s2s_ad.vjp(function, *exact)
    reference = function(*exact)
    rng = np.random.default_rng(31)
    weights = [[random_like(rng, leaf) for leaf in leaves(item)] for item in expected]
    for place, text in enumerate(texts):
        assert same_bits(value[place], expected[place]), f"another value: {text}"
        grads = pullback(adjoint_of(place, value, weights))
        right = pullback_exact(adjoint_of(place, reference, weights))
        for grad, other, argument in zip(grads, right, narrow, strict=True):
            assert is_like(grad, argument), f"gradient of another type: {text}"
            near = 2000.0 * SINGLE * size_of(other)
            np.testing.assert_allclose(grad, other, rtol=0.0, atol=near, err_msg=text)


def check_second(texts: Sequence[str], operands: Mapping[str, Any]) -> None:
    """The gradient of the weighted squares of all forms, differentiated again, against differences
    of the gradient."""
    texts = [text for text in texts if "float32" not in text]
    operands = operands_of(texts, operands)
    total = total_of(texts, operands)
    arguments = list(operands.values())
    rng = np.random.default_rng(37)
    directions = [random_like(rng, value) for value in arguments]
    gradient = s2s_ad.grad(total, wrt=tuple(range(len(arguments))))
    curved = s2s_ad.jvp(gradient, tuple(arguments), tuple(directions))[1]
    quotients = differences(gradient, arguments, directions)
    for name, found, (expected, bound) in zip(operands, curved, quotients, strict=True):
        scale = size_of(expected)
        far = np.max(np.abs(flat(found) - expected), initial=0.0)
        assert far <= bound + 1e4 * EPSILON * scale, f"{name}: {found} is not {expected}: {texts}"


def total_of(texts: Sequence[str], operands: Mapping[str, Any]) -> Callable[..., float]:
    """A function that sums the squares of what the forms give, with weights of its own."""
    values = function_of(texts, tuple(operands))(*operands.values())
    rng = np.random.default_rng(41)
    lines, terms, weights = [], [], {}
    for place, (text, value) in enumerate(zip(texts, values, strict=True)):
        several = isinstance(value, tuple | list)
        names = [f"out_{place}_{k}" for k in range(len(value) if several else 1)]
        lines.append(f"    {', '.join(names)}{',' if several else ''} = {text}\n")
        for name, leaf in zip(names, leaves(value), strict=True):
            weights[f"w_{name}"] = random_like(rng, leaf)
            terms.append(f"np.sum(w_{name} * {name} * {name})")
    body = "".join(lines) + f"    return {' + '.join(terms)}\n"
    source = f"def total({', '.join(operands)}):\n{body}"
    file = f"<squares of forms {' '.join(texts)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    names_of_modules = {**space(), **weights}
    exec(compile(source, file, "exec"), names_of_modules)
    return names_of_modules["total"]  # type: ignore[no-any-return]


def differences(
    function: Callable[..., Any], arguments: Sequence[Any], directions: Sequence[Any]
) -> list[tuple[Any, float]]:
    """For each item of what a function returns: how it changes along the directions, by
    Richardson's extrapolation of central differences, and a bound of the error of that."""

    def values(step: float) -> list[Any]:
        moved = [x + step * d for x, d in zip(arguments, directions, strict=True)]
        return [flat(item) for item in function(*moved)]

    ends = [(values(step), values(-step), step) for step in STEPS]
    here = [flat(item) for item in function(*arguments)]
    found = []
    for place, value in enumerate(here):
        rows = [[(one[place] - other[place]) / (2.0 * step) for one, other, step in ends]]
        while len(rows[-1]) > 1:
            power = 4.0 ** len(rows)
            pairs = itertools.pairwise(rows[-1])
            rows.append([(power * fine - coarse) / (power - 1.0) for coarse, fine in pairs])
        # rounding, divided by the smallest step; truncation: what the last extrapolation changed
        changed = float(np.max(np.abs(rows[-1][0] - rows[-2][-1]), initial=0.0))
        found.append((rows[-1][0], 50.0 * EPSILON * size_of(value) / STEPS[-1] + changed))
    return found


def adjoint_of(place: int, values: Sequence[Any], weights: Sequence[Sequence[Any]]) -> Any:
    """Weights for what one form gives, zeros for the others."""
    return tuple(
        shaped(value, iter(weight), 1.0 if k == place else 0.0)
        for k, (value, weight) in enumerate(zip(values, weights, strict=True))
    )


def shaped(value: Any, weights: Any, factor: float) -> Any:
    """The weights in containers like those of the value, and with its dtypes."""
    if isinstance(value, tuple | list):
        items = [shaped(item, weights, factor) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    weight = factor * next(weights)
    return np.asarray(weight, dtype=np.asarray(value).dtype)[()]


def flat(value: Any) -> Any:
    """All the numbers in a value, in one array of double precision."""
    items = [np.ravel(np.asarray(leaf, dtype=float)) for leaf in leaves(value)]
    return np.concatenate(items) if items else np.zeros(0)


def size_of(value: Any) -> float:
    """How large its numbers are, and at least 1."""
    return 1.0 + float(np.max(np.abs(flat(value)), initial=0.0))


def random_like(rng: np.random.Generator, value: Any) -> Any:
    drawn = rng.normal(size=np.shape(value))
    return drawn if np.ndim(drawn) else float(drawn)


def is_like(grad: Any, argument: Any) -> bool:
    """Whether a gradient has the shape and dtype of its argument."""
    if isinstance(argument, np.ndarray):
        return (
            isinstance(grad, np.ndarray)
            and grad.shape == argument.shape
            and grad.dtype == argument.dtype
        )
    return np.shape(grad) == () and np.asarray(grad).dtype == np.float64
