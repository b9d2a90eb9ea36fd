"""The arguments of a call, and how they are bound to the operands of an operation."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import libcst as cst
import numpy as np

from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import array_operand, static, static_operand
from s2s_ad.frontend.subscripts import index_value
from s2s_ad.frontend.updates import into, into_where
from s2s_ad.frontend.values import Value
from s2s_ad.ir import Atom, Const, Operation, Structure, Var
from s2s_ad.operations.declare import ufunc_of
from s2s_ad.operations.result_types import dtype_argument
from s2s_ad.types import Array, Number, Scalar, TypeProblem, dtype_of, is_float, is_numeric

# Arguments that say how to compute, and are not computed with
CLASS = "__class__"  # of a record, which is called as a method of it


STATIC_ARGUMENTS = frozenset(
    [
        "axis",
        "axes",
        "shape",
        "newshape",
        "dtype",
        "keepdims",
        "ddof",
        "axis1",
        "axis2",
        "num",
        "reps",
        "repeats",
        "shift",
        "source",
        "destination",
        "k",
        "n",
        "offset",
        "subscripts",
        "layout",
        "order",
        "size",
        "start_axis",
        "pad_width",
        "place",
        "names",
        "mode",
        "kind",
        "kth",
        "method",
        "decimals",
        "side",
        "edge_order",
        "window_shape",
        "new_shape",
        "minlength",
        "indexing",
        "constant_values",
        "reflect_type",
        "stat_length",
        "end_values",
        "ndmin",
        "dimensions",
        "l_and_u",
        "norm",
        "upper",
    ]
)


# Arguments accepted where they change nothing
HARMLESS = {
    "order": ("C",),
    "copy": (True,),  # None means: only if needed
    "out": (None,),
    "dtype": (None,),
    "device": (None, "cpu"),
    "casting": ("same_kind",),
    "subok": (False,),
    "like": (None,),
}


@dataclass
class Arguments:
    """The arguments of a call, lowered."""

    positional: list[Value]
    keywords: dict[str, Value]
    nodes: dict[str, cst.CSTNode]
    node: cst.Call
    read: int = 0  # how many of the positional ones have been looked at

    def take(self, position: int, name: str, default: Value) -> Value:
        """An argument that goes by position or name."""
        if position < len(self.positional):
            self.read = max(self.read, position + 1)
            return self.positional[position]
        return self.keywords.pop(name, default)

    def rest(self, start: int = 0) -> list[Value]:
        """All arguments by position from a place on."""
        self.read = len(self.positional)
        return self.positional[start:]


def call_operation(lowering: Lowering, op: Operation, arguments: Arguments, name: str) -> Value:
    """Bind arguments to an operation's parameters as Python would."""
    node = arguments.node
    if not op.variadic:
        name_positions(op, arguments)
    drop_harmless(lowering, op, arguments)
    compute_in_dtype(lowering, op, arguments)
    if "out" in arguments.keywords and "out" not in op.parameters:
        target = arguments.keywords.pop("out")
        if "where" in arguments.keywords and "where" not in op.parameters:
            if op.name.startswith("scipy."):
                refuse_mask(lowering, arguments)
            mask = arguments.keywords.pop("where")
            values = [arguments.take(k, each, Const(None)) for k, each in enumerate(op.parameters)]
            no_more(lowering, arguments)
            return into_where(lowering, target, mask, op, values, node)
        result = call_operation(lowering, op, arguments, "")
        return into(lowering, target, result, node, broadcasts=op.elementwise)
    if op.variadic:
        return lowering.assign(op, _variadic_operands(lowering, op, arguments), node, name)
    if len(arguments.positional) > len(op.parameters):
        raise lowering.refuse(
            "bad-call", f"`{lowering.code(node.func)}` takes {len(op.parameters)} arguments", node
        )
    operands: list[Atom] = []
    positional = arguments.rest()
    for position, parameter in enumerate(op.parameters):
        if position < len(positional):
            value = positional[position]
        elif parameter in arguments.keywords:
            value = arguments.keywords.pop(parameter)
        elif own_name(op, position) in arguments.keywords:
            value = arguments.keywords.pop(own_name(op, position))
        elif parameter in op.defaults:
            value = Const(op.defaults[parameter])
        else:
            raise lowering.refuse(
                "bad-call", f"`{lowering.code(node.func)}` needs `{parameter}`", node
            )
        operands.append(operand_for(lowering, parameter, value, node))
    no_more(lowering, arguments)
    return assign_results(lowering, op, operands, node, name)


