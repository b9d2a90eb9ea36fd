"""Every pass, over the examples and a dozen functions: well-formed after, and the same result.

`interpret` runs the IR of each stage. What a pass may change is rounding, in adjoint and tangent
code only: the value of the function is the same to the last bit after each pass, and derivatives
to ROUNDINGS units of the last place of the largest number that takes part (see `assert_close`).
"""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2s_ad.check import check
from s2s_ad.interpret import interpret
from s2s_ad.ir import Assign, Function, show
from s2s_ad.operations.support import RECALL
from s2s_ad.passes.place_copies import place_copies
from s2s_ad.passes.split_sweeps import split_sweeps
from s2s_ad.pipeline import CLEAN_UP, SWEEPS, Options, UntilStable, derive, pass_name, passes_for
from s2s_ad.rewrite import all_statements
from tests import golden
from tests.numerics import Sampler, is_floating, is_scalar_result, leaves_of, same_bits

ROOT = Path(__file__).parent.parent.parent
DERIVING = ("adjoint", "tangent")

# Reassociating a sum of n products changes it by at most about n units of the last place of the
# largest partial sum. The functions here have fewer than 50 terms in any sum, and condition numbers
# up to about 100 between what is summed and the result.
ROUNDINGS = 5000.0

PROGRAMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "fan-out": ("def f(x, y):\n    a = x * y\n    return np.sin(a) * a + a / y", ()),
    "powers": ("def f(x, y):\n    return x**2 + y**3.5 + x**y - 2.0**x", ()),
    "names": ("def f(x):\n    y = x * x\n    y = np.exp(y) + y\n    return y * x", ()),
    "constants": ("def f(x, y):\n    return 3.0 * x * 1.0 + 0.0 - -x", ()),
    "broadcast": (
        "def f(a: float, x, A):\n    return np.sum(np.tanh(a * x[:, None] + A) * x[0])",
        ("x=float[n]", "A=float[n,m]"),
    ),
    "reductions": (
        "def f(X):\n    return np.max(X) * np.mean(X) + np.std(X) + np.sum(X.min(axis=0) ** 2)",
        ("X=float[n,m]",),
    ),
    "softmax": (
        "def f(Z, T):\n    E = np.exp(Z - np.max(Z, axis=1, keepdims=True))\n"
        "    return -np.sum(T * np.log(E / np.sum(E, axis=1, keepdims=True)))",
        ("Z=float[n,k]", "T=float[n,k]"),
    ),
    "indexing": (
        "def f(x, i):\n"
        "    return x[0] * np.sum(x[i] ** 2) + np.sum(x[1:] * x[:-1]) + np.sum(x[::-1])",
        ("x=float[n]", "i=int[m]"),
    ),
    "products": (
        "def f(A, B, x):\n    return np.sum(np.sin(A @ B)) + x @ A @ B.T @ A.T @ x",
        ("A=float[n,m]", "B=float[m,m]", "x=float[n]"),
    ),
    "shapes": (
        "def f(x, y):\n    z = np.concatenate((x, y, x))\n"
        "    return np.sum(z.reshape(1, -1) @ z) + y[0]",
        ("x=float[n]", "y=float[m]"),
    ),
    "choices": (
        "def f(x):\n    return np.sum(np.where(x > 1.0, x * x, np.abs(x)) + np.maximum(x, 0.9))",
        ("x=float[n]",),
    ),
    "containers": (
        'def f(p, X):\n    H = np.tanh(X @ p["W"] + p["b"])\n    return np.sum(H * H)',
        ("p=dict(W=float[d,h],b=float[h])", "X=float[n,d]"),
    ),
    "single": (
        "def f(x, y):\n    return np.sum(x * y) * 0.5 + x[0]",
        ("x=float32[n]", "y=float32[n]"),
    ),
    "unknown": ("def f(x: np.ndarray, y: np.ndarray):\n    return np.sum(x * np.cos(y) + y)", ()),
    "several results": (
        "def f(x, c):\n    y = np.exp(x) * c\n    return y, np.sum(y) / c",
        ("x=float[n]",),
    ),
}


NOT_INTERPRETED = (
    "neuron_declared",  # a declared operation is known by its text: there is nothing to run
    *("implicit_root", "equilibrium"),  # what they call has its derivative made behind the passes
    "kalman_filter",  # drawn matrices are no covariances
)


@cache
def functions() -> dict[str, Function]:
    """The functions lowered, by name: those above and those of the examples."""
    found = {
        name: golden.lower(f"import numpy as np\n\n\n{source}\n", "f", arguments)
        for name, (source, arguments) in PROGRAMS.items()
    }
    for target in runpy.run_path(str(ROOT / "scripts" / "regenerate.py"))["targets"]():
        if target.source.stem in names_of_functions():
            found.setdefault(target.source.stem, target.lower())
    return found


def names_of_functions() -> list[str]:
    files = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))
    return [*PROGRAMS, *(name for name in files if name not in NOT_INTERPRETED)]


def arguments_for(function: Function) -> list[Any]:
    drawn = Sampler(np.random.default_rng(5), (0.4, 1.6), (2, 3)).arguments(function.formals)
    return [value + 3.0 * np.eye(3) if is_square(value) else value for value in leaves_of(drawn)]


