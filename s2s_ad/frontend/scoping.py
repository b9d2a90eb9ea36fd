"""`del`, `global` and `nonlocal`: statements about names."""

from __future__ import annotations

import libcst as cst

from s2s_ad.frontend.containers import remove
from s2s_ad.frontend.expressions import lower_expression
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.subscripts import index_of
from s2s_ad.frontend.values import Growing
from s2s_ad.ir import Structure

ELSEWHERE = "return the value, and assign it where the function is called"


def delete(lowering: Lowering, node: cst.Del) -> None:
    """`del x`, `del l[0], d["a"]`"""
    targets: list[cst.BaseExpression] = [node.target]
    if isinstance(node.target, cst.Tuple | cst.List):
        targets = [element.value for element in node.target.elements]
    for target in targets:
        _delete(lowering, target)


def _delete(lowering: Lowering, target: cst.BaseExpression) -> None:
    if isinstance(target, cst.Name):
        lower_expression(lowering, target)  # which says so, if it means nothing
        del lowering.frame.names[target.value]
        return
    if isinstance(target, cst.Subscript):
        base = lower_expression(lowering, target.value)
        if isinstance(base, Structure | Growing):
            remove(lowering, base, index_of(lowering, target.slice, target), target)
            return
    message = f"`del {lowering.code(target)}` is not supported"
    help = "make a new container without it"
    raise lowering.refuse("unsupported-syntax", message, target, help=help)


def read_global(lowering: Lowering, node: cst.Global) -> None:
    """`global lam` of what is only read says nothing new."""
    if not lowering.frame.locals.isdisjoint(item.name.value for item in node.names):
        message = "a global variable that is assigned is not supported"
        raise lowering.refuse("unsupported-syntax", message, node, help=ELSEWHERE)


def share_outer(lowering: Lowering, node: cst.Nonlocal) -> None:
    """`nonlocal total`: `inline` hands the names in and out."""
    outer = lowering.frame.rebinds
    for item in node.names:
        if item.name.value not in outer:
            message = f"`{item.name.value}` is a variable outside of what is differentiated"
            raise lowering.refuse("unsupported-syntax", message, node, help=ELSEWHERE)


__all__ = ["delete", "read_global", "share_outer"]
