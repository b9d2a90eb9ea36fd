"""Every rule that takes complex numbers, with complex operands, against difference quotients.

The adjoint g of a complex z says that the result changes by Re(g * dz). The lines are run as text,
as in `test_rules.py`.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import s2s_ad
from s2s_ad.diagnostics import DifferentiationError
from s2s_ad.ir import Operation, Var
from s2s_ad.operations import catalogue, helpers
from s2s_ad.operations.complex_numbers import ANALYTIC, CATALOGUE, complex_form
from s2s_ad.types import Number, Scalar, Sizes
from tests.operations.samples import Case, is_complex_case, label, make_case, specifications
from tests.operations.test_rules import (
    agree,
    applicable,
    forward,
    is_summed,
    lowered_value,
    operand_of,
    rule_names,
)


def made_complex(sample: dict[str, Any]) -> dict[str, Any]:
    """The sample with complex numbers for its floats."""

    def changed(spec: Any) -> Any:
        if isinstance(spec, tuple):
            return tuple(map(changed, spec))
        return f"c{spec[1:]}" if isinstance(spec, str) and spec[:2] in ("f[", "p[") else spec

    return {name: changed(spec) for name, spec in sample.items()}


def one_complex(sample: dict[str, Any]) -> dict[str, Any]:
    """The sample with complex numbers for its first operand only."""
    first = next(iter(sample))
    return {**sample, **made_complex({first: sample[first]})}


def cases() -> list[tuple[Operation, dict[str, Any]]]:
    found = []
    for name, op in catalogue().operations.items():
        if op.constant or not op.rules or name != op.name:
            continue
        for sample in specifications(op):
            if is_complex_case(op, sample):
                found.append((op, sample))
            elif name in ANALYTIC and not name.startswith("builtins."):
                found.append((op, made_complex(sample)))
                if one_complex(sample) not in (sample, made_complex(sample)):
                    found.append((op, one_complex(sample)))
    return [case for case in found if taken(*case)]


def taken(op: Operation, sample: dict[str, Any]) -> bool:
    """Whether the compiler takes such operands."""
    try:
        complex_form(op, complex_atoms(make_case(op, sample)))
    except Exception:
        return False
    return True


def complex_atoms(case: Case) -> list[Any]:
    atoms = case.atoms()
    return [
        Var(name, Number("complex")) if isinstance(value, complex) else atom
        for atom, (name, value) in zip(atoms, case.values.items(), strict=True)
    ]


def real_product(left: Any, right: Any) -> float:
    return float(np.sum(np.real(np.asarray(left) * np.asarray(right))))


def drawn_like(rng: np.random.Generator, value: Any) -> Any:
    found = rng.normal(size=np.shape(value))
    if np.iscomplexobj(value):
        found = found + 1j * rng.normal(size=np.shape(value))
    return found if np.ndim(found) else found.item() if hasattr(found, "item") else found


def brought(value: Any, like: Any, summed: bool) -> Any:
    """A contribution as the adjoint pass brings it to its operand: of a real one, the real part."""
    value = value if np.iscomplexobj(like) else np.real(value)
    if summed:
        value = helpers.sum_to_shape(value, np.shape(like))
    assert np.shape(value) == np.shape(like)
    return value


def adjoints(case: Case, lines: tuple[str, ...], out: Any, weight: Any) -> dict[str, Any]:
    names = {**rule_names(case.op), **case.values, "out": out, "grad_out": weight}
    grads: dict[str, Any] = {name: np.zeros_like(case.values[name]) for name in case.floats}
    for line in lines:
        name, (target, _, text) = operand_of(line), line.partition(" += ")
        if name not in grads:
            continue
        if text and target == f"grad_{name}":
            summed = is_summed(case.op, name)
            grads[name] = grads[name] + brought(eval(text, names), case.values[name], summed)
        elif " = " in line:
            changed = np.array(weight)
            exec(line, names | {f"grad_{name}": changed})
            grads[name] = grads[name] + changed
        else:
            exec(line, names | {f"grad_{key}": grad for key, grad in grads.items()})
    return grads


CASES = cases()


@pytest.mark.parametrize(("op", "sample"), CASES, ids=label)
def test_rules_with_complex_operands(op: Operation, sample: dict[str, Any]) -> None:
    """Against differences, extrapolated twice, and forward mode; the type is NumPy's."""
    case = make_case(op, sample)
    rng = np.random.default_rng(5)
    out = case.evaluate()
    weight = drawn_like(rng, out)
    directions = {name: drawn_like(rng, case.values[name]) for name in case.floats}

    def quotient(step: float) -> float:
        ends = [
            case.evaluate(**{n: case.values[n] + sign * step * d for n, d in directions.items()})
            for sign in (1, -1)
        ]
        return real_product(weight, (ends[0] - ends[1]) / (2.0 * step))

    first, second, third = (quotient(1e-2 / 2**k) for k in range(3))
    once, again = (4.0 * second - first) / 3.0, (4.0 * third - second) / 3.0
    numerical = (16.0 * again - once) / 15.0
    lines = applicable(case, complex_atoms(case))[0]
    grads = adjoints(case, lines, out, weight)
    exact = sum(real_product(grads[name], directions[name]) for name in case.floats)
    scale = 1.0 + np.sum(np.abs(weight) * np.abs(out))
    bound = abs(numerical - again) + 1e-11 * scale
    assert abs(exact - numerical) <= bound, (lines, exact, numerical)
    moved = forward(case, lines, out, directions)
    assert abs(real_product(weight, moved) - exact) <= 1e-12 * (scale + abs(exact))
    check_lowered(case, lines, out, weight)


