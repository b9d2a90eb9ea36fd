"""Functions of Python and NumPy that need a hand: `np.array`, `sum`, `len`, `partial`, ..."""

from __future__ import annotations

from collections.abc import Callable

import libcst as cst

from s2s_ad.frontend.arguments import CLASS, Arguments, call_operation, drop_harmless, no_more
from s2s_ad.frontend.containers import container, length_of
from s2s_ad.frontend.iteration import Counted, through_value, written_out
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.objects import with_operator
from s2s_ad.frontend.operands import array_operand, atom, display, static, static_operand
from s2s_ad.frontend.values import FreeVariable, Growing, Method, Named, Numbers, Partial, Value
from s2s_ad.ir import Atom, Const, Structure, Var, tuple_of
from s2s_ad.operations.arrays import COPY, RANGE
from s2s_ad.operations.effects import PRINT, WARN
from s2s_ad.operations.lists import SUM_ITEMS, are_alike
from s2s_ad.operations.support import RANGE_LENGTH
from s2s_ad.types import Array, is_integer, rank_of


def _stack(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.stack` of a list of unknown length is the array of it."""
    arrays = arguments.take(0, "arrays", Const(None)) if arguments.positional else None
    if isinstance(arrays, Growing):
        axis = arguments.take(1, "axis", Const(0))
        if axis == Const(0):
            no_more(lowering, arguments)
            return array_operand(lowering, arrays, arguments.node)
    from s2s_ad.frontend.calls_joins import joining

    return joining("stack")(lowering, arguments, name)


def _array(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.array` of a display, a number or an array."""
    node = arguments.node
    value = arguments.take(0, "object", Const(None))
    dtype = static_operand(lowering, arguments.take(1, "dtype", Const(None)), node)
    drop_harmless(lowering, COPY, arguments)
    no_more(lowering, arguments)
    if isinstance(value, Structure):
        return display(lowering, value, dtype if isinstance(dtype, Const) else None, node)
    x = array_operand(lowering, value, node)
    if isinstance(value, Growing) and dtype == Const(None):
        return x
    copied = lowering.assign(COPY, [x], node, name if dtype == Const(None) else "")
    if dtype == Const(None):
        return copied
    return lowering.assign(lowering.operation("ndarray.astype"), [copied, dtype], node, name)


def _asarray(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.asarray`: the array itself, where it is one of that dtype."""
    from s2s_ad.operations.result_types import dtype_argument

    value = arguments.positional[0] if arguments.positional else None
    if isinstance(value, Var) and isinstance(value.type, Array):
        dtype = static_operand(lowering, arguments.take(1, "dtype", Const(None)), arguments.node)
        order = static(arguments.take(2, "order", Const(None)))
        if not arguments.keywords and dtype_argument(dtype, value.type.dtype) == value.type.dtype:
            return _in_order(lowering, value, order, arguments.node)
        arguments.keywords["dtype"] = dtype
    return _array(lowering, arguments, name)


def _in_order(lowering: Lowering, x: Var, order: Const | None, node: cst.Call) -> Value:
    """The array itself, or a copy if it does not lie in memory in that order."""
    functions = {"C": "ascontiguousarray", "F": "asfortranarray"}
    if order is not None and order.value in (None, "K", "A"):
        return x
    if order is None or order.value not in functions or rank_of(x.type) in (0, None):
        raise lowering.refuse("unsupported-argument", "`order` is not supported here", node)
    op = lowering.operation(f"numpy.{functions[order.value]}")
    return lowering.assign(op, [x], node)


def _arange(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    node = arguments.node
    drop_harmless(lowering, RANGE, arguments)
    given: dict[str, Value] = {
        "start": Const(0),
        "stop": Const(None),
        "step": Const(1),
        "dtype": Const(None),
    }
    alone = len(arguments.positional) == 1 and "stop" not in arguments.keywords
    given.update(zip(("stop",) if alone else given, arguments.rest(), strict=False))
    given.update({key: arguments.keywords.pop(key) for key in given if key in arguments.keywords})
    no_more(lowering, arguments)
    dtype = static_operand(lowering, given.pop("dtype"), node)
    bounds = [atom(lowering, value, node) for value in given.values()]
    numbers = lowering.assign(RANGE, bounds, node, name if dtype == Const(None) else "")
    if dtype == Const(None):
        return numbers
    if not all(is_integer(bound.type) for bound in bounds):
        # NumPy adds up in that dtype, which rounds otherwise
        raise lowering.refuse(
            "unsupported-argument",
            "`dtype` is supported for integers here",
            node,
            help="leave it out",
        )
    return lowering.assign(lowering.operation("ndarray.astype"), [numbers, dtype], node, name)


def _log(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`math.log(x, base)` is a quotient of logarithms, as in CPython."""
    logs: list[Atom] = [
        lowering.assign(
            lowering.operation("math.log"), [atom(lowering, value, arguments.node)], arguments.node
        )
        for value in arguments.rest()[:2]
    ]
    no_more(lowering, arguments)
    if len(logs) == 1:
        return logs[0]
    return lowering.assign(lowering.operation("/"), logs, arguments.node, name)


def _sum(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """The builtin `sum`, from left to right."""
    from s2s_ad.frontend.comprehensions import sum_of

    node = arguments.node
    value = arguments.take(0, "iterable", Const(None))
    total: Atom = atom(lowering, arguments.take(1, "start", Const(0)), node)
    no_more(lowering, arguments)
    item = value.item if isinstance(value, Growing) else None
    if isinstance(value, Growing) and isinstance(item, Var | Const) and total == Const(0):
        if not are_alike(item.type):  # they broadcast against each other
            return sum_of(lowering, through_value(lowering, value, node), total, node)
        return lowering.assign(SUM_ITEMS, [atom(lowering, value.items[0], node)], node, name)
    if not isinstance(value, Structure) or value.kind not in ("tuple", "list"):
        return sum_of(lowering, through_value(lowering, value, node), total, node)
    for k, item in enumerate(value.items):
        last = name if k == len(value.items) - 1 else ""
        total = lowering.assign(
            lowering.operation("+"), [total, atom(lowering, item, node)], node, last
        )
    return total


def _length(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    value = arguments.positional[0] if arguments.positional else Const(None)
    if isinstance(value, Growing):
        return length_of(lowering, value, arguments.node)
    if isinstance(value, Numbers):
        return lowering.assign(RANGE_LENGTH, list(value.bounds), arguments.node, name)
    if isinstance(value, Structure):
        return with_operator(lowering, "len", [value], arguments.node) or Const(len(value.items))
    if isinstance(value, Const) and isinstance(value.value, str | tuple):
        return Const(len(value.value))
    return call_operation(lowering, lowering.operation("builtins.len"), arguments, name)


def _power(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    operands = [atom(lowering, value, arguments.node) for value in arguments.positional]
    if len(operands) != 2:
        raise lowering.refuse(
            "unsupported-argument", "`pow` with a modulus is not supported", arguments.node
        )
    return lowering.assign(lowering.operation("**"), operands, arguments.node, name)


def _type(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`type(p)`, to make another record of the class, as generated modules do."""
    value = arguments.positional[0] if len(arguments.positional) == 1 else None
    if isinstance(value, FreeVariable) and value.attribute is not None:
        found = value.attribute("__class__")
        if found is not None:
            return found
    if not isinstance(value, Structure) or value.kind != "record" or arguments.keywords:
        from s2s_ad.frontend.calls import unknown_operation

        raise unknown_operation(lowering, "builtins.type", arguments.node)
    return Method(value, CLASS)


def _print(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`print("step", x)` prints once, in the forward sweep."""
    values = [atom(lowering, value, arguments.node) for value in arguments.rest()]
    no_more(lowering, arguments)
    lowering.builder.span = lowering.span(arguments.node)
    lowering.effect(PRINT, values)
    return Const(None)


def _warn(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`warnings.warn("no convergence", RuntimeWarning)` warns once, in the forward sweep."""
    node = arguments.node
    operands = [atom(lowering, arguments.take(0, "message", Const(None)), node)]
    for place, (option, default) in enumerate((("category", None), ("stacklevel", 1)), start=1):
        value = arguments.take(place, option, Const(default))
        if not isinstance(value, Named | Const):
            message = f"the {option} of this warning is not known here"
            raise lowering.refuse("not-constant", message, node, help="use one of Python's own")
        operands.append(static_operand(lowering, value, node))
    no_more(lowering, arguments)
    lowering.builder.span = lowering.span(node)
    lowering.effect(WARN, operands)
    return Const(None)


def _execution(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    raise lowering.refuse(
        "unsupported-syntax",
        f"`{lowering.code(arguments.node.func)}` is not supported: what it runs is not known here",
        arguments.node,
        help="write the code itself",
    )


def _sequence(kind: str) -> Callable[[Lowering, Arguments, str], Value]:
    """`list(p)` and `tuple(p)`"""

    def lower(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        from s2s_ad.frontend.comprehensions import collected

        value = arguments.positional[0] if arguments.positional else tuple_of(())
        found = through_value(lowering, value, arguments.node)
        items = written_out(lowering, found)
        if items is None and isinstance(found, Counted) and kind == "list":
            return collected(lowering, found, arguments.node)
        if items is None:
            raise lowering.refuse(
                "not-constant", "only a container of known length can be converted", arguments.node
            )
        return container(lowering, kind, items)

    return lower


def _slice(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`slice(stop)` and `slice(start, stop, step)`"""
    parts = [atom(lowering, value, arguments.node) for value in arguments.positional]
    if len(parts) == 1:
        parts.insert(0, Const(None))
    parts += [Const(None)] * (3 - len(parts))
    if all(isinstance(part, Const) for part in parts):
        return Const(slice(*(part.value for part in parts if isinstance(part, Const))))
    return lowering.assign(lowering.operation("builtins.slice"), parts, arguments.node)


def _partial(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`functools.partial`: a function with some of its arguments."""
    if not arguments.positional:
        raise lowering.refuse("bad-call", "`partial` needs a function", arguments.node)
    function, *given = arguments.positional
    return Partial(function, tuple(given), dict(arguments.keywords))


BASIC: dict[str, Callable[[Lowering, Arguments, str], Value]] = {
    "numpy.array": _array,
    "numpy.stack": _stack,
    "numpy.asarray": _asarray,
    "numpy.asanyarray": _asarray,
    "numpy.arange": _arange,
    "math.log": _log,
    "builtins.sum": _sum,
    "builtins.len": _length,
    "builtins.pow": _power,
    "builtins.slice": _slice,
    "functools.partial": _partial,
    "builtins.print": _print,
    "warnings.warn": _warn,
    "builtins.type": _type,
    "builtins.exec": _execution,
    "builtins.eval": _execution,
    "builtins.tuple": _sequence("tuple"),
    "builtins.list": _sequence("list"),
}
