"""Statements that are there for what they do: raising, printing. Never dropped, moved, shared or
repeated. What they say is the user's text, with a placeholder for each value in it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import Any

from s2s_ad.ir import Atom
from s2s_ad.operations.declare import Catalogue
from s2s_ad.types import NONE, Sizes, Static, Type

CATALOGUE = Catalogue()


def in_quotes(content: str) -> str:
    """The content of a string, between the quotes that `ruff format` takes."""
    quote = "'" if content.count('"') > content.count("'") else '"'
    return f"{quote}{content.replace(quote, chr(92) + quote)}{quote}"


def placeholder(number: int) -> str:
    return f"__{number}__"


def filled(text: str, values: Sequence[str]) -> str:
    """The text with the values in the places of their placeholders."""
    return re.sub(r"__(\d+)__", lambda match: values[int(match[1])], text)


def _no_value(_: Sizes, __: Sequence[Atom]) -> Type:
    return NONE


def _text_type(_: Sizes, __: Sequence[Atom]) -> Type:
    return Static("str")


def _raise_if(test: Any, text: str, *values: Any) -> None:
    if test:
        raise ValueError(filled(text, [str(value) for value in values]))


def _text(text: str, *values: Any) -> str:
    plain = re.sub(r"\{(__\d+__)[^}]*\}", r"\1", text)
    return filled(plain, [str(value) for value in values])


RAISE_IF = CATALOGUE.operation(
    "out = raise_if(test, text, *values)",
    infer=_no_value,
    constant=True,
    effect=True,
    evaluate=_raise_if,
    printer=lambda operands, texts: f"raise {filled(operands[1].value, texts[2:])} if {texts[0]}",
)
TEXT = CATALOGUE.operation(
    "out = text(text, *values)",
    infer=_text_type,
    constant=True,
    evaluate=_text,
    printer=lambda operands, texts: filled(operands[0].value, texts[1:]),
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
WARN = CATALOGUE.operation(
    "out = warnings.warn(message, category=None, stacklevel=1)",
    infer=_no_value,
    constant=True,
    effect=True,
    evaluate=lambda message, *_: warnings.warn(message, stacklevel=2),
    module="warnings",
)
# `values` are what the debugger is to show: they are there, under their names
BREAKPOINT = CATALOGUE.operation(
    "out = breakpoint(*values)",
    infer=_no_value,
    constant=True,
    effect=True,
    evaluate=lambda *_: breakpoint(),
    printer=lambda _, __: "breakpoint()",
)
