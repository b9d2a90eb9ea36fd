"""What a mode gives is accepted by every mode: modules are differentiated again as files are, and
derivatives of live functions as functions. All pairs, and some triples.

Each derivative is compared with the difference of what it is the derivative of, in one direction.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from s2s_ad import DifferentiationError, grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from s2s_ad.frontend.source import parse_text
from s2s_ad.modules import load_module
from s2s_ad.options import Options
from s2s_ad.targets import Target, lower_target
from tests.every_mode import Program
from tests.farm.differences import Slope, slope
from tests.numerics import is_floating, leaves_of, like, rebuilt

SOURCE = """
import numpy as np


def number(x: float) -> float:
    return np.sin(x) * x**3


def energy(x: "Float[Array, 'n']") -> float:
    total = 0.0
    for k in range(len(x) - 1):
        total = total + np.sin(x[k]) * x[k + 1] ** 2
    return total


def layer(x: "Float[Array, 'n']", W: "Float[Array, 'm n']"):
    return np.tanh(W @ x)
"""
X, W = np.array([0.3, -0.8, 1.1]), np.array([[0.5, 1.0, -0.2], [0.1, 0.7, 0.4]])
ARGUMENTS = {"number": (0.7,), "energy": (X,), "layer": (X, W)}
SCALAR = ("number", "energy")
OF_SCALARS = ("grad", "value-and-grad", "hessian", "hvp")
MODES = ("vjp", "jvp", "jacobian forward", "jacobian reverse", *OF_SCALARS)
# each pair once: scalars of scalars have the modes that others refuse
OUTER = {"number": OF_SCALARS, "energy": MODES[:4], "layer": ("jvp", "grad")}
INNER = [(f, mode) for f in ARGUMENTS for mode in MODES if f in SCALAR or mode not in OF_SCALARS]

# Files --------------------------------------------------------------------------------------------


def module(text: str, function: str, mode: str, arguments: tuple[str, ...] = ()) -> str:
    """The module that the command writes for a function of a file with this text."""
    mode, _, direction = mode.partition(" ")
    target = Target("case.py", function, Options(mode, direction=direction), arguments)
    return lower_target(target, parse_text(text, "case.py")).module("case.py")


def names(function: str, mode: str) -> list[str]:
    """The functions of that module, but for what puts two of them together."""
    mode = mode.partition(" ")[0].replace("-", "_")
    if mode == "vjp":
        return [f"forward_{function}", f"reverse_{function}"]
    return [f"{mode}_{function}"]


def loaded(text: str, function: str) -> Callable[..., Any]:
    found: Callable[..., Any] = load_module(text, function)[function]
    return found


def spelled(value: Any) -> str:
    """The type of a value as for `--arg`."""
    if isinstance(value, tuple):
        return f"tuple[{', '.join(map(spelled, value))}]"
    if isinstance(value, np.ndarray):
        return f"float[{','.join(map(str, value.shape))}]"
    return type(value).__name__ if isinstance(value, bool | int) else "float"


class Derived:
    """A function of a module with arguments, and a direction to move in."""

    def __init__(self, text: str, name: str, arguments: Sequence[Any]) -> None:
        self.text, self.name, self.arguments = text, name, list(arguments)
        self.function = loaded(text, name)
        # annotations tell the ranks of arguments, but not of what is saved
        saved = [f"saved={spelled(arguments[0])}"] if name.startswith("reverse_") else []
        self.types = tuple(saved)
        self.value = self.function(*self.arguments)
        self.generator = np.random.default_rng(3)
        self.direction = self.drawn(self.arguments)
        self.weights = self.drawn(self.value)
        if name.startswith("forward_"):  # rows of tapes that no trip writes hold anything
            self.weights = (self.weights[0], zeros_like(self.weights[1]))

    def drawn(self, value: Any) -> Any:
        leaves = leaves_of(value)
        numbers = [self.generator.uniform(-1.0, 1.0, np.shape(x)) for x in leaves]
        pairs = zip(leaves, numbers, strict=True)
        return rebuilt(value, iter([like(x, d) if is_floating(x) else None for x, d in pairs]))

    @property
    def is_scalar(self) -> bool:
        return is_floating(self.value) and np.ndim(self.value) == 0

    def moved(self, step: float) -> list[Any]:
        pairs = zip(leaves_of(self.arguments), leaves_of(self.direction), strict=True)
        leaves = [x if d is None else x + step * d for x, d in pairs]
        return list(rebuilt(self.arguments, iter(leaves)))

    def derivative(self, mode: str) -> Any:
        """What a derivative says of how the weighted result moves along the direction, and twice
        along it for second derivatives.
        """
        text = module(self.text, self.name, mode, self.types)
        mine, *other = names(self.name, mode)
        function = loaded(text, mine)
        moving = [d for d in self.direction if any(x is not None for x in leaves_of(d))]
        given = [*self.arguments, *moving] if mode in ("jvp", "hvp") else self.arguments
        found = function(*given)
        along = leaves_of(self.direction)
        if mode == "jvp":
            return dot(leaves_of(found[1]), leaves_of(self.weights))
        if mode == "vjp":
            found = load_module(text, mine)[other[0]](found[1], self.weights)
        elif mode == "value-and-grad":
            found = found[1]
        elif mode.startswith("jacobian"):
            return self.contracted(leaves_of(found), leaves_of(self.weights), along)
        elif mode == "hessian":
            return self.contracted(leaves_of(found), along, along)
        return dot(
            [x for x in leaves_of(found) if is_floating(x)], [d for d in along if d is not None]
        )

    @staticmethod
    def contracted(blocks: Sequence[Any], left: Sequence[Any], right: Sequence[Any]) -> float:
        """The sum over all blocks of a Jacobian between weights and a direction."""
        entries = iter([x for x in blocks if x is not None])
        total = 0.0
        for a in left:
            for b in right:
                if a is not None and b is not None:
                    entry = next(entries)
                    total += float(np.sum(np.multiply.outer(a, b) * entry)) if np.any(a) else 0.0
        return total

    def check(self, modes: Sequence[str]) -> None:
        first = slope(
            lambda step: dot(leaves_of(self.function(*self.moved(step))), leaves_of(self.weights))
        )
        for mode in modes:
            if mode in OF_SCALARS and not self.is_scalar:
                with pytest.raises(DifferentiationError, match="not-a-scalar"):
                    module(self.text, self.name, mode, self.types)
                continue
            expected, scale = first.value, first.error
            if mode in OF_SCALARS:
                expected = expected / self.weights
            if mode in ("hessian", "hvp"):
                slopes = self.slopes_by_grad()
                expected, scale = slopes.value, slopes.error
            found = self.derivative(mode)
            assert found == pytest.approx(expected, rel=1e-8, abs=20 * scale + 1e-9), mode

    def slopes_by_grad(self) -> Slope:
        text = module(self.text, self.name, "grad", self.types)
        gradient = loaded(text, f"grad_{self.name}")
        along = [d for d in leaves_of(self.direction) if d is not None]

        def line(step: float) -> float:
            return dot([x for x in leaves_of(gradient(*self.moved(step))) if is_floating(x)], along)

        return slope(line)


def zeros_like(value: Any) -> Any:
    leaves = [None if x is None else like(x, np.zeros(np.shape(x))) for x in leaves_of(value)]
    return rebuilt(value, iter(leaves))


def dot(left: Sequence[Any], right: Sequence[Any]) -> float:
    pairs = zip(left, right, strict=True)
    return float(sum(np.sum(a * b) for a, b in pairs if a is not None and np.any(b)))


def derived(text: str, function: str, arguments: Sequence[Any], mode: str) -> Iterator[Derived]:
    """The functions of the module of a mode, with arguments."""
    text = module(text, function, mode)
    first, *second = names(function, mode)
    generator = np.random.default_rng(5)
    parameters = list(inspect.signature(loaded(text, first)).parameters)
    by_name = dict(zip(parameters, arguments, strict=False))
    for name in parameters[len(arguments) :]:
        x = by_name[name.removeprefix("dot_")]
        by_name[name] = like(x, generator.uniform(-1.0, 1.0, np.shape(x)))
    found = Derived(text, first, list(by_name.values()))
    yield found
    for name in second:
        value, saved = found.value
        yield Derived(text, name, [saved, found.drawn(value)])


@pytest.mark.parametrize(("function", "inner"), INNER)
def test_modules_are_differentiated_by_every_mode(function: str, inner: str) -> None:
    for found in derived(SOURCE, function, ARGUMENTS[function], inner):
        found.check(OUTER[function])


TRIPLES = [
    ("number", ("grad", "hessian", "value-and-grad")),
    ("energy", ("value-and-grad", "jvp", "jacobian reverse")),
    ("energy", ("hessian", "jvp", "vjp")),
    ("layer", ("jacobian reverse", "vjp", "jvp")),
    ("layer", ("vjp", "jacobian forward", "vjp")),
]


@pytest.mark.parametrize(("function", "modes"), TRIPLES)
def test_triples_of_modules(function: str, modes: tuple[str, str, str]) -> None:
    for first in derived(SOURCE, function, ARGUMENTS[function], modes[0]):
        for second in derived(first.text, first.name, first.arguments, modes[1]):
            second.check(modes[2:])


def test_a_python_number_given_to_a_pullback_of_float32() -> None:
    text = """
