"""The reverse of statements on lists.

The adjoint of a list is a list of the same length, that of an `append` is a `pop`, and the other
way round.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from s2s_ad.ir import Assign, Atom, Const, Operation, Var
from s2s_ad.operations.indexing import SLICE
from s2s_ad.operations.lists import (
    ADD_AT,
    ADD_LISTS,
    ADD_ROWS,
    ADD_TO_ITEM,
    APPEND,
    AS_LISTS,
    DISPLAY,
    ITEM,
    ITEM_AT,
    JOINED,
    LENGTH,
    POP,
    REPEATED,
    ROW,
    ROWS,
    SET_AT,
    SET_ITEM,
    SET_SLICE,
    SLICED,
    SUM_ITEMS,
    TO_ARRAY,
    holds_lists,
    item_operation,
    sum_operation,
)
from s2s_ad.operations.support import ZEROS_LIKE
from s2s_ad.passes.contributions import zero_like
from s2s_ad.types import Array, ListOf

if TYPE_CHECKING:
    from s2s_ad.passes.sweep import Sweep


def undo_item(sweep: Sweep, statement: Assign) -> None:
    """`v = l[i]` and `v = l[i][j]`"""
    items, *index = statement.operands
    assert isinstance(items, Var)
    known = sweep.adjoint_or_zero(items)
    grad = sweep.adjoints[statement.target]
    add = ADD_TO_ITEM if statement.op is ITEM else ADD_AT
    changed = sweep.builder.assign(add, known, *map(sweep.recall, index), grad)
    sweep.set_adjoint(items, changed)


def _hand_on(sweep: Sweep, items: Var, grad: Atom, named: bool = True) -> None:
    """The adjoint of a list that a new one was made of; who else reads the list has had its say."""
    if items in sweep.adjoints:
        sweep.accumulate(items, grad)
    elif named:
        sweep.set_adjoint(items, grad)
    else:
        sweep.adjoints[items] = grad


def undo_append(sweep: Sweep, statement: Assign) -> None:
    """`l.append(v)`"""
    items, value = statement.operands
    _take(sweep, sweep.adjoints[statement.target], items, value)


def undo_pop(sweep: Sweep, statement: Assign) -> None:
    """`v = l.pop()`"""
    value, rest = statement.targets
    (items,) = statement.operands
    assert isinstance(items, Var)
    grad = sweep.builder.assign(APPEND, sweep.adjoint_or_zero(rest), sweep.adjoint_or_zero(value))
    _hand_on(sweep, items, grad)


def undo_set(sweep: Sweep, statement: Assign) -> None:
    """`l[i] = v`"""
    items, index, value = statement.operands
    grad, place = sweep.adjoints[statement.target], sweep.recall(index)
    take = item_operation(grad.type)
    if isinstance(value, Var) and value in sweep.active:
        sweep.accumulate(value, sweep.fitted(sweep.builder.assign(take, grad, place), value.type))
    if isinstance(items, Var) and items in sweep.active:
        zero: Atom = Const(0.0)
        if isinstance(grad.type, ListOf) and isinstance(grad.type.item, Array):
            there = sweep.builder.assign(ITEM, grad, place)
            zero = sweep.builder.assign(ZEROS_LIKE, there, Const(None))
        elif holds_lists(grad.type):
            zero = zero_like(sweep.builder, sweep.builder.assign(ROW, grad, place))
        _hand_on(sweep, items, sweep.builder.assign(SET_ITEM, grad, place, zero))


def undo_display(sweep: Sweep, statement: Assign) -> None:
    """`[a, b, c]`"""
    grad = sweep.adjoints[statement.target]
    for place, value in enumerate(statement.operands):
        if isinstance(value, Var) and value in sweep.active:
            item = sweep.builder.assign(item_operation(grad.type), grad, Const(place))
            sweep.accumulate(value, sweep.fitted(item, value.type))


def _take(sweep: Sweep, grad: Atom, items: Atom, value: Atom) -> None:
    """The last item of a list of adjoints goes to `value`, the rest to `items`."""
    assert isinstance(grad, Var) and isinstance(grad.type, ListOf)
    names = sweep.builder.names
    name = value.name if isinstance(value, Var) else "item"
    top = names.fresh(f"grad_{name}", grad.type.item)
    rest = names.fresh(grad.name, grad.type)
    sweep.builder.append(POP, (top, rest), grad)
    if isinstance(value, Var) and value in sweep.active:
        sweep.accumulate(value, sweep.fitted(top, value.type))
    if isinstance(items, Var) and items in sweep.active:
        _hand_on(sweep, items, rest, named=False)


def undo_add(sweep: Sweep, statement: Assign) -> None:
    """`l[i] += v` and `l[i][j] += v`"""
    items, *index, value = statement.operands
    grad = sweep.adjoints[statement.target]
    if isinstance(value, Var) and value in sweep.active:
        take = ITEM if statement.op is ADD_TO_ITEM else ITEM_AT
        item = sweep.builder.assign(take, grad, *map(sweep.recall, index))
        sweep.accumulate(value, sweep.fitted(item, value.type))
    if isinstance(items, Var) and items in sweep.active:
        _hand_on(sweep, items, grad, named=False)


def undo_sums(sweep: Sweep, statement: Assign) -> None:
    """The sums of the items of two lists."""
    grad = sweep.adjoints[statement.target]
    for items in statement.operands:
        if isinstance(items, Var) and items in sweep.active:
            sweep.accumulate(items, grad)


def undo_part(sweep: Sweep, statement: Assign) -> None:
    """A copy of a row of a list of lists, and `l[a:b]`"""
    items, part = statement.operands
    assert isinstance(items, Var)
    known, place = sweep.adjoint_or_zero(items), sweep.recall(part)
    grad = sweep.adjoints[statement.target]
    there = sweep.builder.assign(statement.op, known, place)
    total = sweep.builder.assign(sum_operation(grad.type), there, grad)
    put = SET_ITEM if statement.op is ROW else SET_SLICE
    sweep.set_adjoint(items, sweep.builder.assign(put, known, place, total))


def undo_set_at(sweep: Sweep, statement: Assign) -> None:
    """`l[i][j] = v`"""
    items, *index, value = statement.operands
    grad, places = sweep.adjoints[statement.target], [sweep.recall(each) for each in index]
    if isinstance(value, Var) and value in sweep.active:
        item = sweep.builder.assign(ITEM_AT, grad, *places)
        sweep.accumulate(value, sweep.fitted(item, value.type))
    if isinstance(items, Var) and items in sweep.active:
        _hand_on(sweep, items, sweep.builder.assign(SET_AT, grad, *places, Const(0.0)))


def undo_set_slice(sweep: Sweep, statement: Assign) -> None:
    """`l[a:b] = p`, of the same length."""
    items, part, values = statement.operands
    grad, place = sweep.adjoints[statement.target], sweep.recall(part)
    there = sweep.builder.assign(SLICED, grad, place)
    if isinstance(values, Var) and values in sweep.active:
        sweep.accumulate(values, there)
    if isinstance(items, Var) and items in sweep.active:
        zeros = zero_like(sweep.builder, there)
        _hand_on(sweep, items, sweep.builder.assign(SET_SLICE, grad, place, zeros))


def undo_joined(sweep: Sweep, statement: Assign) -> None:
    """`p + q`"""
    grad = sweep.adjoints[statement.target]
    count = sweep.builder.assign(LENGTH, sweep.recall(statement.operands[0]))
    nothing: Atom = Const(None)
    every = ((nothing, count, nothing), (count, nothing, nothing))
    for items, bounds in zip(statement.operands, every, strict=True):
        if isinstance(items, Var) and items in sweep.active:
            part = sweep.builder.assign(SLICE, *bounds)
            sweep.accumulate(items, sweep.builder.assign(SLICED, grad, part))


def undo_array(sweep: Sweep, statement: Assign) -> None:
    """`np.array(l)`"""
    (items,) = statement.operands
    if isinstance(items, Var) and items in sweep.active:
        split = AS_LISTS if holds_lists(items.type) else ROWS
        sweep.accumulate(items, sweep.builder.assign(split, sweep.adjoints[statement.target]))


def undo_rows(sweep: Sweep, statement: Assign) -> None:
    """The rows of an array as a list."""
    (array,) = statement.operands
    if isinstance(array, Var) and array in sweep.active:
        grad = sweep.builder.assign(TO_ARRAY, sweep.adjoints[statement.target])
        sweep.accumulate(array, sweep.fitted(grad, array.type))


def undo_sum(sweep: Sweep, statement: Assign) -> None:
    """`sum(l)`"""
    (items,) = statement.operands
    if isinstance(items, Var) and items in sweep.active:
        grad = sweep.adjoints[statement.target]
        every = sweep.builder.assign(REPEATED, grad, sweep.recall(items))
        sweep.accumulate(items, every)


def undo_repeated(sweep: Sweep, statement: Assign) -> None:
    """A list with one value throughout."""
    value, _ = statement.operands
    if isinstance(value, Var) and value in sweep.active:
        total = sweep.builder.assign(SUM_ITEMS, sweep.adjoints[statement.target])
        sweep.accumulate(value, sweep.fitted(total, value.type))


UNDO: dict[Operation, Callable[[Sweep, Assign], None]] = {
    ITEM: undo_item,
    APPEND: undo_append,
    POP: undo_pop,
    SET_ITEM: undo_set,
    DISPLAY: undo_display,
    ADD_LISTS: undo_sums,
    TO_ARRAY: undo_array,
    ROWS: undo_rows,
    SUM_ITEMS: undo_sum,
    REPEATED: undo_repeated,
    ADD_TO_ITEM: undo_add,
    ROW: undo_part,
    ITEM_AT: undo_item,
    SET_AT: undo_set_at,
    ADD_AT: undo_add,
    ADD_ROWS: undo_sums,
    SLICED: undo_part,
    SET_SLICE: undo_set_slice,
    JOINED: undo_joined,
    AS_LISTS: undo_rows,
}

__all__ = ["UNDO"]
