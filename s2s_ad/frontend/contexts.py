"""`with` statements that only say which warnings are shown.

`np.errstate` changes nothing that is computed: the statements in it are lowered as if they stood
alone, and the module warns as NumPy does by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from s2s_ad.frontend import jumps
from s2s_ad.frontend.expressions import lower_expression
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.values import Named, Refused
from s2s_ad.ir import Const

SILENT = ("ignore", "warn")  # what `errstate` may ask for: the others stop, call or print


def lower_with(lowering: Lowering, node: cst.With, rest: Sequence[cst.CSTNode] = ()) -> None:
    """Lower a `with`; `rest` is what follows it in its suite."""
    if node.asynchronous is not None:
        raise _refused(lowering, node, "`async with` is not supported", "write a plain `with`")
    for each in node.items:
        if each.asname is not None or not _only_warns(lowering, each.item):
            message = "`with` statements are supported for `np.errstate` alone"
            raise _refused(lowering, node, message, "enter it where the function is called")
    jumps.lower_suite(lowering, [*jumps.statements_of(node.body), *rest])


def _only_warns(lowering: Lowering, node: cst.BaseExpression) -> bool:
    """`np.errstate(divide="ignore")`"""
    if not isinstance(node, cst.Call):
        return False
    if lower_expression(lowering, node.func) != Named("numpy.errstate"):
        return False
    values = [lower_expression(lowering, argument.value) for argument in node.args]
    known = all(isinstance(value, Const) and value.value in SILENT for value in values)
    return known and all(argument.keyword is not None for argument in node.args)


def _refused(lowering: Lowering, node: cst.With, message: str, help: str) -> Refused:
    return lowering.refuse("unsupported-syntax", message, node, help=help)


__all__ = ["lower_with"]
