"""How patterns pass through operations, family by family.

A rule takes a `Line` and gives the value of its result, or None if the line is not of its family.
What no rule takes is `dense`: every element of the result depends on all that the operands depend
on, which is never too little. A rule that is exact never runs what the user wrote: only operations
of the catalogue, on arrays of set numbers or on values that are known.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from s2s_ad.sparse.contractions import contracted
from s2s_ad.sparse.index_sets import NONE, ZERO
from s2s_ad.sparse.line import Line
from s2s_ad.sparse.moves import moved, moved_directly, probed
from s2s_ad.sparse.values import (
    Known,
    NotTold,
    Several,
    Spread,
    Value,
    gathered,
    items_of,
    join,
    sets_of,
    shape_of_value,
)

Rule = Callable[[Line], Value | None]

UNKNOWN_CONTENTS = frozenset({"numpy.empty", "numpy.empty_like"})
# what reads nothing of its operand but its shape
READ_SHAPE = frozenset(
    {
        "ndarray.shape",
        "numpy.shape",
        "ndarray.shape[]",
        "ndarray.size",
        "numpy.size",
        "ndarray.ndim",
        "numpy.ndim",
        "builtins.len",
        "numpy.zeros_like",
        "numpy.ones_like",
        "helper.places",
        "numpy.triu_indices_from[]",
        "numpy.tril_indices_from[]",
    }
)
CASTS = frozenset(
    {
        "builtins.float",
        "numpy.float64",
        "numpy.float32",
        "numpy.float16",
        "numpy.real",
        "numpy.complex128",
        "numpy.complex64",
        "builtins.complex",
        "numpy.real[complex]",
        "numpy.imag[complex]",
        "numpy.conjugate[complex]",
        "numpy.abs[complex]",
        "builtins.abs[complex]",
        "numpy.angle[complex]",
        "ndarray.real",
        "ndarray.imag",
        "numpy.copy",
        "ndarray.copy",
        "ndarray.astype",
        "identity",
        "recall",
        "list.copy",
    }
)
# elementwise operations that are zero where all or one of their operands are
SUMS = frozenset(
    {
        "+",
        "-",
        "-x",
        "+x",
        "numpy.add",
        "numpy.subtract",
        "numpy.negative",
        "numpy.positive",
        "add_in_place",
    }
)
PRODUCTS = frozenset({"*", "numpy.multiply"})
QUOTIENTS = frozenset({"/", "numpy.divide"})


def passed_on(line: Line) -> Value:
    """What is known of the result. Raises NotTold."""
    for rule in RULES:
        found = rule(line)
        if found is not None:
            return found
    return line.filled(line.everything)


# Values that are known ----------------------------------------------------------------------------


def effect(line: Line) -> Value | None:
    if line.op.name.startswith("draw."):  # its value is not known, and depends on nothing
        return line.filled(NONE)
    return Known(None) if line.op.effect else None


def computed(line: Line) -> Value | None:
    """From operands that are known, by the catalogue's own function."""
    if line.op.declared or line.op.name in UNKNOWN_CONTENTS:
        return None
    if not all(isinstance(value, Known) for value in line.values):
        return None
    return _evaluated(line, [value.value for value in line.values if isinstance(value, Known)])


def _evaluated(line: Line, operands: list[Any]) -> Value | None:
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = line.op.evaluate(*operands)
    except Exception:  # it raises at run time too, or is not reached
        return None
    return Known(result)


def shapes(line: Line) -> Value | None:
    if line.op.name in UNKNOWN_CONTENTS:
        return line.filled(NONE)
    if line.op.name not in READ_SHAPE:
        return None
    if line.op.name == "builtins.len" and isinstance(line.values[0], Several):
        return Known(len(line.values[0].items))
    return _evaluated(line, [line.stand_in(place) for place in range(len(line.values))])


def constant(line: Line) -> Value | None:
    """Piecewise constant: it depends on nothing, but its value is not known."""
    if not line.op.constant or line.op.name in CASTS or line.op.update:
        return None
    if line.op.elementwise:
        return Spread(np.full(np.broadcast_shapes(*map(shape_of_value, line.values)), NONE))
    return line.filled(NONE)


# Containers ---------------------------------------------------------------------------------------


def tuples(line: Line) -> Value | None:
    if line.op.name == "builtins.tuple":
        return gathered(line.values, tuple)
    if line.op.name == "builtins.slice":
        return Several(line.values)  # computed otherwise
    return None


def lists(line: Line) -> Value | None:
    """Lists are known item by item."""
    kind, _, what = line.op.name.partition(".")
    if what in ("add_items", "zero_items", "rows_of", "repeated") or kind == "list":
        return LISTS[what](line) if what in LISTS else None
    return None


def _index(line: Line) -> int | None:
    index = line.values[1]
    return int(index.value) if isinstance(index, Known) else None


def _item(line: Line) -> Value:
    items, index = items_of(line.values[0]), _index(line)
    if index is not None:
        return _at(items, index)
    result = _at(items, 0)
    for item in items[1:]:
        result = join(result, item, line.sets)
    return result


