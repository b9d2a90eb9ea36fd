"""The examples of the textbooks: the published numbers, printed (`pytest -s`) and compared.

Adjoints of intermediate values are read from the module of level 0 as it runs: `trace_of` executes
its body and records every assignment. Digits as published may be cut off rather than rounded, so
they are compared to one unit of the last digit; derived values to rounding.
"""

from __future__ import annotations

import ast
import copy
import itertools
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.numerics import central_differences

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))


def generated(name: str, function: str) -> Callable[..., Any]:
    """A function of a module in `generated/`."""
    return runpy.run_path(str(ROOT / "generated" / f"{name}.py"))[function]  # type: ignore[no-any-return]


def example(name: str, function: str) -> Callable[..., Any]:
    return runpy.run_path(str(ROOT / "examples" / f"{name}.py"))[function]  # type: ignore[no-any-return]


class Trace(list[tuple[str, Any]]):
    """The assignments of a run, in order."""

    def __getitem__(self, name: Any) -> Any:
        """The last value of a variable."""
        return self.values_of(name)[-1]

    def values_of(self, name: str) -> list[Any]:
        return [value for other, value in self if other == name]

    def contributions(self, name: str) -> list[Any]:
        """What was added to an adjoint, one after the other."""
        values = self.values_of(name)
        return [
            values[0],
            *(after - before for before, after in itertools.pairwise(values)),
        ]

    def order(self, *names: str) -> list[str]:
        """These variables in the order of their first assignment."""
        return list(dict.fromkeys(name for name, _ in self if name in names))


def trace_of(path: Path, function: str, *arguments: Any) -> Trace:
    """Run a function of a module with every assignment recorded."""
    module = ast.parse(path.read_text(encoding="utf-8"))
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            node.body = [recorded for line in node.body for recorded in _recorded(line)]
    trace = Trace()
    names: dict[str, Any] = {"__name__": "traced", "record": trace.append}
    exec(compile(ast.fix_missing_locations(module), str(path), "exec"), names)
    names[function](*arguments)
    return trace


def _recorded(line: ast.stmt) -> list[ast.stmt]:
    if not isinstance(line, ast.Assign) or not isinstance(line.targets[0], ast.Name):
        return [line]
    name = line.targets[0].id
    return [line, *ast.parse(f"record(({name!r}, {name}))").body]


def level0(name: str, function: str, *arguments: Any) -> Trace:
    return trace_of(ROOT / "generated" / f"{name}_level0.py", function, *arguments)


def compare(title: str, **pairs: tuple[Any, Any]) -> None:
    """Print and compare computed numbers with published ones, by name."""
    print(f"\n{title}")
    for name, (found, published) in pairs.items():
        shown = np.array2string(np.asarray(found), precision=6)
        print(f"  {name:<12} {shown:<24} published {published}")
    for name, (found, published) in pairs.items():
        digits = max(len(str(number).partition(".")[2]) for number in np.ravel(published).tolist())
        unit = 10.0**-digits if digits < 9 else 1e-12 * max(1.0, float(np.max(np.abs(published))))
        assert np.shape(found) == np.shape(published), name
        assert np.allclose(found, published, rtol=0.0, atol=unit), (name, found, published)


def exact(value: Any) -> Any:
    """A number to compare to rounding: all its digits count."""
    return np.asarray(value, dtype=float)


def agree(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-14)


# The bullets of the textbook ----------------------------------------------------------------------


def test_logarithm_product_sine() -> None:
    value = example("straight_line", "f")(2.0, 5.0)
    gradient = generated("straight_line", "grad_f")(2.0, 5.0)
    compare(
        "ln x1 + x1 x2 - sin x2 at (2, 5)",
        value=(value, 11.6521),
        grad_x1=(gradient[0], 5.5),
        grad_x2=(gradient[1], 1.7163),
    )
    trace = level0("straight_line", "grad_f", 2.0, 5.0)
    compare(
        "every adjoint of the trace",
        grad_v5=(trace["grad_v5"], 1.0),
        grad_v4=(trace["grad_v4"], 1.0),
        grad_v3=(trace["grad_v3"], -1.0),
        grad_v2=(trace["grad_v2"], 1.0),
        grad_v1=(trace["grad_v1"], 1.0),
        to_x2=(sorted(trace.contributions("grad_x2")), [-0.2836, 2.0]),
        to_x1=(sorted(trace.contributions("grad_x1")), [0.5, 5.0]),
    )


