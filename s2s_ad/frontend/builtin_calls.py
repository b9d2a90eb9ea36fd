"""Python's own functions of numbers and containers: `max`, `any`, `divmod`, `isinstance`, ..."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst
import numpy as np

from s2s_ad.frontend.branches import select, truth
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import atom, current
from s2s_ad.frontend.values import (
    Container,
    CustomFunction,
    Derived,
    Growing,
    Method,
    Named,
    Partial,
    Refused,
    UserClass,
    UserFunction,
    Value,
)
from s2s_ad.ir import Atom, Const, Structure, Var
from s2s_ad.types import (
    Array,
    Number,
    Scalar,
    is_boolean,
    is_float,
    is_integer,
    rank_of,
    scalar_like,
)

if TYPE_CHECKING:
    from s2s_ad.frontend.arguments import Arguments


def _extreme(symbol: str) -> Callable[[Lowering, Arguments, str], Value]:
    """`max` and `min` of numbers: the first of those that are equal, as Python takes it."""
    word = {">": "max", "<": "min"}[symbol]

    def lower(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        node = arguments.node
        values = arguments.positional  # of a single one, `calls_iterables` has taken the items
        if arguments.keywords or not values:
            raise lowering.refuse(
                "unsupported-argument", f"these arguments of `{word}` are not supported", node
            )
        atoms = [atom(lowering, value, node) for value in values]
        if any(not scalar_like(item.type) for item in atoms):
            raise lowering.refuse(
                "unsupported-syntax",
                f"the builtin `{word}` is supported for numbers",
                node,
                help=f"use `np.{word}` or `np.{word}imum`, which work on arrays",
            )
        best = atoms[0]
        for item in atoms[1:]:
            best = _better(lowering, arguments, symbol, best, item)
        return best

    return lower


def _better(lowering: Lowering, arguments: Arguments, symbol: str, best: Atom, item: Atom) -> Atom:
    node = arguments.node
    if isinstance(best, Const) and isinstance(item, Const):
        wins = item.value > best.value if symbol == ">" else item.value < best.value
        return item if wins else best
    test = lowering.assign(lowering.operation(symbol), [item, best], node)
    return atom(lowering, select(lowering, test, lambda: item, lambda: best, node), node)


def _quantifier(stop: bool) -> Callable[[Lowering, Arguments, str], Value]:
    """`any` and `all` of a container of known length."""

    def lower(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        node = arguments.node
        value = arguments.positional[0] if arguments.positional else Const(None)
        if not isinstance(value, Structure) or value.kind == "dict":
            raise lowering.refuse(
                "unsupported-argument",
                "this needs a list or tuple of known length",
                node,
                help="use `np.any` or `np.all`",
            )
        items = list(value.items)

        def from_item(place: int) -> Value:
            if place == len(items):
                return Const(not stop)
            test = truth(lowering, items[place], node)
            found, rest = (lambda: Const(stop)), (lambda: from_item(place + 1))
            if stop:
                return select(lowering, test, found, rest, node)
            return select(lowering, test, rest, found, node)

        return from_item(0)

    return lower


def _divmod(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    operands = [atom(lowering, value, node) for value in arguments.positional]
    if len(operands) != 2:
        raise lowering.refuse("bad-call", "`divmod` takes two arguments", node)
    items = tuple(lowering.assign(lowering.operation(s), operands, node) for s in ("//", "%"))
    return Structure("tuple", (0, 1), items)


KINDS: dict[str, Callable[[Value], bool]] = {
    "builtins.float": lambda value: _is_number(value, is_float),
    "builtins.int": lambda value: _is_number(value, is_integer) or _is_bool(value),
    "builtins.bool": lambda value: _is_bool(value),
    "builtins.str": lambda value: isinstance(value, Const) and isinstance(value.value, str),
    "builtins.tuple": lambda value: _is_kind(value, "tuple"),
    "builtins.list": lambda value: _is_kind(value, "list"),
    "builtins.dict": lambda value: _is_kind(value, "dict"),
    "numpy.ndarray": lambda value: isinstance(value, Var) and isinstance(value.type, Array),
    "numpy.random.Generator": lambda value: _is_generator(value, "Generator"),
    "numpy.random.RandomState": lambda value: _is_generator(value, "RandomState"),
}


def _is_generator(value: Value, name: str) -> bool:
    return isinstance(value, Var) and str(value.type) == f"numpy.random.{name}"


def _is_number(value: Value, kind: Callable[..., bool]) -> bool:
    if not isinstance(value, Var | Const):
        return False
    # np.float64 is a float; the other scalars of NumPy are no Python numbers
    is_f64 = isinstance(value.type, Scalar) and value.type.dtype == "f64"
    return (isinstance(value.type, Number) or is_f64) and kind(value.type)


def _is_bool(value: Value) -> bool:
    return (
        isinstance(value, Var | Const) and isinstance(value.type, Number) and is_boolean(value.type)
    )


def _is_kind(value: Value, kind: str) -> bool:
    held = isinstance(value, Growing) and kind == "list"
    return held or (isinstance(value, Structure) and value.kind == kind)


def _isinstance(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """Decided when compiling: what a value is is known, except where its rank is not."""
    node = arguments.node
    if len(arguments.positional) != 2:
        message = "`isinstance` takes a value and what it may be"
        raise lowering.refuse("bad-call", message, node)
    value, kind = (current(lowering, given, node) for given in arguments.positional)
    kinds = list(kind.items) if isinstance(kind, Structure) else [kind]
    names = [item.name for item in kinds if isinstance(item, Named)]
    type = value.type if isinstance(value, Var) else None
    unknown = isinstance(type, Array) and type.shape is None
    if len(names) < len(kinds) or not set(names) <= KINDS.keys() or unknown:
        raise lowering.refuse(
            "not-constant", "whether this holds is not known here", node, help="leave the check out"
        )
    return Const(any(KINDS[each](value) for each in names))


def _float(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`float(x)`, and `float("inf")`."""
    from s2s_ad.frontend.arguments import call_operation

    match arguments.positional:
        case [Const(str() as text)]:
            try:
                return Const(float(text))
            except ValueError:
                raise lowering.refuse(
                    "bad-call", f"{text!r} is not a number", arguments.node
                ) from None
        case [value]:
            arguments = replace(arguments, positional=[_one_number(lowering, value, arguments)])
    return call_operation(lowering, lowering.operation("builtins.float"), arguments, name)


