"""Sizes as atoms that the top of a function can compute: for the shapes of tapes."""

from __future__ import annotations

from collections.abc import Sequence

from s2s_ad.ir import Atom, Const, Var
from s2s_ad.operations import catalogue
from s2s_ad.operations.support import DIMENSION
from s2s_ad.rewrite import Builder
from s2s_ad.types import Array, Number, Size, shape_of


def can_compute(size: Size, parameters: Sequence[Var]) -> bool:
    """Whether `compute` knows a way."""
    return all(
        all(_source(Size.of(symbol), parameters) is not None for symbol in monomial)
        for monomial, _ in size.terms
    )


def compute(builder: Builder, size: Size, parameters: Sequence[Var]) -> Atom:
    """An integer with the value of a size, from the dimensions of parameters."""
    operations = catalogue().operations
    if size.constant is not None:
        return Const(size.constant)
    total: Atom | None = None
    for monomial, factor in size.terms:
        product: Atom | None = Const(abs(factor)) if abs(factor) != 1 or not monomial else None
        for symbol in monomial:
            part = _read(builder, Size.of(symbol), parameters)
            product = part if product is None else builder.assign(operations["*"], product, part)
        assert product is not None
        if total is None:
            total = product if factor > 0 else builder.assign(operations["-x"], product)
        else:
            total = builder.assign(operations["+" if factor > 0 else "-"], total, product)
    assert total is not None
    return total


def _source(size: Size, parameters: Sequence[Var]) -> tuple[Var, int | None] | None:
    for parameter in parameters:
        if isinstance(parameter.type, Number) and parameter.type.value == size:
            return parameter, None
        if isinstance(parameter.type, Array):
            for axis, other in enumerate(shape_of(parameter.type) or ()):
                if other == size:
                    return parameter, axis
    return None


def _read(builder: Builder, size: Size, parameters: Sequence[Var]) -> Atom:
    found = _source(size, parameters)
    assert found is not None
    parameter, axis = found
    return parameter if axis is None else builder.assign(DIMENSION, parameter, Const(axis))