def test_sum_times() -> None:
    value, gradient = generated("sum_times", "value_and_grad_f")(-2.0, 5.0, -4.0)
    trace = level0("sum_times", "grad_f", -2.0, 5.0, -4.0)
    compare(
        "(x + y) z at (-2, 5, -4)",
        value=(value, -12.0),
        gradient=(gradient, (-4.0, -4.0, 3.0)),
        grad_q=(trace["grad_q"], -4.0),
    )


NEURON = (2.0, -3.0, -3.0, -1.0, -2.0)


def test_neuron() -> None:
    value, gradient = generated("neuron", "value_and_grad_neuron")(*NEURON)
    trace = level0("neuron", "grad_neuron", *NEURON)
    compare(
        "1 / (1 + exp(-(w0 x0 + w1 x1 + w2)))",
        value=(value, 0.73),
        grad_s3=(trace["grad_s3"], 0.20),
        gradient=(gradient, (-0.20, -0.39, 0.20, 0.39, -0.59)),
        s0=(trace["s0"], -2.0),
        s1=(trace["s1"], 6.0),
        s2=(trace["s2"], 4.0),
        s3=(trace["s3"], 1.0),
    )


def test_neuron_with_a_declared_sigmoid() -> None:
    """Flat, as in the notes: `s0 = w0 * x0 ... grad_s3 = grad_L * (1 - L) * L`."""
    trace = level0("neuron_declared", "grad_neuron", *NEURON)
    compare(
        "the neuron with its sigmoid as one operation",
        L=(trace["L"], 0.73),
        grad_s3=(trace["grad_s3"], 0.20),
    )
    expected = generated("neuron", "value_and_grad_neuron")(*NEURON)
    found = generated("neuron_declared", "value_and_grad_neuron")(*NEURON)
    assert found[0] == expected[0]
    agree(found[1], expected[1])
    text = (ROOT / "generated" / "neuron_declared_level0.py").read_text(encoding="utf-8")
    lines = [line.strip().partition("  #")[0] for line in text.splitlines()]
    start = lines.index("s0 = w0 * x0")
    assert lines[start + 1 : start + 5] == [
        "s1 = w1 * x1",
        "s2 = s0 + s1",
        "s3 = s2 + w2",
        "L = sigmoid(s3)",
    ]
    assert "grad_s3 = grad_L * (1 - L) * L" in lines


def test_a_declaration_with_the_decorator() -> None:
    import s2s_ad

    neuron = example("neuron_declared", "neuron")
    derivative = s2s_ad.grad(neuron, wrt=("w0", "w1", "w2", "x0", "x1"), level=0)
    agree(derivative(*NEURON), generated("neuron", "value_and_grad_neuron")(*NEURON)[1])
    assert "grad_s3 = grad_L * (1 - L) * L" in derivative.source


def test_logistic_least_squares() -> None:
    w, b, x, t, lam = 0.7, -0.2, 1.5, 1.0, 0.1
    trace = level0("logistic_least_squares", "grad_regularised_loss", w, b, x, t, lam)
    z = w * x + b
    y = 1.0 / (1.0 + np.exp(-z))
    # the lecture's lines, in the lecture's order
    lecture = {"Lreg": 1.0, "R": lam, "L": 1.0, "y": y - t, "z": (y - t) * y * (1.0 - y)}
    lecture["w"] = lecture["z"] * x + lecture["R"] * w
    lecture["b"] = lecture["z"]
    compare(
        "univariate logistic least squares",
        **{
            f"grad_{name}": (trace[f"grad_{name}"], exact(value)) for name, value in lecture.items()
        },
    )
    order = trace.order("grad_Lreg", "grad_R", "grad_L", "grad_y", "grad_z", "grad_b")
    assert order.index("grad_Lreg") == 0
    assert (
        order.index("grad_L")
        < order.index("grad_y")
        < order.index("grad_z")
        < order.index("grad_b")
    )
    value, gradient = generated("logistic_least_squares", "value_and_grad_regularised_loss")(
        w, b, x, t, lam
    )
    agree(value, 0.5 * (y - t) ** 2 + lam * 0.5 * w**2)
    agree(gradient, (lecture["w"], lecture["b"]))


def test_chain_rule() -> None:
    t = 1.2
    x, y = np.cos(t), t**2
    df_dx, df_dy = y * np.exp(x * y), 1.0 + x * np.exp(x * y)
    trace = level0("chain_rule", "grad_f", t)
    compare(
        "y + exp(x y), x = cos t, y = t^2",
        grad_x=(trace["grad_x"], exact(df_dx)),
        grad_y=(trace["grad_y"], exact(df_dy)),
        grad_t=(generated("chain_rule", "grad_f")(t), exact(df_dx * -np.sin(t) + df_dy * 2.0 * t)),
    )


