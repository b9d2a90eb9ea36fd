"""What a comprehension goes through, where that is known: containers, `range`, `zip`, ..."""

from __future__ import annotations

import libcst as cst

from s2s_ad.frontend.expressions import atom, lower_expression
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.values import Named, Value
from s2s_ad.ir import Const, Structure
from s2s_ad.types import Number

MOST_ITEMS = 1000


def items_of(lowering: Lowering, node: cst.BaseExpression) -> list[Value]:
    """The items, one after the other. Anything whose length is not known is refused."""
    if isinstance(node, cst.Call):
        function = lower_expression(lowering, node.func)
        arguments = [argument.value for argument in node.args]
        if function == Named("builtins.range"):
            return _range(lowering, arguments, node)
        if function == Named("builtins.zip"):
            columns = [items_of(lowering, argument) for argument in arguments]
            return [_tuple(list(row)) for row in zip(*columns, strict=False)]
        if function == Named("builtins.enumerate") and len(arguments) == 1:
            items = items_of(lowering, arguments[0])
            return [_tuple([Const(place), item]) for place, item in enumerate(items)]
        if function == Named("builtins.reversed"):
            return items_of(lowering, arguments[0])[::-1]
    value = lower_expression(lowering, node)
    if isinstance(value, Structure):
        keys: list[Value] = [Const(key) for key in value.keys]
        return keys if value.kind == "dict" else list(value.items)
    raise _unknown_length(lowering, node)


def _unknown_length(lowering: Lowering, node: cst.CSTNode) -> Exception:
    return lowering.refuse(
        "unsupported-syntax",
        "only a container of known length can be gone through yet",
        node,
        help="work on the whole array at once",
    )


def _tuple(items: list[Value]) -> Structure:
    return Structure("tuple", tuple(range(len(items))), tuple(items))


def _range(
    lowering: Lowering, arguments: list[cst.BaseExpression], node: cst.CSTNode
) -> list[Value]:
    bounds = []
    for argument in arguments:
        bound = atom(lowering, lower_expression(lowering, argument), argument)
        value = bound.type.value if isinstance(bound.type, Number) else None
        if value is None or value.constant is None:
            raise _unknown_length(lowering, argument)
        bounds.append(value.constant)
    numbers = range(*bounds)
    if len(numbers) > MOST_ITEMS:
        raise _unknown_length(lowering, node)
    return [Const(number) for number in numbers]
