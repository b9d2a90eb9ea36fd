"""What is known of a value while the pattern is found: the value itself, or for each of its
elements which inputs it may depend on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from s2s_ad.ir import Undefined
from s2s_ad.sparse.index_sets import NONE, ZERO, IndexSets, Numbers


@dataclass(frozen=True, eq=False)
class Known:
    """A value that is known: it depends on no input."""

    value: Any


@dataclass(frozen=True, eq=False)
class Spread:
    """A number or array whose value is not known, with a set of inputs for each element."""

    sets: Numbers


@dataclass(frozen=True, eq=False)
class Several:
    """A list, or a tuple, of values that are not all known."""

    items: tuple[Value, ...]


Value = Known | Spread | Several


class NotTold(Exception):
    """The pattern cannot be found; the message says what is not known, `help` what to do."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.help = help


def is_undefined(value: Value) -> bool:
    return isinstance(value, Known) and isinstance(value.value, Undefined)


def items_of(value: Value) -> Sequence[Value]:
    """The items of a list or tuple."""
    if isinstance(value, Several):
        return value.items
    if isinstance(value, Known) and isinstance(value.value, list | tuple):
        return [Known(item) for item in value.value]
    raise NotTold("a list is not known here")


def gathered(items: Sequence[Value], kind: type[list[Any]] | type[tuple[Any, ...]]) -> Value:
    """A list or tuple of values: known if they all are."""
    if all(isinstance(item, Known) for item in items):
        return Known(kind(item.value for item in items if isinstance(item, Known)))
    return Several(tuple(items))


def shape_of_value(value: Value) -> tuple[int, ...]:
    if isinstance(value, Spread):
        return value.sets.shape
    if isinstance(value, Known):
        try:
            return np.shape(value.value)
        except ValueError:
            raise NotTold("an index depends on a test") from None
    items = [shape_of_value(item) for item in value.items]
    if len(set(items)) != 1:
        raise NotTold("the items of a list differ in shape")
    return (len(items), *items[0])


def sets_of(value: Value) -> Numbers:
    """The sets of the elements; what is known to be zero stays so."""
    if isinstance(value, Spread):
        return value.sets
    if isinstance(value, Several):
        return np.stack([sets_of(item) for item in value.items])
    try:
        array = np.asarray(value.value)
    except ValueError:  # an index of arrays and slices is no array
        return np.array(NONE, np.int64)
    if array.dtype.kind not in "fiub":
        return np.array(NONE, np.int64)
    return np.where(array == 0, ZERO, NONE).astype(np.int64)


def leaves_of(value: Value) -> Iterator[Numbers]:
    """The sets of all numbers and arrays in a value."""
    if isinstance(value, Several):
        for item in value.items:
            yield from leaves_of(item)
    else:
        yield sets_of(value)


def join(left: Value, right: Value, sets: IndexSets) -> Value:
    """What holds of a value that is one of two. Raises NotTold where they have no form in
    common."""
    if is_undefined(left) or left is right:
        return right
    if is_undefined(right):
        return left
    if isinstance(left, Known) and isinstance(right, Known) and _same(left.value, right.value):
        return left
    if _is_list(left) or _is_list(right):
        pairs = list(_paired(left, right))
        return Several(tuple(join(one, other, sets) for one, other in pairs))
    before, after = shape_of_value(left), shape_of_value(right)
    if before != after:
        raise NotTold(
            f"a value has the shape {before} or {after}, depending on a test",
            "give it the same shape on both ways",
        )
    return Spread(sets.unions(sets_of(left), sets_of(right)))


def _is_list(value: Value) -> bool:
    return isinstance(value, Several) or (
        isinstance(value, Known) and isinstance(value.value, list | tuple)
    )


def _paired(left: Value, right: Value) -> Iterator[tuple[Value, Value]]:
    one, other = items_of(left), items_of(right)
    if len(one) != len(other):
        raise NotTold(
            "the length of a list depends on a test",
            "let the number of trips depend on integers only, whose values are known",
        )
    return zip(one, other, strict=True)


def _same(left: Any, right: Any) -> bool:
    if type(left) is not type(right):
        return False
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and np.array_equal(left, right)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right)


def is_same(left: Value, right: Value) -> bool:
    """Whether nothing was gained by a join."""
    if isinstance(left, Spread) and isinstance(right, Spread):
        return left.sets.shape == right.sets.shape and bool(np.all(left.sets == right.sets))
    if isinstance(left, Known) and isinstance(right, Known):
        return _same(left.value, right.value)
    if isinstance(left, Several) and isinstance(right, Several):
        return len(left.items) == len(right.items) and all(map(is_same, left.items, right.items))
    return False


__all__ = [
    "Known",
    "NotTold",
    "Several",
    "Spread",
    "Value",
    "gathered",
    "is_same",
    "is_undefined",
    "items_of",
    "join",
    "leaves_of",
    "sets_of",
    "shape_of_value",
]