def check_lowered(case: Case, lines: tuple[str, ...], out: Any, weight: Any) -> None:
    """The type is NumPy's, and the compiler takes the lines: what they call is complex too."""
    atoms = complex_atoms(case)
    inferred = case.op.infer(Sizes(), atoms)
    assert agree(inferred, out), (inferred, out)
    names = dict(zip(case.values, atoms, strict=True))
    names |= {"out": Var("out", inferred), "grad_out": Var("grad_out", inferred)}
    values = {**case.values, "out": out, "grad_out": weight}
    if isinstance(weight, complex | float) and isinstance(inferred, Scalar):
        values["grad_out"] = np.asarray(weight, np.asarray(out).dtype)[()]
    stated = case.op.tangent_lines(atoms)
    for line in lines:
        if operand_of(line) in case.floats:
            lowered_value(line, names, values)
    for line in stated:
        for name in case.floats:
            names[f"tangent_{name}"] = Var(f"tangent_{name}", names[name].type)
            values[f"tangent_{name}"] = case.values[name]
        lowered_value(line.replace("tangent_out = ", "grad_out += "), names, values)


def test_every_operation_of_complex_numbers_is_tested() -> None:
    tested = {op.name for op, _ in CASES}
    for name in (*ANALYTIC, *CATALOGUE.operations):
        op = catalogue().operations[name]
        untested = op.constant or not op.rules or not specifications(op)
        assert name in tested or untested or name.startswith("builtins."), name


# What is refused ----------------------------------------------------------------------------------

X = np.array([0.3, -0.7, 1.1, 0.4])


def returns_complex(x):
    return np.fft.fft(x)


def sorts(x):
    return np.sum(np.abs(np.sort(np.fft.fft(x))))


def conjugates_within(x):
    return np.vdot(np.fft.fft(x), x).real


def drops_the_imaginary_part(x):
    y = np.zeros(4)
    y[:] = np.fft.fft(x)
    return np.sum(y)


def converts(x):
    return np.sum(np.fft.fft(x).astype(float))


def orders(x):
    return np.sum(np.where(np.fft.fft(x) > 0, x, 0.0))


def complex_power(x):
    return np.sum(np.abs(np.fft.fft(x) ** x))


def takes_the_float(x):
    return float(np.exp(1j * x[0]))


@pytest.mark.parametrize(
    "function",
    [returns_complex, sorts, conjugates_within, drops_the_imaginary_part, converts, orders,
     complex_power, takes_the_float],
    ids=lambda function: function.__name__,
)  # fmt: skip
def test_what_complex_numbers_cannot_do_is_refused(function: Any) -> None:
    with pytest.raises(DifferentiationError) as problem:
        s2s_ad.vjp(function, X)
    assert [each.name for each in problem.value.diagnostics] == ["complex-number"]