def test_softmax_classifier() -> None:
    generator = np.random.default_rng(1)
    W, b, x = generator.normal(size=(3, 2)), generator.normal(size=3), generator.normal(size=2)
    t = np.array([0.0, 1.0, 0.0])
    z = W @ x + b
    y = np.exp(z) / np.sum(np.exp(z))
    value, gradient = generated("softmax_classifier", "value_and_grad_cross_entropy")(W, b, x, t)
    trace = level0("softmax_classifier", "grad_cross_entropy", W, b, x, t)
    compare(
        "softmax and cross-entropy",
        value=(value, exact(-np.log(y[1]))),
        grad_z=(trace["grad_z"], exact(y - t)),
        grad_W=(gradient[0], exact(np.outer(y - t, x))),
        grad_b=(gradient[1], exact(y - t)),
    )


def test_perceptron_by_scalars_and_with_matrices() -> None:
    W1, b1 = np.array([[0.1, -0.2], [0.4, 0.3]]), np.array([0.0, 0.1])
    W2, b2 = np.array([[0.7, -0.5]]), np.array([0.2])
    x, t = np.array([1.0, 2.0]), np.array([1.0])
    h = 1.0 / (1.0 + np.exp(-(W1 @ x + b1)))
    # the lecture's lines
    grad_y = W2 @ h + b2 - t
    grad_W2, grad_b2 = np.outer(grad_y, h), grad_y
    grad_h = W2.T @ grad_y
    grad_z = grad_h * h * (1.0 - h)
    grad_W1, grad_b1 = np.outer(grad_z, x), grad_z
    trace = level0("perceptron", "grad_loss", W1, b1, W2, b2, x, t)
    gradient = generated("perceptron", "grad_loss")(W1, b1, W2, b2, x, t)
    compare(
        "two-layer perceptron with matrices",
        grad_y=(trace["grad_y"], exact(grad_y)),
        grad_h=(trace["grad_h"], exact(grad_h)),
        grad_z=(trace["grad_z"], exact(grad_z)),
        grad_W1=(gradient[0], exact(grad_W1)),
        grad_b1=(gradient[1], exact(grad_b1)),
        grad_W2=(gradient[2], exact(grad_W2)),
        grad_b2=(gradient[3], exact(grad_b2)),
    )
    numbers = [float(v) for v in (*W1.ravel(), *b1, *W2.ravel(), *b2, *x, *t)]
    scalars = generated("perceptron_scalars", "grad_loss")(*numbers)
    expected = np.concatenate([np.ravel(part) for part in (grad_W1, grad_b1, grad_W2, grad_b2)])
    compare("the same by scalars", gradient=(scalars, exact(expected)))
    trace = level0("perceptron_scalars", "grad_loss", *numbers)
    agree([trace["grad_y"], trace["grad_h1"], trace["grad_z2"]], [grad_y[0], grad_h[0], grad_z[1]])


def test_matrix_product() -> None:
    x = np.array([[2.0, 1.0, -3.0], [-3.0, 4.0, 2.0]])
    w = np.array([[3.0, 2.0, 1.0, -1.0], [2.0, 1.0, 3.0, 2.0], [3.0, 2.0, 1.0, -2.0]])
    upstream = np.array([[2.0, 3.0, -3.0, 9.0], [-8.0, 1.0, 4.0, 6.0]])
    value, pullback = generated("matrix_product", "vjp_product")(x, w)
    grad_x, grad_w = pullback(upstream)
    compare(
        "x @ w",
        value=(value, exact(x @ w)),
        grad_x=(grad_x, [[0.0, 16.0, -9.0], [-24.0, 9.0, -30.0]]),
        grad_w=(grad_w, exact(x.T @ upstream)),
    )
    # never a Jacobian: no array of the module has more than two axes, and it has two products
    lines = (ROOT / "generated" / "matrix_product.py").read_text(encoding="utf-8").splitlines()
    code = "\n".join(line.partition("#")[0] for line in lines)
    assert code.count(" @ ") == 3 and "einsum" not in code and "None" not in code


def test_relu() -> None:
    value, pullback = generated("relu", "vjp_relu")(np.array([1.0, -2.0, 3.0, -1.0]))
    (gradient,) = pullback(np.array([4.0, -1.0, 5.0, 9.0]))
    gradient = gradient[0] if isinstance(gradient, tuple) else gradient
    compare("ReLU", value=(value, [1.0, 0.0, 3.0, 0.0]), gradient=(gradient, [4.0, 0.0, 5.0, 0.0]))