def is_square(value: Any) -> bool:
    """Whether it is a matrix that is made positive definite: it may be a covariance."""
    return np.shape(value) == (3, 3) and np.asarray(value).dtype == np.float64


def seeds_for(stage: Function, primal: Function) -> list[Any]:
    """What a stage takes besides the arguments of the primal: seeds, or directions."""
    sampler = Sampler(np.random.default_rng(6), (-1.0, 1.0), (2, 3))
    every = sampler.arguments(stage.formals)  # all, so that sizes are bound as for the arguments
    return leaves_of(every[len(primal.formals) :])


def single_passes(function: Function, options: Options) -> Iterator[tuple[str, Function]]:
    """Each pass of the pipeline applied by itself, with what it gives."""
    for step in passes_for(function, options):
        if isinstance(step, UntilStable):
            before = None
            while before is not function:
                before = function
                for one in step.steps:
                    function = one(function)
                    yield one.__name__, function
        else:
            function = step(function)
            yield pass_name(step), function


def results_of_the_end(
    derived: Function, primal: Function, options: Options, arguments: list[Any]
) -> Any:
    """What the last passes give: copies placed, and for `vjp` one function after the other."""
    seeds = seeds_for(derived, primal)
    if options.mode != "vjp":
        last = check(place_copies(derived), "place_copies")
        return interpret(last, [*arguments, *seeds])
    forward, reverse = (
        check(place_copies(check(part, "split_sweeps")), "place_copies")
        for part in split_sweeps(derived, primal)
    )
    value, saved = interpret(forward, arguments)
    return value, interpret(reverse, [*saved, *seeds])  # of which one may be a list


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("mode", SWEEPS)
@pytest.mark.parametrize("name", names_of_functions())
def test_passes_preserve_the_result(name: str, mode: str, level: int) -> None:
    function = functions()[name]
    if mode in ("grad", "value-and-grad") and not is_scalar_result(function, False):
        return
    arguments = arguments_for(function)
    value = interpret(function, arguments)
    options = Options(mode=mode, level=level)
    derivative: Any = None
    derived = False
    stage = function
    for step, stage in single_passes(function, options):
        check(stage, after=step)
        derived |= step in DERIVING
        if not derived:
            assert same_bits(interpret(stage, arguments), value), step
            continue
        if recalls_from_blocks(stage):
            continue  # what a recall gives is decided later, by `save_values`
        result = interpret(stage, [*arguments, *seeds_for(stage, function)])
        derivative = compared(result, derivative, value, mode, step)
    result = results_of_the_end(stage, function, options, arguments)
    compared(result, derivative, value, mode, "the last passes")


def recalls_from_blocks(function: Function) -> bool:
    """Whether the reverse sweep still asks for values of loops or branches."""
    return any(
        isinstance(statement, Assign) and statement.op is RECALL
        for statement in all_statements(function.body)
    ) and not all(isinstance(statement, Assign) for statement in function.body.statements)


def compared(result: Any, derivative: Any, value: Any, mode: str, step: str) -> Any:
    """The derivative after a pass, once its result is found to be that before it."""
    if mode != "grad":
        assert same_bits(result[0], value), step
        result = result[1]
    if derivative is not None:
        assert_close(result, derivative, step)
    return result


def assert_close(found: Any, expected: Any, step: str) -> None:
    """Equal types and shapes, and numbers to ROUNDINGS units of the last place of the largest."""
    a, b = leaves_of(found), leaves_of(expected)
    assert len(a) == len(b), step
    numbers = [np.max(np.abs(x), initial=0.0) for x in b if is_floating(x)]
    scale = max([1.0, *map(float, numbers)])
    for x, y in zip(a, b, strict=True):
        if not is_floating(y):
            assert (x is None) == (y is None), step
            continue
        assert np.shape(x) == np.shape(y) and np.asarray(x).dtype == np.asarray(y).dtype, step
        unit = float(np.finfo(np.asarray(y).dtype).eps)
        assert np.allclose(x, y, rtol=0.0, atol=ROUNDINGS * unit * scale), (step, x, y)


@pytest.mark.parametrize("mode", SWEEPS)
def test_the_pipeline_is_what_is_tested(mode: str) -> None:
    """Its stages are the passes above, in this order: no pass runs unseen."""
    function = functions()["straight_line"]
    stages: list[Function] = []
    derive(function, Options(mode=mode), lambda name, stage: stages.append(stage))
    *_, (_, alone) = single_passes(function, Options(mode=mode))
    assert show(alone) in map(show, stages)


def test_a_pass_with_nothing_to_do_gives_the_function_back() -> None:
    """But for the signs, which the last pass takes from where these passes put them."""
    for function in functions().values():
        *_, (_, derived), (last, _) = single_passes(function, Options(mode="vjp"))
        assert last == "turn_signs"
        for step in CLEAN_UP.steps:
            assert step(derived) is derived


def test_passes_are_deterministic() -> None:
    for function in functions().values():
        first, second = (
            [show(stage) for _, stage in single_passes(function, Options(mode="vjp"))]
            for _ in range(2)
        )
        assert first == second
