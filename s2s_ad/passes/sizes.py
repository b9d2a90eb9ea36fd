"""Sizes as integers that the top of a function can compute, from the dimensions of parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from s2s_ad.ir import Atom, Const, Var
from s2s_ad.operations import catalogue
from s2s_ad.operations.support import DIMENSION, GREATER, SMALLER
from s2s_ad.types import Array, Number, Size, SliceLength, Symbol, shape_of

Assigner = Callable[..., Atom]  # appends an operation with its operands, gives its value


def can_compute(size: Size, parameters: Sequence[Var]) -> bool:
    """Whether `compute` knows a way."""
    return _source(size, parameters) is not None or all(
        all(_is_known(symbol, parameters) for symbol in monomial) for monomial, _ in size.terms
    )


def is_natural(atom: Atom) -> bool:
    """Whether an integer is known not to be negative: a sum of dimensions."""
    if isinstance(atom, Const):
        return isinstance(atom.value, int) and atom.value >= 0
    value = atom.type.value if isinstance(atom.type, Number) else None
    return value is not None and all(factor >= 0 for _, factor in value.terms)


def _is_known(symbol: Symbol, parameters: Sequence[Var]) -> bool:
    if _source(Size.of(symbol), parameters) is not None:
        return True
    if isinstance(symbol, str) or _plain_bounds(symbol) is None:
        return False
    return can_compute(symbol.size, parameters)


def _plain_bounds(length: SliceLength) -> tuple[int, int | None] | None:
    """The number of elements left out at the ends, and the most that there may be; None for other
    slices.
    """
    start, stop, step = length.bounds
    first = 0 if start is None else start.constant
    last = None if stop is None else stop.constant
    if step is not None or first is None or first < 0 or (stop is not None and last is None):
        return None
    if last is None or last < 0:
        return first - (last or 0), None
    return (0, last) if first == 0 else None


def compute(assign: Assigner, size: Size, parameters: Sequence[Var]) -> Atom:
    """An integer with the value of a size, from the dimensions of parameters."""
    operations = catalogue().operations
    if size.constant is not None:
        return Const(size.constant)
    if _source(size, parameters) is not None:
        return _read(assign, size, parameters)
    total: Atom | None = None
    for monomial, factor in size.terms:
        product: Atom | None = Const(abs(factor)) if abs(factor) != 1 or not monomial else None
        for symbol in monomial:
            part = _value_of(assign, symbol, parameters)
            product = part if product is None else assign(operations["*"], product, part)
        assert product is not None
        if total is None:
            total = product if factor > 0 else assign(operations["-x"], product)
        else:
            total = assign(operations["+" if factor > 0 else "-"], total, product)
    assert total is not None
    return total


def _value_of(assign: Assigner, symbol: Symbol, parameters: Sequence[Var]) -> Atom:
    if isinstance(symbol, str) or _source(Size.of(symbol), parameters) is not None:
        return _read(assign, Size.of(symbol), parameters)
    plain = _plain_bounds(symbol)
    assert plain is not None
    less, most = plain
    whole = compute(assign, symbol.size, parameters)
    if most is not None:
        return assign(SMALLER, whole, Const(most))
    minus = catalogue().operations["-"]
    return assign(GREATER, assign(minus, whole, Const(less)), Const(0))


def _source(size: Size, parameters: Sequence[Var]) -> tuple[Var, int | None] | None:
    for parameter in parameters:
        if isinstance(parameter.type, Number) and parameter.type.value == size:
            return parameter, None
        if isinstance(parameter.type, Array):
            for axis, other in enumerate(shape_of(parameter.type) or ()):
                if other == size:
                    return parameter, axis
    return None


def _read(assign: Assigner, size: Size, parameters: Sequence[Var]) -> Atom:
    found = _source(size, parameters)
    assert found is not None
    parameter, axis = found
    return parameter if axis is None else assign(DIMENSION, parameter, Const(axis))
