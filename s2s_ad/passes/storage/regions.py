"""What a loop has read and never writes again is still in the array when the loop is over.

A read of elements of an array is final if no write comes later that touches them. That is shown
loop by loop, from the outermost: along some axis the elements read lie, relative to the loop's
index, on the side that later trips have left behind. Indices have to be sums of a loop's index and
a number, or slices with such bounds, and provably not negative, since a negative one counts from
the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from s2s_ad.ir import Assign, Atom, Const, For, If, Statement, Var, While
from s2s_ad.operations.indexing import ADD_AT, ADDITEM, SETITEM, SLICE, TUPLE
from s2s_ad.operations.result_types import index_parts, is_basic_index
from s2s_ad.passes.activity import carried_of
from s2s_ad.passes.storage.places import Places
from s2s_ad.types import Array, dtype_of, is_float, is_integer, scalar_like, shape_of

UPDATES = (SETITEM, ADDITEM, ADD_AT)


@dataclass(frozen=True)
class Extent:
    """The indices from `low` to `high`, both relative to a loop's index; None is without bound."""

    index: Var
    low: int | None
    high: int | None


Carried = tuple[Var, Atom, Var, Atom]  # target, initial value, parameter, next value
Extents = tuple[tuple[Extent, ...], ...]  # for each axis what is known


