"""The floats in arguments and results: listed with their places, moved along a direction, weighted.

A value is a number, an array, or a container of values. What is given back never shares memory with
what came in, so a function that writes to its arguments does no harm.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from s2s_ad.frontend.live import container_of, is_generator, item_place

Direction = list[Any]  # an array of float64 for each float leaf


def is_floating(leaf: Any) -> bool:
    if isinstance(leaf, np.ndarray | np.generic):
        return leaf.dtype.kind == "f"
    return isinstance(leaf, float)


def float_leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """The floats and arrays of floats in a value, each with the way to it."""
    container = container_of(value)
    if container is not None:
        kind, keys, items, _ = container
        for key, item in zip(keys, items, strict=True):
            yield from float_leaves(item, place + item_place(kind, key))
    elif is_floating(value):
        yield place, value


def rebuilt(value: Any, leaves: Iterator[Any]) -> Any:
    """A value like this one with other floats; whatever else it holds is copied."""
    container = container_of(value)
    if container is None:
        if is_floating(value):
            return next(leaves)
        if is_generator(value):
            return copy.deepcopy(value)  # each run draws the same numbers
        return value.copy() if isinstance(value, np.ndarray) else value
    kind, keys, items, _ = container
    new = [rebuilt(item, leaves) for item in items]
    if kind == "dict":
        return dict(zip(keys, new, strict=True))
    if kind != "record":
        return type(value)(new)
    if isinstance(value, tuple):
        return type(value)(*new)
    return dataclasses.replace(value, **dict(zip(keys, new, strict=True)))


def copied(value: Any) -> Any:
    return rebuilt(value, iter([_copy(leaf) for _, leaf in float_leaves(value)]))


def widened(value: Any) -> Any:
    """With every float of lower precision as float64: differences of those say little."""
    leaves = [
        leaf.astype(np.float64) if isinstance(leaf, np.ndarray | np.floating) else leaf
        for _, leaf in float_leaves(value)
    ]
    return rebuilt(value, iter(leaves))


def moved(value: Any, direction: Direction, step: float | complex) -> Any:
    """The value with each float moved by `step` times its direction, in its own precision."""
    leaves = [
        _moved_leaf(leaf, change, step)
        for (_, leaf), change in zip(float_leaves(value), direction, strict=True)
    ]
    return rebuilt(value, iter(leaves))


def _moved_leaf(leaf: Any, change: Any, step: float | complex) -> Any:
    new = leaf + step * np.asarray(change, np.float64)
    if isinstance(step, complex):
        return new if isinstance(leaf, np.ndarray) else complex(new)
    if isinstance(leaf, np.ndarray):
        return np.asarray(new, leaf.dtype)
    return leaf.dtype.type(new) if isinstance(leaf, np.generic) else float(new)


def _copy(leaf: Any) -> Any:
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf


def as_tangent(value: Any, direction: Direction) -> Any:
    """A direction in the structure, shapes and dtypes of the value that it moves."""
    leaves = [
        _as_leaf(leaf, change)
        for (_, leaf), change in zip(float_leaves(value), direction, strict=True)
    ]
    return rebuilt(value, iter(leaves))


def _as_leaf(leaf: Any, change: Any) -> Any:
    if isinstance(leaf, np.ndarray):
        return np.array(change, leaf.dtype)
    return leaf.dtype.type(change) if isinstance(leaf, np.generic) else float(change)


def both_ways(value: Any) -> Any:
    """Two directions in rows, this one and the opposite."""
    return rebuilt(value, iter([np.stack([leaf, -leaf]) for _, leaf in float_leaves(value)]))


def one_way(rows: Any) -> Any:
    """What goes with the first of two opposite directions; a wrong row of either shows."""
    return rebuilt(rows, iter([(leaf[0] - leaf[1]) / 2 for _, leaf in float_leaves(rows)]))


def weighted(result: Any, weights: Sequence[Any]) -> Any:
    """The sum of the floats of a result, weighted: a scalar that has all of them in it."""
    terms = zip(_number_leaves(result), weights, strict=True)
    return sum(np.sum(np.asarray(leaf) * weight) for leaf, weight in terms)


def _number_leaves(value: Any) -> Iterator[Any]:
    """The floats of a result; complex ones count, as a function of complex steps gives them."""
    container = container_of(value)
    if container is not None:
        for item in container[2]:
            yield from _number_leaves(item)
    elif is_floating(value) or np.iscomplexobj(value):
        yield value


def dot(left: Direction, right: Direction) -> tuple[float, float]:
    """The inner product of two directions, and the sum of the sizes of its terms."""
    terms = [
        np.asarray(a, np.float64) * np.asarray(b, np.float64)
        for a, b in zip(left, right, strict=True)
    ]
    return float(sum(np.sum(x) for x in terms)), float(sum(np.sum(np.abs(x)) for x in terms))


def element_name(place: str, index: tuple[int, ...]) -> str:
    """`W[1, 2]`; a scalar has no index."""
    return f"{place}[{', '.join(map(str, index))}]" if index else place
