"""Lengths that have a name at the entry of a function: `n, d = X.shape` is said once.

A length is a dimension of a parameter by its type, whatever array it is asked of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from s2s_ad.ir import Assign, Function, Statement, Var
from s2s_ad.operations import catalogue
from s2s_ad.operations.support import DIMENSION
from s2s_ad.types import Array, Number

LENGTH = "builtins.len"


def size_symbol(function: Function, statement: Statement) -> str:
    """The dimension of a parameter that a statement gives the length of, or nothing."""
    if not isinstance(statement, Assign) or len(statement.targets) != 1 or not function.guarded:
        return ""
    length = catalogue().operations[LENGTH]
    type = statement.target.type
    if statement.op not in (length, DIMENSION) or not isinstance(type, Number):
        return ""
    symbol = None if type.value is None else type.value.symbol
    return symbol if isinstance(symbol, str) and symbol in _dimensions(function) else ""


def _dimensions(function: Function) -> set[str]:
    shapes = [var.type.shape for var in function.body.parameters if isinstance(var.type, Array)]
    symbols = {size.symbol for shape in shapes for size in shape or ()}
    return {symbol for symbol in symbols if isinstance(symbol, str)}


def users_lengths(
    function: Function, names: Mapping[Var, str]
) -> Iterator[tuple[str, str, Assign]]:
    """The user's names for dimensions of parameters (`n = len(x)`) that stand for nothing else: a
    symbol, the name and the statement.
    """
    count: dict[str, int] = {}
    for name in names.values():
        count[name] = count.get(name, 0) + 1
    for statement in function.body.statements:
        symbol = size_symbol(function, statement)
        if symbol and isinstance(statement, Assign) and not statement.target.is_temporary:
            name = names.get(statement.target, "")
            if count.get(name) == 1:
                yield symbol, name, statement