class Regions:
    """For the arrays of a function: which reads are final, and where their elements are then."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.updates: list[Assign] = []
        self.slots: dict[Var, Carried] = {}  # by the parameter
        self.changed: dict[Atom, list[Var]] = {}  # what a value becomes by updates and in loops
        self.stored: dict[Var, Assign] = {}  # the first store of each variable
        self.known: dict[Var, Var | None] = {}
        self.versions: dict[tuple[Var, Var], bool] = {}
        for statement in self.forward_statements():
            self._note(statement)

    def _note(self, statement: Statement) -> None:
        if isinstance(statement, For | While):
            for slot in carried_of(statement):
                if isinstance(slot[0].type, Array):
                    self.slots[slot[2]] = slot
                    self.changed.setdefault(slot[1], []).append(slot[0])
        elif isinstance(statement, Assign) and statement.op.update:
            if statement.op is SETITEM and isinstance(statement.operands[2], Var):
                self.stored.setdefault(statement.operands[2], statement)
            self.updates.append(statement)
            self.changed.setdefault(statement.operands[0], []).append(statement.target)

    def final_array(self, var: Var) -> Var | None:
        """The array, behind the outermost loop, that still has what a variable was read from."""
        if var not in self.known:
            read = self.places.made_by.get(var)
            self.known[var] = None
            if isinstance(read, Assign) and read.op.name == "getitem":
                self.known[var] = self._final(read)
            store = self.stored.get(var)
            if self.known[var] is None and store is not None and is_kept_whole(store):
                self.known[var] = self._final(store)
        return self.known[var]

    def index_of(self, var: Var) -> Atom:
        """Where in its final array the variable is."""
        read = self.places.made_by.get(var)
        if isinstance(read, Assign) and read.op.name == "getitem" and self._final(read) is not None:
            return read.operands[1]
        return self.stored[var].operands[1]

    def _final(self, read: Assign) -> Var | None:
        """The same for what a statement reads, or stores."""
        source, index = read.operands[:2]
        home = self.places.home[read.target]
        if not isinstance(source, Var) or not is_basic_index(index.type) or not home:
            return None
        outermost = self.places.statements.get(home[0][0])
        if not isinstance(outermost, For | While):
            return None
        for target, _, parameter, following in carried_of(outermost):
            if parameter not in self.slots or not self.is_version(source, parameter):
                continue
            if not self.is_version(following, parameter):
                return None  # a trip hands on another array
            elements = self.extents(index, source)
            updates = [u for u in self.updates if self.is_version(u.operands[0], parameter)]
            alone = all(self._is_changed_once(update.operands[0]) for update in updates)
            simple = all(update.op in UPDATES for update in updates)
            over = simple and all(self.is_over(read, elements, update) for update in updates)
            return target if alone and over else None
        return None

    # Versions -------------------------------------------------------------------------------------

    def is_version(self, atom: Atom, of: Var) -> bool:
        """Whether a value is an array as updates have left it, and not another of that name."""
        if atom == of or not isinstance(atom, Var):
            return atom == of
        key = (atom, of)
        if key not in self.versions:
            self.versions[key] = False
            self.versions[key] = self._is_version(atom, of)
        return self.versions[key]

    def _is_version(self, atom: Var, of: Var) -> bool:
        if atom in self.slots:
            _, initial, parameter, following = self.slots[atom]
            return self.is_version(initial, of) and self.is_version(following, parameter)
        match self.places.made_by.get(atom):
            case Assign(op=op, operands=operands):
                return bool(op.update) and self.is_version(operands[0], of)
            case If(targets=targets, then=then, orelse=orelse):
                place = targets.index(atom)
                sides = (then.results[place], orelse.results[place])
                return all(self.is_version(side, of) for side in sides)
            case (For() | While()) as loop:
                slot = next(slot for slot in carried_of(loop) if slot[0] == atom)
                return self.is_version(slot[1], of) and self.is_version(slot[3], slot[2])
        return False

    def _is_changed_once(self, atom: Atom) -> bool:
        """Whether a value becomes one other value only, or one on each side of a branch."""
        targets = self.changed.get(atom, [])
        return len(targets) <= 1 or self._on_different_sides(targets)

    def forward_statements(self) -> Iterator[Statement]:
        seen: set[int] = set()
        for var, statement in self.places.made_by.items():
            if id(statement) not in seen and not self.places.is_reverse(self.places.home[var]):
                seen.add(id(statement))
                yield statement

    def _on_different_sides(self, targets: list[Var]) -> bool:
        sides = {self.places.home[target][-1:] for target in targets}
        labels = {side[0][0] for side in sides if side}
        return len(labels) == 1 and len(sides) == len(targets)

    # Extents --------------------------------------------------------------------------------------

    def extents(self, index: Atom, array: Var) -> Extents:
        """What is known about each axis of the array."""
        made = self.places.made_by.get(index) if isinstance(index, Var) else None
        if isinstance(made, Assign) and made.op is TUPLE:
            parts = list(made.operands)
        elif isinstance(index, Const) and isinstance(index.value, tuple):
            parts = [Const(part) for part in index.value]
        else:
            parts = [index]
        if any(isinstance(p, Const) and (p.value is None or p.value is Ellipsis) for p in parts):
            return ()
        return tuple(self._extent(part) for part in parts[: len(shape_of(array.type) or ())])

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
        start, stop, step = loop.trip
        if not isinstance(step, Const):
            return False
        if step.value > 0:
            least = self._least(start)
        else:
            least = stop.value + 1 if isinstance(stop, Const) else None
        return least is not None and least + offset >= 0

    def _least(self, atom: Atom) -> int | None:
        """A number that an integer is never below."""
        if isinstance(atom, Const):
            return atom.value if isinstance(atom.value, int) else None
        place = self._relative(atom)
        if place is None:
            return None
        loop = self._loop_of(place[0])
        if loop is None or not isinstance(loop.trip[2], Const):
            return None
        if loop.trip[2].value > 0:
            first = self._least(loop.trip[0])
        else:
            first = loop.trip[1].value + 1 if isinstance(loop.trip[1], Const) else None
        return None if first is None else first + place[1]

    # Order ----------------------------------------------------------------------------------------

    def is_over(self, read: Assign, elements: Extents, update: Assign) -> bool:
        """Whether an update touches none of the elements once they have been read."""
        target, index = update.operands[0], update.operands[1]
        if not isinstance(target, Var) or not is_basic_index(index.type):
            return False
        written = self.extents(index, target)
        for loop in self._common_loops(read.target, update.target):
            if not isinstance(loop, For) or not isinstance(loop.trip[2], Const):
                return False
            backward = loop.trip[2].value < 0
            sides = [
                _compare(left, right, backward)
                for lefts, rights in zip(elements, written, strict=False)
                for left in lefts
                for right in rights
                if left.index == right.index == loop.body.parameters[0]
            ]
            if "apart" in sides:
                return True
            if "touching" not in sides:
                return False
        order = self.places.order
        return update is read or order[update.target] < order[read.target]

    def _common_loops(self, left: Var, right: Var) -> Iterator[For | While]:
        for one, other in zip(self.places.home[left], self.places.home[right], strict=False):
            if one != other:
                return
            statement = self.places.statements[one[0]]
            if not isinstance(statement, If):
                yield statement


def is_kept_whole(store: Assign) -> bool:
    """Whether a store leaves the value as it was: one element, of the array's dtype."""
    array, index, value = (operand.type for operand in store.operands)
    if not isinstance(array, Array) or array.shape is None or not scalar_like(value):
        return False
    parts = index_parts(index)
    # an array of integers would spread the value over several elements
    one = all(scalar_like(part) and is_integer(part) for part in parts)
    return (
        one
        and len(parts) == len(array.shape)
        and is_float(value)
        and array.dtype == dtype_of(value)
    )


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


__all__ = ["UPDATES", "Regions", "is_kept_whole"]
