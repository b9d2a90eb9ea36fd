"""Lists of unknown length: those of the user's that grow, and the stacks that keep values for the
reverse sweep.

Like all values lists are pure here: `l with .append(v)` is a new value, and the statement that is
printed changes the list.
"""

from __future__ import annotations

import copy
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


def taken_type(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    """The type of one item: a size that is known only while running may be another one in each."""
    item = _item_type(sizes, operands)
    if not isinstance(item, Array) or item.shape is None:
        return item
    return Array(item.dtype, tuple(sizes.fresh() if s.is_local else s for s in item.shape))


def are_alike(item: Type) -> bool:
    """Whether all items of a list with this type of item are known to have one shape."""
    shape = shape_of(item)
    return shape is not None and not any(size.is_local for size in shape)


def _same_list(_: Sizes, operands: Sequence[Atom]) -> Type:
    return list_type(operands[0].type)


def _with_room(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    """A list into which the last operand is put: one of integers that gets a float is one of
    floats.
    """
    found = list_type(operands[0].type)
    return ListOf(_holding(sizes, found.item, operands[-1].type))


def _with_part(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    """A list that has the items of the last operand as well."""
    item, other = (list_type(each.type).item for each in (operands[0], operands[-1]))
    return ListOf(_holding(sizes, item, other))


def _with_items(items: list[Any], part: slice, values: list[Any]) -> list[Any]:
    changed = list(items)
    changed[part] = values
    return changed


def _holding(sizes: Sizes, item: Type, value: Type) -> Type:
    if isinstance(item, ListOf) and isinstance(value, ListOf):
        return ListOf(_holding(sizes, item.item, value.item))
    if isinstance(item, Number | Scalar) and isinstance(value, Number | Scalar):
        return _common(sizes, item, value) if is_float(value) and not is_float(item) else item
    if isinstance(item, Array) and is_numeric(value) and (is_float(item) or not is_float(value)):
        no_axes = item.shape == shape_of(value) == ()
        if no_axes or (item.shape is None and dtype_of(value) == item.dtype):
            return item
    return _common(sizes, item, value)


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
        case (ListOf(item), ListOf(other)):
            return ListOf(_common(sizes, item, other))
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
    infer=_with_room,
    evaluate=lambda items, value: [*items, value],
    update="{0}.append({1})",
    linear=("x", "v"),
)
POP = operation(
    "out = list_pop(x)",
    name="list.pop",
    infer=taken_type,
    evaluate=lambda items: (items[-1], items[:-1]),
    update="{0}.pop()",
    linear=("x",),
)
ITEM = operation(
    "out = list_item(x, i)",
    name="list.item",
    infer=taken_type,
    evaluate=lambda items, index: items[index],
    view_of="x",
    linear=("x",),
    printer=lambda _, texts: f"{texts[0]}[{texts[1]}]",
)
SET_ITEM = operation(
    "out = list_set(x, i, v)",
    name="list.set",
    infer=_with_room,
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


def _with_item_at(items: list[Any], index: int, place: int, value: Any) -> list[Any]:
    return _with_item(items, index, _with_item(items[index], place, value))


def _with_room_at(sizes: Sizes, operands: Sequence[Atom]) -> Type:
    row = list_type(list_type(operands[0].type).item)
    return ListOf(ListOf(_holding(sizes, row.item, operands[-1].type)))


def _number_at(_: Sizes, operands: Sequence[Atom]) -> Type:
    return list_type(list_type(operands[0].type).item).item


SLICED = operation(
    "out = list_slice(x, i)",
    name="list.slice",
    infer=_same_list,
    evaluate=lambda items, part: items[part],
    linear=("x",),
)
SET_SLICE = operation(
    "out = list_set_slice(x, i, v)",
    name="list.set_slice",
    infer=_with_part,
    evaluate=_with_items,
    update="{0}[{1}] = {2}",
    linear=("x", "v"),
)
JOINED = operation(
    "out = list_join(x, y)",
    name="list.join",
    infer=_with_part,
    evaluate=lambda items, others: [*items, *others],
    linear=("x", "y"),
    printer=lambda _, texts: f"[*{texts[0]}, *{texts[1]}]",
)


# Lists of lists of numbers. A row that is taken as a whole is a copy, so that a change of the list
# is seen in no other value; elements are read and written where they are.
ROW = operation(
    "out = list_row(x, i)",
    name="list.row",
    infer=_item_type,
    evaluate=lambda items, index: copy.deepcopy(items[index]),
    linear=("x",),
    printer=lambda _, texts: f"{texts[0]}[{texts[1]}].copy()",
)
ROW_LENGTH = operation(
    "out = row_length(x, i)",
    name="list.row_length",
    infer=lambda _, operands: INT,
    evaluate=lambda items, index: len(items[index]),
    constant=True,
    printer=lambda _, texts: f"len({texts[0]}[{texts[1]}])",
)
ITEM_AT = operation(
    "out = list_item_at(x, i, j)",
    name="list.item_at",
    infer=_number_at,
    evaluate=lambda items, index, place: items[index][place],
    view_of="x",
    linear=("x",),
    printer=lambda _, texts: f"{texts[0]}[{texts[1]}][{texts[2]}]",
)
SET_AT = operation(
    "out = list_set_at(x, i, j, v)",
    name="list.set_at",
    infer=_with_room_at,
    evaluate=_with_item_at,
    update="{0}[{1}][{2}] = {3}",
    linear=("x", "v"),
)
ADD_AT = operation(
    "out = list_add_at(x, i, j, v)",
    name="list.add_at",
    infer=_same_list,
    evaluate=lambda items, index, place, value: _with_item_at(
        items, index, place, items[index][place] + value
    ),
    update="{0}[{1}][{2}] += {3}",
    linear=("x", "v"),
)
ADD_ROWS = operation(
    "out = add_rows(x, y)",
    name="helper.add_rows",
    infer=_same_list,
    helper="add_rows",
    linear=("x", "y"),
)
ZERO_ROWS = operation(
    "out = zero_rows(x)",
    name="helper.zero_rows",
    infer=_same_list,
    constant=True,
    shape_only=("x",),
    helper="zero_rows",
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


SUBSCRIPTS = ("getitem", SLICED.name)
"""What is spelled with an index, or slices, between brackets."""


def holds_lists(type: Type) -> bool:
    """Whether it is a list of lists."""
    return isinstance(type, ListOf) and isinstance(type.item, ListOf)


def item_operation(type: Type) -> Operation:
    """What takes an item of a list of this type: a list that it holds is copied."""
    return ROW if holds_lists(type) else ITEM


def sum_operation(type: Type) -> Operation:
    """What adds two lists of this type."""
    return ADD_ROWS if holds_lists(type) else ADD_LISTS


def zeros_operation(type: Type) -> Operation:
    """What gives zeros like a list of this type."""
    return ZERO_ROWS if holds_lists(type) else ZERO_ITEMS


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
    if isinstance(item, ListOf) and is_numeric(item.item) and shape_of(item.item) == ():
        return Array(dtype_of(item.item), (sizes.fresh(), sizes.fresh()))
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
AS_LISTS = operation(
    "out = as_lists(x)",
    name="list.of_array",
    infer=lambda _, operands: ListOf(ListOf(FLOAT)),
    evaluate=lambda x: x.tolist(),
    linear=("x",),
    printer=lambda _, texts: f"{texts[0]}.tolist()",
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
