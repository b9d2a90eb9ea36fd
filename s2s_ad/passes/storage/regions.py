"""What a loop has read and never writes again is still in the array when the loop is over.

A read of elements of an array is final if no write comes later that touches them. That is shown
loop by loop, from the outermost: along some axis the elements read lie, relative to the loop's
index, on the side that later trips have left behind (`accesses.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from s2s_ad.ir import Assign, Atom, For, If, Statement, Var, While
from s2s_ad.operations.indexing import ADD_AT, ADDITEM, SETITEM
from s2s_ad.operations.result_types import index_parts, is_basic_index
from s2s_ad.passes.activity import carried_of
from s2s_ad.passes.storage.accesses import Accesses
from s2s_ad.passes.storage.places import Places
from s2s_ad.types import Array, dtype_of, is_float, is_integer, scalar_like

UPDATES = (SETITEM, ADDITEM, ADD_AT)


Carried = tuple[Var, Atom, Var, Atom]  # target, initial value, parameter, next value


class Regions:
    """For the arrays of a function: which reads are final, and where their elements are then."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.accesses = Accesses(places)
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
            value = statement.operands[2] if statement.op is SETITEM else None
            # a store in a branch, or in a loop that may have no trips, need not take place
            if (
                isinstance(value, Var)
                and self.places.home[value] == self.places.home[statement.target]
            ):
                self.stored.setdefault(value, statement)
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
            updates = [u for u in self.updates if self.is_version(u.operands[0], parameter)]
            alone = all(self._is_changed_once(update.operands[0]) for update in updates)
            simple = all(update.op in UPDATES for update in updates)
            over = simple and all(self.accesses.is_over(read, update) for update in updates)
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


__all__ = ["UPDATES", "Regions", "is_kept_whole"]
