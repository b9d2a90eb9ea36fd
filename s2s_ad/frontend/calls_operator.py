"""The functions of the module `operator`, which are operators under a name."""

from __future__ import annotations

import operator

from s2s_ad.frontend.arguments import Arguments
from s2s_ad.frontend.calls_tools import Function
from s2s_ad.frontend.expressions import arithmetic_operand
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.subscripts import index_value
from s2s_ad.frontend.values import Value

SYMBOLS = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "truediv": "/",
    "floordiv": "//",
    "mod": "%",
    "pow": "**",
    "matmul": "@",
    "and_": "&",
    "or_": "|",
    "xor": "^",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "ne": "!=",
    "neg": "-x",
    "pos": "+x",
    "invert": "~x",
    "abs": "builtins.abs",
    "getitem": "getitem",
}


def _operator(symbol: str, count: int) -> Function:
    def lower(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        node, values = arguments.node, arguments.rest()
        if len(values) != count or arguments.keywords:
            raise lowering.refuse("bad-call", f"this operator takes {count} operands", node)
        operands = [arithmetic_operand(lowering, value, node) for value in values[:1]]
        for value in values[1:]:
            second = index_value if symbol == "getitem" else arithmetic_operand
            operands.append(second(lowering, value, node))
        return lowering.assign(lowering.operation(symbol), operands, node, name)

    return lower


def _count(symbol: str) -> int:
    return 1 if symbol.endswith("x") or symbol == "builtins.abs" else 2


FUNCTIONS_OF_OPERATOR: dict[str, Function] = {
    f"operator.{name}": _operator(symbol, _count(symbol))
    for name, symbol in SYMBOLS.items()
    if hasattr(operator, name)
}
