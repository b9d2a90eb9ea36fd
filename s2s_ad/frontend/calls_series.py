"""Calls of `np.polynomial` that evaluate a series: `polyval`, `chebval` and their like."""

from __future__ import annotations

from s2s_ad.frontend.arguments import Arguments, no_more
from s2s_ad.frontend.calls_tools import (
    Function,
    apply,
    known,
    known_rank,
    operand,
    operate,
)
from s2s_ad.frontend.definitions import expand
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import atom
from s2s_ad.frontend.values import Value
from s2s_ad.ir import Const
from s2s_ad.types import is_float, shape_of

SERIES = {
    "polynomial.polyval": "power",
    "chebyshev.chebval": "chebyshev",
    "legendre.legval": "legendre",
    "hermite.hermval": "hermite",
    "hermite_e.hermeval": "hermite_e",
    "laguerre.lagval": "laguerre",
}


def series(kind: str) -> Function:
    """`chebval(x, c, tensor=True)`: each column of the coefficients at each of the points."""

    def lower(lowering: Lowering, arguments: Arguments, name: str) -> Value:
        node = arguments.node
        x, c = (operand(lowering, arguments, k, key) for k, key in enumerate("xc"))
        tensor = known(lowering, arguments.take(2, "tensor", Const(True)), "tensor", node)
        no_more(lowering, arguments)
        points, columns = known_rank(lowering, x, node), known_rank(lowering, c, node)
        if columns == 0:
            c = apply(lowering, node, "reshape", c, Const((1,)))
        if not is_float(c.type):
            c = operate(lowering, node, "multiply", c, Const(1.0))
        if tensor and points and columns > 1:
            spread = Const(tuple(range(columns, columns + points)))
            c = apply(lowering, node, "expand_dims", c, spread)
        if kind == "power":
            return expand(lowering, "power_series", node, x=x, c=c)
        shape = shape_of(c.type)
        count = None if shape is None else lowering.sizes.resolve(shape[0]).constant
        if count is None or count == 1:
            c = atom(lowering, expand(lowering, "two_or_more", node, c=c), node)
        return expand(lowering, f"{kind}_series", node, x=x, c=c)

    return lower


POLYNOMIAL_SERIES: dict[str, Function] = {
    f"polynomial.{name}": series(kind) for name, kind in SERIES.items()
}
"""Functions of NumPy by dotted name."""
