"""Linear operations: those that only move elements, and others of moderate size.

Whether an operation moves elements is seen by running NumPy on the set numbers themselves, or on
random codes. What it does besides is seen by unit vectors: an element of the result that does not
change with an element of the operand does not depend on it, as the operation is linear.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from s2s_ad.sparse.index_sets import NONE, ZERO, Numbers
from s2s_ad.sparse.line import Line
from s2s_ad.sparse.values import Known, Spread, Value, sets_of, shape_of_value
from s2s_ad.types import DTYPES, Array, Number, dtype_of, is_complex, is_float

MOST_PROBES = 10**7  # elements of the operand times elements of the result
# linear operations whose result holds elements of their operands, zeros, and nothing else
MOVES = frozenset(
    f"numpy.{name}"
    for name in (
        *("append", "array", "column_stack", "compress", "concatenate", "delete", "dstack"),
        *("extract", "full", "full_like", "hstack", "insert", "repeat", "resize", "roll", "stack"),
        *("take", "take_along_axis", "tile", "tril", "triu", "vstack"),
    )
)


def moved_directly(line: Line) -> Value | None:
    """Views, and what moves elements by name: NumPy moves the numbers of the sets."""
    if not (line.op.view_of or line.op.name in MOVES):
        return None
    operands = _operands(line, [sets_of(value) for value in line.values])
    return None if operands is None else _moved(line, operands)


def _operands(line: Line, numbers: Sequence[Numbers]) -> list[Any] | None:
    """What the operation is run on: arrays of numbers in place of the linear operands."""
    found: list[Any] = []
    for place, (name, value) in enumerate(zip(line.names, line.values, strict=True)):
        if line.op.is_marked(line.op.linear, name):
            is_array = isinstance(line.operands[place].type, Array)
            found.append(numbers[place] if is_array else np.int64(numbers[place]))
        elif line.op.is_marked(line.op.shape_only, name):
            found.append(line.stand_in(place))
        elif name == "dtype":
            found.append(np.int64)
        elif isinstance(value, Known):
            found.append(value.value)
        else:
            return None
    return found


def _moved(line: Line, operands: Sequence[Any]) -> Value | None:
    result = _run(line, operands)
    if not isinstance(result, np.ndarray | np.generic) or result.dtype != np.int64:
        return None
    return Spread(np.array(result))


def _run(line: Line, operands: Sequence[Any]) -> Any:
    """The catalogue's own function; None where it raises, as the line would at run time."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return line.op.evaluate(*operands)
    except Exception:
        return None


# By codes -----------------------------------------------------------------------------------------


def moved(line: Line) -> Value | None:
    """A linear operation of which each element of the result is one of the operands', or zero.

    Two runs on random codes agree on which: a sum of several would have to equal a code twice.
    """
    places = _linear_places(line)
    if places is None:
        return None
    numbers = [sets_of(line.values[place]) for place in places]
    flat = np.concatenate([part.ravel() for part in numbers]) if numbers else np.zeros(0, np.int64)
    origins = [_origins(line, places, flat, seed) for seed in (1, 2)]
    first, second = origins
    if first is None or second is None or not np.array_equal(first, second):
        return None
    return Spread(np.asarray(np.append(flat, ZERO)[first], np.int64))


def _has_complex(line: Line) -> bool:
    """Whether an operand is complex: vectors of real numbers say nothing of imaginary parts."""
    return any(is_complex(operand.type) for operand in line.operands)


def _linear_places(line: Line) -> list[int] | None:
    """The places of the linear operands, if all others are known and the line is small enough."""
    if not line.op.linear or line.op.results or line.op.declared or _has_complex(line):
        return None
    places = [
        place
        for place, name in enumerate(line.names)
        if line.op.is_marked(line.op.linear, name) and is_float(line.operands[place].type)
    ]
    others = set(range(len(line.values))) - set(places)
    shape_only = line.op.shape_only
    if not all(
        line.is_known(place) or line.op.is_marked(shape_only, line.names[place]) for place in others
    ):
        return None
    return places


