"""Which elements an index names, relative to the indices of the loops around, and which of two
accesses to an array may meet in another trip, or in the same one.

Indices have to be sums of a loop's index and a number, or slices with such bounds, and provably
not negative, since a negative one counts from the end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from s2s_ad.ir import Assign, Atom, Const, For, If, Var, While
from s2s_ad.operations.indexing import SLICE, TUPLE
from s2s_ad.operations.result_types import is_basic_index
from s2s_ad.passes.storage.places import Places
from s2s_ad.types import Number, Size, shape_of


@dataclass(frozen=True)
class Extent:
    """The indices from `low` to `high`, both relative to a loop's index; None is without bound."""

    index: Var
    low: int | None
    high: int | None


Extents = tuple[tuple[Extent, ...], ...]  # for each axis what is known


@dataclass(frozen=True)
class Span:
    """The least and the largest that an index is in any trip, where that is known, and whether it
    is known not to count from the end.
    """

    low: Size | None
    high: Size | None
    natural: bool


class Accesses:
    """What is known about the elements that the indices of a function name."""

    def __init__(self, places: Places) -> None:
        self.places = places

    # Extents --------------------------------------------------------------------------------------

    def extents(self, index: Atom, array: Var) -> Extents:
        """What is known about each axis of the array."""
        axes = len(shape_of(array.type) or ())
        return tuple(self._extent(part) for part in self._parts(index)[:axes])

    def _parts(self, index: Atom) -> list[Atom]:
        """The part of an index for each axis, as far as they are in order."""
        made = self.places.made_by.get(index) if isinstance(index, Var) else None
        parts: list[Atom] = [index]
        if isinstance(made, Assign) and made.op is TUPLE:
            parts = list(made.operands)
        elif isinstance(index, Const) and isinstance(index.value, tuple):
            parts = [Const(part) for part in index.value]
        if any(isinstance(p, Const) and (p.value is None or p.value is Ellipsis) for p in parts):
            return []
        return parts

    def _extent(self, part: Atom) -> tuple[Extent, ...]:
        made = self.places.made_by.get(part) if isinstance(part, Var) else None
        if isinstance(made, Assign) and made.op is SLICE:
            return self._slice_extent(made)
        place = self._relative(part)
        if place is None or not self._not_negative(*place):
            return ()
        return (Extent(place[0], place[1], place[1]), *self._beyond(place[0], place[1]))

    def _beyond(self, index: Var, offset: int) -> Iterator[Extent]:
        """The same relative to the index of an outer loop, where the inner one begins or ends
        there.
        """
        loop = self._loop_of(index)
        if loop is None or not isinstance(loop.trip[2], Const):
            return
        forward = loop.trip[2].value > 0
        first, stop = self._relative(loop.trip[0]), self._relative(loop.trip[1])
        if first is not None:
            low, high = (first[1] + offset, None) if forward else (None, first[1] + offset)
            yield Extent(first[0], low, high)
            yield from self._beyond_extent(first[0], low, high)
        if stop is not None:
            low, high = (None, stop[1] - 1 + offset) if forward else (stop[1] + 1 + offset, None)
            yield Extent(stop[0], low, high)
            yield from self._beyond_extent(stop[0], low, high)

    def _beyond_extent(self, index: Var, low: int | None, high: int | None) -> Iterator[Extent]:
        """From an extent relative to an index, those relative to the loops around that one."""
        for outer in self._beyond(index, 0):
            if low is not None and outer.low is not None:
                yield Extent(outer.index, outer.low + low, None)
            if high is not None and outer.high is not None:
                yield Extent(outer.index, None, outer.high + high)

    def _slice_extent(self, made: Assign) -> tuple[Extent, ...]:
        start, stop, step = made.operands
        if step not in (Const(None), Const(1)):
            return ()
        low, high = self._relative(start), self._relative(stop)
        low = low if low is not None and self._not_negative(*low) else None
        high = high if high is not None and self._not_negative(*high) else None
        start_is_safe = low is not None or start == Const(None) or _is_natural(start)
        found = []
        if low is not None:
            found.append(Extent(low[0], low[1], None))
        if high is not None and start_is_safe:
            same = low is not None and low[0] == high[0]
            if same and low is not None:
                found = [Extent(low[0], low[1], high[1] - 1)]
            else:
                found.append(Extent(high[0], None, high[1] - 1))
        return tuple(found)

    def _relative(self, atom: Atom) -> tuple[Var, int] | None:
        """A loop's index and the number added to it."""
        if not isinstance(atom, Var):
            return None
        if self._loop_of(atom) is not None:
            return atom, 0
        made = self.places.made_by.get(atom)
        if not isinstance(made, Assign) or made.op.name not in ("+", "-"):
            return None
        left, right = made.operands
        if made.op.name == "+" and isinstance(left, Const):
            left, right = right, left
        inner = self._relative(left)
        if inner is None or not isinstance(right, Const) or not isinstance(right.value, int):
            return None
        return inner[0], inner[1] + (right.value if made.op.name == "+" else -right.value)

    def _loop_of(self, var: Var) -> For | None:
        home = self.places.home[var]
        loop = self.places.statements.get(home[-1][0]) if home else None
        is_index = isinstance(loop, For) and loop.body.parameters[0] == var
        return loop if is_index and isinstance(loop, For) else None

    def _not_negative(self, index: Var, offset: int) -> bool:
        """Whether the index with the offset is at least 0 in every trip."""
        loop = self._loop_of(index)
        assert loop is not None
        least = self._least_of_index(loop)
        return least is not None and least + offset >= 0

    def _least_of_index(self, loop: For) -> int | None:
        start, stop, step = loop.trip
        if not isinstance(step, Const):
            return None
        end = self._least(start if step.value > 0 else stop)
        return None if end is None else end + (0 if step.value > 0 else 1)

    def _least(self, atom: Atom) -> int | None:
        """A number that an integer is never below."""
        if isinstance(atom, Const):
            return atom.value if isinstance(atom.value, int) else None
        place = self._relative(atom)
        loop = self._loop_of(place[0]) if place is not None else None
        least = self._least_of_index(loop) if loop is not None else None
        return None if place is None or least is None else least + place[1]

    # Order ----------------------------------------------------------------------------------------

    def is_over(
        self,
        access: Assign,
        other: Assign,
        *,
        before: bool = False,
        carrying: Collection[int] | None = None,
    ) -> bool:
        """Whether `other` touches none of the elements of `access` from then on; with `before`,
        whether it has touched none of them until then.

        `carrying` are the labels of the loops that hand the array on, all loops if it is None: in
        the others each trip has an array of its own.
        """
        array, index = other.operands[0], other.operands[1]
        if not isinstance(array, Var) or not is_basic_index(index.type):
            return False
        ours = self.extents(access.operands[1], array)
        theirs = self.extents(index, array)
        for label, loop in self.common_loops(access.target, other.target):
            if carrying is not None and label not in carrying:
                continue
            if not isinstance(loop, For) or not isinstance(loop.trip[2], Const):
                return self.are_apart(access, other)
            backward = (loop.trip[2].value < 0) != before
            sides = [
                _compare(left, right, backward)
                for lefts, rights in zip(ours, theirs, strict=False)
                for left in lefts
                for right in rights
                if left.index == right.index == loop.body.parameters[0]
            ]
            if "apart" in sides:
                return True
            if "touching" not in sides:
                return self.are_apart(access, other)
        order = self.places.order
        first, second = (access, other) if before else (other, access)
        if other is access or order[first.target] < order[second.target]:
            return True
        return self.are_apart(access, other)

    def common_loops(self, left: Var, right: Var) -> Iterator[tuple[int, For | While]]:
        for one, other in zip(self.places.home[left], self.places.home[right], strict=False):
            if one != other:
                return
            statement = self.places.statements[one[0]]
            if not isinstance(statement, If):
                yield one[0], statement

    def are_apart_now(self, one: Assign, other: Assign) -> bool:
        """Whether no element is named by both in the same trips of the loops around both."""
        array = one.operands[0]
        if not isinstance(array, Var):
            return False
        axes = zip(
            self.extents(one.operands[1], array),
            self.extents(other.operands[1], array),
            strict=False,
        )
        return self.are_apart(one, other) or any(
            left.index == right.index
            and "apart" in (_compare(left, right, False), _compare(right, left, False))
            for lefts, rights in axes
            for left in lefts
            for right in rights
        )

    # Whenever -------------------------------------------------------------------------------------

    def are_apart(self, one: Assign, other: Assign) -> bool:
        """Whether no element is named by both, in whatever trips: along some axis all of one are
        below all of the other.
        """
        array = one.operands[0]
        shape = shape_of(array.type)
        if shape is None:
            return False
        return any(
            _is_below(left, right) or _is_below(right, left)
            for left, right in zip(
                self._spans(one.operands[1], shape),
                self._spans(other.operands[1], shape),
                strict=False,
            )
        )

    def _spans(self, index: Atom, shape: tuple[Size, ...]) -> list[Span]:
        return [
            self._span(part, size) for part, size in zip(self._parts(index), shape, strict=False)
        ]

    def _span(self, part: Atom, size: Size) -> Span:
        if isinstance(part, Const) and isinstance(part.value, int) and part.value < 0:
            return Span(size + part.value, size + part.value, True)
        low, high = (self._bound(part, low=low) for low in (True, False))
        return Span(low, high, self._is_natural(part))

    def _is_natural(self, part: Atom) -> bool:
        if isinstance(part, Const):
            return isinstance(part.value, int) and part.value >= 0
        place = self._relative(part)
        return place is not None and self._not_negative(*place)

    def _bound(self, atom: Atom, *, low: bool) -> Size | None:
        """The least, or the largest, that an index is in any trip."""
        known = atom.type.value if isinstance(atom.type, Number) else None
        if known is not None and not known.is_local:
            return known
        place = self._relative(atom)
        loop = self._loop_of(place[0]) if place is not None else None
        if place is None or loop is None or not isinstance(loop.trip[2], Const):
            return None
        forward = loop.trip[2].value > 0
        end = self._bound(loop.trip[0 if forward == low else 1], low=low)
        if end is None:
            return None
        return end + place[1] + (0 if forward == low else 1 if low else -1)


def _is_below(one: Span, other: Span) -> bool:
    if one.high is None or other.low is None or not one.natural:
        return False
    # so that the other one, being larger, does not count from the end either
    difference = (other.low - one.high).constant
    return difference is not None and difference > 0


def _is_natural(atom: Atom) -> bool:
    return isinstance(atom, Const) and isinstance(atom.value, int) and atom.value >= 0


def _compare(read: Extent, written: Extent, backward: bool) -> str:
    """Whether later trips leave alone what was read ("touching": in the same trip it may be the
    same; "apart": nor is it then).
    """
    if backward:
        read = Extent(read.index, _minus(read.high), _minus(read.low))
        written = Extent(written.index, _minus(written.high), _minus(written.low))
    if read.high is None or written.low is None:
        return ""
    if read.high < written.low:
        return "apart"
    return "touching" if read.high == written.low else ""


def _minus(value: int | None) -> int | None:
    return None if value is None else -value


__all__ = ["Accesses", "Extent", "Extents"]