def with_output(
    lowering: Lowering,
    function: str,
    special: Callable[[Lowering, Arguments, str], Value],
    arguments: Arguments,
    name: str,
) -> Value:
    """Call a function that does not know of `out`, and store the result there."""
    own = own_parameters(function)
    if "out" in own[: len(arguments.positional)]:
        place = own.index("out")
        arguments.keywords.update(zip(own[place:], arguments.positional[place:], strict=False))
        del arguments.positional[place:]
    target = arguments.keywords.get("out", Const(None))
    if target == Const(None) or not own:
        return special(lowering, arguments, name)
    del arguments.keywords["out"]
    return into(lowering, target, special(lowering, arguments, ""), arguments.node)


def assign_results(
    lowering: Lowering, op: Operation, operands: list[Atom], node: cst.CSTNode, name: str = ""
) -> Value:
    """The result of an operation; a tuple of them where it has several."""
    if not op.results:
        return lowering.assign(op, operands, node, name)
    results = lowering.assign_several(op, operands, node)
    # NumPy's are named tuples: their fields may be asked for by name
    return Structure("tuple", op.results, results)


def name_positions(op: Operation, arguments: Arguments) -> None:
    """Arguments given by position where NumPy has parameters that the operation has not: by name.

    `np.sum(x, 0, np.float32)` gives `dtype`, although `keepdims` comes third in the catalogue.
    """
    own = own_parameters(op.name)
    required = len(op.parameters) - len(op.defaults)
    if not own or len(arguments.positional) <= required:
        return
    behind = arguments.positional[required:]
    if len(own) < len(arguments.positional):
        return  # refused for their number
    for name, value in zip(own[required:], behind, strict=False):
        arguments.keywords.setdefault(name, value)
    del arguments.positional[required:]


def own_name(op: Operation, position: int) -> str:
    """What NumPy calls an operand that stands without a default in the catalogue."""
    own = own_parameters(op.name)
    required = len(op.parameters) - len(op.defaults)
    return own[position] if position < min(required, len(own)) else ""


# Functions whose operations have their parameters in another order, or not all of them
ORDERS_OF_SCIPY = {
    "scipy.linalg.solve": ("a", "b", "lower", "overwrite_a", "overwrite_b"),
    "scipy.linalg.solveh_banded": ("ab", "b", "overwrite_ab", "overwrite_b", "lower"),
    "scipy.linalg.qr": ("a", "overwrite_a", "lwork", "mode", "pivoting"),
    "scipy.linalg.expm_frechet": ("A", "E", "method", "compute_expm"),
}


@cache
def own_parameters(name: str) -> tuple[str, ...]:
    """The parameters of a function that go by position, in its own order."""
    module, _, rest = name.partition(".")
    if module != "numpy":
        return ORDERS_OF_SCIPY.get(name, ())
    found: Any = np
    for part in rest.split("."):
        found = getattr(found, part, None)
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return ()
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(each.name for each in parameters if each.kind in by_position)


def operand_for(lowering: Lowering, parameter: str, value: Value, node: cst.CSTNode) -> Atom:
    if parameter in STATIC_ARGUMENTS:
        return static_operand(lowering, value, node)
    if parameter == "i":
        return index_value(lowering, value, node)
    return array_operand(lowering, value, node)


def _variadic_operands(lowering: Lowering, op: Operation, arguments: Arguments) -> list[Atom]:
    node = arguments.node
    operands: list[Atom] = []
    rest = arguments.rest()
    for parameter in op.parameters:
        if parameter.startswith("*") and op.call.endswith(("(", "[")):
            group = rest.pop(0) if rest else arguments.keywords.pop(op.variadic, None)
            operands += [
                array_operand(lowering, item, node) for item in members(lowering, group, node)
            ]
        elif parameter.startswith("*"):
            operands += [array_operand(lowering, item, node) for item in rest]
            rest = []
        elif rest:
            operands.append(operand_for(lowering, parameter, rest.pop(0), node))
        elif parameter in arguments.keywords:
            operands.append(
                operand_for(lowering, parameter, arguments.keywords.pop(parameter), node)
            )
        elif parameter in op.defaults:
            operands.append(Const(op.defaults[parameter]))
        else:
            raise lowering.refuse(
                "bad-call", f"`{lowering.code(node.func)}` needs `{parameter}`", node
            )
    if rest:
        raise lowering.refuse("bad-call", "too many arguments", node)
    no_more(lowering, arguments)
    return operands