def _origins(line: Line, places: list[int], flat: Numbers, seed: int) -> Numbers | None:
    """For each element of the result which element of the operands it is; -1 for zero."""
    random = np.random.default_rng(seed)
    codes = random.integers(1 << 40, 1 << 50, flat.size).astype(np.float64)
    codes[flat == ZERO] = 0.0
    result = _run(line, _with_vector(line, places, codes))
    if result is None:
        return None
    result = np.asarray(result)
    if result.dtype.kind != "f":
        return None
    rounded = codes.astype(result.dtype)
    order = np.argsort(rounded, kind="stable")
    found = np.searchsorted(rounded, result, sorter=order)
    if flat.size == 0:
        return np.full(result.shape, -1, np.int64) if not result.any() else None
    origin = order[np.minimum(found, flat.size - 1)]
    is_one = rounded[origin] == result
    if not np.all(is_one | (result == 0)):
        return None
    return np.where(result == 0, -1, origin).astype(np.int64)


def _with_vector(line: Line, places: list[int], vector: Any) -> list[Any]:
    """The operands with the linear ones filled from a vector."""
    found: list[Any] = []
    start = 0
    for place in range(len(line.values)):
        if place not in places:
            found.append(line.stand_in(place))
            continue
        shape, type = shape_of_value(line.values[place]), line.operands[place].type
        count = int(np.prod(shape, dtype=np.int64))
        part = np.asarray(vector[start : start + count])
        start += count
        if isinstance(type, Number):
            found.append(float(part[0]))
        else:
            part = part.reshape(shape).astype(DTYPES[dtype_of(type)])
            found.append(part if isinstance(type, Array) else part[()])
    return found


# By unit vectors ----------------------------------------------------------------------------------


def probed(line: Line) -> Value | None:
    """A linear or bilinear operation, column by column of its matrix."""
    if line.op.declared or line.op.results or _has_complex(line):
        return None
    try:
        shape = line.result_shapes()[0]
    except Exception:
        return None
    size = int(np.prod(shape, dtype=np.int64))
    places = _linear_places(line)
    if places is not None:
        return _probed(line, [places], shape, size)
    if line.op.bilinear and all(
        line.op.is_marked(line.op.bilinear, name) or line.is_known(place)
        for place, name in enumerate(line.names)
    ):
        return _probed(line, [[place] for place in line.moving()], shape, size)
    return None


def _probed(
    line: Line, together: list[list[int]], shape: tuple[int, ...], size: int
) -> Value | None:
    """The pattern from unit vectors in the operands of each group, the others held generic."""
    groups, numbers = [], []
    probes = sum(line.numbers(place).size for places in together for place in places)
    if probes * max(size, 1) > MOST_PROBES:
        return None
    for places in together:
        flat = np.concatenate([line.numbers(place).ravel() for place in places])
        for which in np.flatnonzero(flat != ZERO).tolist():
            unit = np.zeros(flat.size)
            unit[which] = 1.0
            result = _run(line, _held(line, places, unit))
            if result is None or np.shape(result) != shape:
                return None
            touched = np.flatnonzero(np.asarray(result) != 0)
            groups.append(touched)
            numbers.append(np.full(touched.size, flat[which]))
    if not groups:
        return Spread(np.full(shape, ZERO, np.int64))
    found = line.sets.union_groups(np.concatenate(groups), np.concatenate(numbers), size)
    return Spread(found.reshape(shape))


def _held(line: Line, places: list[int], unit: Any) -> list[Any]:
    """Operands with a unit vector in some places; others that are not known have generic values,
    positive and without order, so that no sum of theirs vanishes by accident.
    """
    found = _with_vector(line, places, unit)
    for place in range(len(found)):
        if place not in places and not line.is_known(place):
            numbers = line.numbers(place)
            random = np.random.default_rng(3)
            generic = np.where(numbers == ZERO, 0.0, random.uniform(0.5, 1.5, numbers.shape))
            is_array = isinstance(line.operands[place].type, Array)
            found[place] = generic if is_array else float(generic)
    return found


__all__ = ["NONE", "moved", "moved_directly", "probed"]
