"""Draws from random generators: methods of what `np.random.default_rng(seed)` gives, or of a
generator that is passed.

Normal, uniform and exponential numbers are standard ones, shifted and stretched as NumPy does it,
so that their location and scale have derivatives and the numbers are NumPy's to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable

from s2s_ad.frontend.arguments import Arguments, call_operation, no_more
from s2s_ad.frontend.calls_tools import NOTHING, apply, operand
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import array_operand, static_operand
from s2s_ad.frontend.values import Value
from s2s_ad.ir import Atom, Const, Var, tuple_of
from s2s_ad.operations import catalogue
from s2s_ad.operations.random_draws import GENERATOR
from s2s_ad.types import Array, dtype_of, is_integer, rank_of

# methods that one of the two kinds of generators does not have
ONLY_NEW, ONLY_OLD = ("integers",), ("randint", "random_sample", "rand", "randn")


def call_generator(
    lowering: Lowering, rng: Var, method: str, arguments: Arguments, name: str
) -> Value:
    is_new = rng.type == GENERATOR
    known = method in METHODS or f"draw.{method}" in catalogue().operations
    if not known or method in (ONLY_OLD if is_new else ONLY_NEW):
        raise lowering.refuse(
            "unknown-operation",
            f"draws by `{method}` are not supported",
            arguments.node.func,
            help="draw `standard_normal`, `uniform` or `integers`, and compute with them",
        )
    if method in METHODS:
        return METHODS[method](lowering, rng, arguments, name)
    arguments.positional.insert(0, rng)
    return call_operation(lowering, lowering.operation(f"draw.{method}"), arguments, name)


def _draw(lowering: Lowering, rng: Var, method: str, arguments: Arguments, *operands: Atom) -> Var:
    op = lowering.operation(f"draw.{method}")
    return lowering.assign(op, [rng, *operands], arguments.node)


def _shifted(standard: str, first: str, second: str) -> Callable[..., Value]:
    """`loc + scale * z`, or `low + (high - low) * u`, where a parameter is not a constant."""

    def lower(lowering: Lowering, rng: Var, arguments: Arguments, name: str) -> Value:
        node = arguments.node
        low = operand(lowering, arguments, 0, first, Const(0.0))
        high = operand(lowering, arguments, 1, second, Const(1.0))
        size = static_operand(lowering, arguments.take(2, "size", NOTHING), node)
        no_more(lowering, arguments)
        _doubles(lowering, arguments, low, high)
        if isinstance(low, Const) and isinstance(high, Const):
            method = "normal" if first == "loc" else "uniform"
            op = lowering.operation(f"draw.{method}")
            return lowering.assign(op, [rng, low, high, size], node, name)
        plus, times = lowering.operation("+"), lowering.operation("*")
        drawn = _draw(lowering, rng, standard, arguments, _size(lowering, size, low, high, node))
        width = high
        if first == "low":
            width = lowering.assign(lowering.operation("-"), [high, low], node)
        stretched = lowering.assign(times, [width, drawn], node)
        return lowering.assign(plus, [low, stretched], node, name)

    return lower


def _doubles(lowering: Lowering, arguments: Arguments, *parameters: Atom) -> None:
    """NumPy draws in double precision, whatever the parameters have."""
    for parameter in parameters:
        if isinstance(parameter, Var) and dtype_of(parameter.type) in ("f32", "f16"):
            message = "random numbers are drawn in double precision"
            help = "convert the parameters with `.astype(float)`"
            raise lowering.refuse("unsupported-dtype", message, arguments.node, help=help)


def _size(lowering: Lowering, size: Atom, *others: Atom | object) -> Atom:
    """The size asked for, or the shape that the parameters have together."""
    *parameters, node = others
    arrays = [each for each in parameters if isinstance(each, Var) and rank_of(each.type) != 0]
    if size != NOTHING or not arrays:
        return size
    together = arrays[0]
    if len(arrays) > 1:
        together = lowering.assign(lowering.operation("+"), arrays, node)  # type: ignore[arg-type]
    return apply(lowering, node, "shape", together)  # type: ignore[arg-type]


def _exponential(lowering: Lowering, rng: Var, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    scale = operand(lowering, arguments, 0, "scale", Const(1.0))
    size = static_operand(lowering, arguments.take(1, "size", NOTHING), node)
    no_more(lowering, arguments)
    _doubles(lowering, arguments, scale)
    if isinstance(scale, Const):
        op = lowering.operation("draw.exponential")
        return lowering.assign(op, [rng, scale, size], node, name)
    size = _size(lowering, size, scale, node)
    drawn = _draw(lowering, rng, "standard_exponential", arguments, size)
    return lowering.assign(lowering.operation("*"), [scale, drawn], node, name)


def _gamma(lowering: Lowering, rng: Var, arguments: Arguments, name: str) -> Value:
    """A standard one, stretched; a derivative in its shape is refused."""
    node = arguments.node
    shape = operand(lowering, arguments, 0, "shape")
    scale = operand(lowering, arguments, 1, "scale", Const(1.0))
    size = static_operand(lowering, arguments.take(2, "size", NOTHING), node)
    no_more(lowering, arguments)
    _doubles(lowering, arguments, scale)
    size = _size(lowering, size, shape, scale, node)
    drawn = _draw(lowering, rng, "standard_gamma", arguments, shape, size)
    return lowering.assign(lowering.operation("*"), [scale, drawn], node, name)


def _spread(standard: str) -> Callable[..., Value]:
    """`rng.randn(2, 3)`: the sizes one by one."""

    def lower(lowering: Lowering, rng: Var, arguments: Arguments, name: str) -> Value:
        sizes = arguments.rest()
        no_more(lowering, arguments)
        size = static_operand(lowering, tuple_of(sizes), arguments.node) if sizes else NOTHING
        op = lowering.operation(f"draw.{standard}")
        return lowering.assign(op, [rng, size], arguments.node, name)

    return lower


def _choice(lowering: Lowering, rng: Var, arguments: Arguments, name: str) -> Value:
    """Of an array: its elements at the places that are drawn, as NumPy does it."""
    node = arguments.node
    a = operand(lowering, arguments, 0, "a")
    size, replace = arguments.take(1, "size", NOTHING), arguments.take(2, "replace", Const(True))
    p = operand(lowering, arguments, 3, "p")
    arguments.keywords.pop("axis", None) if arguments.keywords.get("axis") == Const(0) else None
    no_more(lowering, arguments)
    options = [static_operand(lowering, each, node) for each in (size, replace)]
    count = _length(lowering, a, arguments)
    places = _draw(lowering, rng, "choice", arguments, count, *options, p)
    return places if count is a else _picked(lowering, a, places, arguments, name)


def _permutation(lowering: Lowering, rng: Var, arguments: Arguments, name: str) -> Value:
    x = operand(lowering, arguments, 0, "x")
    no_more(lowering, arguments)
    count = _length(lowering, x, arguments)
    places = _draw(lowering, rng, "permutation", arguments, count)
    return places if count is x else _picked(lowering, x, places, arguments, name)


def _length(lowering: Lowering, x: Atom, arguments: Arguments) -> Atom:
    """An integer itself, or the length of an array."""
    if not isinstance(x.type, Array) and is_integer(x.type):
        return x
    dimension = lowering.operation("ndarray.shape[]")
    x = array_operand(lowering, x, arguments.node)
    return lowering.assign(dimension, [x, Const(0)], arguments.node)


def _picked(lowering: Lowering, x: Atom, places: Atom, arguments: Arguments, name: str) -> Value:
    return lowering.assign(lowering.operation("getitem"), [x, places], arguments.node, name)


METHODS: dict[str, Callable[..., Value]] = {
    "normal": _shifted("standard_normal", "loc", "scale"),
    "uniform": _shifted("random", "low", "high"),
    "exponential": _exponential,
    "gamma": _gamma,
    "rand": _spread("random_sample"),
    "randn": _spread("standard_normal"),
    "choice": _choice,
    "permutation": _permutation,
}
"""Methods of generators that are more than one operation."""
