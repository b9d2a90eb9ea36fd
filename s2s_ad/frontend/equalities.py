"""`==` and `!=` of what is no number: tuples, lists and shapes item by item, dtypes by their names.

Also what is asked of a dtype: `x.dtype.kind`, `np.issubdtype(x.dtype, np.floating)`.
"""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst
import numpy as np

from s2s_ad.frontend.arguments import Arguments, no_more
from s2s_ad.frontend.branches import select, truth
from s2s_ad.frontend.lower import Lowering
from s2s_ad.frontend.operands import current
from s2s_ad.frontend.unpacking import unpack
from s2s_ad.frontend.values import Named, Value
from s2s_ad.ir import Const, Structure, Var
from s2s_ad.operations.shaping import SHAPE
from s2s_ad.types import Array, Items, is_numeric

OF_DTYPES = ("kind", "name", "char", "itemsize")
PYTHON_TYPES = ("builtins.float", "builtins.int", "builtins.bool", "builtins.complex")


def compared(
    lowering: Lowering, symbol: str, left: Value, right: Value, node: cst.CSTNode
) -> Value | None:
    """`left == right` or `left != right`; None if these are compared as numbers are."""
    if symbol not in ("==", "!="):
        return None
    dtypes = [dtype_of_value(value) for value in (left, right)]
    if isinstance(left, Named) or isinstance(right, Named):
        if None in dtypes:
            return None
        return Const((dtypes[0] == dtypes[1]) is (symbol == "=="))
    sides = [items_of_tuple(lowering, value, node) for value in (left, right)]
    if sides[0] is None or sides[1] is None:
        _check_rank(lowering, (left, right), sides, node)
        return None
    found = _all_equal(lowering, list(zip(sides[0], sides[1], strict=False)), node)
    if len(sides[0]) != len(sides[1]) or _kind(left) != _kind(right):
        found = Const(False)
    if symbol == "==":
        return found
    test = truth(lowering, found, node)
    return select(lowering, test, lambda: Const(False), lambda: Const(True), node)


def _kind(value: Value) -> str:
    return value.kind if isinstance(value, Structure) else "tuple"


def items_of_tuple(lowering: Lowering, value: Value, node: cst.CSTNode) -> list[Value] | None:
    """The items of a tuple or list of known length."""
    value = current(lowering, value, node)
    if isinstance(value, Structure):
        return list(value.items) if value.kind in ("tuple", "list") else None
    if isinstance(value, Const) and isinstance(value.value, tuple):
        return [Const(item) for item in value.value]
    if isinstance(value, Var) and isinstance(value.type, Items):
        if any(isinstance(item, Array) for item in value.type.items):
            return None  # the shape of an array of unknown rank
        return unpack(lowering, value, len(value.type.items), node)
    return None


def _check_rank(
    lowering: Lowering,
    values: tuple[Value, Value],
    sides: Sequence[list[Value] | None],
    node: cst.CSTNode,
) -> None:
    """A shape of unknown rank is compared with nothing."""
    for value, items in zip(values, sides, strict=True):
        made = lowering.definition(value) if isinstance(value, Var) else None
        if items is None and made is not None and made.op in SHAPE:
            raise lowering.refuse(
                "unknown-rank",
                "comparing shapes needs to know the rank of the array",
                node,
                help="annotate the parameter with its shape, or give it with `--arg`",
            )


def _all_equal(
    lowering: Lowering, pairs: Sequence[tuple[Value, Value]], node: cst.CSTNode
) -> Value:
    """Whether each pair is equal: the next one is looked at where the one before is."""
    from s2s_ad.frontend.comparisons import equality

    if not pairs:
        return Const(True)
    first = compared(lowering, "==", *pairs[0], node)
    if first is None:
        first = equality(lowering, node, *pairs[0])
    if len(pairs) == 1:
        return first
    test = truth(lowering, first, node)
    return select(
        lowering,
        test,
        lambda: _all_equal(lowering, pairs[1:], node),
        lambda: Const(False),
        node,
    )


# Dtypes -------------------------------------------------------------------------------------------


def dtype_of_value(value: Value) -> str | None:
    """The dtype that a value is or, as the name of a type, stands for, by its name."""
    if isinstance(value, Named):
        module, _, name = value.name.rpartition(".")
        if module != "numpy" and value.name not in PYTHON_TYPES:
            return None
    elif isinstance(value, Const) and isinstance(value.value, str):
        name = value.value
    else:
        return None
    try:
        return np.dtype(name).name
    except TypeError:
        return None


def attribute_of_dtype(base: Named, attribute: str) -> Value | None:
    """`x.dtype.kind`, and `x.dtype.type`; None for anything else."""
    dtype = dtype_of_value(base)
    if dtype is None or not base.name.startswith("numpy."):
        return None
    if attribute == "type":
        return base
    return Const(getattr(np.dtype(dtype), attribute)) if attribute in OF_DTYPES else None


def lower_is_subdtype(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.issubdtype(x.dtype, np.floating)`"""
    node = arguments.node
    given = arguments.take(0, "arg1", Const(None)), arguments.take(1, "arg2", Const(None))
    no_more(lowering, arguments)
    kinds = [_kind_of_dtype(value) for value in given]
    if None in kinds:
        message = "which dtypes these are is not known"
        raise lowering.refuse("not-constant", message, node, help="name them: `np.float64`")
    return Const(bool(np.issubdtype(*kinds)))


def _kind_of_dtype(value: Value) -> str | type | None:
    """A dtype, or a class of them such as `np.floating`."""
    dtype = dtype_of_value(value)
    if dtype is not None or not isinstance(value, Named):
        return dtype
    found = getattr(np, value.name.removeprefix("numpy."), None)
    return found if isinstance(found, type) and issubclass(found, np.generic) else None


def lower_dtype(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.dtype(float)`"""
    node = arguments.node
    dtype = dtype_of_value(arguments.take(0, "dtype", Const(None)))
    no_more(lowering, arguments)
    if dtype is None:
        raise lowering.refuse(
            "not-constant", "which dtype this is is not known", node, help="name it: `np.float64`"
        )
    return Named(f"numpy.{dtype}")


def lower_is_scalar(lowering: Lowering, arguments: Arguments, name: str) -> Value:
    """`np.isscalar(x)`: numbers and scalars are, arrays are not, those of rank 0 included."""
    node = arguments.node
    value = current(lowering, arguments.take(0, "element", Const(None)), node)
    no_more(lowering, arguments)
    if not isinstance(value, Var):
        return Const(isinstance(value, Const) and np.isscalar(value.value))
    if isinstance(value.type, Array) and value.type.shape is None:
        raise lowering.refuse(
            "unknown-rank",
            "whether this is a number or an array is not known",
            node,
            help="annotate the parameter with its shape, or give it with `--arg`",
        )
    return Const(is_numeric(value.type) and not isinstance(value.type, Array))


__all__ = [
    "attribute_of_dtype",
    "compared",
    "items_of_tuple",
    "lower_dtype",
    "lower_is_scalar",
    "lower_is_subdtype",
]
