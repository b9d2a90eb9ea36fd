"""Tangents and adjoints in the structure, shapes and dtypes of what they belong to."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from s2s_ad.frontend.live import container_of, item_place


@dataclasses.dataclass(frozen=True)
class Node:
    """The structure of a container, with patterns of its items; `value` is one such container."""

    kind: str
    keys: tuple[Any, ...]
    items: tuple[Any, ...]
    value: Any


@dataclasses.dataclass(frozen=True)
class Leaf:
    """A float: an array, a NumPy scalar, or without dtype a Python one."""

    dtype: Any
    shape: tuple[int, ...]
    is_array: bool


def pattern_of(value: Any) -> Node | Leaf | None:
    """What a tangent or adjoint of a value looks like; None where there is none."""
    if isinstance(value, np.ndarray | np.floating):
        is_float = value.dtype.kind == "f"
        return Leaf(value.dtype, value.shape, isinstance(value, np.ndarray)) if is_float else None
    if isinstance(value, float):
        return Leaf(None, (), False)
    container = container_of(value)
    if container is None:
        return None
    kind, keys, items, _ = container
    return Node(kind, keys, tuple(map(pattern_of, items)), value)


def holds_floats(pattern: Node | Leaf | None) -> bool:
    """Whether there is a float anywhere: in a list of indices, as in an index, there is none."""
    if isinstance(pattern, Node):
        return any(map(holds_floats, pattern.items))
    return pattern is not None


def rows_of(pattern: Node | Leaf | None, count: int) -> Node | Leaf | None:
    """The same with a leading axis in every leaf: so many directions."""
    if isinstance(pattern, Node):
        return dataclasses.replace(
            pattern, items=tuple(rows_of(item, count) for item in pattern.items)
        )
    if pattern is None:
        return None
    return Leaf(np.dtype(pattern.dtype or float), (count, *pattern.shape), True)


def count_of(value: Any, pattern: Node | Leaf | None) -> int | None:
    """How many directions there are: the first axis of the first float, None without one."""
    if isinstance(pattern, Leaf):
        shape = np.shape(value)
        return shape[0] if shape else 0
    container = container_of(value)
    if pattern is None or container is None:
        return None
    given = dict(zip(container[1], container[2], strict=True))
    counts = (
        count_of(given[key], inner)
        for key, inner in zip(pattern.keys, pattern.items, strict=True)
        if key in given
    )
    return next((count for count in counts if count is not None), None)


def matched(value: Any, pattern: Node | Leaf | None, what: str) -> Any:
    """The value in the structure and dtypes of a pattern. Raises TypeError or ValueError."""
    if isinstance(pattern, Node):
        return _matched_items(value, pattern, what)
    if pattern is None:
        return None
    found = np.asarray(value)
    if found.dtype.kind not in "fiub":
        raise TypeError(f"{what} has dtype {found.dtype}, which is not real")
    if found.shape != pattern.shape:
        raise ValueError(f"{what} has shape {found.shape}, not {pattern.shape}")
    if pattern.dtype is None:
        return float(found)
    return (
        found.astype(pattern.dtype, copy=False) if pattern.is_array else pattern.dtype.type(found)
    )


def _matched_items(value: Any, pattern: Node, what: str) -> Any:
    container = container_of(value)
    if container is None or (container[0], set(container[1])) != (pattern.kind, set(pattern.keys)):
        raise TypeError(f"{what} has not the structure of {type(pattern.value).__name__} here")
    given = dict(zip(container[1], container[2], strict=True))
    items = {
        key: matched(given[key], inner, what + item_place(pattern.kind, key))
        for key, inner in zip(pattern.keys, pattern.items, strict=True)
    }
    if pattern.kind == "dict":
        return items
    if pattern.kind != "record":
        return type(pattern.value)(items.values())
    if isinstance(pattern.value, tuple):
        return type(pattern.value)(*items.values())
    return dataclasses.replace(pattern.value, **items)