def members(lowering: Lowering, group: Value | None, node: cst.CSTNode) -> Sequence[Value]:
    """The arrays that `np.concatenate` and its like are given: a tuple or list, or the rows of an
    array.
    """
    if isinstance(group, Structure) and group.kind in ("tuple", "list") and group.items:
        return group.items
    if isinstance(group, Var) and isinstance(group.type, Array) and group.type.shape:
        rows = lowering.sizes.resolve(group.type.shape[0]).constant
        if rows is not None and rows > 0:
            getitem = lowering.operation("getitem")
            return [lowering.assign(getitem, [group, Const(k)], node) for k in range(rows)]
    raise lowering.refuse(
        "bad-call", "a tuple or list of arrays of known length is needed here", node
    )


def drop_harmless(lowering: Lowering, op: Operation, arguments: Arguments) -> None:
    for keyword, allowed in HARMLESS.items():
        if keyword in arguments.keywords and keyword not in op.parameters:
            value = static(arguments.keywords[keyword])
            if value is not None and value.value in allowed:
                del arguments.keywords[keyword]


# Reductions in whose result the dtype of their operand is kept
KEEPING_DTYPE = frozenset(
    f"numpy.{name}"
    for name in ("sum", "prod", "max", "min", "mean", "cumsum", "cumprod", "var", "std", "trace",
                 "nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nancumsum", "nancumprod")
)  # fmt: skip


def compute_in_dtype(lowering: Lowering, op: Operation, arguments: Arguments) -> None:
    """`dtype=` where it is that of the operands, or where converting these first is the same: a
    sum is rounded in other places if it is converted piece by piece.
    """
    if "dtype" not in arguments.keywords or "dtype" in op.parameters:
        return
    node = arguments.node
    elementwise = op.elementwise and ufunc_of(op.name) is not None
    values = arguments.positional if elementwise else arguments.positional[:1]
    if not (elementwise or op.name.partition("[")[0] in KEEPING_DTYPE) or not values:
        return
    operands = [array_operand(lowering, value, node) for value in values]
    try:
        dtype = dtype_argument(static_operand(lowering, arguments.keywords["dtype"], node), "")
    except TypeProblem as problem:
        raise lowering.refuse(problem.name, str(problem), node, help=problem.help) from None
    given = [_dtype_given(operand) for operand in operands]
    if dtype not in ("f64", "f32") or None in given or op.name in OF_TRUTH:
        return
    if not any(given) and (dtype == "f32" or not any(is_float(each.type) for each in operands)):
        return
    if elementwise:
        convert = lowering.operation("ndarray.astype")
        to = arguments.keywords["dtype"]
        atoms = [static_operand(lowering, to, node)] * len(operands)
        arguments.positional[: len(operands)] = [
            x if own in ("", dtype) else lowering.assign(convert, [x, atom], node)
            for x, own, atom in zip(operands, given, atoms, strict=True)
        ]
    elif given != [dtype]:
        raise lowering.refuse(
            "unsupported-argument",
            "`dtype` is not that of what is reduced",
            arguments.nodes.get("dtype", node),
            help="convert it first: `x.astype(dtype)`",
        )
    del arguments.keywords["dtype"]


OF_TRUTH = frozenset(
    f"numpy.{name}"
    for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "isnan",
                 "isfinite", "isinf", "signbit", "logical_and", "logical_or", "logical_not",
                 "logical_xor")
)  # fmt: skip


def _dtype_given(operand: Atom) -> str | None:
    """The dtype of an operand, "" for Python's numbers, which take that of the others."""
    if isinstance(operand.type, Array | Scalar):
        return dtype_of(operand.type) if is_numeric(operand.type) else None
    return (
        "" if isinstance(operand.type, Number) and operand.type.kind in ("float", "int") else None
    )


def refuse_mask(lowering: Lowering, arguments: Arguments) -> None:
    """SciPy 1.17 computes other elements than those that `where=` of its ufuncs names."""
    raise lowering.refuse(
        "unsupported-argument",
        "SciPy computes wrong values with `where=`, so what is meant is not known",
        arguments.nodes.get("where", arguments.node),
        help="write `np.where(mask, f(x), other)`",
    )


def no_more(lowering: Lowering, arguments: Arguments) -> None:
    for keyword in arguments.keywords:
        raise lowering.refuse(
            "unsupported-argument",
            f"the argument `{keyword}` is not supported here",
            arguments.nodes.get(keyword, arguments.node),
            help="write the computation without it",
        )
    if len(arguments.positional) > arguments.read:
        raise lowering.refuse(
            "unsupported-argument",
            f"only the first {arguments.read} arguments are supported here",
            arguments.node,
            help="write the computation without the others",
        )