# The other examples -------------------------------------------------------------------------------

GENERATOR = np.random.default_rng(3)
OTHERS: dict[str, tuple[str, str, tuple[Any, ...], int]] = {
    "mlp": (
        "loss",
        "grad_loss",
        tuple(GENERATOR.normal(size=size) for size in ((3, 4), 4, (4, 2), 2, (5, 3), (5, 2))),
        4,
    ),
    "softmax_regression": (
        "loss",
        "grad_loss",
        (GENERATOR.normal(size=(3, 4)), GENERATOR.normal(size=(5, 3)), np.eye(4)[[0, 2, 1, 3, 0]]),
        1,
    ),
    "logistic_regression": (
        "loss",
        "value_and_grad_loss",
        (GENERATOR.normal(size=2), 0.3, GENERATOR.normal(size=(6, 2)), np.eye(6)[0], 0.01),
        2,
    ),
    "normalisation": (
        "score",
        "grad_score",
        (GENERATOR.normal(size=(4, 2)), GENERATOR.normal(size=2), GENERATOR.normal(size=2), 1e-5),
        3,
    ),
    "gaussian": (
        "log_likelihood",
        "value_and_grad_log_likelihood",
        (1.0, -0.5, GENERATOR.normal(size=4)),
        2,
    ),
    "ridge": (
        "loss",
        "value_and_grad_loss",
        (GENERATOR.normal(size=2), GENERATOR.normal(size=(3, 2)), GENERATOR.normal(size=3), 0.1),
        1,
    ),
    "gaussian_process": (
        "negative_log_likelihood",
        "value_and_grad_negative_log_likelihood",
        (1.2, 0.8, 0.3, GENERATOR.normal(size=4), GENERATOR.normal(size=4)),
        3,
    ),
    "normal_log_density": (
        "log_density",
        "value_and_grad_log_density",
        (GENERATOR.normal(size=3), GENERATOR.normal(size=3), 2.0 * np.eye(3) + 0.3),
        3,
    ),
    "heat": ("heat", "value_and_grad_heat", (GENERATOR.normal(size=6), 0.1, 3), 1),
    "iterated_map": ("iterate", "grad_iterate", (0.9, 6), 1),
    "newton_square_root": ("square_root", "grad_square_root", (2.3,), 1),
    "huber": ("huber", "grad_huber", (1.5, 1.0), 2),
    "cholesky": (
        "half_log_determinant",
        "grad_half_log_determinant",
        (GENERATOR.normal(size=(4, 4)) + 9.0 * np.eye(4),),
        1,
    ),
    "elimination": (
        "determinant",
        "grad_determinant",
        (GENERATOR.normal(size=(4, 4)) + 4.0 * np.eye(4),),
        1,
    ),
    "thomas": (
        "norm_of_solution",
        "grad_norm_of_solution",
        (
            GENERATOR.normal(size=5),
            GENERATOR.normal(size=5) + 6.0,
            GENERATOR.normal(size=5),
            GENERATOR.normal(size=5),
        ),
        4,
    ),
    "horner": ("polynomial", "grad_polynomial", (GENERATOR.normal(size=4), 1.2), 2),
    "recursive_filter": ("energy", "grad_energy", (GENERATOR.normal(size=5), 0.7, 0.3), 3),
    "runge_kutta": ("pendulum", "grad_pendulum", (1.0, 0.2, 0.1, 5), 2),
    "time_warping": (
        "distance",
        "grad_distance",
        (GENERATOR.normal(size=4), GENERATOR.normal(size=3)),
        2,
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_examples(name: str) -> None:
    function, derivative, arguments, count = OTHERS[name]
    program = example(name, function)

    def primal(*given: Any) -> Any:
        return program(*copy.deepcopy(given))  # which it may write to

    result = generated(name, derivative)(*arguments)
    gradient = result[1] if derivative.startswith("value") else result
    if derivative.startswith("value"):
        assert result[0] == primal(*arguments)
    gradients = gradient if count > 1 else [gradient]
    for found, (expected,) in zip(
        gradients, central_differences(primal, arguments, range(count)), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_by_itself(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `python examples/<name>.py` would: it prints a value and a gradient."""
    monkeypatch.setattr(sys, "argv", [name])
    runpy.run_path(str(ROOT / "examples" / f"{name}.py"), run_name="__main__")
    assert any(character.isdigit() for character in capsys.readouterr().out)


def test_regenerating_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    main = runpy.run_path(str(ROOT / "scripts" / "regenerate.py"))["main"]
    assert main(["--check"]) == 0, capsys.readouterr().out
