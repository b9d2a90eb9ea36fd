"""Operands for the tests of the catalogue, made from the samples in its declarations.

"f[2,3]" are floats, "c[2,3]" complex numbers, "p[3]" positive floats, "r[2]" fractions of 1,
"i[4]<5" integers below 5, "b[5]" booleans, "m[3,4]" a mask that leaves few out; a tuple of these
stands for a starred parameter; anything else is the value itself. Elementwise operations need no
samples: broadcast shapes are made for them.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from s2s_ad.ir import Atom, Const, Operation, Var
from s2s_ad.operations import catalogue
from s2s_ad.types import NONE, SHORT_DTYPES, Array, Number, Scalar, Size, Type

SPEC = re.compile(r"([fpribmc])\[([\d,]*)\](?:<(\d+))?")
ONE_OPERAND = ("f[3]", "f[2,3]", "f[]", "f[0]", "f[1]")
TWO_OPERANDS = (
    ("f[3]", "f[3]"),
    ("f[]", "f[2,3]"),
    ("f[2,3]", "f[]"),
    ("f[3,1]", "f[2]"),
    ("f[2]", "f[3,1]"),
    ("f[1]", "f[3]"),
    ("f[0]", "f[1]"),
    ("f[]", "f[]"),
)
THREE_OPERANDS = (
    ("f[3]", "f[3]", "f[3]"),
    ("f[2,3]", "f[]", "f[3]"),
    ("f[3]", "f[2,1]", "f[]"),
    ("f[]", "f[3]", "f[1]"),
    ("f[0]", "f[0]", "f[]"),
)


@dataclass
class Case:
    """Operands by name, in the operation's order, and which of them were drawn as floats."""

    op: Operation
    values: dict[str, Any]
    floats: tuple[str, ...]

    @property
    def operands(self) -> list[Any]:
        return list(self.values.values())

    def evaluate(self, **changed: Any) -> Any:
        return self.op.evaluate(*({**self.values, **changed}).values())

    def atoms(self, rename: Any = None, unknown: tuple[str, ...] = ()) -> list[Atom]:
        """The operands as the compiler sees them: constants, or variables with the value's type."""
        return [
            Const(value)
            if is_constant(value)
            else Var(name, type_of(value, rename, unknown_rank=name in unknown))
            for name, value in self.values.items()
        ]


def is_constant(value: Any) -> bool:
    """Whether the operand is written out in the call: a shape, an axis, a string."""
    if isinstance(value, float) and np.isinf(value):
        return True  # the order of a norm
    return value is None or isinstance(value, bool | int | str | tuple | slice | type(Ellipsis))


def type_of(value: Any, rename: Any = None, unknown_rank: bool = False) -> Type:
    """The type of a value of NumPy or Python; `rename` gives the size for a length."""
    if value is None:
        return NONE
    if isinstance(value, np.ndarray):
        size = rename or Size.of
        shape = None if unknown_rank else tuple(size(length) for length in value.shape)
        return Array(SHORT_DTYPES[value.dtype.name], shape)
    if isinstance(value, np.generic):
        return Scalar(SHORT_DTYPES[value.dtype.name])
    return Number(type(value).__name__)


def draw(spec: str, domain: str, rng: np.random.Generator, dtype: Any) -> Any:
    """A value for a specification; of rank 0, a Python float for float64, else a NumPy scalar."""
    matched = SPEC.fullmatch(spec)
    assert matched, spec
    kind, sizes, bound = matched.groups()
    shape = tuple(int(size) for size in sizes.split(",") if size)
    if kind == "i":
        return rng.integers(0, int(bound), shape)
    if kind == "m":
        return (np.arange(math.prod(shape)) % 5 != 1).reshape(shape)
    if domain == "integer":
        return rng.integers(-2, 4, shape) if shape else 2
    if kind == "b" or domain == "boolean":
        return rng.random(shape) < 0.5 if shape else bool(rng.random() < 0.5)
    domain = {"p": "positive", "r": "fraction"}.get(kind, domain)
    values = np.asarray(in_domain(domain, rng.normal(size=shape), rng))
    values = values.astype(dtype)
    if kind == "c":
        values = values + values.dtype.type(0.5) * rng.normal(size=shape).astype(dtype) * 1j
        return values if shape else complex(values) if dtype == np.float64 else values[()]
    if shape:
        return values
    return float(values) if dtype == np.float64 else values[()]


