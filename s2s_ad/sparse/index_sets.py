"""Sets of input elements, each stored once and known by a number.

An array of values is described by an array of such numbers, of the same shape: NumPy moves them as
it would move the values. Number 0 means that the value is zero, whatever the inputs; number 1 that
it does not depend on them; every other number is a set with at least one member.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]

ZERO, NONE = 0, 1


class IndexSets:
    """The sets met so far, and their unions."""

    def __init__(self) -> None:
        self._members: list[tuple[int, ...]] = [(), ()]
        self._numbers: dict[tuple[int, ...], int] = {}
        self._unions: dict[tuple[int, ...], int] = {}

    def singles(self, shape: tuple[int, ...], first: int) -> Numbers:
        """For each element of an array a set of its own: the inputs from `first` on."""
        count = int(np.prod(shape, dtype=np.int64))
        numbers = [self._number((first + place,)) for place in range(count)]
        return np.array(numbers, np.int64).reshape(shape)

    def members(self, number: int) -> tuple[int, ...]:
        """The inputs of a set, in order."""
        return self._members[number]

    def _number(self, members: tuple[int, ...]) -> int:
        number = self._numbers.get(members)
        if number is None:
            number = self._numbers[members] = len(self._members)
            self._members.append(members)
        return number

    def union(self, numbers: Iterable[int]) -> int:
        """The union of sets; zero only if all are zero."""
        distinct = set(numbers)
        largest = max(distinct, default=ZERO)
        if largest <= NONE:
            return largest
        distinct -= {ZERO, NONE}
        if len(distinct) == 1:
            return largest
        key = tuple(sorted(distinct))
        found = self._unions.get(key)
        if found is None:
            joined = set[int]().union(*(self._members[number] for number in key))
            found = self._unions[key] = self._number(tuple(sorted(joined)))
        return found

    def union_of_all(self, numbers: Numbers) -> int:
        return self.union(np.unique(numbers).tolist())

    def unions(self, *arrays: Numbers) -> Numbers:
        """Element by element, after broadcasting."""
        result = arrays[0]
        for other in arrays[1:]:
            result = self._pairwise(result, other)
        return result

    def _pairwise(self, left: Numbers, right: Numbers) -> Numbers:
        if left.ndim == right.ndim == 0:
            return np.array(self.union((int(left), int(right))), np.int64)
        left, right = np.broadcast_arrays(left, right)
        result = np.array(left)
        differ = np.nonzero(left != right)
        codes = left[differ] * len(self._members) + right[differ]
        pairs, inverse = np.unique(codes, return_inverse=True)
        first, second = np.divmod(pairs, len(self._members))
        made = [self.union(pair) for pair in zip(first.tolist(), second.tolist(), strict=True)]
        result[differ] = np.array(made, np.int64)[inverse]
        return result

    def union_groups(self, groups: Numbers, numbers: Numbers, count: int) -> Numbers:
        """The unions of the `numbers` whose `groups` are 0, 1, ..., count - 1; zero without any."""
        result = np.full(count, ZERO, np.int64)
        pairs = np.unique(groups.ravel() * len(self._members) + numbers.ravel())
        group, number = np.divmod(pairs, len(self._members))
        present, starts = np.unique(group, return_index=True)
        parts = number.tolist()
        bounds = [*starts.tolist(), len(parts)]
        for place, which in enumerate(present.tolist()):
            result[which] = self.union(parts[bounds[place] : bounds[place + 1]])
        return result

    def union_along(self, numbers: Numbers, axes: tuple[int, ...]) -> Numbers:
        """The unions over some axes, which stay with the size 1."""
        kept = tuple(1 if axis in axes else size for axis, size in enumerate(numbers.shape))
        count = int(np.prod(kept, dtype=np.int64))
        groups = np.broadcast_to(np.arange(count).reshape(kept), numbers.shape)
        return self.union_groups(groups, numbers, count).reshape(kept)

    def running(self, numbers: Numbers, axis: int) -> Numbers:
        """Along an axis, the union of each element with all before it."""
        result = np.moveaxis(numbers.copy(), axis, 0)
        for place in range(1, len(result)):
            result[place] = self.unions(result[place - 1], result[place])
        return np.moveaxis(result, 0, axis)


__all__ = ["NONE", "ZERO", "IndexSets", "Numbers"]