def _at(items: Any, index: int) -> Value:
    try:
        found: Value = items[index]
    except IndexError:
        raise NotTold("an index is out of the range of its list") from None
    return found


def _set_item(line: Line) -> Value:
    items, index = list(items_of(line.values[0])), _index(line)
    for place in range(len(items)) if index is None else (index,):
        value = line.values[2]
        items[place] = value if index is not None else join(items[place], value, line.sets)
    return gathered(items, list)


def _added(line: Line, left: Value, right: Value) -> Value:
    return Spread(line.sets.unions(sets_of(left), sets_of(right)))


def _add_to_item(line: Line) -> Value:
    items, index = list(items_of(line.values[0])), _index(line)
    for place in range(len(items)) if index is None else (index,):
        items[place] = _added(line, items[place], line.values[2])
    return gathered(items, list)


def _popped(line: Line) -> Value:
    items = items_of(line.values[0])
    if not items:
        raise NotTold("a list is empty where an item is taken off")
    return Several((items[-1], gathered(items[:-1], list)))


def _sum_items(line: Line) -> Value:
    result: Value = Known(0)
    for item in items_of(line.values[0]):
        result = _added(line, result, item)
    return result


def _add_lists(line: Line) -> Value:
    pairs = zip(items_of(line.values[0]), items_of(line.values[1]), strict=True)
    return gathered([_added(line, left, right) for left, right in pairs], list)


def _zeros(value: Value) -> Value:
    if isinstance(value, Several) or (isinstance(value, Known) and isinstance(value.value, list)):
        return gathered([_zeros(item) for item in items_of(value)], list)
    return Spread(np.full(shape_of_value(value), ZERO, np.int64))


LISTS: dict[str, Callable[[Line], Value]] = {
    "append": lambda line: gathered([*items_of(line.values[0]), line.values[1]], list),
    "pop": _popped,
    "item": _item,
    "set": _set_item,
    "length": lambda line: Known(len(items_of(line.values[0]))),
    "add": _add_to_item,
    "add_items": _add_lists,
    "zero_items": lambda line: _zeros(line.values[0]),
    "display": lambda line: gathered(line.values, list),
    "to_array": lambda line: Spread(sets_of(line.values[0])),
    "rows_of": lambda line: Several(tuple(Spread(row) for row in line.numbers(0))),
    "sum": _sum_items,
    "repeated": lambda line: gathered([line.values[0]] * len(items_of(line.values[1])), list),
    "copy": lambda line: line.values[0],
}


# Element by element -------------------------------------------------------------------------------


def cast(line: Line) -> Value | None:
    return line.values[0] if line.op.name in CASTS else None


def elementwise(line: Line) -> Value | None:
    if not (line.op.elementwise or line.op.name == "add_in_place"):
        return None
    name = line.op.name
    if name == "numpy.where" and line.is_known(0):
        test, x, y = np.asarray(line.known("c")), line.numbers(1), line.numbers(2)
        return Spread(np.where(test, x, y))
    parts = [
        line.numbers(place)
        if name in SUMS | PRODUCTS | QUOTIENTS or line.carries(place)
        else np.full(shape_of_value(line.values[place]), NONE, np.int64)
        for place in range(len(line.values))
    ]
    result = line.sets.unions(*parts)
    if name in PRODUCTS | QUOTIENTS:
        factors = parts if name in PRODUCTS else parts[:1]
        for factor in factors:
            result = np.where(factor == ZERO, ZERO, result)
    elif name not in SUMS:
        result = np.maximum(result, NONE)
    return Spread(np.asarray(result, np.int64))


# Reading and writing elements ---------------------------------------------------------------------


def stored(line: Line) -> Value | None:
    if line.op.name not in ("setitem", "additem", "add_at"):
        return None
    before, value = line.numbers(0), line.numbers(2)
    if not line.is_known(1):
        every = np.array(line.sets.union_of_all(value), np.int64)
        return Spread(line.sets.unions(before, np.maximum(every, NONE)))
    index, after = line.known("i"), before.copy()
    try:
        if line.op.name == "setitem":
            after[index] = value
        elif line.op.name == "additem":
            after[index] = line.sets.unions(after[index], value)
        else:
            places = np.arange(before.size).reshape(before.shape)[index]
            value = np.broadcast_to(value, places.shape)
            added = line.sets.union_groups(places, value, before.size).reshape(before.shape)
            after = line.sets.unions(before, added)
    except (IndexError, ValueError) as problem:
        raise NotTold(f"an element is written that is not there: {problem}") from None
    return Spread(np.asarray(after, np.int64))


# Along axes ---------------------------------------------------------------------------------------


def unbroadcast(line: Line) -> Value | None:
    if line.op.name != "helper.unbroadcast":
        return None
    grad, shape = line.numbers(0), shape_of_value(line.values[1])
    grad = grad.reshape((1,) * (len(shape) - grad.ndim) + grad.shape)
    count = int(np.prod(shape, dtype=np.int64))
    groups = np.broadcast_to(np.arange(count).reshape(shape), grad.shape)
    return Spread(line.sets.union_groups(groups, grad, count).reshape(shape))