def in_domain(domain: str, normal: Any, rng: np.random.Generator) -> Any:
    """Normal numbers moved to where an operation is defined and smooth."""
    match domain:
        case "positive":
            return np.abs(normal) + 0.3
        case "nonzero":
            return normal + np.where(normal < 0, -0.4, 0.4)
        case "unit":
            return 0.9 * np.tanh(normal)
        case "increasing":
            return np.cumsum(np.abs(normal) + 0.3) - 1.0
        case "fraction":
            return 0.5 + 0.4 * np.tanh(normal)
        case "above-one":
            return np.abs(normal) + 1.2
        case "large":
            return np.abs(normal) + 2.3
        case "probability":
            return 0.5 + 0.45 * np.tanh(normal)
        case "below":
            return -0.5 - 0.1 * np.abs(normal)
        case "above":
            return 0.5 + 0.1 * np.abs(normal)
        case "invertible":
            return normal + 3.0 * np.eye(*np.shape(normal)[-2:])
        case "dominant":  # the last row, which is a diagonal
            return normal + np.array([[0.0], [5.0]])
        case "leading":
            return normal + 4.0 * (np.arange(len(normal)) == 0)
        case "definite":
            return normal @ np.swapaxes(normal, -1, -2) + 2.0 * np.eye(np.shape(normal)[-1])
    return normal


def specifications(op: Operation) -> tuple[dict[str, Any], ...]:
    """The samples of an operation, or broadcast shapes if it is elementwise."""
    names = [name for name in op.parameters if name not in op.defaults]
    if not op.elementwise or op.name.startswith("scipy.stats."):
        return op.samples  # those of `scipy.stats` are of one making, and slow
    if "scalars_only" in op.note or op.name.startswith("math."):
        return (*op.samples, dict.fromkeys(names, "f[]"))
    by_number: Any = {
        1: [(one,) for one in ONE_OPERAND],
        2: TWO_OPERANDS,
        3: THREE_OPERANDS,
    }
    groups = by_number.get(len(names), ())
    return (*op.samples, *(dict(zip(names, group, strict=True)) for group in groups))


def make_case(
    op: Operation, sample: dict[str, Any], dtype: Any = np.float64, seed: int = 0
) -> Case:
    """Draw the operands of a sample."""
    rng = np.random.default_rng([seed, *map(ord, op.name)])
    values: dict[str, Any] = {}
    floats: list[str] = []

    def put(name: str, spec: Any, parameter: str) -> None:
        if isinstance(spec, str) and SPEC.fullmatch(spec):
            values[name] = draw(spec, op.domains.get(parameter, ""), rng, dtype)
            if spec[0] in "fprc" and op.domains.get(parameter) not in ("boolean", "integer"):
                floats.append(name)
        else:
            values[name] = spec

    for parameter in op.parameters:
        name = parameter.lstrip("*")
        if parameter.startswith("*"):
            for k, spec in enumerate(sample[name]):
                put(f"{name}{k}", spec, name)
        elif name in sample:
            put(name, sample[name], name)
        else:
            values[name] = op.defaults[name]
    # an operand asked for its shape only carries no derivative
    unmoved = (*op.shape_only, *op.refused)
    moving = tuple(name for name in floats if not op.is_marked(unmoved, name))
    return Case(op, values, moving)


def operations() -> list[Operation]:
    """Every operation of the catalogue once."""
    found = {id(op): op for op in catalogue().operations.values()}
    return list(found.values())


def differentiable() -> list[Any]:
    """Operations of real numbers with rules, and their samples, as parameters of a test."""
    return [
        (op, sample)
        for op in operations()
        if op.rules and not op.constant
        for sample in specifications(op)
        if not is_complex_case(op, sample)
    ]


def is_complex_case(op: Operation, sample: dict[str, Any]) -> bool:
    """Whether operands or the result are complex: those cases are in `test_complex_numbers.py`."""
    transform = re.fullmatch(r"numpy\.fft\.(i|r)?fftn?", op.name)
    return transform is not None or any(str(spec).startswith("c[") for spec in sample.values())


def label(value: Any) -> str:
    """A readable name of a test."""
    if isinstance(value, Operation):
        return value.name
    return ",".join(f"{key}={item}" for key, item in value.items()).replace(" ", "")
