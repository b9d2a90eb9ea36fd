"""What the families of special calls share: operands, known values, calls of other functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import libcst as cst

from s2s_ad.frontend.arguments import Arguments
from s2s_ad.frontend.calls import call_named
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import array_operand, atom, static_operand
from s2s_ad.frontend.values import Value
from s2s_ad.ir import Atom, Const, Var
from s2s_ad.operations.result_types import constant
from s2s_ad.types import (
    TypeProblem,
    rank_of,
)

Function = Callable[[Lowering, Arguments, str], Value]
NOTHING = Const(None)


def apply(
    lowering: Lowering, node: cst.Call, function: str, *positional: Value, **keywords: Value
) -> Atom:
    """The value of a call of a function of NumPy."""
    arguments = Arguments(list(positional), keywords, {}, node)
    return atom(lowering, call_named(lowering, f"numpy.{function}", arguments, ""), node)


def operate(lowering: Lowering, node: cst.CSTNode, function: str, *operands: Value) -> Var:
    """The value of an operation, all of whose operands are given."""
    atoms = [atom(lowering, operand, node) for operand in operands]
    return lowering.assign(lowering.operation(f"numpy.{function}"), atoms, node)


def known(lowering: Lowering, value: Value, what: str, node: cst.CSTNode) -> Any:
    """The value of an argument that has to be known when compiling."""
    operand = static_operand(lowering, value, node)
    try:
        return constant(operand, what)
    except TypeProblem as problem:
        lowering.want_constants([operand])
        raise lowering.refuse(problem.name, str(problem), node, help=problem.help) from None


def known_rank(lowering: Lowering, x: Atom, node: cst.Call) -> int:
    rank = rank_of(x.type)
    if rank is None:
        raise lowering.refuse(
            "unknown-rank",
            f"`{lowering.code(node.func)}` needs to know the rank of the array",
            node,
            help="annotate the parameter with its shape, or give it with `--arg`",
        )
    return rank


def unsupported(lowering: Lowering, message: str, node: cst.CSTNode, help: str) -> Exception:
    return lowering.refuse("unsupported-argument", message, node, help=help)


def operand(
    lowering: Lowering, arguments: Arguments, position: int, name: str, default: Value = NOTHING
) -> Atom:
    return array_operand(lowering, arguments.take(position, name, default), arguments.node)


def along(axis: int, part: slice | int) -> Const:
    """The index that is `part` on one axis and everything on the others."""
    everything = slice(None)
    if axis >= 0:
        return Const((everything,) * axis + (part,))
    return Const((Ellipsis, part, *(everything,) * (-axis - 1)))