import numpy as np


def either(x: "Float32[Array, 'n']", k: int):
    return 0.2 * x.sum() if k > 0 else np.sum(x * x)
"""
    vjp_either = loaded(module(text, "either", "vjp"), "vjp_either")
    for seed in (1.0, np.float64(1.0), np.float32(1.0)):
        _, pullback = vjp_either(np.array([1.0, 2.0], np.float32), 1)
        np.testing.assert_array_equal(pullback(seed)[0], np.full(2, 0.2, np.float32), strict=True)


# Live functions -----------------------------------------------------------------------------------

LIVE = load_module(SOURCE, "number")


def stacked(function: str, inner: str) -> Callable[..., Any]:
    """The derivative of a live function, as a function of the same arguments."""
    f = LIVE[function]
    mode, _, direction = inner.partition(" ")
    if mode == "jacobian":
        return jacobian(f, direction=direction)
    made = {
        "grad": grad(f),
        "value-and-grad": value_and_grad(f),
        "hessian": hessian(f),
        "jvp": lambda x: jvp(f, (x,), (x,)),
        "vjp": lambda x: vjp(f, x)[1](f(x)),
        "hvp": lambda x: hvp(f, x, x),
    }
    return made[mode]


@pytest.mark.parametrize(("function", "inner"), [pair for pair in INNER if pair[0] in SCALAR])
def test_every_mode_takes_what_another_gives(function: str, inner: str) -> None:
    program = Program(stacked(function, inner), ARGUMENTS[function])
    if program.is_scalar:
        program.check_second()
    else:
        program.check_first()