@pytest.mark.parametrize("value", [X + 1j, 1j, np.complex64(1.0)], ids=repr)
def test_complex_arguments_are_refused(value: Any) -> None:
    with pytest.raises(DifferentiationError):
        s2s_ad.grad(lambda x: np.sum(np.abs(x)))(value)


# Whole functions ----------------------------------------------------------------------------------


def in_a_loop(x):
    z = np.fft.fft(x)
    for k in range(3):
        z = z * np.exp(0.1j * k) + np.fft.fft(x * np.real(z))
    return np.sum(np.abs(z))


def numbers_in_a_loop(x):
    s = 0.0
    for k in range(len(x)):
        s = s * 1j + x[k] * np.exp(1j * x[k]) + s * x[k]
    return np.abs(s)


def parts_in_a_loop(x):
    s = 0j
    for k in range(len(x)):
        s = s * 1j + x[k] * s.real + x[k] ** 2
    return s.imag + s.real**2


def stores(x):
    z = np.zeros(4, dtype=complex)
    z[0] = 1j * x[0]
    z[2:] = np.exp(1j * x[:2])
    z += x
    return np.sum(np.abs(z * x) ** 2)


def in_a_branch(x):
    z = 1j * x if x[0] > 0 else x + 0j
    return np.sum(np.abs(z + 1.0) ** 2)


def wave(x):
    """A step of a spectral method."""
    k = 2.0 * np.pi * np.fft.fftfreq(len(x), 0.25)
    slope = np.real(np.fft.ifft(1j * k * np.fft.fft(x)))
    return np.sum(slope**2 * x)


@pytest.mark.parametrize("size", [4, 5])
@pytest.mark.parametrize(
    "function",
    [in_a_loop, numbers_in_a_loop, parts_in_a_loop, stores, in_a_branch, wave],
    ids=lambda function: function.__name__,
)
def test_functions_with_complex_values_inside(function: Any, size: int) -> None:
    x = np.resize(X, size) + 0.01 * np.arange(size)
    if function is stores and size != 4:
        size, x = 4, x[:4][::-1]
    steps = 1e-4 * np.eye(size)

    def quotients(steps: Any) -> Any:
        return np.array([function(x + d) - function(x - d) for d in steps])

    numerical = (8.0 * quotients(steps) - quotients(2.0 * steps)) / 12e-4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for level in (0, 1):
            value, grad = s2s_ad.value_and_grad(function, level=level)(x)
            assert value == function(x)
            assert grad.dtype == np.float64
            np.testing.assert_allclose(grad, numerical, rtol=1e-9, atol=1e-9)
        direction = np.cos(np.arange(size))
        _, moved = s2s_ad.jvp(function, (x,), (direction,))
    np.testing.assert_allclose(moved, grad @ direction, rtol=1e-12)


def test_single_precision_stays() -> None:
    x = X.astype(np.float32)
    grad = s2s_ad.grad(lambda x: np.sum(np.abs(np.fft.rfft(x)) ** 2))(x)
    assert grad.dtype == np.float32
    np.testing.assert_allclose(
        grad, s2s_ad.grad(lambda x: np.sum(np.abs(np.fft.rfft(x)) ** 2))(X), rtol=1e-5
    )


def test_the_slope_of_an_absolute_value_is_zero_at_zero() -> None:
    grad = s2s_ad.grad(lambda x: np.sum(np.abs(x * 1j)))(np.array([0.0, 2.0]))
    np.testing.assert_array_equal(grad, [0.0, 1.0])


def test_patterns_of_jacobians() -> None:
    """An imaginary part may depend on what a real part does not."""

    def turned(x):
        return np.imag(np.concatenate((1j * x, x))[::2]) + np.abs(1j * x[::-1])

    found = s2s_ad.jac_sparsity(turned, X).toarray()
    jacobian = np.array([(turned(X + d) - turned(X - d)) / 2e-6 for d in 1e-6 * np.eye(4)]).T
    assert np.all(found[np.abs(jacobian) > 1e-9])
    assert not np.all(found)
    spectrum = s2s_ad.jac_sparsity(lambda x: np.fft.irfft(np.fft.rfft(x) * 1j), X).toarray()
    np.testing.assert_array_equal(spectrum, np.ones((4, 4)))