def _one_number(lowering: Lowering, value: Value, arguments: Arguments) -> Value:
    """What a number is made of; of an array its only element, whose derivative has its shape."""
    node = arguments.node
    if isinstance(value, Container):
        message = f"`{lowering.code(node.func)}` takes a number, not a list or tuple"
        raise lowering.refuse("not-a-number", message, node)
    if isinstance(value, Var) and isinstance(value.type, Array) and rank_of(value.type) != 0:
        return lowering.assign(lowering.operation("numpy.reshape"), [value, Const(())], node)
    return value


def _callable(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    functions = Named | UserFunction | UserClass | Method | Partial | Derived | CustomFunction
    return Const(isinstance(arguments.positional[0], functions))


def _has_attribute(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`hasattr(x, "shape")`, of what is known to have it or not."""
    return Const(_attribute(lowering, arguments, "hasattr") is not None)


def _get_attribute(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`getattr(model, "scale")`, `getattr(model, "scale", 1.0)`"""
    found = _attribute(lowering, arguments, "getattr")
    if found is None and len(arguments.positional) > 2:
        return arguments.positional[2]
    if found is None:
        message = f"`{lowering.code(arguments.node)}` finds nothing"
        raise lowering.refuse("unknown-name", message, arguments.node)
    return found


def _attribute(lowering: Lowering, arguments: Arguments, word: str) -> Value | None:
    from s2s_ad.frontend.expressions import attribute_of

    node = arguments.node
    wanted = arguments.positional[1] if len(arguments.positional) > 1 else None
    if not isinstance(wanted, Const) or not isinstance(wanted.value, str) or arguments.keywords:
        raise lowering.refuse("not-constant", f"`{word}` needs a name that is known", node)
    value = arguments.positional[0]
    if isinstance(value, Var | Const):
        return _attribute_of_number(lowering, value, wanted.value, node)
    mark = lowering.reporter.mark
    try:
        found = attribute_of(lowering, value, wanted.value, node)
    except Refused:
        lowering.reporter.rewind(mark)
        return None
    return None if isinstance(found, Method) and isinstance(value, Structure) else found


def _attribute_of_number(
    lowering: Lowering, value: Var | Const, attribute: str, node: cst.Call
) -> Value | None:
    """An attribute that the arrays, scalars or numbers of this type have."""
    from s2s_ad.frontend.expressions import attribute_of

    kinds: list[type] = []
    if isinstance(value, Const):
        kinds = [type(value.value)]
    elif isinstance(value.type, Array) and value.type.shape is not None:
        kinds = [np.ndarray]
    elif isinstance(value.type, Scalar):
        kinds = [np.generic]
    elif isinstance(value.type, Number):  # of which NumPy's float64 is one
        kinds = [float, np.float64]
        if value.type.kind in ("int", "bool"):
            kinds = [int if value.type.kind == "int" else bool]
    found = {hasattr(kind, attribute) for kind in kinds}
    if len(found) != 1:
        raise lowering.refuse("not-constant", "whether this holds is not known here", node)
    return attribute_of(lowering, value, attribute, node) if found.pop() else None


def _range(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`range(n)` as a value: gone through later, or taken as an array."""
    from s2s_ad.frontend.iteration import numbers_of

    return numbers_of(lowering, arguments.rest(), arguments.node)


BUILTINS: dict[str, Callable[[Lowering, Arguments, str], Value]] = {
    "builtins.max": _extreme(">"),
    "builtins.min": _extreme("<"),
    "builtins.any": _quantifier(True),
    "builtins.all": _quantifier(False),
    "builtins.divmod": _divmod,
    "builtins.isinstance": _isinstance,
    "builtins.callable": _callable,
    "builtins.hasattr": _has_attribute,
    "builtins.getattr": _get_attribute,
    "builtins.float": _float,
    "builtins.range": _range,
}

__all__ = ["BUILTINS"]