def running(line: Line) -> Value | None:
    names = ("numpy.cumsum", "numpy.cumprod", "numpy.nancumsum", "numpy.nancumprod")
    if line.op.name not in (*names, "numpy.maximum.accumulate", "numpy.minimum.accumulate"):
        return None
    numbers, axis = line.numbers(0), line.known("axis")
    if axis is None:
        numbers, axis = numbers.ravel(), 0
    return Spread(np.maximum(line.sets.running(numbers, axis), NONE))


def difference(line: Line) -> Value | None:
    if line.op.name != "numpy.diff":
        return None
    numbers = np.moveaxis(line.numbers(0), line.known("axis"), -1)
    for _ in range(line.known("n")):
        numbers = line.sets.unions(numbers[..., 1:], numbers[..., :-1])
    return Spread(np.moveaxis(numbers, -1, line.known("axis")))


def along_axes(line: Line) -> Value | None:
    """Reductions, and what works on each fibre along an axis: every fibre is dense in itself."""
    moving = [line.numbers(place) for place in line.moving()]
    if "axis" not in line.names or len({numbers.shape for numbers in moving}) != 1:
        return None
    numbers = line.sets.unions(*moving)
    axes = line.axes(numbers.ndim)
    if axes is None or line.op.results:
        return None
    (shape,) = line.result_shapes()
    together = line.sets.union_along(numbers, axes)
    if line.op.name not in ("numpy.sum", "numpy.mean"):
        together = np.maximum(together, NONE)
    if "keepdims" in line.names:
        if shape not in (together.shape, np.squeeze(together, axes).shape):
            return None
        return Spread(together.reshape(shape))
    if shape == numbers.shape:
        return Spread(np.array(np.broadcast_to(together, shape)))
    return None


STACKS = frozenset(
    f"numpy.linalg.{name}"
    for name in ("inv", "det", "cholesky", "solve", "eigvalsh", "svdvals", "pinv", "matrix_power")
)


def stacked(line: Line) -> Value | None:
    """Linear algebra on stacks of matrices: no element depends on another matrix."""
    if line.op.name not in STACKS or not line.moving():
        return None
    if any(line.numbers(place).ndim != 3 for place in line.moving()):
        return None
    (shape,) = line.result_shapes()
    together = None
    for place in line.moving():
        matrices = line.sets.union_along(line.numbers(place), (1, 2))
        together = matrices if together is None else line.sets.unions(together, matrices)
    if together is None or not shape or shape[0] != len(together):
        return None
    together = np.maximum(together, NONE).reshape((-1,) + (1,) * (len(shape) - 1))
    return Spread(np.array(np.broadcast_to(together, shape)))


def counted(line: Line) -> Value | None:
    """Sums by number, where the numbers are known."""
    if line.op.name != "numpy.bincount" or not (line.is_known(0) and line.is_known(2)):
        return None
    bins = np.asarray(line.known("x"))
    count = max(int(bins.max(initial=-1)) + 1, line.known("minlength"))
    weights = np.broadcast_to(line.numbers(1), bins.shape)
    return Spread(line.sets.union_groups(bins, weights, count))


def cross(line: Line) -> Value | None:
    """Products of vectors in space: no component of the result depends on that of the operands."""
    if line.op.name != "numpy.cross":
        return None
    a, b = line.numbers(0), line.numbers(1)
    if a.shape[-1] != 3 or b.shape[-1] != 3:
        return None
    both = line.sets.unions(a, b)
    rolled = np.roll(both, -1, axis=-1), np.roll(both, 1, axis=-1)
    return Spread(np.maximum(line.sets.unions(*rolled), NONE))


def padded(line: Line) -> Value | None:
    """The modes that repeat elements or put constants."""
    modes = ("constant", "edge", "reflect", "symmetric", "wrap")
    if line.op.name != "numpy.pad" or line.known("mode") not in modes:
        return None
    width, mode, fill = line.known("pad_width"), line.known("mode"), line.numbers(3)
    if mode != "constant":
        return Spread(np.pad(line.numbers(0), width, mode))
    number = line.sets.union_of_all(fill)
    return Spread(np.pad(line.numbers(0), width, mode, constant_values=number))


def interpolated(line: Line) -> Value | None:
    """Each point depends on itself and on the whole table."""
    tables = {"numpy.interp": ("x",), "numpy.polyval": ("x",)}.get(line.op.name)
    if tables is None:
        return None
    place = line.names.index(tables[0])
    others = [
        line.sets.union_of_all(line.numbers(other)) for other in line.moving() if other != place
    ]
    table = np.array(line.sets.union([NONE, *others]), np.int64)
    return Spread(line.sets.unions(line.numbers(place), table))


RULES: tuple[Rule, ...] = (
    effect,
    computed,
    lists,
    tuples,
    cast,
    shapes,
    constant,
    elementwise,
    stored,
    unbroadcast,
    running,
    difference,
    interpolated,
    padded,
    counted,
    cross,
    contracted,
    moved_directly,
    along_axes,
    stacked,
    moved,
    probed,
)


__all__ = ["passed_on"]
