"""Statements that are there for what they do: raising. Never dropped, moved, shared or repeated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from s2s_ad.ir import Atom
from s2s_ad.operations.declare import Catalogue
from s2s_ad.types import NONE, Sizes, Type

CATALOGUE = Catalogue()


def _no_value(_: Sizes, __: Sequence[Atom]) -> Type:
    return NONE


def _raise_if(test: Any, text: str, names: tuple[str, ...], *values: Any) -> None:
    if test:
        raise ValueError(text)


RAISE_IF = CATALOGUE.operation(
    "out = raise_if(test, text, names, *values)",
    infer=_no_value,
    constant=True,
    effect=True,
    evaluate=_raise_if,
    printer=lambda operands, texts: f"raise {operands[1].value} if {texts[0]}",
)
STOP_UNLESS_FINITE = CATALOGUE.operation(
    "out = stop_unless_finite(place, names, found, *values)",
    infer=_no_value,
    constant=True,
    effect=True,
    helper="stop_unless_finite",
)
PRINT = CATALOGUE.operation(
    "out = print(*values)",
    infer=_no_value,
    constant=True,
    effect=True,
    evaluate=print,
)
