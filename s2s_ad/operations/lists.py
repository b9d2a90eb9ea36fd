"""Lists of unknown length: those of the user's that grow, and the stacks that keep values for the
reverse sweep.

Like all values lists are pure here: `l with .append(v)` is a new value, and the statement that is
printed changes the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from s2s_ad.ir import Atom, Operation
from s2s_ad.operations.declare import Catalogue
from s2s_ad.types import (
    FLOAT,
    INT,
    Array,
    ListOf,
    Number,
    Scalar,
    Sizes,
    Type,
    TypeProblem,
    dtype_of,
    is_float,
    is_numeric,
    promote,
    shape_of,
)

CATALOGUE = Catalogue()
operation = CATALOGUE.operation


def _item_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    return list_type(operands[0].type).item


def _same_list(_: Sizes, operands: Sequence[Atom]) -> Type:
    return list_type(operands[0].type)


def _display_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    types = [_open(operand.type) for operand in operands]
    found = types[0]
    for type in types[1:]:
        found = _common(sizes, found, type)
    return ListOf(found)


def _open(type: Type) -> Type:
    """What is known of one integer does not hold for all items."""
    return INT if isinstance(type, Number) and type.kind == "int" else type


def _common(sizes: Sizes, left: Type, right: Type) -> Type:
    """The type of both of two items. Numbers stand for scalars; sizes that differ are left open."""
    if left == right:
        return left
    match left, right:
        case (Array(dtype, shape), Array(other, shape_)) if dtype == other:
            if shape is None or shape_ is None:
                return Array(dtype, None)
            if len(shape) == len(shape_):
                pairs = zip(shape, shape_, strict=True)
                return Array(dtype, tuple(a if a == b else sizes.fresh() for a, b in pairs))
        case (Number() | Scalar(), Number() | Scalar()):
            if isinstance(left, Number) and isinstance(right, Number):
                return FLOAT if is_float(left) or is_float(right) else INT
            if is_float(left) != is_float(right):
                wide = left if is_float(left) else right
                return wide if isinstance(wide, Scalar) else Scalar(dtype_of(wide))
            scalars = [type for type in (left, right) if isinstance(type, Scalar)]
            return Scalar(promote(scalars))
    raise TypeProblem("not-a-number", "the items of a list have different types")


def list_type(type: Type) -> ListOf:
    if not isinstance(type, ListOf):
        raise TypeProblem("not-a-number", f"a list is needed here, not {type}")
    return type


def _with_item(items: list[Any], index: int, value: Any) -> list[Any]:
    changed = list(items)
    changed[index] = value
    return changed


APPEND = operation(
    "out = list_append(x, v)",
    name="list.append",
    infer=_same_list,
    evaluate=lambda items, value: [*items, value],
    update="{0}.append({1})",
    linear=("x", "v"),
)
POP = operation(
    "out = list_pop(x)",
    name="list.pop",
    infer=_item_type,
    evaluate=lambda items: (items[-1], items[:-1]),
    update="{0}.pop()",
    linear=("x",),
)
ITEM = operation(
    "out = list_item(x, i)",
    name="list.item",
    infer=_item_type,
    evaluate=lambda items, index: items[index],
    view_of="x",
    linear=("x",),
    printer=lambda _, texts: f"{texts[0]}[{texts[1]}]",
)
SET_ITEM = operation(
    "out = list_set(x, i, v)",
    name="list.set",
    infer=_same_list,
    evaluate=_with_item,
    update="{0}[{1}] = {2}",
    linear=("x", "v"),
)
LENGTH = operation(
    "out = list_length(x)",
    name="list.length",
    infer=lambda _, operands: INT,
    evaluate=len,
    constant=True,
    printer=lambda _, texts: f"len({texts[0]})",
)


# what adjoints of reads do; the sum is a new value, since items may be shared
ADD_TO_ITEM = operation(
    "out = list_add(x, i, v)",
    name="list.add",
    infer=_same_list,
    evaluate=lambda items, index, value: _with_item(items, index, items[index] + value),
    update="{0}[{1}] = {0}[{1}] + {2}",
    linear=("x", "v"),
)
ADD_LISTS = operation(
    "out = add_items(x, y)",
    name="helper.add_items",
    infer=_same_list,
    helper="add_items",
    linear=("x", "y"),
)
ZERO_ITEMS = operation(
    "out = zero_items(x)",
    name="helper.zero_items",
    infer=_same_list,
    constant=True,
    shape_only=("x",),
    helper="zero_items",
)
DISPLAY = operation(
    "out = list_display(*items)",
    name="list.display",
    linear=("items",),
    infer=_display_type,
    evaluate=lambda *items: list(items),
    printer=lambda _, texts: f"[{', '.join(texts)}]",
)


@cache
def new_list(item: Type) -> Operation:
    """The operation that gives a new empty list for items of a type."""
    return Operation(
        name="list.new",
        parameters=(),
        evaluate=list,
        infer=lambda _, __: ListOf(item),
        printer=lambda _, __: "[]",
        constant=True,
    )


def _stacked_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    item = list_type(operands[0].type).item
    shape = shape_of(item)
    if not is_numeric(item) or shape is None:
        raise TypeProblem("not-a-number", f"a list of {item} is no array")
    return Array(dtype_of(item), (sizes.fresh(), *shape))


def _rows_type(_: Sizes, operands: Sequence[Atom]) -> Type:
    array = operands[0].type
    assert isinstance(array, Array) and array.shape
    rest = array.shape[1:]
    return ListOf(Array(array.dtype, rest) if rest else Scalar(array.dtype))


TO_ARRAY = operation(
    "out = list_to_array(x)",
    name="list.to_array",
    infer=_stacked_type,
    evaluate=np.array,
    linear=("x",),
    printer=lambda _, texts: f"np.array({texts[0]})",
)
ROWS = operation(
    "out = rows_of(x)",
    name="helper.rows_of",
    infer=_rows_type,
    helper="rows_of",
    linear=("x",),
)
# from left to right, as Python adds
SUM_ITEMS = operation(
    "out = sum(x)",
    name="list.sum",
    infer=_item_type,
    evaluate=sum,
    linear=("x",),
)
REPEATED = operation(
    "out = repeated(value, x)",
    name="helper.repeated",
    infer=lambda _, operands: list_type(operands[1].type),
    helper="repeated",
    linear=("value",),
    shape_only=("x",),
)
