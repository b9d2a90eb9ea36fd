"""Random numbers drawn from a generator: once, in the forward sweep, and never again.

What is drawn does not depend on floats, so it carries no derivative. A draw changes its generator:
it is an effect, which no pass drops, moves, shares or computes again. Distributions that are
shifted and stretched standard ones are written out so (`frontend/calls_random.py`), which gives
their location and scale a derivative; in other parameters none is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from s2s_ad.diagnostics import refusal
from s2s_ad.ir import Assign, Atom, Block, Const, Operation
from s2s_ad.operations.declare import Catalogue
from s2s_ad.operations.result_types import (
    Infer,
    constant,
    require_numeric,
    scalar_like,
    shape_argument,
    unsupported,
)
from s2s_ad.rewrite import all_statements
from s2s_ad.types import (
    NONE,
    Array,
    Number,
    Scalar,
    Shape,
    Sizes,
    Static,
    Type,
    TypeProblem,
    is_integer,
    rank_of,
    shape_of,
)

CATALOGUE = Catalogue()
GENERATOR, RANDOM_STATE = Static("numpy.random.Generator"), Static("numpy.random.RandomState")
GENERATORS = (GENERATOR, RANDOM_STATE)


def draws(block: Block) -> Assign | None:
    """The first statement of a block, or of what is inside it, that draws a random number."""
    for statement in all_statements(block):
        if isinstance(statement, Assign) and is_draw(statement.op):
            return statement
    return None


def is_draw(op: Operation) -> bool:
    return op.name.startswith(("draw.", "numpy.random."))


def refuse_draws(block: Block, where: str) -> None:
    """Raise DifferentiationError where code would be run again that draws random numbers: they
    would be others.
    """
    found = draws(block)
    if found is not None:
        raise refusal(
            "repeated-draw",
            f"random numbers are drawn in {where}, which is run more than once",
            found.span,
            "draw them before, and pass them",
        )


def refuse_active_draw(statement: Assign) -> None:
    """Raise DifferentiationError where numbers are drawn of a distribution that depends on what is
    differentiated: also of integers, which have no derivative, but another distribution.
    """
    if is_draw(statement.op):
        method = statement.op.name.rpartition(".")[2]
        raise refusal(
            "no-derivative",
            f"no derivative is known for draws by `{method}` in their parameters",
            statement.span,
            "draw of one that does not depend on them, as `standard_normal`, and compute with it",
        )


def _printed(method: str, operation_of: Callable[[], Operation]) -> Any:
    """The call of a method: what is as usual is left out."""

    def spell(operands: Sequence[Atom], texts: Sequence[str]) -> str:
        op = operation_of()
        shown = [
            text if name not in op.defaults else f"{name}={text}"
            for name, atom, text in zip(op.parameters, operands, texts, strict=True)
            if name not in op.defaults or atom != Const(op.defaults[name])
        ]
        return f"{shown[0]}.{method}({', '.join(shown[1:])})"

    return spell


def _draw(
    method: str, arguments: str, infer: Infer, is_constant: bool, evaluate: Any = None
) -> None:
    """Declare a method of a generator that draws."""
    name = f"draw.{method}"

    def called(rng: Any, *values: Any) -> Any:
        op = CATALOGUE.operations[name]
        return getattr(rng, method)(**dict(zip(op.parameters[1:], values, strict=True)))

    CATALOGUE.operation(
        f"out = draw(rng, {arguments})",
        name=name,
        infer=infer,
        evaluate=evaluate or called,
        printer=_printed(method, lambda: CATALOGUE.operations[name]),
        constant=is_constant,
        effect=True,
    )


# Types --------------------------------------------------------------------------------------------


def _drawn_shape(sizes: Sizes, parameters: Sequence[Atom], size: Atom) -> Shape | str | None:
    """The shape of what is drawn; "number" where it is no array."""
    types = [parameter.type for parameter in parameters if parameter != Const(None)]
    require_numeric(types)
    if size.type == NONE:
        if all(scalar_like(type) for type in types):
            return "number"
        shapes = [shape_of(type) for type in types]
        shape = sizes.broadcast(shapes)
        return "number" if shape == () else shape
    return shape_argument(sizes, size.type)


def _floats(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    """Floats of double precision: a Python number where one is drawn."""
    _generator(operands)
    shape = _drawn_shape(sizes, operands[1:-1], operands[-1])
    return Number("float") if isinstance(shape, str) else Array("f64", shape)


def _counts(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    _generator(operands)
    shape = _drawn_shape(sizes, operands[1:-1], operands[-1])
    return Number("int") if isinstance(shape, str) else Array("i64", shape)


def _generator(operands: Sequence[Atom]) -> Static:
    found = operands[0].type
    if not isinstance(found, Static) or found not in GENERATORS:
        raise TypeProblem("not-a-number", f"random numbers are drawn from a generator, not {found}")
    return found


def _integers(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    _, low, high, size, endpoint = operands
    constant(endpoint, "endpoint")
    if not all(is_integer(each.type) for each in (low, high) if each != Const(None)):
        raise TypeProblem("not-a-number", "the bounds of random integers are integers")
    shape = _drawn_shape(sizes, (low, high), size)
    return Scalar("i64") if isinstance(shape, str) else Array("i64", shape)


def _old_integers(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    found = _integers(sizes, (*operands, Const(False)))
    return Number("int") if isinstance(found, Scalar) else found


def _chosen(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    """Of the numbers below one: `a` is an array in the frontend only, where it is indexed."""
    _, a, size, _, p = operands
    _generator(operands)
    if not (scalar_like(a.type) and is_integer(a.type)):
        raise TypeProblem("not-a-number", "`choice` takes an integer, or an array of one axis")
    if p != Const(None) and rank_of(p.type) != 1:
        raise unsupported("`p` is a vector", "give a probability for each item")
    shape = _drawn_shape(sizes, (), size)
    return Number("int") if isinstance(shape, str) else Array("i64", shape)


def _permuted(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    _generator(operands)
    if not (scalar_like(operands[1].type) and is_integer(operands[1].type)):
        raise TypeProblem("not-a-number", "`permutation` takes an integer or an array")
    return Array("i64", shape_argument(sizes, operands[1].type))


# Generators ---------------------------------------------------------------------------------------


def _seeded(kind: Static) -> Infer:
    def infer(_: Sizes, operands: Sequence[Atom]) -> Type:
        seed = operands[0]
        if seed == Const(None):
            raise unsupported(
                "a generator without a seed draws other numbers in each call",
                "give a seed, or pass the generator as an argument",
            )
        require_numeric([seed.type])
        return kind

    return infer


# an effect: two generators of one seed are not one
CATALOGUE.operation(
    "out = np.random.default_rng(seed)",
    infer=_seeded(GENERATOR),
    constant=True,
    effect=True,
    evaluate=lambda seed: np.random.default_rng(seed),
)
CATALOGUE.operation(
    "out = np.random.RandomState(seed)",
    infer=_seeded(RANDOM_STATE),
    constant=True,
    effect=True,
    evaluate=lambda seed: np.random.RandomState(seed),
)


# Draws --------------------------------------------------------------------------------------------

for _method in ("random", "random_sample", "standard_normal", "standard_exponential"):
    _draw(_method, "size=None", _floats, True)
for _method, _parameters in {
    # of constants; of others, written out by the frontend
    "normal": "loc=0.0, scale=1.0, size=None",
    "uniform": "low=0.0, high=1.0, size=None",
    "exponential": "scale=1.0, size=None",
    "lognormal": "mean=0.0, sigma=1.0, size=None",
    "laplace": "loc=0.0, scale=1.0, size=None",
    "logistic": "loc=0.0, scale=1.0, size=None",
    "gumbel": "loc=0.0, scale=1.0, size=None",
    "standard_gamma": "shape, size=None",
    "standard_t": "df, size=None",
    "standard_cauchy": "size=None",
    "beta": "a, b, size=None",
    "chisquare": "df, size=None",
}.items():
    # without lines: a derivative in a parameter is refused
    _draw(_method, _parameters, _floats, _method == "standard_cauchy")
for _method, _parameters in {
    "poisson": "lam=1.0, size=None",
    "binomial": "n, p, size=None",
}.items():
    _draw(_method, _parameters, _counts, False)
_draw("integers", "low, high=None, size=None, endpoint=False", _integers, True)
_draw("randint", "low, high=None, size=None", _old_integers, True)
_draw("choice", "a, size=None, replace=True, p=None", _chosen, False)
_draw("permutation", "x", _permuted, True, lambda rng, x: rng.permutation(x))
